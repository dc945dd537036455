package dispatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// span is what a webhook took of the log, from behind one id up to the next span's.
type span struct {
	after  int64
	filter Filter
}

// noteChoice keeps that the webhook takes f of the log from behind the cursor on, where
// that is news. What was read under another filter must be settled by then.
func (s store) noteChoice(ctx context.Context, q querier, webhook string, cursor int64, f Filter) error {
	var last string
	err := q.QueryRowContext(ctx, `SELECT filter FROM webhook_choices WHERE webhook_id = $1 ORDER BY after_id DESC LIMIT 1`, webhook).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("load what the webhook took: %w", err)
	}
	if last == marshal(f) {
		return nil
	}
	_, err = q.ExecContext(ctx, `
		INSERT INTO webhook_choices (webhook_id, after_id, filter) VALUES ($1, $2, $3)
		ON CONFLICT (webhook_id, after_id) DO UPDATE SET filter = excluded.filter`, webhook, cursor, marshal(f))
	if err != nil {
		return fmt.Errorf("keep what the webhook takes: %w", err)
	}
	return nil
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s store) spans(ctx context.Context, webhook string) ([]span, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT after_id, filter FROM webhook_choices WHERE webhook_id = $1 ORDER BY after_id`, webhook)
	spans, err := collect(rows, err, func(rows *sql.Rows) (p span, err error) {
		var text string
		if err = rows.Scan(&p.after, &text); err == nil {
			p.filter, err = parseFilter(text)
		}
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("load what the webhook took: %w", err)
	}
	return spans, nil
}

// took says whether the webhook takes e, or took it when its cursor passed it.
func took(spans []span, e Event) bool {
	for _, p := range slices.Backward(spans) {
		if p.after < e.ID {
			return p.filter.Match(e)
		}
	}
	return false // from before its time
}

// missed returns those of the events that the webhook never got, and does not get by
// itself: from before its time, not taken when its cursor passed them, or given up; and
// of which no success is on record, such as a replay's.
func (s store) missed(ctx context.Context, webhook string, events []Event) ([]Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	spans, err := s.spans(ctx, webhook)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	const dead, known = 1, 2
	standing := map[int64]int{}
	rows, err := s.db.QueryContext(ctx, `
		SELECT event_id, CASE WHEN state = 'dead' THEN 1 ELSE 2 END FROM retries WHERE webhook_id = $1 AND event_id`+s.among("$2")+`
		UNION ALL SELECT event_id, 2 FROM attempts WHERE webhook_id = $1 AND error = '' AND event_id`+s.among("$2"), webhook, s.ids(ids))
	_, err = collect(rows, err, func(rows *sql.Rows) (none struct{}, err error) {
		var id int64
		var what int
		err = rows.Scan(&id, &what)
		standing[id] = max(standing[id], what)
		return none, err
	})
	if err != nil {
		return nil, fmt.Errorf("find what the webhook got: %w", err)
	}
	return slices.DeleteFunc(events, func(e Event) bool {
		return standing[e.ID] == known || standing[e.ID] != dead && took(spans, e)
	}), nil
}

// countMissed counts the missed events of a part of the log.
func (m *Webhooks) countMissed(ctx context.Context, w Webhook, f Filter, after, through int64) (n int64, err error) {
	for after < through {
		events, covered, err := m.config.Log.Read(ctx, w.ProjectID, f, after, through, readLimit)
		if err != nil {
			return n, err
		}
		if covered <= after {
			break
		}
		after = covered
		if events, err = m.store.missed(ctx, w.ID, events); err != nil {
			return n, err
		}
		n += int64(len(events))
	}
	return n, nil
}
