package poller

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// reached is how far a listing is.
type reached struct {
	started time.Time // of the listing, by the database's clock; before the poll's own where it was taken up again
	resumed int       // times it was
	pages   int
	records int
	total   int
}

// progress is what is shown of a listing to whoever watches it: the reading moves it, the
// renewals of the lease write it down.
type progress struct {
	mu      sync.Mutex
	begun   bool
	written bool // there is a row of it
	reached
}

func (p *progress) begin(started time.Time, resumed int, w *walk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.started, p.resumed = true, started, resumed
	p.pages, p.records, p.total = w.pages, w.records, w.total
}

func (p *progress) see(w *walk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages, p.records, p.total = w.pages, w.records, w.total
}

// now is how far the listing is; begun is false before it has begun.
func (p *progress) now() (r reached, begun bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reached, p.begun
}

func (p *progress) wrote() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = true
}

// began is when the listing began, or so much earlier.
func (a *attempt) began(margin time.Duration) time.Time {
	if r, begun := a.seen.now(); begun {
		return r.started.Add(-margin)
	}
	return a.started.Add(-margin)
}

// hasRow tells whether the listing has a row that the poll's end must remove.
func (a *attempt) hasRow() bool {
	a.seen.mu.Lock()
	defer a.seen.mu.Unlock()
	return a.listing || a.seen.written
}

// showProgress writes how far the listing is. It is not worth an error: the next renewal
// tries again.
func (a *attempt) showProgress(ctx context.Context) {
	if r, begun := a.seen.now(); begun && a.writeProgress(ctx, a.DB, r) == nil {
		a.seen.wrote()
	}
}

// writeProgress writes the listing's row under the lease.
func (a *attempt) writeProgress(ctx context.Context, db execer, r reached) error {
	result, err := db.ExecContext(ctx, `INSERT INTO listings (stream_id, started_at, updated_at, pages, records, total, resumed)
		SELECT id, $1, `+a.core.now+`, $2, $3, $4, $5 FROM streams WHERE id = $6 AND fence = $7 AND lease_owner <> ''
		ON CONFLICT (stream_id) DO UPDATE SET started_at = excluded.started_at, updated_at = excluded.updated_at, pages = excluded.pages,
			records = excluded.records, total = excluded.total, resumed = excluded.resumed`,
		r.started, r.pages, r.records, r.total, r.resumed, a.streamID, a.fence)
	if err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	return held(result)
}

// dropListing forgets a listing under way, all or that which can't be taken up again.
func (a *attempt) dropListing(ctx context.Context, db execer, all bool) error {
	if _, err := db.ExecContext(ctx, `DELETE FROM listings WHERE stream_id = $1 AND ($2 OR position IS NULL)`, a.streamID, all); err != nil {
		return fmt.Errorf("forget listing: %w", err)
	}
	return nil
}

// Progress is how far a complete listing is: one that this process makes, or one that
// takes long.
type Progress struct {
	Running          bool // a poll is at it; else the next one takes it up again
	Since, UpdatedAt time.Time
	Pages, Records   int64
	Total            int64 // records, as the provider says; -1: it does not
	Resumed          int   // times it was taken up again
	PerSecond        float64
}

func progressOf(started, updated sql.NullTime, p Progress, resumable bool) *Progress {
	if !started.Valid || !p.Running && !resumable {
		return nil
	}
	p.Since, p.UpdatedAt = started.Time, updated.Time
	p.rate()
	return &p
}

func (p *Progress) rate() {
	if seconds := p.UpdatedAt.Sub(p.Since).Seconds(); seconds > 0 {
		p.PerSecond = float64(p.Records) / seconds
	}
}
