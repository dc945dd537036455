package providers

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits is how much a provider bears of one account. The zero value: any rate, four
// requests at a time.
type Limits struct {
	Requests    int           // at most so many
	Per         time.Duration // in so long; 0: no limit but the provider's own answers
	Burst       int           // at once; 0: all of Requests
	Concurrency int           // at a time; 0: 4
	Quotas      []Quota       // long windows, which restarts don't renew
}

// Quota is a long window of requests: a day's, say. It begins with its first request.
type Quota struct {
	Requests int
	Per      time.Duration
}

// Budget is what one account may ask of its provider, shared by its streams. It is safe
// for concurrent use.
type Budget struct {
	// OnBlock is called, with the new end, when the provider asks for silence. It may
	// come with every page of a busy account; set it before the first request.
	OnBlock func(until time.Time)

	slots   chan struct{}
	limiter *rate.Limiter

	mu      sync.Mutex
	blocked time.Time
}

// NewBudget makes a budget that is unspent.
func NewBudget(l Limits) *Budget {
	b := &Budget{slots: make(chan struct{}, cmp.Or(max(l.Concurrency, 0), 4)), limiter: rate.NewLimiter(rate.Inf, 1)}
	if l.Requests > 0 && l.Per > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(float64(l.Requests)/l.Per.Seconds()), cmp.Or(max(l.Burst, 0), l.Requests))
	}
	return b
}

// BlockUntil lets no request of the account begin before then. An earlier end than the
// present one changes nothing.
func (b *Budget) BlockUntil(until time.Time) {
	b.mu.Lock()
	later := until.After(b.blocked)
	if later {
		b.blocked = until
	}
	b.mu.Unlock()
	if later && b.OnBlock != nil {
		b.OnBlock(until)
	}
}

// Blocked returns when the account may be asked again; it may be past.
func (b *Budget) Blocked() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.blocked
}

// acquire waits for a place, for the rate and for the end of a block. It gives up with a
// Throttled error as soon as the wait would pass the deadline. The caller gives the place
// back with release.
func (b *Budget) acquire(ctx context.Context, _ string, deadline time.Time) error {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	reservation := b.limiter.Reserve()
	ready := time.Now().Add(reservation.Delay())
	for {
		if blocked := b.Blocked(); blocked.After(ready) {
			ready = blocked
		}
		if !ready.After(time.Now()) {
			return nil
		}
		err := error(nil)
		if ready.After(deadline) {
			err = silenced(ready)
		} else {
			err = sleep(ctx, time.Until(ready))
		}
		if err != nil {
			reservation.Cancel()
			b.release()
			return err
		}
	}
}

func (b *Budget) release() { <-b.slots }

func silenced(until time.Time) *Error {
	return &Error{Kind: Throttled, RetryAt: until, Detail: fmt.Sprintf("the provider's limits ask for silence until %s", until.UTC().Format(time.RFC3339))}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
