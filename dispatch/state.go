package dispatch

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// hook is a webhook as its worker finds it when it takes over.
type hook struct {
	projectID string
	names     []string
	settings  Settings
	target    target
	status
	pending map[int64][]int64  // record key → ids of the parked events, ascending
	ahead   map[int64]struct{} // events above the cursor that need nothing any more, and were not read again yet
}

// status is what a worker keeps in the webhook's row.
type status struct {
	cursor                             int64
	settled                            []byte // see encodeSettled
	failures                           int
	failingSince, probeAt, lastSuccess time.Time
	lastError                          string
}

// load reads everything a worker has to know, under its lease.
func (s store) load(ctx context.Context, l lease, sealer Sealer) (hook, error) {
	h := hook{pending: map[int64][]int64{}}
	var names, narrowed string
	var failingSince, probeAt, lastSuccess sql.NullTime
	err := s.db.QueryRowContext(ctx, `
		SELECT project_id, url, events, cursor_id, settled, failures, failing_since, probe_at, last_success_at, last_error, `+settingsColumns+`
		FROM webhooks WHERE id = $1 AND fence = $2`, l.webhook, l.fence).
		Scan(append([]any{&h.projectID, &h.target.url, &names, &h.cursor, &h.status.settled, &h.failures, &failingSince, &probeAt, &lastSuccess, &h.lastError},
			h.settings.targets(&narrowed)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return h, errLeaseLost
	}
	if err == nil {
		h.names, err = parseNames(names)
	}
	if err == nil {
		err = h.settings.read(narrowed)
	}
	if err != nil {
		return h, fmt.Errorf("load webhook: %w", err)
	}
	h.failingSince, h.probeAt, h.lastSuccess = failingSince.Time, probeAt.Time, lastSuccess.Time
	h.target.keep = h.settings.KeepAnswers
	if h.target.secrets, err = s.secrets(ctx, l.webhook, sealer); err != nil {
		return h, err
	}
	if h.ahead, err = decodeSettled(h.cursor, h.status.settled); err != nil {
		return h, err
	}
	if err := s.noteChoice(ctx, s.db, l.webhook, h.cursor, choice(h.names, h.settings.Narrowing)); err != nil {
		return h, err
	}
	return h, s.loadParked(ctx, l.webhook, &h)
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
		SELECT event_id, record_key FROM retries WHERE webhook_id = $1 AND state = 'pending' ORDER BY event_id`, webhook)
	_, err = collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
		var event, key int64
		err := rows.Scan(&event, &key)
		h.pending[key] = append(h.pending[key], event)
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("load retries: %w", err)
	}
	return nil
}

// encodeSettled writes the ids, which ascend and are above the cursor: the distance of
// each from the one before (of the first from the cursor) as a uvarint.
func encodeSettled(cursor int64, ids []int64) []byte {
	b := []byte{}
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id-cursor))
		cursor = id
	}
	return b
}

func decodeSettled(cursor int64, b []byte) (map[int64]struct{}, error) {
	ids := map[int64]struct{}{}
	for len(b) > 0 {
		distance, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errors.New("read what is settled above the cursor: it is damaged")
		}
		cursor += int64(distance)
		ids[cursor], b = struct{}{}, b[n:]
	}
	return ids, nil
}

// due returns up to n parked events that are due, the oldest first, without those that
// have to wait for an older one of their record.
func (s store) due(ctx context.Context, webhook string, now time.Time, n int) ([]retryRow, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT event_id, record_key, attempts, event FROM retries r
		WHERE webhook_id = $1 AND state = 'pending' AND due_at <= $2 AND NOT EXISTS (
			SELECT 1 FROM retries o
			WHERE o.webhook_id = r.webhook_id AND o.record_key = r.record_key AND o.state = 'pending' AND o.event_id < r.event_id AND o.due_at > $2)
		ORDER BY event_id LIMIT $3`, webhook, now.UTC(), n)
	due, err := collect(rows, err, func(rows *sql.Rows) (r retryRow, err error) {
		err = rows.Scan(&r.event, &r.key, &r.attempts, &r.content)
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
func (s store) deadEvents(ctx context.Context, webhook string, after, through int64, n int) ([]retryRow, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT event_id, event FROM retries
		WHERE webhook_id = $1 AND state = 'dead' AND event_id > $2 AND event_id <= $3 ORDER BY event_id LIMIT $4`,
		webhook, after, through, n)
	dead, err := collect(rows, err, func(rows *sql.Rows) (r retryRow, err error) {
		err = rows.Scan(&r.event, &r.content)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("load dead deliveries: %w", err)
	}
	return dead, nil
}

// loadReplay reads a replay that runs; nil: it doesn't any more. Its filter is narrowed to
// what the webhook takes.
func (w *worker) loadReplay(ctx context.Context, id string) (*replay, error) {
	r := replay{id: id}
	var kind ReplayKind
	var what string
	var limit float64
	var at time.Time
	err := w.store.db.QueryRowContext(ctx, `
		SELECT kind, filter, cursor_id, until_id, sent, rate_limit, created_at FROM replays WHERE id = $1 AND state = 'running'`, id).
		Scan(&kind, &what, &r.covered, &r.through, &r.passed, &limit, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load replay: %w", err)
	}
	r.pace = newPace(limit)
	if kind != KindReplay {
		k, err := parseWalk(what)
		k.id, k.projectID, k.at = id, w.projectID, at
		r.walked = &walked{walker: walker{walk: k, records: w.config.Records, store: w.store, filter: w.choice(), handed: kind == KindReconcile}}
		return &r, err
	}
	var kept keptFilter
	if err := json.Unmarshal([]byte(what), &kept); err != nil {
		return nil, fmt.Errorf("parse replay: %w", err)
	}
	r.dead, r.missed = kept.Dead, kept.Missed
	r.filter, r.empty = narrow(w.choice(), kept.Filter)
	return &r, nil
}
