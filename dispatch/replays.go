package dispatch

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"
)

// ReplayRequest says what to send again, and to whom. A webhook gets of it what it
// subscribes to. The filter is by time, event name, account and record; After and
// Through bound the ids (a single event: its id less one, and its id).
type ReplayRequest struct {
	ProjectID      string
	WebhookID      string // "": every enabled webhook of the project
	Filter         Filter
	After, Through int64   // After < id ≤ Through; zero: no bound
	Dead           bool    // only deliveries that were given up
	Missed         bool    // only what the webhook never got: from before its time, not taken when its cursor passed it, or given up
	RateLimit      float64 // events a second; 0: as many as go
	DryRun         bool    // count, send nothing
}

// ReplayState is where a replay stands.
type ReplayState string

// A dry run has no row and no id. A reconciliation collects ids before it runs.
const (
	ReplayDryRun     ReplayState = "dry_run"
	ReplayCollecting ReplayState = "collecting"
	ReplayRunning    ReplayState = "running"
	ReplayDone       ReplayState = "done"
	ReplayCancelled  ReplayState = "cancelled"
)

// ReplayKind says what a replay sends.
type ReplayKind string

// A replay sends events of the log; a resync and a reconciliation make events of what
// the hash store knows.
const (
	KindReplay    ReplayKind = "replay"
	KindResync    ReplayKind = "resync"
	KindReconcile ReplayKind = "reconcile"
)

// Replay is a cursor over a range of the log, its webhook's dead deliveries, or the
// records of a stream.
type Replay struct {
	ID         string // "": nothing matched, or a dry run
	Kind       ReplayKind
	WebhookID  string
	AccountID  string // and RecordType: the stream of a resync or reconciliation
	RecordType string
	RateLimit  float64
	Events     int64 // that matched when it was made
	Sent       int64 // delivered or parked
	State      ReplayState
	CreatedAt  time.Time
	FinishedAt time.Time // zero: not finished
}

// keptFilter is a replay's filter as its row keeps it.
type keptFilter struct {
	Filter
	Dead   bool `json:"dead,omitempty"`
	Missed bool `json:"missed,omitempty"`
}

// narrow restricts a replay's filter to what its webhook takes; empty says that nothing
// is left.
func narrow(webhook, replay Filter) (both Filter, empty bool) {
	both = replay
	both.Accounts, both.Providers, both.Fields = webhook.Accounts, webhook.Providers, webhook.Fields
	if both.Names = webhook.Names; len(replay.Names) > 0 {
		both.Names = intersectNames(webhook.Names, replay.Names)
	}
	return both, len(both.Names) == 0
}

