package dispatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Attempt is one POST of a delivery.
type Attempt struct {
	WebhookID     string
	EventID       int64
	At            time.Time
	Duration      time.Duration // to the millisecond
	Status        int           // 0: no answer
	Error         string        // class; "" for a success
	ResponseBytes int64         // as far as they were read
	Answer        string        // the beginning of the answer, where the webhook keeps it, see KeptAnswer
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// A delivery waits while the webhook's cursor has not passed its event, or while one
// of the same record is retried before it.
const (
	DeliveryWaiting  DeliveryState = "waiting"
	DeliveryDone     DeliveryState = "delivered"
	DeliveryRetrying DeliveryState = "retrying"
	DeliveryDead     DeliveryState = "dead"
)

// Delivery is an event on its way to a webhook, as far as it is on record.
type Delivery struct {
	WebhookID string
	EventID   int64
	State     DeliveryState
	NextAt    time.Time // of the next attempt, while retrying; while waiting for an endpoint that is down, of its next probe
	LastError string
	Attempts  []Attempt // oldest first; failed probes of an endpoint that is down are not kept
}

// Attempts returns the attempts on record for some events of a project, oldest first.
func (m *Webhooks) Attempts(ctx context.Context, projectID string, eventIDs ...int64) ([]Attempt, error) {
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT a.webhook_id, a.event_id, a.attempted_at, a.duration_ms, a.status, a.error, a.response_bytes, a.answer
		FROM attempts a JOIN webhooks w ON w.id = a.webhook_id
		WHERE w.project_id = $1 AND a.event_id`+m.store.among("$2")+` ORDER BY a.attempted_at`, projectID, m.store.ids(eventIDs))
	all, err := collect(rows, err, func(rows *sql.Rows) (a Attempt, err error) {
		var ms int64
		err = rows.Scan(&a.WebhookID, &a.EventID, &a.At, &ms, &a.Status, &a.Error, &a.ResponseBytes, &a.Answer)
		a.Duration = time.Duration(ms) * time.Millisecond
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	return all, nil
}

// Deliveries tells for each webhook of the event's project where its delivery stands.
// A webhook is left out that never took the event.
func (m *Webhooks) Deliveries(ctx context.Context, e Event) ([]Delivery, error) {
	attempts, err := m.Attempts(ctx, e.ProjectID, e.ID)
	if err != nil {
		return nil, err
	}
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT w.id, w.events, w.narrowed, w.enabled, w.cursor_id, w.probe_at, r.state, r.due_at, r.last_error
		FROM webhooks w LEFT JOIN retries r ON r.webhook_id = w.id AND r.event_id = $1
		WHERE w.project_id = $2 ORDER BY w.id`, e.ID, e.ProjectID)
	all, err := collect(rows, err, scanStanding)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	var deliveries []Delivery
	for _, s := range all {
		d := Delivery{WebhookID: s.webhook, EventID: e.ID, LastError: s.lastError}
		for _, a := range attempts {
			if a.WebhookID == s.webhook {
				d.Attempts = append(d.Attempts, a)
			}
		}
		spans, err := m.store.spans(ctx, s.webhook)
		if err != nil {
			return nil, err
		}
		if s.judge(&d, e, took(spans, e)); d.State != "" {
			deliveries = append(deliveries, d)
		}
	}
	return deliveries, nil
}

// eventStanding is what a webhook's row, and perhaps its retry's, say of an event.
type eventStanding struct {
	webhook, state, lastError string
	choice                    Filter
	enabled                   bool
	cursor                    int64
	probeAt, due              time.Time
}

func scanStanding(rows *sql.Rows) (s eventStanding, err error) {
	var events, narrowed string
	var state, lastError sql.NullString
	var probeAt, due sql.NullTime
	if err := rows.Scan(&s.webhook, &events, &narrowed, &s.enabled, &s.cursor, &probeAt, &state, &due, &lastError); err != nil {
		return s, err
	}
	s.state, s.lastError, s.probeAt, s.due = state.String, lastError.String, probeAt.Time, due.Time
	names, err := parseNames(events)
	if err != nil {
		return s, err
	}
	var n Narrowing
	err = n.read(narrowed)
	s.choice = choice(names, n)
	return s, err
}

