package tune_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/tune"
)

// history is what happens to one stream in two weeks: when records change, what polls of
// it take.
type history struct {
	account, recordType string
	complete, part      tune.Speed // without gaps; part: listings of changes alone, where they can be asked for
	changes             []change   // ascending
}

// change is one of a record, a time since the beginning.
type change struct {
	at      time.Duration
	deleted bool
}

const (
	week = 7 * 24 * time.Hour
	span = 2*week + 48*time.Hour // that polls are made in: each change is found
)

// invent makes a history of an office: changes come mostly on weekdays between 8 and 18
// o'clock, and now and then many at once. perDay is how many come on a working day.
// One in twenty is a deletion.
func invent(random *rand.Rand, perDay float64) (changes []change) {
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
			changes = append(changes, change{at, random.IntN(20) == 0})
		}
	}
	return changes
}

// office is four customers with six record types each: small and large, busy and quiet,
// which is not the same. Candidates and applications can be asked for changes alone, in
// two requests.
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
			h := history{
				account: fmt.Sprintf("account-%d", account), recordType: v.name,
				complete: tune.Speed{Cost: cost, Duration: time.Duration(cost) * 200 * time.Millisecond},
				changes:  invent(random, v.rate*size/4*activity),
			}
			if v.name == "candidates" || v.name == "applications" {
				h.part = tune.Speed{Cost: 2, Duration: 400 * time.Millisecond}
			}
			all = append(all, h)
		}
	}
	return all
}

// observed is what a week of polls showed of the streams, every hour each.
func observed(all []history) (streams []tune.Stream) {
	for _, h := range all {
		s := tune.Stream{
			AccountID: h.account, RecordType: h.recordType, Schedule: "1h", Complete: h.complete, Incremental: h.part,
			Observed: week, Siblings: 6,
		}
		s.Complete.Gaps = []time.Duration{time.Hour}
		for _, c := range h.changes {
			switch {
			case c.at >= week:
			case c.deleted:
				s.Deletions++
			default:
				s.Updates++
			}
		}
		streams = append(streams, s)
	}
	return streams
}

// lived is what really came of a schedule.
type lived struct {
	mean, updates, deletions time.Duration // waits
	requests                 float64       // an hour
}

// live polls the second week at the intervals, as the poller does: a listing of changes
// is made at its time unless a complete one runs then, and finds no deletion.
func live(all []history, of func(h history) tune.Intervals) lived {
	var l lived
	var updates, deletions int
	for i, h := range all {
		every := of(h)
		complete := starts(every.Complete, float64(i)/float64(len(all)), nil, 0)
		var part []time.Duration
		if every.Incremental > 0 {
			part = starts(every.Incremental, float64(i)/float64(len(all)), complete, h.complete.Duration)
		}
		l.requests += h.complete.Cost*perHour(complete) + h.part.Cost*perHour(part)
		for _, c := range h.changes {
			if c.at < week || c.at >= 2*week {
				continue
			}
			found := next(complete, c.at) + h.complete.Duration
			if c.deleted {
				l.deletions += found - c.at
				deletions++
				continue
			}
			if part != nil {
				found = min(found, next(part, c.at)+h.part.Duration)
			}
			l.updates += found - c.at
			updates++
		}
	}
	l.mean = (l.updates + l.deletions) / time.Duration(updates+deletions)
	l.updates /= time.Duration(updates)
	l.deletions /= time.Duration(deletions)
	return l
}

// starts are the times of polls: every so often, but never while another
// one runs.
func starts(every time.Duration, phase float64, others []time.Duration, run time.Duration) (at []time.Duration) {
	for t := time.Duration(phase * float64(every)); t < span; t += every {
		if n, _ := slices.BinarySearch(others, t+1); n > 0 && t < others[n-1]+run {
			continue
		}
		at = append(at, t)
	}
	return at
}

func perHour(starts []time.Duration) float64 {
	return float64(len(starts)) / span.Hours()
}

// next is the first poll at or after a change.
func next(starts []time.Duration, at time.Duration) time.Duration {
	n, _ := slices.BinarySearch(starts, at)
	return starts[n]
}

// With what was seen in one week, the proposal beats equal intervals in the next one at
// no more requests, whatever the budget; for every stream by more than by record type;
// with two speeds, where they are possible, by more than the best single ones.
func TestProposalBeatsEqualIntervals(t *testing.T) {
	all := office()
	hourly := 0.0
	for _, h := range all {
		hourly += h.complete.Cost
	}
	for _, budget := range []float64{hourly / 4, hourly, hourly * 4} {
		equal := tune.Intervals{Complete: time.Duration(hourly / budget * float64(time.Hour))}
		before := live(all, func(history) tune.Intervals { return equal })
		t.Logf("%.0f requests an hour, equal intervals of %s: changes wait %s", before.requests, equal.Complete, before.mean.Round(time.Second))
		single := map[bool]time.Duration{}
		for _, c := range []struct {
			name      string
			perStream bool
			two       bool
			most      float64 // of the wait at equal intervals
		}{{"by record type", false, false, 0.85}, {"by stream", true, false, 0.6}, {"by record type, two speeds", false, true, 0.5}, {"by stream, two speeds", true, true, 0.45}} {
			streams := observed(all)
			for i := range streams {
				if !c.two {
					streams[i].Incremental = tune.Speed{}
				}
			}
			p := tune.Plan(streams, tune.Aim{Budget: budget, PerStream: c.perStream, Shortest: 5 * time.Minute, Longest: 24 * time.Hour})
			proposed := map[string]tune.Intervals{}
			for _, l := range p.Streams {
				proposed[l.AccountID+l.RecordType] = l.Proposed
			}
			got := live(all, func(h history) tune.Intervals { return proposed[h.account+h.recordType] })
			share := float64(got.mean) / float64(before.mean)
			t.Logf("%s: %s (%.0f %%; updates %s, deletions %s) at %.0f requests; predicted %s", c.name, got.mean.Round(time.Second), 100*share,
				got.updates.Round(time.Second), got.deletions.Round(time.Second), got.requests, p.After.Mean.Round(time.Second))
			// Polls are counted, whether the span is whole intervals or not.
			if p.After.Requests > budget*1.000001 || got.requests > budget*1.01 || !p.Met {
				t.Errorf("%.1f requests an hour for a budget of %.1f", got.requests, budget)
			}
			if c.two && float64(got.mean) > 0.8*float64(single[c.perStream]) {
				t.Errorf("%s: changes wait %s, hardly less than %s at one speed", c.name, got.mean, single[c.perStream])
			}
			single[c.perStream] = got.mean
			if share > c.most {
				t.Errorf("%s: changes wait %s, more than %.0f %% of %s", c.name, got.mean, 100*c.most, before.mean)
			}
			for what, pair := range map[string][2]time.Duration{"all": {p.After.Mean, got.mean}, "updates": {p.After.Updates.Mean, got.updates}, "deletions": {p.After.Deletions.Mean, got.deletions}} {
				tolerance := 1.5
				if what == "all" {
					tolerance = 1.3
				}
				if ratio := float64(pair[0]) / float64(pair[1]); ratio < 1/tolerance || ratio > tolerance {
					t.Errorf("%s, %s: predicted %s, came %s", c.name, what, pair[0], pair[1])
				}
			}
			if ratio := p.After.Requests / got.requests; ratio < 0.97 || ratio > 1.03 {
				t.Errorf("%s: predicted %f requests, came %f", c.name, p.After.Requests, got.requests)
			}
		}
	}
}
