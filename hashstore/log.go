package hashstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EventQuery selects events of the log; a zero value is no bound.
type EventQuery struct {
	ProjectID                            string
	After                                int64     // ids greater than it
	Through                              int64     // and up to it
	Since                                time.Time // occurred at it or later
	Until                                time.Time // and before it
	Names                                []string  // one of them fits: a name, "hris_employees.*", or "*"
	AccountID, RecordType, RecordID, UID string
	PollID                               int64
	Limit                                int
	Descending                           bool // newest first; else oldest first
}

// Events returns the events that q selects, in the order of the log.
func (s *Store) Events(ctx context.Context, q EventQuery) ([]Event, error) {
	where, args := q.where()
	order := " ORDER BY id"
	if q.Descending {
		order += " DESC"
	}
	if q.Limit > 0 {
		args = append(args, q.Limit)
		order += fmt.Sprintf(" LIMIT $%d", len(args))
	}
	return s.selectEvents(ctx, where+order, args...)
}

// Count returns how many events q selects, its limit apart.
func (s *Store) Count(ctx context.Context, q EventQuery) (int64, error) {
	where, args := q.where()
	var n int64
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM events`+where, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return n, nil
}

// LastID is the id of the newest event; 0 when the log is empty.
func (s *Store) LastID(ctx context.Context) (int64, error) {
	var id int64
	if err := s.db.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM events`).Scan(&id); err != nil {
		return 0, fmt.Errorf("find newest event: %w", err)
	}
	return id, nil
}

// EventsByID returns those of the events that are in the log, ascending.
func (s *Store) EventsByID(ctx context.Context, ids []int64) ([]Event, error) {
	return s.selectEvents(ctx, ` WHERE id`+s.in("$1")+` ORDER BY id`, s.list(ids))
}

// EventByUID returns an event of a project, or ErrNotFound.
func (s *Store) EventByUID(ctx context.Context, project, uid string) (Event, error) {
	events, err := s.selectEvents(ctx, ` WHERE project_id = $1 AND uid = $2`, project, uid)
	if err != nil {
		return Event{}, err
	}
	if len(events) == 0 {
		return Event{}, ErrNotFound
	}
	return events[0], nil
}

// pruneBatch is how many rows Prune looks at, and at most deletes, in one transaction.
const pruneBatch = 10_000

// Prune deletes events that occurred before a time and whose id is at most keepAfter, in
// batches from the log's beginning, and returns how many. It ends at the first batch
// without such an event: an old event behind thousands of younger ones waits until they
// are old as well.
func (s *Store) Prune(ctx context.Context, before time.Time, keepAfter int64) (int64, error) {
	for total := int64(0); ; {
		result, err := s.db.ExecContext(ctx, `DELETE FROM events WHERE occurred_at < $1
			AND id IN (SELECT id FROM events WHERE id <= $2 ORDER BY id LIMIT $3)`, before.UTC(), keepAfter, pruneBatch)
		if err != nil {
			return total, fmt.Errorf("prune events: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return total, fmt.Errorf("prune events: %w", err)
		}
		if total += n; n == 0 {
			return total, nil
		}
	}
}

func (s *Store) selectEvents(ctx context.Context, rest string, args ...any) ([]Event, error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT id, uid, project_id, account_id, name, record_type, record_id, occurred_at, poll_id, fields, details FROM events`+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var e Event
		var poll sql.NullInt64
		var fields, details string
		if err := rows.Scan(&e.ID, &e.UID, &e.ProjectID, &e.AccountID, &e.Name, &e.RecordType, &e.RecordID, &e.OccurredAt, &poll, &fields, &details); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if e.PollID = poll.Int64; details != "" {
			e.Details = json.RawMessage(details)
		}
		if fields != "" {
			if err := json.Unmarshal([]byte(fields), &e.Fields); err != nil {
				return nil, fmt.Errorf("read fields of event %d: %w", e.ID, err)
			}
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}

// where is the condition of q.
func (q EventQuery) where() (string, []any) {
	var args []any
	condition := func(text string, value any) string {
		args = append(args, value)
		return strings.ReplaceAll(text, "?", fmt.Sprintf("$%d", len(args)))
	}
	var all []string
	add := func(set bool, text string, value any) {
		if set {
			all = append(all, condition(text, value))
		}
	}
	add(q.ProjectID != "", "project_id = ?", q.ProjectID)
	add(q.After > 0, "id > ?", q.After)
	add(q.Through > 0, "id <= ?", q.Through)
	add(!q.Since.IsZero(), "occurred_at >= ?", q.Since.UTC())
	add(!q.Until.IsZero(), "occurred_at < ?", q.Until.UTC())
	add(q.AccountID != "", "account_id = ?", q.AccountID)
	add(q.RecordType != "", "record_type = ?", q.RecordType)
	add(q.RecordID != "", "record_id = ?", q.RecordID)
	add(q.UID != "", "uid = ?", q.UID)
	add(q.PollID != 0, "poll_id = ?", q.PollID)
	if len(q.Names) > 0 && !slices.Contains(q.Names, "*") {
		var names []string
		for _, name := range q.Names {
			if prefix, ok := strings.CutSuffix(name, ".*"); ok {
				// As a text, not by LIKE: there an underscore is a wildcard.
				names = append(names, condition("substr(name, 1, length(CAST(? AS text))) = ?", prefix+"."))
			} else {
				names = append(names, condition("name = ?", name))
			}
		}
		all = append(all, "("+strings.Join(names, " OR ")+")")
	}
	if len(all) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(all, " AND "), args
}
