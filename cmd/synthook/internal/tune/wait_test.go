package tune

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Waits of very many streams are put together from fewer, and nobody sees it: they differ
// by less than a thousandth of the worst.
func TestWaitsOfManyStreams(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var spans []span
	for range 20 * mergedFrom {
		spans = append(spans, span{weight: random.Float64(), gap: []float64{0.25, 1, 24}[random.IntN(3)], poll: random.Float64() / 10})
	}
	got, worst := waits(spans), 24.1
	weight := 0.0
	for _, s := range spans {
		weight += s.weight
	}
	for name, c := range map[string]struct{ got, want time.Duration }{
		"median": {got.Median, quantile(spans, weight*.5, worst)}, "p95": {got.P95, quantile(spans, weight*.95, worst)},
	} {
		if off := (c.got - c.want).Abs(); off > hours(worst)/1000 {
			t.Errorf("%s: %s, one by one %s", name, c.got, c.want)
		}
	}
	if few := merged(spans, worst); len(few) > len(spans)/4 {
		t.Errorf("%d spans of %d are left", len(few), len(spans))
	}
}

// Sums alone are the same sums.
func TestSumsAlone(t *testing.T) {
	var streams []Stream
	for i := range 30 {
		s := Stream{AccountID: string(rune('a' + i)), RecordType: "employees", Observed: 100 * time.Hour, Updates: int64(i), Siblings: 1, Limit: 3600,
			Complete: Speed{Gaps: []time.Duration{time.Hour}, Cost: 2, Duration: time.Second}}
		if i%5 == 0 {
			s.Fixed = "set for the stream"
		}
		streams = append(streams, s)
	}
	for _, aim := range []Aim{{Budget: 40, Longest: 24 * time.Hour}, {Wait: time.Minute, Longest: 24 * time.Hour}} {
		whole := Plan(streams, aim)
		aim.Sums = true
		sums := Plan(streams, aim)
		if whole.Before != sums.Before || whole.After != sums.After || whole.Groups[0].Proposed != sums.Groups[0].Proposed || whole.Met != sums.Met {
			t.Errorf("whole %+v, sums alone %+v", whole.Groups[0], sums.Groups[0])
		}
	}
}
