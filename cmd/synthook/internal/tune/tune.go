// Package tune proposes how often streams should be polled: where the requests that
// polls cost buy the most freshness.
//
// It owns the model (docs/tuning.md has it in words) and is pure: no database, no clock,
// no network. It never changes a schedule; whoever asked for a proposal may.
//
// Words: the rate of a stream is how many changes an hour it is expected to have, its
// cost the requests of one poll. A change waits from when it happens until the poll that
// finds it has ended; the wait weighted by changes is what the model makes least. Updates
// are created and updated records: the same polls find them. A stream has two speeds when
// listings of changes alone, which find updates only, come between its complete ones. It
// is fixed when its schedule is not the model's to choose: it counts and stays.
//
// The model: a change comes at any moment between two polls alike, so it waits half an
// interval in the mean. With rate r, cost c and interval t of each speed of each stream,
// the sum of r·t/2 is to be least while the sum of c/t stays within the budget: every t
// is then the same multiple of sqrt(c/r), cut to its bounds (Lagrange; where bounds cut,
// the multiple is the largest or smallest that still meets the aim, since both sums are
// monotonic in it). Where a stream may have one speed or two, it gets at each multiple
// what makes the waiting and the price of the requests together least, which leaves the
// sums monotonic.
package tune

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Stream is one account × one record type, as it was observed. Numbers are not negative.
type Stream struct {
	AccountID, RecordType, Provider             string
	Schedule, ScheduleFrom, IncrementalSchedule string

	Complete    Speed  // listings of everything: they find all changes
	Incremental Speed  // between them, listings of changes alone: they find updates. Cost 0: the provider can't be asked so
	Fixed       string // why its schedules stay; "": they can change
	Kept        bool   // the incremental schedule stays all the same

	Updates, Deletions int64         // that were told of: created and updated records, deleted ones
	Observed           time.Duration // in so long
	Limit              float64       // requests an hour that the provider grants the account; 0: not known
	Siblings           int           // streams of the account that are polled, itself included
}

// Speed is one of the at most two at which a stream is polled.
type Speed struct {
	Gaps     []time.Duration // between polls, as scheduled now: one for an interval, more for a cron expression; none: there are no such polls
	Cost     float64         // requests of a poll
	Duration time.Duration   // of a poll
}

// The prior: a stream of which nothing is known has one change a day, of ten one is a
// deletion; what is observed outweighs that as soon as it is more than a day's.
const (
	priorUpdates   = 0.9
	priorDeletions = 0.1
	priorHours     = 24
)

// rates are the expected numbers of updates and deletions an hour: never zero, so that a
// stream that was quiet is not forgotten.
func (s *Stream) rates() (updates, deletions float64) {
	seen := s.Observed.Hours() + priorHours
	return (float64(s.Updates) + priorUpdates) / seen, (float64(s.Deletions) + priorDeletions) / seen
}

// Rate is the expected number of changes an hour.
func (s *Stream) Rate() float64 {
	updates, deletions := s.rates()
	return updates + deletions
}

// limitShare is how much of a provider's limit an account's polls may use: the rest is
// for listings that grow, repeated requests and whoever else has the same key.
const limitShare = 0.5

// floor is the shortest interval for a speed of the stream, which has so many: a poll
// takes at most half of it, and an account whose streams all had theirs would use
// limitShare of its provider's limit.
func (s *Stream) floor(v Speed, speeds int, shortest time.Duration) time.Duration {
	floor := max(shortest, 2*v.Duration)
	if s.Limit > 0 {
		floor = max(floor, hours(v.Cost*float64(speeds*s.Siblings)/(limitShare*s.Limit)))
	}
	return floor
}

// spending is the requests an hour of a schedule with these gaps.
func (v Speed) spending(gaps []time.Duration) float64 {
	whole := sum(gaps)
	if whole <= 0 {
		return 0
	}
	return v.Cost * float64(len(gaps)) / whole.Hours()
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
		spent, _ := sums(units, m)
		return spent <= budget
	}, true)
}

// fresh is the multiple at which the waiting of the units is as much as it may be; not
// met: even the shortest intervals wait longer.
func fresh(units []unit, most float64) (multiple float64, met bool) {
	return solve(func(m float64) bool {
		_, waiting := sums(units, m)
		return waiting <= most
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

func sum(gaps []time.Duration) (whole time.Duration) {
	for _, gap := range gaps {
		whole += gap
	}
	return whole
}
