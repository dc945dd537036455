package dispatch

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// errLeaseLost: somebody else delivers to this webhook now, or nobody is to any more.
var errLeaseLost = errors.New("webhook lease lost")

// elderFirst is the due time of an event that waits behind an older one of its record.
// It becomes due when that one is delivered or dead.
var elderFirst = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// store is what dispatchers, workers and the management ask of the database.
type store struct {
	db       *sql.DB
	postgres bool
	// now is the database's clock: leases are compared by it alone, whatever the clocks
	// of the processes say. micro times a number is a duration to add to it.
	now, micro string
	skipLocked string
}

func newStore(db *sql.DB) store {
	if _, ok := db.Driver().(*stdlib.Driver); ok {
		return store{db: db, postgres: true, now: "now()", micro: "interval '1 microsecond'", skipLocked: " FOR UPDATE SKIP LOCKED"}
	}
	return store{db: db, now: "CAST(unixepoch('subsec') * 1000000 AS integer)", micro: "1"}
}

// ids is a parameter that holds many ids, and among the condition that uses it.
func (s store) ids(ids []int64) any {
	if s.postgres {
		return ids
	}
	text, _ := json.Marshal(ids) // numbers always marshal
	return string(text)
}

func (s store) among(placeholder string) string {
	if s.postgres {
		return " = ANY(" + placeholder + ")"
	}
	return " IN (SELECT value FROM json_each(" + placeholder + "))"
}

// transact runs f in one transaction.
func (s store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// affected returns how many rows a statement changed.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// nullable stores the zero time as NULL.
func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// collect drains rows, so that their connection is free for the next statement.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
