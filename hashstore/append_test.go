package hashstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"golang.org/x/sync/errgroup"
)

// Many appenders, each waiting between its append and its commit, and a reader that steps
// a cursor: it never misses an event, because ids are handed out in the order of commits.
func TestCursorMissesNothing(t *testing.T) {
	const appenders, rounds = 6, 15
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		var group errgroup.Group
		for a := range appenders {
			group.Go(func() error {
				for r := range rounds {
					if err := appendSlowly(t.Context(), s, fmt.Sprint(a, "/", r), 1+(a+r)%3); err != nil {
						return err
					}
				}
				return nil
			})
		}
		done := make(chan error, 1)
		go func() { done <- group.Wait() }()
		seen, cursor := map[string]bool{}, int64(0)
		step := func() {
			for _, e := range must[[]Event](t)(s.Events(t.Context(), EventQuery{After: cursor, Limit: 5})) {
				seen[e.UID], cursor = true, e.ID
			}
		}
		for running := true; running; {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				running = false
			default:
				step()
			}
		}
		for cursor < must[int64](t)(s.LastID(t.Context())) {
			step()
		}
		if n := must[int64](t)(s.Count(t.Context(), EventQuery{})); int64(len(seen)) != n || n < appenders*rounds {
			t.Fatalf("the reader saw %d of %d events", len(seen), n)
		}
	})
}

func appendSlowly(ctx context.Context, s *Store, record string, n int) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	events := func(yield func(Event) bool) {
		for range n {
			if !yield(benchEvent("hris_employees.created", record, time.Now())) {
				return
			}
		}
	}
	if _, err := s.Append(ctx, tx, events); err != nil {
		return err
	}
	if s.postgres {
		if _, err := tx.ExecContext(ctx, `SELECT pg_sleep(random() * 0.01)`); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// The same in slow motion: the appender that was first commits last. Without the lock its
// event has the smaller id and appears behind the cursor: the gap that the lock closes.
func TestLockClosesTheGap(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		withoutLock := func(ctx context.Context, tx *sql.Tx, events iter.Seq[Event]) (int, error) {
			a := appender{store: s, tx: tx, locked: true} // it says so
			for e := range events {
				if err := a.add(ctx, &e); err != nil {
					return 0, err
				}
			}
			return a.count, a.flush(ctx)
		}
		if missed := missedByCursor(t, s, withoutLock); missed != 1 {
			t.Errorf("without the lock %d events were missed: this test shows nothing", missed)
		}
		if missed := missedByCursor(t, s, s.Append); missed != 0 {
			t.Errorf("%d events were missed", missed)
		}
	})
}

func missedByCursor(t *testing.T, s *Store, add func(context.Context, *sql.Tx, iter.Seq[Event]) (int, error)) int {
	t.Helper()
	ctx := t.Context()
	cursor := must[int64](t)(s.LastID(ctx))
	seen := 0
	step := func() {
		for _, e := range must[[]Event](t)(s.Events(ctx, EventQuery{After: cursor})) {
			cursor = e.ID
			seen++
		}
	}
	one := slices.Values([]Event{benchEvent("hris_employees.created", "1", time.Now())})
	early := must[*sql.Tx](t)(s.db.BeginTx(ctx, nil))
	must[int](t)(add(ctx, early, one))
	late := make(chan error, 1)
	go func() {
		tx, err := s.db.BeginTx(ctx, nil)
		if err == nil {
			if _, err = add(ctx, tx, one); err == nil {
				err = tx.Commit()
			}
		}
		late <- err
	}()
	// The late one has committed, or waits for the early one.
	committed := false
	for waiting := 0; !committed && waiting == 0; {
		select {
		case err := <-late:
			if err != nil {
				t.Fatal(err)
			}
			committed = true
		default:
			if err := s.db.QueryRow(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
	}
	step()
	if err := early.Commit(); err != nil {
		t.Fatal(err)
	}
	if !committed {
		if err := <-late; err != nil {
			t.Fatal(err)
		}
	}
	step()
	return 2 - seen
}

// An appender that is stuck holds up the others for a time, not for ever.
func TestStuckAppender(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *migrations.DB) {
		stuck, s := New(db.DB), New(db.DB)
		s.lockTimeout = "50ms"
		one := slices.Values([]Event{benchEvent("hris_employees.created", "1", time.Now())})
		tx := must[*sql.Tx](t)(db.Begin())
		must[int](t)(stuck.Append(t.Context(), tx, one))
		other := must[*sql.Tx](t)(db.Begin())
		if _, err := s.Append(t.Context(), other, one); err == nil {
			t.Fatal("two appenders at once")
		}
		if a := must[Appenders](t)(s.Appenders(t.Context())); a.Held < 50*time.Millisecond || a.Waiting != 0 {
			t.Errorf("appenders: %+v", a)
		}
		if err := errors.Join(other.Rollback(), tx.Rollback()); err != nil {
			t.Fatal(err)
		}
		append1(t, s, benchEvent("hris_employees.created", "2", time.Now()))
		if a := must[Appenders](t)(s.Appenders(t.Context())); a != (Appenders{}) {
			t.Errorf("appenders when all is over: %+v", a)
		}
	})
}

func TestAppendNotifies(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		listener, err := db.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Release()
		if _, err := listener.Exec(t.Context(), `LISTEN synthook_events`); err != nil {
			t.Fatal(err)
		}
		append1(t, s, benchEvent("hris_employees.created", "1", time.Now()))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := listener.Conn().WaitForNotification(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
