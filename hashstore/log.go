package hashstore

import (
	"bytes"
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
	ProjectID                       string
	After                           int64     // ids greater than it
	Through                         int64     // and up to it
	Since                           time.Time // occurred at it or later
	Until                           time.Time // and before it
	Names                           []string  // one of them fits: a name, "hris_employees.*", or "*"
	AccountID, RecordType, RecordID string
	Accounts, Providers             []string // one of them; nil: any
	Field                           string   // changed in it, as far as that is known
	PollID                          int64
	Limit                           int
	Descending                      bool // newest first; else oldest first
}

// Events returns the events that q selects, in the order of the log.
func (s *Store) Events(ctx context.Context, q EventQuery) ([]Event, error) {
	var events []Event
	err := s.each(ctx, q, func(e *Event) bool {
		events = append(events, *e)
		return q.Limit == 0 || len(events) < q.Limit
	})
	return events, err
}

// Count returns how many events q selects, its limit apart.
func (s *Store) Count(ctx context.Context, q EventQuery) (n int64, err error) {
	if q.inside() {
		q.Limit = 0
		err = s.each(ctx, q, func(*Event) bool { n++; return true })
		return n, err
	}
	if q.addsUp() {
		return s.countBlocks(ctx, q)
	}
	return s.countChunks(ctx, q)
}

// countChunks counts what q selects from the sizes of chunks.
func (s *Store) countChunks(ctx context.Context, q EventQuery) (n int64, err error) {
	var c condition
	q.bound(&c)
	if err := s.db.QueryRowContext(ctx, `SELECT CAST(coalesce(sum(`+q.clipped(&c)+`), 0) AS bigint) FROM event_chunks`+c.where(), c.args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return n, nil
}

// LastID is the id of the newest event; 0 when the log is empty.
func (s *Store) LastID(ctx context.Context) (int64, error) {
	var id int64
	if err := s.db.QueryRowContext(ctx, `SELECT coalesce(max(last_id), 0) FROM event_chunks`).Scan(&id); err != nil {
		return 0, fmt.Errorf("find newest event: %w", err)
	}
	return id, nil
}

// EventsByID returns those of the events that are in the log, ascending.
func (s *Store) EventsByID(ctx context.Context, ids []int64) ([]Event, error) {
	chunks, err := s.chunks(ctx, "", ` WHERE last_id IN (SELECT (SELECT min(last_id) FROM event_chunks WHERE last_id >= wanted.value)
		FROM `+s.each64("$1")+` AS wanted) ORDER BY last_id`, s.list(ids))
	if err != nil {
		return nil, err
	}
	wanted := slices.Sorted(slices.Values(ids))
	var events []Event
	for _, c := range chunks {
		for _, e := range c.events {
			if _, ok := slices.BinarySearch(wanted, e.ID); ok {
				events = append(events, e)
			}
		}
	}
	return events, nil
}

// EventByUID returns an event of a project, or ErrNotFound.
func (s *Store) EventByUID(ctx context.Context, project, uid string) (Event, error) {
	id := idOf(uid)
	if id <= 0 {
		return Event{}, ErrNotFound
	}
	events, err := s.EventsByID(ctx, []int64{id})
	if err != nil {
		return Event{}, err
	}
	if len(events) == 0 || events[0].UID != uid || events[0].ProjectID != project {
		return Event{}, ErrNotFound
	}
	return events[0], nil
}

// pruneBatch is how many chunks Prune looks at, and at most deletes, in one transaction.
const pruneBatch = 2_000

// Prune deletes events that occurred before a time and whose id is at most keepAfter, in
// batches from the log's beginning, and returns how many. It ends at the first batch
// without such an event: an old event behind thousands of younger ones waits until they
// are old as well. Events of one chunk go together.
func (s *Store) Prune(ctx context.Context, before time.Time, keepAfter int64) (int64, error) {
	for total := int64(0); ; {
		n, err := s.pruneOnce(ctx, before, keepAfter)
		if err != nil {
			return total, fmt.Errorf("prune events: %w", err)
		}
		if total += n; n == 0 {
			return total, nil
		}
	}
}

func (s *Store) pruneOnce(ctx context.Context, before time.Time, keepAfter int64) (n int64, err error) {
	rows, err := s.db.QueryContext(ctx, `DELETE FROM event_chunks WHERE occurred_at < $1
		AND last_id IN (SELECT last_id FROM event_chunks WHERE last_id <= $2 ORDER BY last_id LIMIT $3) RETURNING size`, before.UTC(), keepAfter, pruneBatch)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var size int64
		if err := rows.Scan(&size); err != nil {
			return 0, err
		}
		n += size
	}
	return n, rows.Err()
}

// readAtOnce bounds the chunks of one query where only a look inside tells which
// events are selected.
const readAtOnce = 256

// each calls visit with the events that q selects, in order, until it has enough.
func (s *Store) each(ctx context.Context, q EventQuery, visit func(*Event) bool) error {
	for {
		query, args, full := q.page()
		chunks, err := s.chunks(ctx, q.RecordID, query, args...)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			if q.Descending {
				slices.Reverse(c.events)
			}
			for i := range c.events {
				if e := &c.events[i]; q.selects(e) && !visit(e) {
					return nil
				}
			}
		}
		if len(chunks) < full {
			return nil
		}
		switch end := chunks[len(chunks)-1]; {
		case !q.Descending:
			q.After = end.last
		case end.first == 1:
			return nil // the log's first event
		default:
			q.Through = end.first - 1
		}
	}
}

