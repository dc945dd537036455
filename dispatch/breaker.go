package dispatch

import (
	"slices"
	"time"
)

// failuresToOpen is how many different events in a row have to fail before it is the
// endpoint that is taken to be down: one event may be the receiver's bug.
const failuresToOpen = 3

// failuresToDisable is how many failures in a row it takes, beside the days, to give
// up an endpoint that is down: two events a week are not enough to judge by.
const failuresToDisable = 20

// breaker tells a receiver that is down from an event that it refuses. It is pure: the
// worker tells it what came of each attempt, and keeps failures, failingSince and
// probeAt in the webhook's row.
type breaker struct {
	first, longest time.Duration // between probes

	failures     int       // in a row
	failingSince time.Time // first attempt after the last success
	probeAt      time.Time // set while down

	failed []int64 // the different events that failed in a row, until it opens
	probes int     // since the last success
}

func (b *breaker) down() bool { return !b.probeAt.IsZero() }

// succeed records a success: everything is well again.
func (b *breaker) succeed() {
	b.failures, b.failingSince, b.probeAt = 0, time.Time{}, time.Time{}
	b.failed, b.probes = b.failed[:0], 0
}

// refuse records that the endpoint answered and did not want this event: it is up, but
// it has not proved anything that would make the next probes quick again.
func (b *breaker) refuse(now time.Time) {
	b.fails(now)
	b.probeAt = time.Time{}
	b.failed = b.failed[:0]
}

// fail records a failure that says something about the endpoint. What was in flight
// when it was found to be down doesn't count a second time.
func (b *breaker) fail(now time.Time, event int64, o outcome, probe bool) {
	b.fails(now)
	if b.down() && !probe {
		return
	}
	b.failures++
	if !slices.Contains(b.failed, event) {
		b.failed = append(b.failed, event)
	}
	if b.down() || len(b.failed) >= failuresToOpen || o.asksForSilence() {
		b.failed = b.failed[:0]
		b.probeAt = now.Add(waitAtLeast(b.interval(), o.retryAfter))
		b.probes++
	}
}

func (b *breaker) fails(now time.Time) {
	if b.failingSince.IsZero() {
		b.failingSince = now
	}
}

// interval doubles with each probe.
func (b *breaker) interval() time.Duration {
	d := b.first
	for range b.probes {
		if d *= 2; d >= b.longest {
			d = b.longest
			break
		}
	}
	return jitter(d)
}

// restore takes up what the webhook's row says.
func (b *breaker) restore(failures int, failingSince, probeAt time.Time) {
	b.failures, b.failingSince, b.probeAt = failures, failingSince, probeAt
	if b.down() {
		b.probes = max(1, failures-failuresToOpen+1)
	}
}
