// Package migrationstest gives tests a database of their own, migrated and empty,
// on both engines. The PostgreSQL server is the one that SYNTHOOK_TEST_DATABASE_URL
// names (scripts/test starts one); in CI its absence is a failure.
package migrationstest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/synthook/synthook/migrations"
)

// Variable names the environment variable with the URL of a PostgreSQL server on
// which the tests may create and drop databases.
const Variable = "SYNTHOOK_TEST_DATABASE_URL"

// Each runs test once on SQLite and once on PostgreSQL, each time with the location
// of a fresh database without a schema.
func Each(t *testing.T, test func(t *testing.T, location string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	if os.Getenv(Variable) == "" && os.Getenv("CI") == "" {
		t.Logf("PostgreSQL: not run, because %s is not set (scripts/test sets it)", Variable)
		return
	}
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// EachMigrated is Each with the database opened and its schema applied.
func EachMigrated(t *testing.T, test func(t *testing.T, db *migrations.DB)) {
	t.Helper()
	Each(t, func(t *testing.T, location string) { test(t, Open(t, location)) })
}

// Open opens a location, applies the schema and closes it when the test ends.
func Open(t testing.TB, location string) *migrations.DB {
	t.Helper()
	db, err := migrations.Open(t.Context(), location)
	if err != nil {
		t.Fatalf("open database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	if _, _, err := migrations.Up(t.Context(), db.DB); err != nil {
		t.Fatalf("apply schema: %v", err)
	}
	return db
}

// SQLite returns the path of a SQLite file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "synthook.db")
}

// Postgres creates a database and returns its URL; it is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		t.Fatalf("%s is not set: run scripts/test", Variable)
	}
	name := "synthook_" + strings.ToLower(rand.Text()[:12])
	execute(t, t.Context(), server, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		execute(t, ctx, server, "DROP DATABASE "+name+" WITH (FORCE)")
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is not a URL", Variable)
	}
	u.Path = "/" + name
	return u.String()
}

func execute(t testing.TB, ctx context.Context, server, statement string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, server)
	if err == nil {
		_, err = conn.Exec(ctx, statement)
		_ = conn.Close(ctx)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, fmt.Errorf("test server: %w", err))
	}
}
