package dispatch

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// ResyncRequest says the present state of which streams to send, and to whom.
type ResyncRequest struct {
	ProjectID string
	WebhookID string
	Streams   []Stream
	RateLimit float64 // events a second; 0: as many as go
	DryRun    bool    // count, send nothing
}

// resyncBits bounds the ranges of a resync.
const resyncBits = 16

// Resync sends a created event for every record that the hash store knows of some
// streams, as far as the webhook takes it: one replay for each stream. The events are
// not in the log; their webhook-id is the same on every attempt and another in the next
// resync. What the log says of a record in the meantime is sent after it, or instead of
// it. ErrNotFound, *InvalidError.
func (m *Webhooks) Resync(ctx context.Context, r ResyncRequest) ([]Replay, error) {
	w, err := m.enabled(ctx, r.ProjectID, r.WebhookID)
	if err == nil {
		err = checkRate(r.RateLimit)
	}
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	replays := make([]Replay, 0, len(r.Streams))
	walks := make([]walk, 0, len(r.Streams))
	for _, s := range r.Streams {
		n, _, err := m.config.Records.Count(ctx, s.ID)
		if err != nil {
			return nil, fmt.Errorf("count records: %w", err)
		}
		k := walk{Stream: s, Bits: rangeBits(n, resyncBits)}
		if !w.choice().Match(k.event(created, "")) {
			n = 0
		}
		replay := Replay{Kind: KindResync, WebhookID: w.ID, AccountID: s.AccountID, RecordType: s.RecordType, RateLimit: r.RateLimit, Events: n, State: ReplayDone, CreatedAt: now}
		switch {
		case r.DryRun:
			replay.State = ReplayDryRun
		case n > 0:
			replay.ID, replay.State = newID("rs", now), ReplayRunning
		}
		replays, walks = append(replays, replay), append(walks, k)
	}
	if r.DryRun {
		return replays, nil
	}
	err = m.store.transact(ctx, func(tx *sql.Tx) error {
		for i, replay := range replays {
			if replay.ID == "" {
				continue
			}
			if err := insertReplay(ctx, tx, replay, walks[i], beforeFirst, lastSpot); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.config.Changed()
	return replays, nil
}

// ReconcileRequest says which stream a consumer wants to compare, and for whom.
type ReconcileRequest struct {
	ProjectID string
	WebhookID string
	Stream    Stream
	RateLimit float64 // events a second; 0: as many as go
}

// Reconcile begins a reconciliation: the consumer hands in the ids of the records that it
// has (HandIn), and then gets (StartReconcile) exactly what makes it right: created for
// those that it lacks, deleted for those that are gone. ErrNotFound, *InvalidError.
func (m *Webhooks) Reconcile(ctx context.Context, r ReconcileRequest) (Replay, error) {
	w, err := m.enabled(ctx, r.ProjectID, r.WebhookID)
	if err == nil {
		err = checkRate(r.RateLimit)
	}
	if err != nil {
		return Replay{}, err
	}
	if err := m.mustBeListed(ctx, r.Stream); err != nil {
		return Replay{}, err
	}
	now := time.Now().UTC()
	replay := Replay{
		ID: newID("rc", now), Kind: KindReconcile, WebhookID: w.ID, AccountID: r.Stream.AccountID, RecordType: r.Stream.RecordType,
		RateLimit: r.RateLimit, State: ReplayCollecting, CreatedAt: now,
	}
	return replay, m.store.transact(ctx, func(tx *sql.Tx) error {
		return insertReplay(ctx, tx, replay, walk{Stream: r.Stream, Bits: handedBits}, beforeFirst, lastSpot)
	})
}

// mustBeListed refuses a stream of which nothing is known: all would be deleted.
func (m *Webhooks) mustBeListed(ctx context.Context, s Stream) error {
	_, listed, err := m.config.Records.Count(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("count records: %w", err)
	}
	if !listed {
		return &InvalidError{"record_type", "names a stream that was never listed completely, so nothing is known of it: poll it first"}
	}
	return nil
}

// Reconciliation is what a reconciliation found.
type Reconciliation struct {
	Replay
	Created, Deleted int64 // events to send, of what the webhook takes
}

// StartReconcile compares the ids that were handed in with what is known, and sends what
// differs; dryRun only counts, and more ids may be handed in after it. ErrNotFound,
// *InvalidError.
func (m *Webhooks) StartReconcile(ctx context.Context, projectID, id string, dryRun bool) (Reconciliation, error) {
	replay, err := m.collecting(ctx, projectID, id)
	if err != nil {
		return Reconciliation{}, err
	}
	k, w, err := m.walkOf(ctx, replay, projectID)
	if err == nil {
		err = m.mustBeListed(ctx, k.Stream)
	}
	if err != nil {
		return Reconciliation{}, err
	}
	found := Reconciliation{Replay: replay}
	counting := walker{walk: k, records: m.config.Records, store: m.store, filter: w.choice(), handed: true}
	if found.Created, found.Deleted, err = counting.count(ctx); err != nil {
		return found, fmt.Errorf("compare ids: %w", err)
	}
	found.Events = found.Created + found.Deleted
	if dryRun {
		found.State = ReplayDryRun
		return found, nil
	}
	err = m.store.transact(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `UPDATE replays SET state = 'running', events = $1 WHERE id = $2 AND state = 'collecting'`, found.Events, id))
		if err == nil && n == 0 {
			err = notCollecting("started already")
		}
		return err
	})
	if err != nil {
		return found, fmt.Errorf("start reconciliation: %w", err)
	}
	found.State = ReplayRunning
	m.config.Changed()
	return found, nil
}

// collecting returns a reconciliation that takes ids.
func (m *Webhooks) collecting(ctx context.Context, projectID, id string) (Replay, error) {
	r, err := m.GetReplay(ctx, projectID, id)
	switch {
	case err != nil:
	case r.Kind != KindReconcile:
		err = ErrNotFound
	case r.State != ReplayCollecting:
		err = notCollecting(string(r.State))
	}
	return r, err
}

func (m *Webhooks) walkOf(ctx context.Context, r Replay, projectID string) (walk, Webhook, error) {
	w, err := m.enabled(ctx, projectID, r.WebhookID)
	if err != nil {
		return walk{}, w, err
	}
	var what string
	if err := m.store.db.QueryRowContext(ctx, `SELECT filter FROM replays WHERE id = $1`, r.ID).Scan(&what); err != nil {
		return walk{}, w, fmt.Errorf("load reconciliation: %w", err)
	}
	k, err := parseWalk(what)
	k.id, k.projectID, k.at = r.ID, projectID, r.CreatedAt
	return k, w, err
}

// CancelAbandoned cancels reconciliations made before a time that still collect.
func (m *Webhooks) CancelAbandoned(ctx context.Context, before time.Time) (int64, error) {
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT r.id, w.project_id FROM replays r JOIN webhooks w ON w.id = r.webhook_id WHERE r.state = 'collecting' AND r.created_at < $1`, before.UTC())
	all, err := collect(rows, err, func(rows *sql.Rows) (r [2]string, err error) {
		err = rows.Scan(&r[0], &r[1])
		return r, err
	})
	if err != nil {
		return 0, fmt.Errorf("find abandoned reconciliations: %w", err)
	}
	for _, r := range all {
		if _, err := m.CancelReplay(ctx, r[1], r[0]); err != nil {
			return 0, err
		}
	}
	return int64(len(all)), nil
}
