package tally_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/tally"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// The last day is counted in half hours, project by project, and what comes later is
// added to it.
func TestDay(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		counter := tally.New(db.DB, zerolog.Nop())
		ended := make(chan error)
		go func() { ended <- counter.Run(ctx) }() // joined below
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		now := time.Now().UTC()
		add := func(project, name, recordType string, ago time.Duration, n int) {
			t.Helper()
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			e := hashstore.Event{ProjectID: project, AccountID: "a", Name: name, RecordType: recordType, RecordID: "1", OccurredAt: now.Add(-ago)}
			if _, err := hashstore.New(db.DB).Append(ctx, tx, slices.Values(slices.Repeat([]hashstore.Event{e}, n))); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		// total waits for a count that has seen all, and returns its sums and the first slot with anything in it.
		total := func(project string, events int64) (sum tally.Slot, first int) {
			t.Helper()
			deadline := time.After(2 * time.Minute)
			for {
				s := counter.Last(ctx, project)
				sum, first = tally.Slot{}, -1
				for i, slot := range s.Slots {
					sum.Created += slot.Created
					sum.Updated += slot.Updated
					sum.Deleted += slot.Deleted
					sum.Accounts += slot.Accounts
					sum.Delivered += slot.Delivered
					sum.Failed += slot.Failed
					if first < 0 && slot.Created+slot.Updated+slot.Deleted+slot.Accounts > 0 {
						first = i
					}
				}
				if s.Counted && sum.Created+sum.Updated+sum.Deleted+sum.Accounts == events {
					return sum, first
				}
				select {
				case <-deadline:
					t.Fatalf("counted %+v, want %d events", sum, events)
				case <-time.After(time.Millisecond):
				}
			}
		}
		add("p", "hris_employees.created", "employees", 30*time.Hour, 5) // too long ago
		add("p", "hris_employees.created", "employees", 3*time.Hour, 2)
		add("other", "hris_employees.created", "employees", 2*time.Hour, 7)
		add("p", "hris_employees.updated", "employees", time.Hour, 3)
		add("p", "account.created", "account", 0, 1)
		sum, first := total("p", 6)
		if want := (tally.Slot{Created: 2, Updated: 3, Accounts: 1}); sum != want || first < tally.Slots-8 || first > tally.Slots-6 {
			t.Errorf("counted %+v from slot %d, want %+v from three hours ago", sum, first, want)
		}
		add("p", "ats_candidates.deleted", "candidates", 0, 4)
		for _, statement := range []string{
			`INSERT INTO projects (id, name, hash_key, created_at) VALUES ('p', 'p', $1, $2)`,
			`INSERT INTO webhooks (id, project_id, url, events, cursor_id, created_at, updated_at) SELECT 'wh', id, 'http://example.com', '[]', length($1), $2, $2 FROM projects`,
			`INSERT INTO attempts (webhook_id, event_id, attempted_at, duration_ms) SELECT id, length($1), $2, 1 FROM webhooks`,
			`INSERT INTO attempts (webhook_id, event_id, attempted_at, duration_ms, error) SELECT id, length($1), $2, 1, 'timeout' FROM webhooks`,
		} {
			if _, err := db.ExecContext(ctx, statement, []byte{1}, now); err != nil {
				t.Fatal(err)
			}
		}
		sum, _ = total("p", 10)
		for sum.Failed == 0 {
			sum, _ = total("p", 10)
		}
		if want := (tally.Slot{Created: 2, Updated: 3, Deleted: 4, Accounts: 1, Delivered: 1, Failed: 1}); sum != want {
			t.Errorf("counted %+v, want %+v", sum, want)
		}
		if sum, _ := total("other", 7); sum.Created != 7 {
			t.Errorf("the other project: %+v", sum)
		}
		if s := counter.Last(ctx, "nobody's"); len(s.Slots) != tally.Slots {
			t.Errorf("%d slots", len(s.Slots))
		}
	})
}
