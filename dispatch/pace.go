package dispatch

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// pace bounds how often something is done; a nil pace bounds nothing.
type pace struct{ bucket *rate.Limiter }

// newPace allows limit a second, evenly but for a tenth of a second's worth at once;
// 0 allows any number.
func newPace(limit float64) *pace {
	if limit <= 0 {
		return nil
	}
	return &pace{rate.NewLimiter(rate.Limit(limit), max(1, int(limit/10)))}
}

// wait is how long it takes until one more is allowed; 0: it is.
func (p *pace) wait(now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	missing := 1 - p.bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(missing / float64(p.bucket.Limit()) * float64(time.Second)))
}

// spend counts one that was done.
func (p *pace) spend(now time.Time) {
	if p != nil {
		p.bucket.AllowN(now, 1)
	}
}
