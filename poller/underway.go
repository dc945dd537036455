package poller

import (
	"sync"
	"time"
)

// Underway knows the polls that this process makes just now, and how far each is: for who
// watches. What the renewals of leases write down tells other processes the same, some
// seconds later, and nothing of a poll that is over by then. The zero value is ready.
type Underway struct {
	mu    sync.Mutex
	polls map[int64]*progress // by stream
}

// begin enters a poll; ended takes it out again.
func (u *Underway) begin(stream int64, p *progress) (ended func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.polls == nil {
		u.polls = map[int64]*progress{}
	}
	u.polls[stream] = p
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.polls[stream] == p { // else another poll has taken the stream over
			delete(u.polls, stream)
		}
	}
}

// of tells of a stream whether it is polled here, and how far its complete listing is;
// nil: it makes none, or has not begun it.
func (u *Underway) of(stream int64) (polled bool, listing *Progress) {
	u.mu.Lock()
	p := u.polls[stream]
	u.mu.Unlock()
	if p == nil {
		return false, nil
	}
	r, begun := p.now()
	if !begun {
		return true, nil
	}
	listing = &Progress{
		Running: true, Since: r.started, UpdatedAt: time.Now().UTC(),
		Pages: int64(r.pages), Records: int64(r.records), Total: int64(r.total), Resumed: r.resumed,
	}
	listing.rate()
	return true, listing
}
