package hashstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Event is an entry of the log.
type Event struct {
	ID         int64  // given by Append, in the order of commits
	UID        string // see NewEventUID
	ProjectID  string
	AccountID  string
	Provider   string // of the account
	Name       string // hris_employees.updated
	RecordType string
	RecordID   string
	OccurredAt time.Time       // when the change was detected; kept to the microsecond
	PollID     int64           // the poll that found it; 0: none did
	Fields     []string        // names of changed fields; nil: not known
	Details    json.RawMessage // an account event's extra keys, a JSON object; nil: none
}

// NewEventUID returns a new id of an event that happened at a time: "evt_" and a ULID,
// 26 characters of Crockford's base 32: 48 bits of milliseconds, then 80 random ones.
func NewEventUID(at time.Time) string {
	var uids uidSource
	return uids.next(at)
}

// uidSource makes the UIDs of one Append. Those of one millisecond count up from a random
// number, as the ULID specification has it: so the index takes them at its end, and a
// big append half the time.
type uidSource struct {
	ms   int64
	high uint16
	low  uint64
}

func (s *uidSource) next(at time.Time) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	if ms := at.UnixMilli(); ms != s.ms || s.low == 0 {
		var random [10]byte
		_, _ = rand.Read(random[:]) // never an error: it ends the program instead
		s.ms, s.high, s.low = ms, binary.BigEndian.Uint16(random[:]), binary.BigEndian.Uint64(random[2:])
	} else {
		s.low++
	}
	uid := [30]byte{'e', 'v', 't', '_'}
	high, low := uint64(s.ms)<<16|uint64(s.high), s.low // 128 bits
	for i := len(uid) - 1; i >= 4; i-- {
		uid[i] = alphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(uid[:])
}

// Append appends events to the log, in tx, and returns how many. Events without a UID get
// one. Append is the last statement of its transaction: on PostgreSQL it takes a lock that
// makes appenders wait for each other until they commit. So ids are handed out in the
// order of commits, and whoever has read up to an id has read all there will ever be up
// to it. (The other way, a horizon of running transactions, is held up by any long
// transaction of the whole cluster, and is wrong once a dump was restored into another.)
func (s *Store) Append(ctx context.Context, tx *sql.Tx, events iter.Seq[Event]) (int, error) {
	return s.appendOn(ctx, tx, nil, events)
}

// appendOn is Append; conn, where it is not nil, is what tx runs on.
func (s *Store) appendOn(ctx context.Context, tx *sql.Tx, conn *sql.Conn, events iter.Seq[Event]) (int, error) {
	count := 0
	flush := func(batch []Event) error {
		if count == 0 {
			if err := s.lockLog(ctx, tx); err != nil {
				return err
			}
		}
		count += len(batch)
		switch {
		case !s.postgres:
			return insertValues(ctx, tx, batch)
		case conn != nil && len(batch) > copyAbove:
			return copyRows(ctx, conn, batch)
		default:
			return insertArrays(ctx, tx, batch)
		}
	}
	batchSize := 200
	if s.postgres {
		batchSize = 2000
	}
	var batch []Event
	var uids uidSource
	for e := range events {
		if e.UID == "" {
			e.UID = uids.next(e.OccurredAt)
		}
		if batch = append(batch, e); len(batch) == batchSize {
			if err := flush(batch); err != nil {
				return 0, fmt.Errorf("append events: %w", err)
			}
			batch = batch[:0]
		}
	}
	if len(batch) > 0 {
		if err := flush(batch); err != nil {
			return 0, fmt.Errorf("append events: %w", err)
		}
	}
	return count, nil
}

// copyAbove is the number of events above which COPY is worth its two more round trips:
// for thousands it takes three quarters of the time of INSERT.
const copyAbove = 200

// copyRows copies events in the transaction that conn is in. When ctx has ended it, ctx
// ends this as well, before anything is sent.
func copyRows(ctx context.Context, conn *sql.Conn, events []Event) error {
	columns := []string{"uid", "project_id", "account_id", "name", "record_type", "record_id", "fields", "details", "occurred_at", "poll_id"}
	return conn.Raw(func(driver any) error {
		pgxConn := driver.(*stdlib.Conn).Conn()
		_, err := pgxConn.CopyFrom(ctx, pgx.Identifier{"events"}, columns, pgx.CopyFromSlice(len(events), func(i int) ([]any, error) { return events[i].row() }))
		return err
	})
}

// row is the values of an event's columns.
func (e *Event) row() ([]any, error) {
	fields, err := e.fields()
	var poll any
	if e.PollID != 0 {
		poll = e.PollID
	}
	return []any{e.UID, e.ProjectID, e.AccountID, e.Name, e.RecordType, e.RecordID, fields, string(e.Details), e.OccurredAt.UTC(), poll}, err
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

func insertArrays(ctx context.Context, tx *sql.Tx, events []Event) error {
	n := len(events)
	columns := make([][]string, 8)
	for i := range columns {
		columns[i] = make([]string, 0, n)
	}
	times, polls := make([]time.Time, 0, n), make([]int64, 0, n)
	for i := range events {
		e := &events[i]
		fields, err := e.fields()
		if err != nil {
			return err
		}
		for k, v := range [...]string{e.UID, e.ProjectID, e.AccountID, e.Name, e.RecordType, e.RecordID, fields, string(e.Details)} {
			columns[k] = append(columns[k], v)
		}
		times, polls = append(times, e.OccurredAt.UTC()), append(polls, e.PollID)
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO events (uid, project_id, account_id, name, record_type, record_id, fields, details, occurred_at, poll_id)
		SELECT uid, project_id, account_id, name, record_type, record_id, fields, details, occurred_at, nullif(poll_id, 0)
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::bigint[])
			AS e (uid, project_id, account_id, name, record_type, record_id, fields, details, occurred_at, poll_id)`,
		columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6], columns[7], times, polls)
	return err
}

func insertValues(ctx context.Context, tx *sql.Tx, events []Event) error {
	args := make([]any, 0, 10*len(events))
	for i := range events {
		row, err := events[i].row()
		if err != nil {
			return err
		}
		args = append(args, row...)
	}
	const row = ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	_, err := tx.ExecContext(ctx,
		`INSERT INTO events (uid, project_id, account_id, name, record_type, record_id, fields, details, occurred_at, poll_id)
		VALUES `+strings.Repeat(row, len(events))[2:], args...)
	return err
}

// fields is the stored form of Fields.
func (e *Event) fields() (string, error) {
	if len(e.Fields) == 0 {
		return "", nil
	}
	text, err := json.Marshal(e.Fields)
	return string(text), err
}