// Replay sends events of the log again, with the webhook-id of the first time, in the
// log's order and behind the webhook's own cursor. One replay of a webhook runs at a
// time. ErrNotFound, *InvalidError.
func (m *Webhooks) Replay(ctx context.Context, r ReplayRequest) ([]Replay, error) {
	webhooks, err := m.replayTargets(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Dead && r.After == 0 {
		r.After = math.MinInt64 // those of resyncs as well
	}
	last, err := m.config.Log.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("find end of the log: %w", err)
	}
	through := last
	if r.Through > 0 {
		through = min(last, r.Through)
	}
	now := time.Now().UTC()
	replays := make([]Replay, 0, len(webhooks))
	for _, w := range webhooks {
		replay := Replay{Kind: KindReplay, WebhookID: w.ID, RateLimit: r.RateLimit, State: ReplayDone, CreatedAt: now}
		if replay.Events, err = m.countReplay(ctx, w, r, through); err != nil {
			return nil, fmt.Errorf("count replay: %w", err)
		}
		switch {
		case r.DryRun:
			replay.State = ReplayDryRun
		case replay.Events > 0:
			replay.ID, replay.State = newID("rp", now), ReplayRunning
		}
		replays = append(replays, replay)
	}
	if r.DryRun {
		return replays, nil
	}
	err = m.store.transact(ctx, func(tx *sql.Tx) error {
		for _, replay := range replays {
			if replay.ID == "" {
				continue
			}
			if err := insertReplay(ctx, tx, replay, keptFilter{r.Filter, r.Dead, r.Missed}, r.After, through); err != nil {
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

// insertReplay keeps a replay; what is its filter, or the walk of a stream.
func insertReplay(ctx context.Context, tx *sql.Tx, r Replay, what any, after, through int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO replays (id, webhook_id, kind, filter, cursor_id, until_id, events, rate_limit, state, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.ID, r.WebhookID, string(r.Kind), marshal(what), after, through, r.Events, r.RateLimit, string(r.State), r.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert replay: %w", err)
	}
	return nil
}

func (m *Webhooks) replayTargets(ctx context.Context, r ReplayRequest) ([]Webhook, error) {
	if err := m.CheckNames("events", r.Filter.Names); err != nil {
		return nil, err
	}
	if !r.Filter.Until.IsZero() && !r.Filter.Since.Before(r.Filter.Until) {
		return nil, &InvalidError{"until", "is not after since"}
	}
	if err := checkRate(r.RateLimit); err != nil {
		return nil, err
	}
	if r.Dead && r.Missed {
		return nil, &InvalidError{"missed", "and dead exclude each other: what was given up is missed as well"}
	}
	if r.WebhookID != "" {
		w, err := m.enabled(ctx, r.ProjectID, r.WebhookID)
		return []Webhook{w}, err
	}
	var enabled []Webhook
	for after := ""; ; {
		page, err := m.List(ctx, r.ProjectID, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, w := range page {
			after = w.ID
			if w.Enabled {
				enabled = append(enabled, w)
			}
		}
		if len(page) < 1000 {
			return enabled, nil
		}
	}
}

// enabled returns a webhook that something can be sent to.
func (m *Webhooks) enabled(ctx context.Context, projectID, id string) (Webhook, error) {
	w, err := m.Get(ctx, projectID, id)
	if err == nil && !w.Enabled {
		err = &InvalidError{"webhook_id", "names a webhook that is disabled: enable it first, what it missed is then delivered by itself"}
	}
	return w, err
}

func (m *Webhooks) countReplay(ctx context.Context, w Webhook, r ReplayRequest, through int64) (int64, error) {
	filter, empty := narrow(w.choice(), r.Filter)
	if empty || through <= r.After {
		return 0, nil
	}
	if r.Missed {
		return m.countMissed(ctx, w, filter, r.After, through)
	}
	if !r.Dead {
		return m.config.Log.Count(ctx, r.ProjectID, filter, r.After, through)
	}
	var n int64
	for after := r.After; ; {
		rows, err := m.store.deadEvents(ctx, w.ID, after, through, readLimit)
		if err != nil {
			return 0, err
		}
		events, err := getMatching(ctx, m.config.Log, rows, filter)
		if err != nil {
			return 0, err
		}
		n += int64(len(events))
		if len(rows) < readLimit {
			return n, nil
		}
		after = rows[len(rows)-1].event
	}
}

// Replays lists up to limit replays of a project, the newest first, made before the
// one with the given id ("": from the newest).
func (m *Webhooks) Replays(ctx context.Context, projectID, before string, limit int) ([]Replay, error) {
	return m.replays(ctx, `w.project_id = $1 AND r.id < $2`, projectID, cmp.Or(before, "~"), limit)
}

// GetReplay returns one replay. ErrNotFound.
func (m *Webhooks) GetReplay(ctx context.Context, projectID, id string) (Replay, error) {
	all, err := m.replays(ctx, `w.project_id = $1 AND r.id = $2`, projectID, id, 1)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Replay{}, err
	}
	return all[0], nil
}

// CancelReplay ends a replay; what is in flight still arrives. One that is over stays
// as it is. ErrNotFound.
func (m *Webhooks) CancelReplay(ctx context.Context, projectID, id string) (Replay, error) {
	if _, err := m.GetReplay(ctx, projectID, id); err != nil {
		return Replay{}, err
	}
	err := m.store.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE replays SET state = 'cancelled', finished_at = $1 WHERE id = $2 AND state IN ('collecting', 'running')`,
			time.Now().UTC(), id)
		if err != nil {
			return fmt.Errorf("cancel replay: %w", err)
		}
		return m.store.forgetHanded(ctx, tx, id)
	})
	if err != nil {
		return Replay{}, err
	}
	m.config.Changed()
	return m.GetReplay(ctx, projectID, id)
}

func (m *Webhooks) replays(ctx context.Context, condition, projectID, id string, limit int) ([]Replay, error) {
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT r.id, r.kind, r.webhook_id, r.filter, r.events, r.sent, r.rate_limit, r.state, r.created_at, r.finished_at
		FROM replays r JOIN webhooks w ON w.id = r.webhook_id WHERE `+condition+` ORDER BY r.id DESC LIMIT $3`, projectID, id, limit)
	all, err := collect(rows, err, func(rows *sql.Rows) (r Replay, err error) {
		var finished sql.NullTime
		var what string
		err = rows.Scan(&r.ID, &r.Kind, &r.WebhookID, &what, &r.Events, &r.Sent, &r.RateLimit, &r.State, &r.CreatedAt, &finished)
		r.FinishedAt = finished.Time
		if err == nil && r.Kind != KindReplay {
			var k walk
			k, err = parseWalk(what)
			r.AccountID, r.RecordType = k.Stream.AccountID, k.Stream.RecordType
		}
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", err)
	}
	return all, nil
}
