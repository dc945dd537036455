package hashstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// numbered is n records 0 … n-1 whose fingerprints follow from salt.
func numbered(n int, salt uint64) contents {
	c := contents{}
	for i := range n {
		c[fmt.Sprint(i)] = diff.Place(fmt.Sprint(i, salt)) | 1
	}
	return c
}

func list1(c contents) *Listing { return listingOf(c, diff.Place, rand.New(rand.NewPCG(1, 1))) }

// poll loads, compares and commits, deleting what is missing.
func poll(t testing.TB, s *Store, stream int64, c contents) (State, *Difference) {
	t.Helper()
	st := must[State](t)(s.Load(t.Context(), stream))
	d := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
	must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r", Delete: always}))
	return must[State](t)(s.Load(t.Context(), stream)), d
}

func always(uint64) bool { return true }

func eventsOf(d *Difference) func(yield func(Event) bool) {
	return func(yield func(Event) bool) {
		for item := range d.Created() {
			if !yield(Event{ProjectID: "p", AccountID: "a", Name: "hris_employees.created", RecordType: "employees", RecordID: item.ID, OccurredAt: time.Now()}) {
				return
			}
		}
	}
}

func TestFirstListing(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		st := must[State](t)(s.Load(t.Context(), stream))
		if st.Version != 0 || st.Records != 0 || st.StreamID != stream {
			t.Fatalf("before any listing: %+v", st)
		}
		d := must[*Difference](t)(s.Compare(t.Context(), st, NewListing()))
		if d.Unchanged() {
			t.Fatal("the first listing is unchanged, because it is empty: it would never be committed")
		}
		must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r"}))
		if _, err := s.Commit(t.Context(), st, d, Commit{Recipe: "r"}); !errors.Is(err, ErrConflict) {
			t.Fatalf("a second first listing: %v", err)
		}
		if st = must[State](t)(s.Load(t.Context(), stream)); st.Version == 0 || st.Records != 0 {
			t.Fatalf("after an empty listing: %+v", st)
		}
		if d := must[*Difference](t)(s.Compare(t.Context(), st, NewListing())); !d.Unchanged() {
			t.Fatal("a second empty listing differs")
		}
	})
}

// An unchanged poll is one statement and no write.
func TestUnchangedPollCostsNothing(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		c := numbered(10_000, 1)
		st, _ := poll(t, s, stream, c)

		closed := must[*sql.DB](t)(sql.Open("sqlite", "file::memory:"))
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		d, err := New(closed).Compare(t.Context(), st, list1(c))
		if err != nil || !d.Unchanged() {
			t.Fatalf("Compare of an unchanged listing touched the database: %v", err)
		}

		before := fingerprintOfTables(t, db)
		guarded := false
		n, err := s.Commit(t.Context(), st, d, Commit{Recipe: "r", Guard: func(context.Context, *sql.Tx) error { guarded = true; return nil }})
		if err != nil || n != 0 || !guarded {
			t.Fatalf("commit of nothing: %d %v, guarded %v", n, err, guarded)
		}
		if after := fingerprintOfTables(t, db); after != before {
			t.Fatalf("an unchanged poll wrote: %s, then %s", before, after)
		}
	})
}

// fingerprintOfTables changes when a row of a stream is written, even with equal values.
func fingerprintOfTables(t *testing.T, db *migrations.DB) string {
	t.Helper()
	var text string
	if db.Pool == nil {
		db.SetMaxOpenConns(1) // each connection counts its own
		if err := db.QueryRow(`SELECT total_changes()`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if err := db.QueryRow(`SELECT string_agg(x, ' ' ORDER BY x) FROM (SELECT 's' || ctid || xmin FROM stream_states
		UNION ALL SELECT 'p' || ctid || xmin FROM stream_parts UNION ALL SELECT 'r' || ctid || xmin FROM stream_runs) rows (x)`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRecipeAloneIsCommitted(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		c := numbered(100, 1)
		st, _ := poll(t, s, stream, c)
		d := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
		must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "another"}))
		after := must[State](t)(s.Load(t.Context(), stream))
		if after.Recipe != "another" || after.Version == st.Version || after.Root != st.Root || after.Records != 100 {
			t.Fatalf("%+v", after)
		}
		if _, err := s.Commit(t.Context(), st, d, Commit{Recipe: "r"}); !errors.Is(err, ErrConflict) {
			t.Fatalf("with the old state: %v", err)
		}
	})
}

func TestConflict(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		c := numbered(100, 1)
		st, _ := poll(t, s, stream, c)
		same := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
		c["1"]++
		late := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
		c["2"]++
		poll(t, s, stream, c)
		for what, d := range map[string]*Difference{"a change": late, "nothing": same} {
			if n, err := s.Commit(t.Context(), st, d, Commit{Recipe: "r", Events: eventsOf(d)}); !errors.Is(err, ErrConflict) || n != 0 {
				t.Errorf("commit of %s under an old version: %d %v", what, n, err)
			}
		}
		if _, err := s.Compare(t.Context(), st, list1(numbered(100, 2))); !errors.Is(err, ErrConflict) {
			t.Errorf("compare with an old version: %v", err)
		}
		if n := must[int64](t)(s.LastID(t.Context())); n != 0 {
			t.Errorf("%d events of refused commits", n)
		}
	})
}

