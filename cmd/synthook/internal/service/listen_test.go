package service

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// What one process appends wakes the others, also after the connection that listens
// was cut.
func TestProcessesWakeEachOther(t *testing.T) {
	location := migrationstest.Postgres(t)
	start := func() *Service {
		s, err := Start(t.Context(), Options{Logger: zerolog.Nop(), Settings: settings.Settings{
			DatabaseURL: settings.Secret(location), Listen: "127.0.0.1:0", MasterKey: "a master key for tests, 32 characters or more",
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	one, other := start(), start()
	woken := make(chan struct{}, 10)
	other.wake = func() { woken <- struct{}{} }
	await := func(why string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(2 * time.Minute):
			t.Fatalf("not woken: %s", why)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- other.listen(ctx) }() // joined below
	await("when it begins to listen")
	appendEvent(t, one)
	await("by an event of another process")
	if _, err := one.db.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query = 'LISTEN synthook_events'`); err != nil {
		t.Fatal(err)
	}
	await("when it listens again")
	appendEvent(t, one)
	await("by an event after that")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func appendEvent(t *testing.T, s *Service) {
	t.Helper()
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	event := hashstore.Event{ProjectID: "default", AccountID: "a", Name: "hris_employees.created", RecordType: "employees", RecordID: "1", OccurredAt: time.Now()}
	if _, err := s.store.Append(t.Context(), tx, slices.Values([]hashstore.Event{event})); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
