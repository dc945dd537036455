package dispatch

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Report is what Config.OnAttempt is told: one POST, probes of an endpoint that is down
// included.
type Report struct {
	WebhookID           string
	EventUID, EventName string

	At       time.Time
	Duration time.Duration
	Status   int    // 0: no answer
	Error    string // class; "" for a success
	// Latency is the time from the event's detection to the end of this attempt. 0 where
	// that means nothing: of a replay.
	Latency time.Duration
}

func (w *worker) observe(d *delivery, o outcome) {
	if w.config.OnAttempt == nil {
		return
	}
	r := Report{
		WebhookID: w.lease.webhook, EventUID: d.event.UID, EventName: d.event.Name,
		At: o.at, Duration: o.duration, Status: o.status, Error: o.class,
	}
	if d.source != fromReplay {
		r.Latency = max(o.at.Add(o.duration).Sub(d.event.OccurredAt), 0)
	}
	w.config.OnAttempt(r)
}

// WebhookSum is how one webhook stands.
type WebhookSum struct {
	ID    string
	State State
	// Behind is how many events of the log are behind its cursor, whether they are for it
	// or not: what it has yet to be sent is never more.
	Behind int64
}

// Sums is how deliveries stand, over all projects.
type Sums struct {
	Webhooks       []WebhookSum
	Retrying, Dead int64
}

// Sums tells how deliveries stand. It counts no events: it costs the same whatever has
// to be delivered.
func (m *Webhooks) Sums(ctx context.Context) (sums Sums, err error) {
	last, err := m.config.Log.Last(ctx)
	if err != nil {
		return sums, fmt.Errorf("find end of the log: %w", err)
	}
	rows, err := m.store.db.QueryContext(ctx, `SELECT id, enabled, probe_at IS NOT NULL, cursor_id FROM webhooks ORDER BY id`)
	sums.Webhooks, err = collect(rows, err, func(rows *sql.Rows) (w WebhookSum, err error) {
		var enabled, probed bool
		var cursor int64
		err = rows.Scan(&w.ID, &enabled, &probed, &cursor)
		w.Behind, w.State = max(last-cursor, 0), StateOK
		switch {
		case !enabled:
			w.State = StateDisabled
		case probed:
			w.State = StateDown
		}
		return w, err
	})
	if err != nil {
		return sums, fmt.Errorf("sum up webhooks: %w", err)
	}
	err = m.store.db.QueryRowContext(ctx, `SELECT coalesce(sum(CASE state WHEN 'pending' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE state WHEN 'dead' THEN 1 ELSE 0 END), 0) FROM retries`).
		Scan(&sums.Retrying, &sums.Dead)
	if err != nil {
		return sums, fmt.Errorf("sum up retries: %w", err)
	}
	return sums, nil
}
