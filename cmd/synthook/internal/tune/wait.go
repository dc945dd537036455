package tune

import (
	"math"
	"time"
)

// Waits is how long a change waits to be found: from when it happens to the end of the
// poll that finds it.
type Waits struct {
	Mean, Median, P95, Worst time.Duration
}

// span is time between two polls in which changes come: they wait up to gap, any time
// alike, and for the poll itself.
type span struct {
	weight    float64 // changes
	gap, poll float64 // hours
}

// spans are those of a stream: a change falls into a longer gap more often.
func (s Stream) spans(to []span, gaps []time.Duration) []span {
	var total time.Duration
	for _, gap := range gaps {
		total += gap
	}
	for _, gap := range gaps {
		to = append(to, span{weight: s.Rate() * float64(gap) / float64(total), gap: gap.Hours(), poll: s.Duration.Hours()})
	}
	return to
}

// waits sums up spans.
func waits(spans []span) Waits {
	weight, sum, worst := 0.0, 0.0, 0.0
	for _, s := range spans {
		weight += s.weight
		sum += s.weight * (s.gap/2 + s.poll)
		worst = max(worst, s.gap+s.poll)
	}
	if weight == 0 {
		return Waits{}
	}
	return Waits{
		Mean: hours(sum / weight).Round(time.Millisecond), Median: quantile(spans, weight*.5, worst),
		P95: quantile(spans, weight*.95, worst), Worst: hours(worst).Round(time.Millisecond),
	}
}

// quantile is the wait that so much of the weight does not exceed.
func quantile(spans []span, weight, worst float64) time.Duration {
	low, high := 0.0, worst
	for range 50 {
		middle := (low + high) / 2
		below := 0.0
		for _, s := range spans {
			below += s.weight * min(max((middle-s.poll)/math.Max(s.gap, 1e-12), 0), 1)
		}
		if below < weight {
			low = middle
		} else {
			high = middle
		}
	}
	return hours(high).Round(time.Millisecond)
}
