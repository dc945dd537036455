package api

import "sync"

// news tells any number of waiting requests that something happened. What happened
// before waiting began is not told: ask for the channel first, then look, then wait.
type news struct {
	mu     sync.Mutex
	waiter chan struct{}
}

// wait returns a channel that is closed when something happens from now on.
func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiter == nil {
		n.waiter = make(chan struct{})
	}
	return n.waiter
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiter != nil {
		close(n.waiter)
		n.waiter = nil
	}
}
