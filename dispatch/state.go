package dispatch

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// settledAboveCursor bounds how many of the latest attempts are looked at for events
// that are delivered though the cursor has not passed them.
const settledAboveCursor = 4 * window

// hook is a webhook as its worker finds it when it takes over.
type hook struct {
	projectID string
	names     []string
	target    target
	status
	pending map[int64][]int64  // record key → ids of the parked events, ascending
	settled map[int64]struct{} // events above the cursor that need nothing any more
}

// status is what a worker keeps in the webhook's row.
type status struct {
	cursor                             int64
	failures                           int
	failingSince, probeAt, lastSuccess time.Time
	lastError                          string
}

// load reads everything a worker has to know, under its lease.
func (s store) load(ctx context.Context, l lease, sealer Sealer) (hook, error) {
	h := hook{pending: map[int64][]int64{}, settled: map[int64]struct{}{}}
	var names string
	var failingSince, probeAt, lastSuccess sql.NullTime
	err := s.db.QueryRowContext(ctx, `
		SELECT project_id, url, events, cursor_id, failures, failing_since, probe_at, last_success_at, last_error
		FROM webhooks WHERE id = $1 AND fence = $2`, l.webhook, l.fence).
		Scan(&h.projectID, &h.target.url, &names, &h.cursor, &h.failures, &failingSince, &probeAt, &lastSuccess, &h.lastError)
	if errors.Is(err, sql.ErrNoRows) {
		return h, errLeaseLost
	}
	if err == nil {
		h.names, err = parseNames(names)
	}
	if err != nil {
		return h, fmt.Errorf("load webhook: %w", err)
	}
	h.failingSince, h.probeAt, h.lastSuccess = failingSince.Time, probeAt.Time, lastSuccess.Time
	if h.target.secrets, err = s.secrets(ctx, l.webhook, sealer); err != nil {
		return h, err
	}
	if err := s.loadParked(ctx, l.webhook, &h); err != nil {
		return h, err
	}
	return h, s.loadDelivered(ctx, l.webhook, &h)
}

func (s store) secrets(ctx context.Context, webhook string, sealer Sealer) ([]signingSecret, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT secret, active, expires_at FROM webhook_secrets WHERE webhook_id = $1 ORDER BY id`, webhook)
	secrets, err := collect(rows, err, func(rows *sql.Rows) (signingSecret, error) {
		var sealed []byte
		var secret signingSecret
		var expires sql.NullTime
		if err := rows.Scan(&sealed, &secret.active, &expires); err != nil {
			return secret, err
		}
		plain, err := sealer.Open(sealed, secretPurpose(webhook))
		secret.secret, secret.expiresAt = string(plain), expires.Time
		return secret, err
	})
	if err != nil {
		return nil, fmt.Errorf("load secrets: %w", err)
	}
	return secrets, nil
}

func (s store) loadParked(ctx context.Context, webhook string, h *hook) error {
	rows, err := s.db.QueryContext(ctx, `
		SELECT event_id, record_key, state = 'dead' FROM retries
		WHERE webhook_id = $1 AND (state = 'pending' OR event_id > $2) ORDER BY event_id`, webhook, h.cursor)
	parked, err := collect(rows, err, func(rows *sql.Rows) (r retryRow, err error) {
		err = rows.Scan(&r.event, &r.key, &r.dead)
		return r, err
	})
	if err != nil {
		return fmt.Errorf("load retries: %w", err)
	}
	for _, r := range parked {
		if !r.dead {
			h.pending[r.key] = append(h.pending[r.key], r.event)
		}
		if r.event > h.cursor {
			h.settled[r.event] = struct{}{}
		}
	}
	return nil
}

// loadDelivered finds what an earlier worker delivered beyond its cursor, because an
// older event was still on its way.
func (s store) loadDelivered(ctx context.Context, webhook string, h *hook) error {
	rows, err := s.db.QueryContext(ctx,
		`SELECT event_id, error FROM attempts WHERE webhook_id = $1 ORDER BY id DESC LIMIT $2`, webhook, settledAboveCursor)
	_, err = collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
		var event int64
		var class string
		err := rows.Scan(&event, &class)
		if class == "" && event > h.cursor {
			h.settled[event] = struct{}{}
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("load attempts: %w", err)
	}
	return nil
}

// due returns up to n parked events that are due, the oldest first, without those that
// have to wait for an older one of their record.
func (s store) due(ctx context.Context, webhook string, now time.Time, n int) ([]retryRow, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT event_id, record_key, attempts FROM retries r
		WHERE webhook_id = $1 AND state = 'pending' AND due_at <= $2 AND NOT EXISTS (
			SELECT 1 FROM retries o
			WHERE o.webhook_id = r.webhook_id AND o.record_key = r.record_key AND o.state = 'pending' AND o.event_id < r.event_id AND o.due_at > $2)
		ORDER BY event_id LIMIT $3`, webhook, now.UTC(), n)
	due, err := collect(rows, err, func(rows *sql.Rows) (r retryRow, err error) {
		err = rows.Scan(&r.event, &r.key, &r.attempts)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("load due retries: %w", err)
	}
	return due, nil
}

// nextDue returns when the next parked event becomes due after now; zero: none does.
func (s store) nextDue(ctx context.Context, webhook string, now time.Time) (at time.Time, err error) {
	err = s.db.QueryRowContext(ctx, `
		SELECT due_at FROM retries WHERE webhook_id = $1 AND state = 'pending' AND due_at > $2 ORDER BY due_at LIMIT 1`,
		webhook, now.UTC()).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return at, fmt.Errorf("find next retry: %w", err)
	}
	return at, nil
}

// deadEvents returns up to n events with after < id ≤ through that were given up.
func (s store) deadEvents(ctx context.Context, webhook string, after, through int64, n int) ([]int64, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT event_id FROM retries
		WHERE webhook_id = $1 AND state = 'dead' AND event_id > $2 AND event_id <= $3 ORDER BY event_id LIMIT $4`,
		webhook, after, through, n)
	events, err := collect(rows, err, func(rows *sql.Rows) (id int64, err error) {
		err = rows.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("load dead deliveries: %w", err)
	}
	return events, nil
}

// loadReplay reads a replay that runs. Its filter is narrowed to what the webhook
// subscribes to.
func (s store) loadReplay(ctx context.Context, id string, names []string) (*replay, error) {
	r := replay{id: id}
	var filter string
	err := s.db.QueryRowContext(ctx, `SELECT filter, cursor_id, until_id, sent FROM replays WHERE id = $1 AND state = 'running'`, id).
		Scan(&filter, &r.covered, &r.through, &r.passed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	var kept keptFilter
	if err == nil {
		err = json.Unmarshal([]byte(filter), &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("load replay: %w", err)
	}
	r.filter, r.dead = kept.Filter, kept.Dead
	r.filter.Names, r.empty = narrow(names, r.filter.Names)
	return &r, nil
}
