package dispatch

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// RecentAttempt is an attempt and what it sent.
type RecentAttempt struct {
	Attempt
	Event Event // the zero Event where the log no longer has it
}

// lookBack are the times within which recent attempts are looked for, one after another
// until there are enough: attempts are found by their age.
var lookBack = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 48 * time.Hour}

// Recent returns a webhook's last attempts of two days, the newest first, at most limit.
// ErrNotFound.
func (m *Webhooks) Recent(ctx context.Context, projectID, webhookID string, limit int) ([]RecentAttempt, error) {
	w, err := m.Get(ctx, projectID, webhookID)
	if err != nil {
		return nil, err
	}
	if w.LastSuccessAt.IsZero() && w.LastError == "" && w.Retrying+w.Dead == 0 {
		return nil, nil // nothing was ever tried: there is no need to look for it everywhere
	}
	var attempts []Attempt
	ages := lookBack
	if !m.store.postgres {
		ages = lookBack[len(lookBack)-1:] // one look backwards ends by itself
	}
	for _, age := range ages {
		var err error
		if attempts, err = m.attemptsSince(ctx, webhookID, time.Now().UTC().Add(-age), limit); err != nil {
			return nil, fmt.Errorf("list recent attempts: %w", err)
		}
		if len(attempts) == limit {
			break
		}
	}
	slices.SortStableFunc(attempts, func(a, b Attempt) int { return b.At.Compare(a.At) })
	ids := make([]int64, 0, len(attempts))
	for _, a := range attempts {
		ids = append(ids, a.EventID)
	}
	events := map[int64]Event{}
	if len(ids) > 0 {
		found, err := m.config.Log.Get(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("read events of attempts: %w", err)
		}
		for _, e := range found {
			events[e.ID] = e
		}
	}
	recent := make([]RecentAttempt, 0, len(attempts))
	for _, a := range attempts {
		recent = append(recent, RecentAttempt{a, events[a.EventID]})
	}
	return recent, nil
}

func (m *Webhooks) attemptsSince(ctx context.Context, webhookID string, since time.Time, limit int) ([]Attempt, error) {
	order := ` ORDER BY attempted_at DESC`
	if !m.store.postgres { // there the rows' own order is that of their age, but for those written together
		order = ` AND id > (SELECT max(id) - 50000 FROM attempts) ORDER BY id DESC`
	}
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT webhook_id, event_id, attempted_at, duration_ms, status, error, response_bytes, answer
		FROM attempts WHERE webhook_id = $1 AND attempted_at >= $2`+order+` LIMIT $3`, webhookID, since, limit)
	attempts, err := collect(rows, err, func(rows *sql.Rows) (a Attempt, err error) {
		var ms int64
		err = rows.Scan(&a.WebhookID, &a.EventID, &a.At, &ms, &a.Status, &a.Error, &a.ResponseBytes, &a.Answer)
		a.Duration = time.Duration(ms) * time.Millisecond
		return a, err
	})
	slices.SortStableFunc(attempts, func(a, b Attempt) int { return b.At.Compare(a.At) }) // a batch is written in any order
	return attempts, err
}