// A stream that was forgotten and listed anew is another one, even to a poll that began before.
func TestForget(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		c := numbered(100, 1)
		old, _ := poll(t, s, stream, c)
		c["1"]++
		d := must[*Difference](t)(s.Compare(t.Context(), old, list1(c)))
		tx := must[*sql.Tx](t)(db.Begin())
		if err := s.Forget(t.Context(), tx, stream); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if st := must[State](t)(s.Load(t.Context(), stream)); st.Version != 0 {
			t.Fatalf("after Forget: %+v", st)
		}
		if _, err := s.Compare(t.Context(), old, list1(numbered(3, 1))); !errors.Is(err, ErrConflict) {
			t.Fatalf("compare with a forgotten state: %v", err)
		}
		if _, first := poll(t, s, stream, c); len(ids(first.Created())) != 100 {
			t.Fatal("a forgotten stream's next listing is not a first one")
		}
		if _, err := s.Commit(t.Context(), old, d, Commit{Recipe: "r"}); !errors.Is(err, ErrConflict) {
			t.Fatalf("commit with a forgotten state: %v", err)
		}
	})
}

func TestGuardRollsBackEverything(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		woken := 0
		s.OnAppend = func() { woken++ }
		c := numbered(100, 1)
		st, _ := poll(t, s, stream, c)
		c["new"] = 5
		d := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
		lost := errors.New("lease lost")
		guard := func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `UPDATE streams SET polls = polls + 1`); err != nil {
				return err
			}
			return lost
		}
		if _, err := s.Commit(t.Context(), st, d, Commit{Recipe: "r", Guard: guard, Events: eventsOf(d)}); err != lost {
			t.Fatalf("got %v", err)
		}
		expectOld(t, s, db, st)
		if woken != 0 {
			t.Error("OnAppend was called though nothing was committed")
		}
		if n := must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r", Events: eventsOf(d)})); n != 1 || woken != 1 {
			t.Fatalf("%d events, OnAppend called %d times", n, woken)
		}
	})
}

func expectOld(t *testing.T, s *Store, db *migrations.DB, st State) {
	t.Helper()
	now := must[State](t)(s.Load(context.WithoutCancel(t.Context()), st.StreamID))
	if d := gocmp.Diff(st, now, gocmp.AllowUnexported(State{})); d != "" {
		t.Fatalf("the state has changed:\n%s", d)
	}
	var events, polls int
	if err := db.QueryRow(`SELECT (SELECT coalesce(sum(size), 0) FROM event_chunks), (SELECT sum(polls) FROM streams)`).Scan(&events, &polls); err != nil {
		t.Fatal(err)
	}
	if events != 0 || polls != 0 {
		t.Fatalf("%d events and %d polls of a commit that failed", events, polls)
	}
}

// The stream grows to 100,000 records and shrinks again; the number of parts follows.
func TestNumberOfPartsFollowsSize(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		var bits []int
		known := contents{}
		for _, n := range []int{0, 1000, 9000, 40_000, 100_000, 99_000, 30_000, 2000, 0} {
			c := numbered(n, 1)
			st, d := poll(t, s, stream, c)
			created, updated, missing := d.Counts()
			if created != max(n-len(known), 0) || updated != 0 || missing != max(len(known)-n, 0) {
				t.Fatalf("from %d to %d records: %d created, %d updated, %d missing", len(known), n, created, updated, missing)
			}
			if bits = append(bits, st.Bits); st.Records != n {
				t.Fatalf("%d records, want %d", st.Records, n)
			}
			if d := must[*Difference](t)(s.Compare(t.Context(), st, list1(c))); !d.Unchanged() {
				t.Fatalf("%d records differ from themselves", n)
			}
			known = c
		}
		if want := []int{0, 0, 2, 4, 4, 4, 3, 0, 0}; !slices.Equal(bits, want) {
			t.Fatalf("bits %v, want %v", bits, want)
		}
	})
}

// What is kept by the old recipe counts as changed when it is back, and only then.
func TestRebaseKeepsWhatIsMissing(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		st, _ := poll(t, s, stream, numbered(300, 0))
		d := must[*Difference](t)(s.Compare(t.Context(), st, list1(numbered(299, 0))))
		must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "s", Rebase: list1(numbered(299, 1))}))
		after := must[State](t)(s.Load(t.Context(), stream))
		if after.Records != 300 || after.Recipe != "s" {
			t.Errorf("%+v", after)
		}
		d = must[*Difference](t)(s.Compare(t.Context(), after, list1(numbered(299, 1))))
		if created, updated, missing := d.Counts(); created+updated != 0 || missing != 1 {
			t.Errorf("still missing: %d created, %d updated, %d missing", created, updated, missing)
		}
		d = must[*Difference](t)(s.Compare(t.Context(), after, list1(numbered(300, 1))))
		if created, updated, missing := d.Counts(); created+missing != 0 || updated != 1 {
			t.Errorf("back again: %d created, %d updated, %d missing", created, updated, missing)
		}
	})
}
