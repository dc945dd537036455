package hashstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Event is an entry of the log.
type Event struct {
	ID         int64  // given by Append, in the order of commits
	UID        string // given by Append; see uid
	ProjectID  string
	AccountID  string
	Provider   string // of the account; "": not known
	Name       string // hris_employees.updated
	RecordType string
	RecordID   string
	OccurredAt time.Time       // when the change was detected; kept to the microsecond
	PollID     int64           // the poll that found it; 0: none did
	Fields     []string        // names of changed fields; nil: not known
	Details    json.RawMessage // an account event's extra keys, a JSON object; nil: none
}

// Append appends events to the log, in tx, and returns how many. ID and UID are given
// here, whatever they were. Append is the last statement of its transaction: on PostgreSQL
// it takes a lock that makes appenders wait for each other until they commit. So ids are
// handed out in the order of commits, and whoever has read up to an id has read all there
// will ever be up to it. (The other way, a horizon of running transactions, is held up by
// any long transaction of the whole cluster, and is wrong once a dump was restored into
// another.)
func (s *Store) Append(ctx context.Context, tx *sql.Tx, events iter.Seq[Event]) (int, error) {
	a := appender{store: s, tx: tx}
	for e := range events {
		if err := a.add(ctx, &e); err != nil {
			return 0, fmt.Errorf("append events: %w", err)
		}
	}
	if err := a.flush(ctx); err != nil {
		return 0, fmt.Errorf("append events: %w", err)
	}
	return a.count, nil
}

// appender packs events into chunks and writes them, some at a time: memory holds no more.
type appender struct {
	store  *Store
	tx     *sql.Tx
	chunks []chunk
	count  int
	locked bool
}

// chunksAtOnce is how many chunks are written by one statement: half a megabyte of UUIDs.
const chunksAtOnce = 64

func (a *appender) add(ctx context.Context, e *Event) error {
	a.count++
	if n := len(a.chunks); n > 0 && a.chunks[n-1].takes(e) {
		a.chunks[n-1].add(e)
		return nil
	}
	if len(a.chunks) == chunksAtOnce {
		if err := a.flush(ctx); err != nil {
			return err
		}
	}
	a.chunks = append(a.chunks, newChunk(e))
	return nil
}

func (a *appender) flush(ctx context.Context) error {
	if len(a.chunks) == 0 {
		return nil
	}
	if !a.locked {
		if err := a.store.lockLog(ctx, a.tx); err != nil {
			return err
		}
		a.locked = true
	}
	insert := insertOneByOne
	if a.store.postgres {
		insert = insertAtOnce
	}
	err := insert(ctx, a.tx, a.chunks)
	a.chunks = a.chunks[:0]
	return err
}

// appendLock is the key of PostgreSQL's advisory lock: "synthook" in ASCII.
const appendLock = 0x73796e74686f6f6b

// lockLog makes tx the only appender until it ends, and tells the listeners of
// PostgreSQL when it commits. In SQLite a transaction is alone from its beginning.
//
// Nobody holds the others for ever: a holder that stops inside its transaction is ended
// by the server (idle_in_transaction_session_timeout, 30 s, set when the database is
// opened), and whoever has waited for twice as long gives up.
func (s *Store) lockLog(ctx context.Context, tx *sql.Tx) error {
	if !s.postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT set_config('lock_timeout', $1, true), pg_advisory_xact_lock($2), pg_notify('synthook_events', '')`, s.lockTimeout, int64(appendLock))
	if err != nil {
		return fmt.Errorf("wait for the log: %w", err)
	}
	return nil
}

// insertAtOnce writes chunks by one statement. The lock of the log makes it safe to step
// the sequence by a chunk's size; a transaction that is rolled back leaves a gap.
func insertAtOnce(ctx context.Context, tx *sql.Tx, chunks []chunk) error {
	n := len(chunks)
	sizes, salts, polls := make([]int32, 0, n), make([]int32, 0, n), make([]int64, 0, n)
	times, blobs := make([]time.Time, 0, n), make([][]byte, 0, n)
	var texts [7][]string
	for i := range chunks {
		c := &chunks[i]
		fields, err := c.fieldSets()
		if err != nil {
			return err
		}
		sizes, salts, polls = append(sizes, int32(c.size)), append(salts, int32(c.salt)), append(polls, c.head.PollID)
		times, blobs = append(times, c.head.OccurredAt.UTC()), append(blobs, c.encode())
		for k, v := range [...]string{c.head.ProjectID, c.head.AccountID, c.head.Provider, c.head.Name, c.head.RecordType, fields, string(c.head.Details)} {
			texts[k] = append(texts[k], v)
		}
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO event_chunks (last_id, size, salt, project_id, account_id, provider, name, record_type, fields, details, occurred_at, poll_id, events)
		SELECT setval('event_ids', nextval('event_ids') + size - 1), size, salt, project_id, account_id, provider, name, record_type, fields, details,
			occurred_at, nullif(poll_id, 0), events
		FROM unnest($1::integer[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::timestamptz[], $11::bigint[], $12::bytea[])
			AS c (size, salt, project_id, account_id, provider, name, record_type, fields, details, occurred_at, poll_id, events)`,
		sizes, salts, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], times, polls, blobs)
	return err
}

func insertOneByOne(ctx context.Context, tx *sql.Tx, chunks []chunk) error {
	for i := range chunks {
		c := &chunks[i]
		fields, err := c.fieldSets()
		if err != nil {
			return err
		}
		var last int64
		if err := tx.QueryRowContext(ctx, `UPDATE event_ids SET last_id = last_id + $1 RETURNING last_id`, c.size).Scan(&last); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`INSERT INTO event_chunks (last_id, size, salt, project_id, account_id, provider, name, record_type, fields, details, occurred_at, poll_id, events)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, nullif($12, 0), $13)`,
			last, c.size, c.salt, c.head.ProjectID, c.head.AccountID, c.head.Provider, c.head.Name, c.head.RecordType, fields, string(c.head.Details),
			c.head.OccurredAt.UTC(), c.head.PollID, c.encode())
		if err != nil {
			return err
		}
	}
	return nil
}
