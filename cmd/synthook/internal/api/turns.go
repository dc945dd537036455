package api

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/synthook/synthook/migrations"
)

// turns lets the updates of one thing happen one after another, in all processes: what
// was compared with its version does not change before it is updated.
type turns struct {
	db    *sql.DB
	slots chan struct{} // bounds the connections that only hold a lock

	mu   sync.Mutex
	held map[string]chan struct{} // closed at the end of a turn
}

func newTurns(db *sql.DB) *turns {
	return &turns{db: db, slots: make(chan struct{}, 4), held: map[string]chan struct{}{}}
}

// take waits for the turn at a thing, and returns what ends it.
func (t *turns) take(ctx context.Context, thing string) (end func(), err error) {
	if err := t.here(ctx, thing); err != nil {
		return nil, err
	}
	free := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		close(t.held[thing])
		delete(t.held, thing)
	}
	if !migrations.IsPostgres(t.db) {
		return free, nil // one process
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		free()
		return nil, ctx.Err()
	}
	tx, err := t.db.BeginTx(ctx, nil)
	if err == nil {
		if _, err = tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(xxhash.Sum64String("update of "+thing))); err != nil {
			_ = tx.Rollback()
		}
	}
	if err != nil {
		<-t.slots
		free()
		return nil, fmt.Errorf("wait for other updates: %w", err)
	}
	return func() {
		_ = tx.Rollback() // it only held the lock
		<-t.slots
		free()
	}, nil
}

// here waits for the turn within this process.
func (t *turns) here(ctx context.Context, thing string) error {
	for {
		t.mu.Lock()
		other, taken := t.held[thing]
		if !taken {
			t.held[thing] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
