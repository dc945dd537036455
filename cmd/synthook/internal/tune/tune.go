// Package tune proposes how often streams should be polled: where the requests that
// polls cost buy the most freshness.
//
// It owns the model (docs/tuning.md has it in words) and is pure: no database, no clock,
// no network. It never changes a schedule; whoever asked for a proposal may.
//
// Words: the rate of a stream is how many changes an hour it is expected to have, its
// cost the requests of one poll. A change waits from when it happens until the next poll
// has ended; the wait weighted by changes is what the model makes least. A stream is
// fixed when its schedule is not the model's to choose: it counts and stays.
//
// The model: a change comes at any moment between two polls alike, so it waits half an
// interval in the mean. With rate r, cost c and interval t of each stream, the sum of
// r·t/2 is to be least while the sum of c/t stays within the budget: every t is then
// the same multiple of sqrt(c/r), cut to the stream's bounds (Lagrange; where bounds
// cut, the multiple is the largest or smallest that still meets the aim, since both sums
// are monotonic in it).
package tune

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Stream is one account × one record type, as it was observed. Numbers are not negative.
type Stream struct {
	AccountID, RecordType, Provider string
	Schedule, ScheduleFrom          string
	Gaps                            []time.Duration // between polls, as scheduled now: one for an interval, more for a cron expression
	Fixed                           string          // why its schedule stays; "": it can change

	Changes  int64         // that were told of
	Observed time.Duration // in so long
	Cost     float64       // requests of a poll
	Duration time.Duration // of a poll
	Limit    float64       // requests an hour that the provider grants the account; 0: not known
	Siblings int           // streams of the account that are polled, itself included
}

// The prior: a stream of which nothing is known has one change a day; what is observed
// outweighs that as soon as it is more than a day's.
const (
	priorChanges = 1
	priorHours   = 24
)

// Rate is the expected number of changes an hour: never zero, so that a stream that was
// quiet is not forgotten.
func (s Stream) Rate() float64 {
	return (float64(s.Changes) + priorChanges) / (s.Observed.Hours() + priorHours)
}

// limitShare is how much of a provider's limit an account's polls may use: the rest is
// for listings that grow, repeated requests and whoever else has the same key.
const limitShare = 0.5

// floor is the shortest interval for the stream: a poll takes at most half of it, and
// an account whose streams all had theirs would use limitShare of its provider's limit.
func (s Stream) floor(shortest time.Duration) time.Duration {
	floor := max(shortest, 2*s.Duration)
	if s.Limit > 0 {
		floor = max(floor, hours(s.Cost*float64(s.Siblings)/(limitShare*s.Limit)))
	}
	return floor
}

// Spending is the requests an hour of a schedule with these gaps.
func (s Stream) spending(gaps []time.Duration) float64 {
	var total time.Duration
	for _, gap := range gaps {
		total += gap
	}
	if total <= 0 {
		return 0
	}
	return s.Cost * float64(len(gaps)) / total.Hours()
}

// unit is what gets one interval: a stream, or all streams of a record type that can
// change.
type unit struct {
	rate, cost     float64
	floor, longest time.Duration
}

// interval is the unit's at a multiple (in hours).
func (u unit) interval(multiple float64) time.Duration {
	return min(max(hours(multiple*math.Sqrt(u.cost/u.rate)), u.floor), u.longest)
}

// solve finds the largest or smallest multiple, as meets says: it is monotonic, false
// below a multiple and true above it (rising), or the other way round.
func solve(meets func(multiple float64) bool, rising bool) (multiple float64, met bool) {
	low, high := 1e-9, 1e9
	if ends := [2]bool{meets(low), meets(high)}; ends[0] == ends[1] {
		// The bounds decide alone: all the aim asks for, or all that can be done for it.
		if rising == ends[0] {
			return low, ends[0]
		}
		return high, ends[0]
	}
	for range 200 {
		middle := math.Sqrt(low * high)
		if meets(middle) == rising {
			high = middle
		} else {
			low = middle
		}
	}
	if rising {
		return high, true
	}
	return low, true
}

// within is the multiple that spends a budget (requests an hour); not met: even the
// longest intervals spend more.
func within(units []unit, budget float64) (multiple float64, met bool) {
	return solve(func(m float64) bool {
		spent := 0.0
		for _, u := range units {
			spent += u.cost / u.interval(m).Hours()
		}
		return spent <= budget
	}, true)
}

// fresh is the multiple at which the mean wait is a target; not met: even the shortest
// intervals wait longer. rest is the rate and the waiting of what is fixed.
func fresh(units []unit, target time.Duration, rest, restWaits float64) (multiple float64, met bool) {
	return solve(func(m float64) bool {
		rate, waits := rest, restWaits
		for _, u := range units {
			rate += u.rate
			waits += u.rate * u.interval(m).Hours() / 2
		}
		return waits <= target.Hours()*rate
	}, false)
}

// steps are what intervals are rounded to: nobody wants 13m42s.
var steps = []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// roundUp and roundDown make an interval plain within about a fifteenth of it: up for
// a budget, down for a target.
func roundUp(interval time.Duration) time.Duration {
	if step := step(interval); interval%step != 0 {
		return interval - interval%step + step
	}
	return interval
}

func roundDown(interval time.Duration) time.Duration { return interval - interval%step(interval) }

func step(interval time.Duration) time.Duration {
	i, _ := slices.BinarySearchFunc(steps, interval/15+1, func(step, most time.Duration) int { return cmp.Compare(step, most) })
	return steps[max(i-1, 0)]
}

func hours(h float64) time.Duration {
	return time.Duration(min(h*float64(time.Hour), float64(math.MaxInt64/4)))
}
