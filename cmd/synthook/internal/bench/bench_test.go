package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// target is a database of the user's with a service in it.
type target struct {
	url  string // "": SQLite
	left func() []string
}

func eachTarget(t *testing.T, test func(t *testing.T, at target)) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		if !strings.Contains(location, "://") {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			test(t, target{left: func() []string { return glob(t, dir) }})
			return
		}
		db := migrationstest.Open(t, location)
		before := relations(t, db)
		test(t, target{url: location, left: func() []string {
			after := relations(t, db)
			for name, rows := range before {
				if after[name] != rows {
					t.Errorf("%s changed: %s, then %s", name, rows, after[name])
				}
				delete(after, name)
			}
			var left []string
			for name := range after {
				left = append(left, name)
			}
			return left
		}})
	})
}

func glob(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// relations are the schemas and tables of a database, with what was inserted into them.
func relations(t *testing.T, db *migrations.DB) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT nspname, '' FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'
		UNION ALL SELECT oid::regclass::text, pg_relation_filenode(oid)::text || ' ' || pg_relation_size(oid)::text FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT LIKE 'pg_%' AND oid >= 16384`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var name, state string
		if err := rows.Scan(&name, &state); err != nil {
			t.Fatal(err)
		}
		found[name] = state
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRun(t *testing.T) {
	eachTarget(t, func(t *testing.T, at target) {
		for _, c := range []struct {
			name    string
			options Options
			changed int
		}{
			{"nothing", Options{Records: 500, Runs: 1}, 0},
			{"some", Options{Records: 5000, Percent: 10, Polls: 4, Runs: 1}, 500}, // with a fold
			{"all", Options{Records: 300, Percent: 100, Runs: 1}, 300},
			{"first", Options{Records: 5000, Percent: 100, First: true, Runs: 2}, 5000},
			{"one of few", Options{Records: 3, Percent: 1, Runs: 1}, 1},
		} {
			o := c.options
			o.DatabaseURL, o.Note = at.url, t.Logf
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if r.Changed != c.changed || r.Records != o.Records || r.Runs != o.Runs {
				t.Errorf("%s: measured %+v", c.name, r)
			}
			for way, f := range map[string]Figures{"ours": r.Ours, "row per record": r.RowPerRecord} {
				if f.StoreMS <= 0 || f.BytesPerRecord < 16 || (f.WALBytes != nil) != (at.url != "") {
					t.Errorf("%s: %s: %+v", c.name, way, f)
				}
				if read := f.Statements == 1; read != (c.changed == 0) {
					t.Errorf("%s: %s took %d statements", c.name, way, f.Statements)
				}
			}
			if (r.Events.Statements > 0) != (c.changed > 0) {
				t.Errorf("%s: the events alone: %+v", c.name, r.Events)
			}
		}
		if left := at.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Both ways of storing tell of the same records, as does the world itself.
func TestWaysFindTheSameChanges(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		db, err := open(t.Context(), location)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		anchor, err := newAnchor(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := newRows(t.Context(), db, anchor)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := newOurs(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(2500, 7, false)
		for round := range 20 { // more than a turn of the world
			want := map[string]string{}
			name := created
			if round > 0 {
				name = updated
			}
			for id := range w.changes(round, round == 0) {
				want[id] = name
			}
			if round > 0 && len(want) != 175 {
				t.Fatalf("round %d changes %d records", round, len(want))
			}
			for way, s := range map[string]store{"ours": ours, "row per record": rows} {
				s.list(w, round)
				found, err := s.compare(t.Context())
				if err != nil || found != len(want) {
					t.Fatalf("%s: found %d of %d: %v", way, found, len(want), err)
				}
				events := map[string]iter.Seq[hashstore.Event]{"ours": ours.events, "row per record": rows.events}[way]
				if diff := cmp.Diff(want, names(events)); diff != "" {
					t.Fatalf("%s: round %d:\n%s", way, round, diff)
				}
				if err := s.commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func names(events iter.Seq[hashstore.Event]) map[string]string {
	found := map[string]string{}
	for e := range events {
		found[e.RecordID] = e.Name
	}
	return found
}

// Ctrl-C leaves nothing behind either, whenever it comes.
func TestInterrupted(t *testing.T) {
	eachTarget(t, func(t *testing.T, at target) {
		for _, moment := range []string{"first listing", "before measuring", "run 1"} {
			ctx, interrupt := context.WithCancel(t.Context())
			_, err := Run(ctx, Options{Records: 2000, Percent: 1, Polls: 1, Runs: 1000, DatabaseURL: at.url, Note: func(format string, _ ...any) {
				if strings.Contains(strings.Replace(format, "%d", "1", 1), moment) {
					interrupt()
				}
			}})
			interrupt()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: ended with %v", moment, err)
			}
		}
		if left := at.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Where checkpoints are not permitted, the rest is measured all the same.
func TestWithoutCheckpoints(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		if !strings.Contains(location, "://") {
			return // SQLite has no rights to lack
		}
		db := migrationstest.Open(t, location)
		execute := func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
				t.Fatal(err)
			}
		}
		role := "bench_" + strings.ToLower(rand.Text()[:8])
		execute("CREATE ROLE " + role)
		t.Cleanup(func() {
			execute("DROP OWNED BY " + role)
			execute("DROP ROLE " + role)
		})
		execute("GRANT CREATE ON DATABASE " + currentDatabase(t, db) + " TO " + role)
		u, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("role", role)
		u.RawQuery = query.Encode()
		r, err := Run(t.Context(), Options{Records: 1000, Percent: 10, Polls: 30, Runs: 1, DatabaseURL: u.String(), Note: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		if r.Checkpointed {
			t.Error("a role without rights made a checkpoint")
		}
	})
}

func currentDatabase(t *testing.T, db *migrations.DB) (name string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT current_database()`).Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}
