package dispatch

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Parked is a delivery that left the cursor's way, and what it delivers.
type Parked struct {
	EventID   int64
	Event     Event         // the zero Event where the log no longer has it
	State     DeliveryState // retrying, waiting behind an older one of its record, or dead
	Attempts  int           // made so far
	NextAt    time.Time     // of the next attempt, while retrying
	LastError string        // of the last attempt: a class, or "status 401"
}

// Parked returns up to limit deliveries that a webhook did not take and that are retried,
// the next first; behind them, up to limit of those that were given up, the newest event
// first. ErrNotFound.
func (m *Webhooks) Parked(ctx context.Context, projectID, webhookID string, limit int) ([]Parked, error) {
	var there int
	err := m.store.db.QueryRowContext(ctx, `SELECT count(*) FROM webhooks WHERE project_id = $1 AND id = $2`, projectID, webhookID).Scan(&there)
	if err != nil {
		return nil, fmt.Errorf("find webhook: %w", err)
	}
	if there == 0 {
		return nil, ErrNotFound
	}
	var all []Parked
	var rows []retryRow
	for _, which := range []string{`state = 'pending' ORDER BY due_at, event_id`, `state = 'dead' ORDER BY event_id DESC`} {
		found, err := m.store.db.QueryContext(ctx, `SELECT event_id, state, attempts, due_at, last_error, event FROM retries
			WHERE webhook_id = $1 AND `+which+` LIMIT $2`, webhookID, limit)
		_, err = collect(found, err, func(found *sql.Rows) (struct{}, error) {
			var p Parked
			var r retryRow
			var state string
			err := found.Scan(&p.EventID, &state, &p.Attempts, &p.NextAt, &p.LastError, &r.content)
			p.stand(state)
			r.event = p.EventID
			all, rows = append(all, p), append(rows, r)
			return struct{}{}, err
		})
		if err != nil {
			return nil, fmt.Errorf("list parked deliveries: %w", err)
		}
	}
	events, err := eventsOf(ctx, m.config.Log, rows)
	if err != nil {
		return nil, err
	}
	byID := map[int64]Event{}
	for _, e := range events {
		byID[e.ID] = e
	}
	for i := range all {
		all[i].Event = byID[all[i].EventID]
	}
	return all, nil
}

// stand gives a parked delivery the state that its row says.
func (p *Parked) stand(state string) {
	switch {
	case state == "dead":
		p.State, p.NextAt = DeliveryDead, time.Time{}
	case p.NextAt.Equal(elderFirst):
		p.State, p.NextAt = DeliveryWaiting, time.Time{}
	default:
		p.State = DeliveryRetrying
	}
}
