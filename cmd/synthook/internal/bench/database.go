package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/synthook/synthook/migrations"
)

// database is the scratch database, opened as the service opens its own, with every
// statement counted.
type database struct {
	*sql.DB
	name        string // for people
	postgres    bool
	checkpoints bool // they are permitted
	statements  *counter
	close       func() error // what stands behind DB
}

func open(ctx context.Context, location string) (*database, error) {
	inner, err := migrations.Open(ctx, location)
	if err != nil {
		return nil, err
	}
	db := &database{statements: &counter{}, postgres: migrations.IsPostgres(inner.DB), checkpoints: true, close: inner.Close}
	if _, _, err := migrations.Up(ctx, inner.DB); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	version := `SELECT 'SQLite ' || sqlite_version()`
	if db.postgres {
		version = `SELECT 'PostgreSQL ' || current_setting('server_version')`
		config := inner.Pool.Config()
		config.ConnConfig.Tracer = db.statements
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open database: %w", err), inner.Close())
		}
		db.DB = stdlib.OpenDBFromPool(pool)
		db.SetMaxIdleConns(0) // the pool keeps them
		db.close = func() error {
			pool.Close()
			return inner.Close()
		}
	} else {
		db.DB = sql.OpenDB(&countedConnector{inner.DB, db.statements})
		db.SetMaxIdleConns(4)
	}
	if err := db.QueryRowContext(ctx, version).Scan(&db.name); err != nil {
		return nil, errors.Join(fmt.Errorf("ask for the database's version: %w", err), db.Close())
	}
	return db, nil
}

func (db *database) Close() error { return errors.Join(db.DB.Close(), db.close()) }

// stream makes a stream of an account of its own.
func (db *database) stream(ctx context.Context, name string) (id int64, err error) {
	now := time.Now().UTC()
	for _, insert := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO projects (id, name, hash_key, created_at) VALUES ($1, $1, $2, $3)`, []any{name, []byte{}, now}},
		{`INSERT INTO accounts (id, project_id, provider, credentials, created_at, updated_at) VALUES ($1, $1, 'bench', $2, $3, $3)`, []any{name, []byte{}, now}},
		{`INSERT INTO streams (account_id, record_type) VALUES ($1, 'employees')`, []any{name}},
	} {
		if _, err := db.ExecContext(ctx, insert.text, insert.args...); err != nil {
			return 0, fmt.Errorf("make stream: %w", err)
		}
	}
	if err := db.QueryRowContext(ctx, `SELECT id FROM streams WHERE account_id = $1`, name).Scan(&id); err != nil {
		return 0, fmt.Errorf("make stream: %w", err)
	}
	return id, nil
}

// clear empties a table and those that belong to it, and gives back their space.
func (db *database) clear(ctx context.Context, table string) error {
	statement := `DELETE FROM ` + table
	if db.postgres {
		statement = `TRUNCATE ` + table + ` CASCADE`
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("empty %s: %w", table, err)
	}
	return nil
}

// cost is what one poll took.
type cost struct {
	time       time.Duration
	statements int64
	wal        *int64 // bytes; nil on SQLite
}

// cost measures poll, right after a checkpoint where that is permitted: usually the polls
// of a stream are minutes apart, and pages are then written to the log whole.
func (db *database) cost(ctx context.Context, poll func() error) (c cost, err error) {
	if err := db.checkpoint(ctx); err != nil {
		return c, err
	}
	runtime.GC()
	before, err := db.wal(ctx)
	if err != nil {
		return c, err
	}
	counted := db.statements.n.Load()
	began := time.Now()
	if err := poll(); err != nil {
		return c, err
	}
	c.time, c.statements = time.Since(began), db.statements.n.Load()-counted
	if after, err := db.wal(ctx); err != nil {
		return c, err
	} else if db.postgres {
		written := after - before
		c.wal = &written
	}
	return c, nil
}

func (db *database) checkpoint(ctx context.Context) error {
	statement := `PRAGMA wal_checkpoint(TRUNCATE)`
	if db.postgres {
		statement = `CHECKPOINT`
	}
	if !db.checkpoints {
		return nil
	}
	_, err := db.ExecContext(ctx, statement)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "42501" { // insufficient_privilege
		db.checkpoints = false
		return nil
	}
	if err != nil {
		return fmt.Errorf("make a checkpoint: %w", err)
	}
	return nil
}

// wal is where the write-ahead log stands; 0 on SQLite.
func (db *database) wal(ctx context.Context) (position int64, err error) {
	if !db.postgres {
		return 0, nil
	}
	if err := db.QueryRowContext(ctx, `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`).Scan(&position); err != nil {
		return 0, fmt.Errorf("ask where the write-ahead log stands: %w", err)
	}
	return position, nil
}

// size is the bytes of tables, with their indexes and what is kept beside them.
func (db *database) size(ctx context.Context, tables []string) (bytes int64, err error) {
	query := `SELECT coalesce(sum(pg_total_relation_size(t::regclass)), 0)::bigint FROM unnest(string_to_array($1, ',')) AS t`
	if !db.postgres {
		query = `SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN
			(SELECT name FROM sqlite_schema WHERE tbl_name IN (SELECT value FROM json_each('["' || replace($1, ',', '","') || '"]')))`
	}
	if err := db.QueryRowContext(ctx, query, strings.Join(tables, ",")).Scan(&bytes); err != nil {
		return 0, fmt.Errorf("measure tables: %w", err)
	}
	return bytes, nil
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what pools held is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func rounded(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}
