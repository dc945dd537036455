package migrations_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"golang.org/x/sync/errgroup"
)

func TestUpOnceUnderConcurrentStarts(t *testing.T) {
	location := migrationstest.Postgres(t)
	var starts errgroup.Group
	for range 4 {
		starts.Go(func() error {
			db, err := migrations.Open(t.Context(), location)
			if err != nil {
				return err
			}
			_, _, err = migrations.Up(t.Context(), db.DB)
			return errors.Join(err, db.Close())
		})
	}
	if err := starts.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestUpRefusesNewerSchema(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		v, err := migrations.Status(t.Context(), db.DB)
		if err != nil || v.Current != v.Latest || v.Latest == 0 {
			t.Fatalf("after Up: %+v, %v", v, err)
		}
		if _, err := db.Exec(`INSERT INTO schema_versions (version_id, is_applied) VALUES ($1, true)`, v.Latest+1); err != nil {
			t.Fatal(err)
		}
		if _, _, err := migrations.Up(t.Context(), db.DB); !errors.Is(err, migrations.ErrSchemaTooNew) {
			t.Fatalf("Up on a newer schema: %v", err)
		}
	})
}

// Both databases give back what was put in: the same text serves both.
func TestValuesTravel(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		at := time.Date(2026, 11, 22, 9, 8, 7, 654321000, time.UTC)
		key := []byte{0, 255, 1}
		if _, err := db.Exec(`INSERT INTO projects (id, name, hash_key, created_at) VALUES ($1, $1, $2, $3)`, "p", key, at); err != nil {
			t.Fatal(err)
		}
		var name string
		var gotKey []byte
		var gotAt time.Time
		if err := db.QueryRow(`SELECT name, hash_key, created_at FROM projects WHERE created_at <= $1`, at).Scan(&name, &gotKey, &gotAt); err != nil {
			t.Fatal(err)
		}
		if name != "p" || string(gotKey) != string(key) || !gotAt.Equal(at) || gotAt.Location() != time.UTC {
			t.Fatalf("got %q %v %v, want p %v %v", name, gotKey, gotAt, key, at)
		}
		var next sql.NullTime
		insertStream(t, db)
		if err := db.QueryRow(`SELECT next_poll_at FROM streams WHERE NOT paused`).Scan(&next); err != nil || next.Valid {
			t.Fatalf("a NULL time: %v %v", next, err)
		}
	})
}

func TestForeignKeysHold(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		insertStream(t, db)
		if _, err := db.Exec(`INSERT INTO streams (account_id, record_type) VALUES ('nobody', 'employees')`); err == nil {
			t.Fatal("a stream of no account was accepted")
		}
		if _, err := db.Exec(`DELETE FROM accounts`); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM streams`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("streams left behind by their account: %d %v", n, err)
		}
	})
}

func insertStream(t *testing.T, db *migrations.DB) {
	t.Helper()
	now := time.Now().UTC()
	for _, insert := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO projects (id, name, hash_key, created_at) VALUES ('q', 'q', $1, $2)`, []any{[]byte("k"), now}},
		{`INSERT INTO accounts (id, project_id, provider, credentials, created_at, updated_at) VALUES ('a', 'q', 'x', $1, $2, $2)`, []any{[]byte("c"), now}},
		{`INSERT INTO streams (account_id, record_type) VALUES ('a', 'employees')`, nil},
	} {
		if _, err := db.Exec(insert.text, insert.args...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteBelongsToOneProcess(t *testing.T) {
	location := migrationstest.SQLite(t)
	db := migrationstest.Open(t, location)
	if _, err := migrations.Open(t.Context(), db.Path); !errors.Is(err, migrations.ErrInUse) {
		t.Fatalf("the file was opened twice: %v", err)
	}
}
