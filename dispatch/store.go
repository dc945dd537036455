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

// lease is a claim on one webhook. The fence rises with every claim: whatever is
// written under an older one is refused.
type lease struct {
	webhook string
	fence   int64
}

// standing is an enabled webhook as the database has it.
type standing struct {
	lease
	owner     string // "" with a live lease: its holder is asked to hand it back
	live      bool
	project   string
	updatedAt time.Time
	replay    string // the running replay whose turn it is
}

// standings lists the enabled webhooks.
func (s store) standings(ctx context.Context) ([]standing, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT w.id, w.fence, w.lease_owner, coalesce(w.lease_until > `+s.now+`, false), w.project_id, w.updated_at,
		       coalesce((SELECT min(r.id) FROM replays r WHERE r.webhook_id = w.id AND r.state = 'running'), '')
		FROM webhooks w WHERE w.enabled`)
	all, err := collect(rows, err, func(rows *sql.Rows) (w standing, err error) {
		err = rows.Scan(&w.webhook, &w.fence, &w.owner, &w.live, &w.project, &w.updatedAt, &w.replay)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	return all, nil
}

// claim takes up to n webhooks that nobody holds.
func (s store) claim(ctx context.Context, owner string, length time.Duration, n int) ([]lease, error) {
	rows, err := s.db.QueryContext(ctx, `
		UPDATE webhooks SET lease_owner = $1, lease_until = `+s.now+` + CAST($2 AS bigint) * `+s.micro+`, fence = fence + 1
		WHERE id IN (SELECT id FROM webhooks WHERE enabled AND (lease_until IS NULL OR lease_until <= `+s.now+`)
		             ORDER BY id LIMIT $3`+s.skipLocked+`)
		RETURNING id, fence`, owner, length.Microseconds(), n)
	claimed, err := collect(rows, err, func(rows *sql.Rows) (l lease, err error) {
		err = rows.Scan(&l.webhook, &l.fence)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	return claimed, nil
}

// renew prolongs every lease of owner, except those that were called in.
func (s store) renew(ctx context.Context, owner string, length time.Duration) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE webhooks SET lease_until = `+s.now+` + CAST($1 AS bigint) * `+s.micro+` WHERE lease_owner = $2`,
		length.Microseconds(), owner)
	if err != nil {
		return fmt.Errorf("renew leases: %w", err)
	}
	return nil
}

// callIn asks a holder for one webhook: its lease is not prolonged any more, but
// nobody else can claim it until it is handed back or has run out.
func (s store) callIn(ctx context.Context, l lease) error {
	_, err := s.db.ExecContext(ctx, `UPDATE webhooks SET lease_owner = '' WHERE id = $1 AND fence = $2`, l.webhook, l.fence)
	if err != nil {
		return fmt.Errorf("call in lease: %w", err)
	}
	return nil
}

// release hands a webhook back.
func (s store) release(ctx context.Context, l lease) error {
	_, err := s.db.ExecContext(ctx,
		`UPDATE webhooks SET lease_owner = '', lease_until = NULL WHERE id = $1 AND fence = $2`, l.webhook, l.fence)
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// releaseAll frees every webhook: what a database of one process alone does when that
// process starts, so as not to wait for the lease of one that was killed.
func (s store) releaseAll(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `UPDATE webhooks SET lease_owner = '', lease_until = NULL WHERE lease_until IS NOT NULL`)
	if err != nil {
		return fmt.Errorf("free leases: %w", err)
	}
	return nil
}
