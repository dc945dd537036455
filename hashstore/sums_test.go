package hashstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"pgregory.net/rapid"
)

// Counting by blocks finds what counting one by one finds, whatever was asked before,
// while the log grows at its end and is pruned at its beginning.
func TestCountBySums(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		s.sums.block = 16
		begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		projects, providers, names := []string{"p", "q"}, []string{"", "x", "y"}, []string{"hris_employees.created", "hris_employees.updated", "ats_jobs.updated"}
		grow := func(from, n int) {
			var events []Event
			for i := from; i < from+n; i++ {
				group := i / 3
				e := benchEvent(names[group%3], fmt.Sprint(i), begin.Add(time.Duration(group)*time.Minute))
				e.ProjectID, e.Provider, e.AccountID = projects[group/2%2], providers[group/5%3], fmt.Sprint("account-", group%4)
				e.RecordType = map[bool]string{true: "jobs", false: "employees"}[group%3 == 2]
				events = append(events, e)
			}
			append1(t, s, events...)
		}
		check := func(t *rapid.T) {
			last, err := s.LastID(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			at := func(label string) time.Time {
				if minute := rapid.IntRange(-400, 800).Draw(t, label); minute > 0 {
					return begin.Add(time.Duration(minute) * time.Minute)
				}
				return time.Time{}
			}
			some := func(label string, of ...string) []string {
				return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 2, rapid.ID[string]).Draw(t, label)
			}
			q := EventQuery{ProjectID: rapid.SampledFrom(projects).Draw(t, "project"), Since: at("since"), Until: at("until"),
				After: rapid.Int64Range(0, last+1).Draw(t, "after") * rapid.Int64Range(0, 1).Draw(t, "bounded"), Through: rapid.Int64Range(0, last+40).Draw(t, "through"),
				Names: some("names", append([]string{"hris_employees.*", "hrisXemployees.*", "*"}, names...)...), Providers: some("providers", providers...),
				Accounts: some("accounts", "account-1", "account-2"), RecordType: rapid.SampledFrom([]string{"", "jobs"}).Draw(t, "record type")}
			want, err := s.Events(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Count(context.Background(), q); err != nil || n != int64(len(want)) {
				t.Fatalf("%d counted, want %d: %v", n, len(want), err)
			}
		}
		s.sums.spare = 5
		grow(0, 900)
		rapid.Check(t, check)
		if len(s.sums.known) == 0 {
			t.Error("nothing was remembered: nothing was tested")
		}
		grow(900, 400)
		rapid.Check(t, check)
	})
}

// Of a part of the log that may be pruned, no sum is remembered.
func TestSumsOfPrunedEvents(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		s.sums.block = 64
		begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		const chunks = pruneBatch + 1000
		var events []Event
		for i := range 2 * chunks {
			events = append(events, benchEvent("hris_employees.created", fmt.Sprint(i), begin.Add(time.Duration(i/2)*time.Minute)))
		}
		append1(t, s, events...)
		q := EventQuery{ProjectID: events[0].ProjectID}
		for _, left := range []int{chunks, chunks - 500, 700, 0} {
			if _, err := s.Prune(t.Context(), begin.Add(time.Duration(chunks-left)*time.Minute), int64(2*chunks)); err != nil {
				t.Fatal(err)
			}
			if n := must[int64](t)(s.Count(t.Context(), q)); n != int64(2*left) {
				t.Errorf("%d events counted, want %d", n, 2*left)
			}
		}
	})
}
