package providers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	Requests int           `json:"requests"`
	Per      time.Duration `json:"per"`
}

// Budget is what one account may ask of its provider, shared by its streams: the next
// free place goes to the streams that wait in turn, however much one of them asks. It is
// safe for concurrent use.
type Budget struct {
	// OnBlock is called, with the new end, when the provider asks for silence. It may
	// come with every page of a busy account; set it before the first request.
	OnBlock func(until time.Time)

	limiter *rate.Limiter
	places  int

	mu      sync.Mutex
	blocked time.Time
	taken   int
	waiting []*waiter // of different streams
	windows []Window
}

// Window is how far a quota is used up.
type Window struct {
	Quota
	Began time.Time `json:"began"`
	Used  int       `json:"used"`
}

// BudgetState is what of a budget must outlive the process.
type BudgetState struct {
	Blocked time.Time `json:"blocked,omitzero"`
	Windows []Window  `json:"windows,omitempty"`
}

// waiter are the requests of one stream that wait for a place.
type waiter struct {
	turn  string
	calls []chan struct{}
}

// NewBudget makes a budget that is unspent.
func NewBudget(l Limits) *Budget {
	b := &Budget{places: cmp.Or(max(l.Concurrency, 0), 4), limiter: rate.NewLimiter(rate.Inf, 1)}
	if l.Requests > 0 && l.Per > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(float64(l.Requests)/l.Per.Seconds()), cmp.Or(max(l.Burst, 0), l.Requests))
	}
	for _, q := range l.Quotas {
		b.windows = append(b.windows, Window{Quota: q})
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

// State is for Restore in a later process.
func (b *Budget) State() BudgetState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BudgetState{b.blocked, slices.Clone(b.windows)}
}

// Restore takes up what an earlier process left. What is known already and reaches
// further stays; quotas that the connector no longer has are forgotten.
func (b *Budget) Restore(s BudgetState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Blocked.After(b.blocked) {
		b.blocked = s.Blocked
	}
	for i, own := range b.windows {
		for _, w := range s.Windows {
			if w.Per == own.Per && (w.Began.After(own.Began) || w.Began.Equal(own.Began) && w.Used > own.Used) {
				b.windows[i].Began, b.windows[i].Used = w.Began, w.Used
			}
		}
	}
}

// acquire waits for a place, for the rate, for the quotas and for the end of a block, in
// turn with the account's other streams. It gives up with a Throttled error as soon as
// the wait would pass the deadline. The caller gives the place back with release.
func (b *Budget) acquire(ctx context.Context, turn string, deadline time.Time) error {
	if err := b.place(ctx, turn); err != nil {
		return err
	}
	reservation := b.limiter.Reserve()
	ready := time.Now().Add(reservation.Delay())
	for {
		if blocked := b.Blocked(); blocked.After(ready) {
			ready = blocked
		}
		if now := time.Now(); !ready.After(now) {
			if ready = b.count(now); !ready.After(now) {
				return nil
			}
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

// count takes one request from every quota, or returns when they have one.
func (b *Budget) count(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	ready := now
	for i := range b.windows {
		w := &b.windows[i]
		if end := w.Began.Add(w.Per); !end.After(now) {
			w.Began, w.Used = now, 0
		} else if w.Used >= w.Requests && end.After(ready) {
			ready = end
		}
	}
	if !ready.After(now) {
		for i := range b.windows {
			b.windows[i].Used++
		}
	}
	return ready
}

// place waits for one of the account's places.
func (b *Budget) place(ctx context.Context, turn string) error {
	b.mu.Lock()
	if b.taken < b.places {
		b.taken++
		b.mu.Unlock()
		return nil
	}
	i := slices.IndexFunc(b.waiting, func(w *waiter) bool { return w.turn == turn })
	if i < 0 {
		i = len(b.waiting)
		b.waiting = append(b.waiting, &waiter{turn: turn})
	}
	call := make(chan struct{})
	b.waiting[i].calls = append(b.waiting[i].calls, call)
	b.mu.Unlock()
	select {
	case <-call:
		return nil
	case <-ctx.Done():
		if !b.leave(call) {
			b.release() // the place came at the same moment
		}
		return interrupted(ctx)
	}
}

// leave takes a request off the queue; false when it has been called.
func (b *Budget) leave(call chan struct{}) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, w := range b.waiting {
		if at := slices.Index(w.calls, call); at >= 0 {
			if w.calls = slices.Delete(w.calls, at, at+1); len(w.calls) == 0 {
				b.waiting = slices.Delete(b.waiting, i, i+1)
			}
			return true
		}
	}
	return false
}

// release gives a place to the stream that has waited longest, which then queues again
// behind the others.
func (b *Budget) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.taken--
		return
	}
	w := b.waiting[0]
	b.waiting = b.waiting[1:]
	close(w.calls[0])
	if w.calls = w.calls[1:]; len(w.calls) > 0 {
		b.waiting = append(b.waiting, w)
	}
}

// concurrency is how many requests can be under way.
func (b *Budget) concurrency() int { return b.places }

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
		return interrupted(ctx)
	}
}