// judge gives the delivery its state: none where the webhook has nothing to do with it.
func (s eventStanding) judge(d *Delivery, e Event, took bool) {
	switch {
	case s.state == "dead":
		d.State = DeliveryDead
	case s.state == "pending" && s.due.Equal(elderFirst):
		d.State = DeliveryWaiting
	case s.state == "pending":
		d.State, d.NextAt = DeliveryRetrying, s.due
	case slices.ContainsFunc(d.Attempts, func(a Attempt) bool { return a.Error == "" }):
		d.State = DeliveryDone
	case s.cursor >= e.ID && took:
		d.State = DeliveryDone // its attempts are not on record, or not any more
	case s.cursor < e.ID && s.enabled && s.choice.Match(e):
		d.State, d.NextAt = DeliveryWaiting, s.probeAt
	}
}

// Dead returns up to limit deliveries of a webhook that were given up, by event from
// after on. ErrNotFound.
func (m *Webhooks) Dead(ctx context.Context, projectID, webhookID string, after int64, limit int) ([]Delivery, error) {
	if _, err := m.Get(ctx, projectID, webhookID); err != nil {
		return nil, err
	}
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT event_id, last_error FROM retries WHERE webhook_id = $1 AND state = 'dead' AND event_id > $2 ORDER BY event_id LIMIT $3`,
		webhookID, after, limit)
	all, err := collect(rows, err, func(rows *sql.Rows) (Delivery, error) {
		d := Delivery{WebhookID: webhookID, State: DeliveryDead}
		err := rows.Scan(&d.EventID, &d.LastError)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list dead deliveries: %w", err)
	}
	return all, nil
}

// purgeBatch is how many attempts are removed at once.
const purgeBatch = 20_000

// PurgeAttempts removes attempts made before a time, a few thousand at a time, so that
// what they leave behind is used again.
func (m *Webhooks) PurgeAttempts(ctx context.Context, before time.Time) (int64, error) {
	// Where they lie follows their age, but for the moment in which a batch is gathered:
	// the oldest are found without an index of their own.
	oldest := `id IN (SELECT id FROM attempts ORDER BY id LIMIT $2)`
	if m.store.postgres {
		oldest = `ctid = ANY(ARRAY(SELECT ctid FROM attempts WHERE attempted_at < $1 LIMIT $2))`
	}
	for purged := int64(0); ; {
		n, err := affected(m.store.db.ExecContext(ctx, `DELETE FROM attempts WHERE attempted_at < $1 AND `+oldest, before.UTC(), purgeBatch))
		if err != nil {
			return purged, fmt.Errorf("remove old attempts: %w", err)
		}
		if purged += n; n == 0 {
			return purged, nil
		}
	}
}

// Needed returns the id up to which nobody here needs the log any more: no enabled
// webhook's cursor, no parked event, no running replay. Without any of them it is the
// end of the log.
func (m *Webhooks) Needed(ctx context.Context) (int64, error) {
	last, err := m.config.Log.Last(ctx)
	if err != nil {
		return 0, fmt.Errorf("find end of the log: %w", err)
	}
	var needed sql.NullInt64
	err = m.store.db.QueryRowContext(ctx, `
		SELECT min(id) FROM (
			SELECT min(cursor_id) AS id FROM webhooks WHERE enabled
			UNION ALL SELECT min(r.event_id) - 1 FROM retries r JOIN webhooks w ON w.id = r.webhook_id
				WHERE w.enabled AND r.state = 'pending' AND r.event_id > 0
			UNION ALL SELECT min(CASE WHEN r.cursor_id > 0 THEN r.cursor_id ELSE 0 END) FROM replays r JOIN webhooks w ON w.id = r.webhook_id
				WHERE w.enabled AND r.state = 'running' AND r.kind = 'replay') AS needed`).Scan(&needed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("find oldest needed event: %w", err)
	}
	if !needed.Valid {
		return last, nil
	}
	return min(last, needed.Int64), nil
}
