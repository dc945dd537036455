// Package migrations opens a database and keeps its schema: PostgreSQL or SQLite,
// the same tables in both.
//
// It owns the schema version and the way a database is opened, because both must
// agree (SQLite's foreign keys and time format are settings of the connection).
// It never reads or writes a row of another package's tables.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Version is the schema version of a database.
type Version struct {
	Current int64 `json:"current"` // applied to the database; 0: none
	Latest  int64 `json:"latest"`  // known to this program
}

// ErrSchemaTooNew is returned for a database that a newer program has migrated.
var ErrSchemaTooNew = errors.New("the database's schema is newer than this program: run a newer synthook")

// IsPostgres says which of the two databases db is; everything else is SQLite.
func IsPostgres(db *sql.DB) bool {
	_, ok := db.Driver().(*stdlib.Driver)
	return ok
}

// Up applies what is missing, one process at a time, and refuses a schema that is
// newer than the program. It returns the version before and after.
func Up(ctx context.Context, db *sql.DB) (before, after int64, err error) {
	p, err := provider(db)
	if err != nil {
		return 0, 0, err
	}
	v, err := status(ctx, p)
	if err != nil {
		return 0, 0, err
	}
	if v.Current > v.Latest {
		return v.Current, v.Current, fmt.Errorf("%w (database %d, program %d)", ErrSchemaTooNew, v.Current, v.Latest)
	}
	if v.Current == v.Latest {
		return v.Current, v.Current, nil
	}
	if _, err := p.Up(ctx); err != nil {
		return v.Current, v.Current, fmt.Errorf("apply migrations: %w", err)
	}
	return v.Current, v.Latest, nil
}

// Status reports the schema version without changing anything.
func Status(ctx context.Context, db *sql.DB) (Version, error) {
	p, err := provider(db)
	if err != nil {
		return Version{}, err
	}
	return status(ctx, p)
}

func status(ctx context.Context, p *goose.Provider) (Version, error) {
	current, latest, err := p.GetVersions(ctx)
	if err != nil {
		return Version{}, fmt.Errorf("read schema version: %w", err)
	}
	return Version{Current: current, Latest: latest}, nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	dir, dialect := "sqlite", goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithTableName("schema_versions"), goose.WithLogger(goose.NopLogger())}
	if IsPostgres(db) {
		dir, dialect = "postgres", goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("make migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	sub, err := fs.Sub(files, dir)
	if err != nil {
		return nil, fmt.Errorf("find migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, db, sub, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", err)
	}
	return p, nil
}
