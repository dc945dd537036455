package tune_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/tune"
)

// history is what happens to one stream in two weeks: when records change, how many
// requests a poll of it takes.
type history struct {
	account, recordType string
	cost                float64
	poll                time.Duration
	changes             []time.Duration // since the beginning, ascending
}

const week = 7 * 24 * time.Hour

// invent makes a history of an office: changes come mostly on weekdays between 8 and 18
// o'clock, and now and then many at once. perDay is how many come on a working day.
func invent(random *rand.Rand, perDay float64) (changes []time.Duration) {
	for at := time.Duration(0); at < 2*week; {
		at += time.Duration(random.ExpFloat64() / (perDay * 3) * float64(24*time.Hour))
		day, hour := int(at/(24*time.Hour))%7, int(at/time.Hour)%24
		busy := 0.1
		if day < 5 && hour >= 8 && hour < 18 {
			busy = 0.7
		}
		if random.Float64() > busy {
			continue
		}
		for range 1 + 20*(1-min(1, random.IntN(40))) { // one in forty is a batch
			changes = append(changes, at)
		}
	}
	return changes
}

// office is four customers with six record types each: small and large, busy and quiet,
// which is not the same.
func office() (all []history) {
	random := rand.New(rand.NewPCG(2026, 11))
	for account, activity := range []float64{8, 0.5, 4, 0.2} {
		size := math.Pow(4, float64(account)) // 1 to 64
		for _, v := range []struct {
			name string
			rate float64 // changes a day, where size and activity are 4 and 1
			cost float64 // requests a poll, where size is 4; at least one
		}{
			{"employees", 0.3, 0.8}, {"employments", 0.1, 0.8}, {"candidates", 4, 3}, {"applications", 6, 2}, {"interviews", 2, 0.2}, {"job_postings", 0.05, 0.05},
		} {
			cost := max(1, math.Ceil(v.cost*size/4))
			all = append(all, history{
				account: fmt.Sprintf("account-%d", account), recordType: v.name, cost: cost,
				poll: time.Duration(cost) * 200 * time.Millisecond, changes: invent(random, v.rate*size/4*activity),
			})
		}
	}
	return all
}

// observed is what a week of polls showed of the streams, every hour each.
func observed(all []history) (streams []tune.Stream) {
	for _, h := range all {
		s := tune.Stream{
			AccountID: h.account, RecordType: h.recordType, Schedule: "1h", Gaps: []time.Duration{time.Hour},
			Observed: week, Cost: h.cost, Duration: h.poll, Siblings: 6,
		}
		for _, at := range h.changes {
			if at < week {
				s.Changes++
			}
		}
		streams = append(streams, s)
	}
	return streams
}

// live polls the second week at the intervals and returns what really came of it: the
// mean wait of its changes and the requests an hour.
func live(all []history, interval func(h history) time.Duration) (mean time.Duration, requests float64) {
	var waited time.Duration
	n := 0
	for i, h := range all {
		every := interval(h)
		phase := every * time.Duration(i) / time.Duration(len(all))
		requests += h.cost / every.Hours()
		for _, at := range h.changes {
			if at < week {
				continue
			}
			next := (at-phase+every-1)/every*every + phase
			waited += next - at + h.poll
			n++
		}
	}
	return waited / time.Duration(n), requests
}

// With what was seen in one week, the proposal beats equal intervals in the next one at
// no more requests, whatever the budget; for every stream by more than by record type.
func TestProposalBeatsEqualIntervals(t *testing.T) {
	all := office()
	streams := observed(all)
	perHour := 0.0
	for _, h := range all {
		perHour += h.cost
	}
	for _, budget := range []float64{perHour / 4, perHour, perHour * 4} {
		equal := time.Duration(perHour / budget * float64(time.Hour))
		before, spent := live(all, func(history) time.Duration { return equal })
		for perStream, most := range map[bool]float64{false: 0.9, true: 0.7} {
			p := tune.Plan(streams, tune.Aim{Budget: budget, PerStream: perStream, Shortest: 5 * time.Minute, Longest: 24 * time.Hour})
			proposed := map[string]time.Duration{}
			for _, l := range p.Streams {
				proposed[l.AccountID+l.RecordType] = l.Interval
			}
			mean, requests := live(all, func(h history) time.Duration { return proposed[h.account+h.recordType] })
			t.Logf("%.0f requests an hour: equal intervals of %s wait %s; per stream %v: %s at %.0f requests (predicted %s)",
				spent, equal, before.Round(time.Second), perStream, mean.Round(time.Second), requests, p.After.Mean.Round(time.Second))
			if requests > budget*1.000001 || !p.Met {
				t.Errorf("%.1f requests an hour for a budget of %.1f", requests, budget)
			}
			if float64(mean) > most*float64(before) {
				t.Errorf("changes wait %s, more than %.0f %% of %s", mean, 100*most, before)
			}
			if ratio := float64(p.After.Mean) / float64(mean); ratio < 0.8 || ratio > 1.25 {
				t.Errorf("predicted %s, came %s", p.After.Mean, mean)
			}
			if math.Abs(p.After.Requests-requests) > 0.001*requests {
				t.Errorf("predicted %f requests, came %f", p.After.Requests, requests)
			}
		}
	}
}
