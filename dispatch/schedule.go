package dispatch

import (
	"math/rand/v2"
	"net/http"
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