// page is the statement for q's next chunks. Fewer than full of them are the last ones.
func (q *EventQuery) page() (query string, args []any, full int) {
	var c condition
	q.bound(&c)
	order := " ORDER BY last_id"
	if q.Descending {
		order += " DESC"
	}
	where := c.where()
	if q.Limit == 0 || q.Limit > maxChunk || q.inside() {
		return where + order + c.with(" LIMIT ?", readAtOnce), c.args, readAtOnce
	}
	// No more chunks than hold what is asked for. They may be a single one, or as many as
	// that is events; the blobs of the others are not read.
	clipped := q.clipped(&c)
	return ` WHERE last_id IN (SELECT last_id FROM (
			SELECT last_id, sum(` + clipped + `) OVER (` + order + `) - ` + clipped + ` AS before FROM event_chunks` + where + order + c.with(" LIMIT ?", q.Limit) + `) AS ahead
		WHERE before < ` + c.with("?", q.Limit) + `)` + order, c.args, maxChunk + 1 // what visit wants is in them, or there is no more
}

// selects tells whether q selects an event of a chunk that it selects.
func (q *EventQuery) selects(e *Event) bool {
	return e.ID > q.After && (q.Through == 0 || e.ID <= q.Through) &&
		(q.RecordID == "" || e.RecordID == q.RecordID) && (q.Field == "" || slices.Contains(e.Fields, q.Field))
}

// inside says that the events of a chunk may differ in what q asks for.
func (q *EventQuery) inside() bool { return q.RecordID != "" || q.Field != "" }

// clipped is how many events of a chunk lie between After and Through.
func (q *EventQuery) clipped(c *condition) string {
	last, first := "last_id", "last_id - size"
	if q.Through > 0 {
		last = c.with("CASE WHEN last_id > ? THEN ? ELSE last_id END", q.Through)
	}
	if q.After > 0 {
		first = c.with("CASE WHEN last_id - size < ? THEN ? ELSE last_id - size END", q.After)
	}
	return "(" + last + " - (" + first + "))"
}

// condition gathers what stands behind WHERE, and its parameters.
type condition struct {
	all  []string
	args []any
}

// with puts the parameter's name in the place of every question mark of text.
func (c *condition) with(text string, value any) string {
	c.args = append(c.args, value)
	return strings.ReplaceAll(text, "?", fmt.Sprintf("$%d", len(c.args)))
}

// among adds that a column is one of the values; where there are none, it may be any.
func (c *condition) among(column string, values []string) {
	names := make([]string, 0, len(values))
	for _, v := range values {
		names = append(names, c.with("?", v))
	}
	if len(names) > 0 {
		c.all = append(c.all, column+" IN ("+strings.Join(names, ", ")+")")
	}
}

func (c *condition) where() string {
	if len(c.all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.all, " AND ")
}

// bound adds the conditions of q on a chunk.
func (q *EventQuery) bound(c *condition) {
	add := func(set bool, text string, value any) {
		if set {
			c.all = append(c.all, c.with(text, value))
		}
	}
	if q.Through > 0 && q.Through <= q.After {
		c.all = append(c.all, "false") // both may lie in one chunk
	}
	add(q.ProjectID != "", "project_id = ?", q.ProjectID)
	add(q.After > 0, "last_id > ?", q.After)
	add(q.Through > 0, "last_id - size < ?", q.Through)
	add(q.Through > 0, "last_id < ?", q.Through+maxChunk) // says less, but an index knows it
	add(!q.Since.IsZero(), "occurred_at >= ?", q.Since.UTC())
	add(!q.Until.IsZero(), "occurred_at < ?", q.Until.UTC())
	add(q.AccountID != "", "account_id = ?", q.AccountID)
	add(q.RecordType != "", "record_type = ?", q.RecordType)
	add(q.PollID != 0, "poll_id = ?", q.PollID)
	add(q.Field != "", "fields <> ?", "")
	c.among("account_id", q.Accounts)
	c.among("provider", q.Providers)
	if len(q.Names) == 0 || slices.Contains(q.Names, "*") {
		return
	}
	var names []string
	for _, name := range q.Names {
		if prefix, ok := strings.CutSuffix(name, ".*"); ok {
			// As a text, not by LIKE: there an underscore is a wildcard.
			names = append(names, c.with("substr(name, 1, length(CAST(? AS text))) = ?", prefix+"."))
		} else {
			names = append(names, c.with("name = ?", name))
		}
	}
	c.all = append(c.all, "("+strings.Join(names, " OR ")+")")
}

// readChunk is a chunk as it was read: its ids, and its events ascending.
type readChunk struct {
	first, last int64
	events      []Event
}

// chunks reads the chunks that rest selects. Where a record is named, chunks that don't
// hold it may come without their events.
func (s *Store) chunks(ctx context.Context, record, rest string, args ...any) ([]readChunk, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT last_id, size, salt, project_id, account_id, provider, name, record_type, occurred_at, poll_id,
		fields, details, events FROM event_chunks`+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var chunks []readChunk
	stored := appendID(nil, record)
	for rows.Next() {
		var head Event
		var size int
		var salt int16
		var poll sql.NullInt64
		var fields, details string
		var blob []byte
		if err := rows.Scan(&head.ID, &size, &salt, &head.ProjectID, &head.AccountID, &head.Provider, &head.Name, &head.RecordType, &head.OccurredAt, &poll,
			&fields, &details, &blob); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		c := readChunk{first: head.ID - int64(size) + 1, last: head.ID}
		if record != "" && !bytes.Contains(blob, stored) {
			chunks = append(chunks, c) // undecoded, which is most of the work
			continue
		}
		head.ID = c.first
		if head.PollID = poll.Int64; details != "" {
			head.Details = json.RawMessage(details)
		}
		if c.events, err = decodeChunk(head, size, salt, fields, blob); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		chunks = append(chunks, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return chunks, nil
}
