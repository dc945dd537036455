package dispatch

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"
)

// ReplayRequest says what to send again, and to whom. A webhook gets of it what it
// subscribes to. The filter is by time, event name, account and record; After and
// Through bound the ids (a single event: its id less one, and its id).
type ReplayRequest struct {
	ProjectID      string
	WebhookID      string // "": every enabled webhook of the project
	Filter         Filter
	After, Through int64 // After < id ≤ Through; zero: no bound
	Dead           bool  // only deliveries that were given up
	DryRun         bool  // count, send nothing
}

// ReplayState is where a replay stands.
type ReplayState string

// A dry run has no row and no id.
const (
	ReplayDryRun    ReplayState = "dry_run"
	ReplayRunning   ReplayState = "running"
	ReplayDone      ReplayState = "done"
	ReplayCancelled ReplayState = "cancelled"
)

// Replay is a cursor over a range of the log, or its webhook's dead deliveries.
type Replay struct {
	ID         string // "": nothing matched, or a dry run
	WebhookID  string
	Events     int64 // that matched when it was made
	Sent       int64 // delivered or parked
	State      ReplayState
	CreatedAt  time.Time
	FinishedAt time.Time // zero: not finished
}

// keptFilter is a replay's filter as its row keeps it.
type keptFilter struct {
	Filter
	Dead bool `json:"dead,omitempty"`
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
		replay := Replay{WebhookID: w.ID, State: ReplayDone, CreatedAt: now}
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
			_, err := tx.ExecContext(ctx, `
				INSERT INTO replays (id, webhook_id, filter, cursor_id, until_id, events, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				replay.ID, replay.WebhookID, marshal(keptFilter{r.Filter, r.Dead}), r.After, through, replay.Events, now)
			if err != nil {
				return fmt.Errorf("insert replay: %w", err)
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

func (m *Webhooks) replayTargets(ctx context.Context, r ReplayRequest) ([]Webhook, error) {
	if err := m.CheckNames("events", r.Filter.Names); err != nil {
		return nil, err
	}
	if !r.Filter.Until.IsZero() && !r.Filter.Since.Before(r.Filter.Until) {
		return nil, &InvalidError{"until", "is not after since"}
	}
	if r.WebhookID != "" {
		w, err := m.Get(ctx, r.ProjectID, r.WebhookID)
		if err == nil && !w.Enabled {
			err = &InvalidError{"webhook_id", "names a webhook that is disabled: enable it first, what it missed is then delivered by itself"}
		}
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

func (m *Webhooks) countReplay(ctx context.Context, w Webhook, r ReplayRequest, through int64) (int64, error) {
	filter, empty := narrow(w.choice(), r.Filter)
	if empty || through <= r.After {
		return 0, nil
	}
	if !r.Dead {
		return m.config.Log.Count(ctx, r.ProjectID, filter, r.After, through)
	}
	var n int64
	for after := r.After; ; {
		ids, err := m.store.deadEvents(ctx, w.ID, after, through, readLimit)
		if err != nil {
			return 0, err
		}
		events, err := getMatching(ctx, m.config.Log, ids, filter)
		if err != nil {
			return 0, err
		}
		n += int64(len(events))
		if len(ids) < readLimit {
			return n, nil
		}
		after = ids[len(ids)-1]
	}
}

// Replays lists up to limit replays of a project, the newest first, made before the
// one with the given id ("": from the newest).
func (m *Webhooks) Replays(ctx context.Context, projectID, before string, limit int) ([]Replay, error) {
	return m.replays(ctx, `w.project_id = $1 AND r.id < $2`, projectID, cmp.Or(before, "~"), limit)
}

// CancelReplay ends a replay; what is in flight still arrives. One that is over stays
// as it is. ErrNotFound.
func (m *Webhooks) CancelReplay(ctx context.Context, projectID, id string) (Replay, error) {
	_, err := m.store.db.ExecContext(ctx, `
		UPDATE replays SET state = 'cancelled', finished_at = $1
		WHERE id = $2 AND state = 'running' AND webhook_id IN (SELECT id FROM webhooks WHERE project_id = $3)`,
		time.Now().UTC(), id, projectID)
	if err != nil {
		return Replay{}, fmt.Errorf("cancel replay: %w", err)
	}
	m.config.Changed()
	all, err := m.replays(ctx, `w.project_id = $1 AND r.id = $2`, projectID, id, 1)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Replay{}, err
	}
	return all[0], nil
}

func (m *Webhooks) replays(ctx context.Context, condition, projectID, id string, limit int) ([]Replay, error) {
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT r.id, r.webhook_id, r.events, r.sent, r.state, r.created_at, r.finished_at
		FROM replays r JOIN webhooks w ON w.id = r.webhook_id WHERE `+condition+` ORDER BY r.id DESC LIMIT $3`, projectID, id, limit)
	all, err := collect(rows, err, func(rows *sql.Rows) (r Replay, err error) {
		var finished sql.NullTime
		err = rows.Scan(&r.ID, &r.WebhookID, &r.Events, &r.Sent, &r.State, &r.CreatedAt, &finished)
		r.FinishedAt = finished.Time
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", err)
	}
	return all, nil
}
