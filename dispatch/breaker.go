package dispatch

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RetrySchedule holds the wait before each attempt of a delivery; an event that is
// refused once more after the last is dead. It is the example of the Standard Webhooks
// specification: 75 h 35 min in all.
var RetrySchedule = []time.Duration{
	0,
	5 * time.Second,
	5 * time.Minute,
	30 * time.Minute,
	2 * time.Hour,
	5 * time.Hour,
	10 * time.Hour,
	14 * time.Hour,
	20 * time.Hour,
	24 * time.Hour,
}

// jitter spreads d by ±10 %.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)*0.2*float64(d))
}

// waitAtLeast gives the receiver's Retry-After its way where it asks for more than the
// wait d, up to 2 d or an hour, whichever is longer.
func waitAtLeast(d, retryAfter time.Duration) time.Duration {
	return min(max(d, retryAfter), max(2*d, time.Hour))
}

// parseRetryAfter reads a Retry-After header (RFC 9110, section 10.2.3: seconds or an
// HTTP date); 0 for one that is absent, past or not understood.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if strings.Trim(value, "0123456789") == "" {
		return 1 << 31 * time.Second // more seconds than fit: the caller's bound decides
	}
	if date, err := http.ParseTime(value); err == nil && date.After(now) {
		return date.Sub(now)
	}
	return 0
}

// failuresToOpen is how many different events in a row have to fail before it is the
// endpoint that is taken to be down: one event may be the receiver's bug.
const failuresToOpen = 3

// unreachedToOpen is how many attempts in a row it takes where no connection is made at
// all: no event is to blame for that, but a single one may have come at a restart.
const unreachedToOpen = 2

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
	if b.down() || len(b.failed) >= failuresToOpen || o.unreached() && b.failures >= unreachedToOpen || o.asksForSilence() {
		b.failed = b.failed[:0]
		b.probeAt = now.Add(waitAtLeast(b.interval(), o.retryAfter))
		b.probes++
	}
}

// steady says that the wait between probes has stopped growing: what another failure
// would change is not worth a row. A restart finds it in time.
func (b *breaker) steady() bool { return b.down() && b.first<<min(b.probes-1, 40) >= b.longest }

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
