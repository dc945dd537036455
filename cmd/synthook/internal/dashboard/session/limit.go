package session

import (
	"sync"

	"golang.org/x/time/rate"
)

const (
	triesAtOnce   = 10 // of one address
	triesLater    = rate.Limit(1) / 10
	allAtOnce     = 100 // of all addresses together
	allLater      = rate.Limit(2)
	addressesKept = 10_000
)

// Limiter slows down who guesses keys: ten tries at once for each address and one more
// every ten seconds; a hundred at once and two a second for all addresses together.
type Limiter struct {
	mu        sync.Mutex
	all       *rate.Limiter
	addresses map[string]*rate.Limiter
}

// NewLimiter returns a limiter that has seen nobody yet.
func NewLimiter() *Limiter {
	return &Limiter{all: rate.NewLimiter(allLater, allAtOnce), addresses: map[string]*rate.Limiter{}}
}

// Allow says whether one more try of an address may be looked at.
func (l *Limiter) Allow(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.addresses[address]
	if one == nil {
		if len(l.addresses) >= addressesKept { // the limit of all still holds
			clear(l.addresses)
		}
		one = rate.NewLimiter(triesLater, triesAtOnce)
		l.addresses[address] = one
	}
	return one.Allow() && l.all.Allow()
}
