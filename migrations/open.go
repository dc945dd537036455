package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the "sqlite" driver
)

// DB is an open database. Close ends it.
//
// Rules that hold for every statement in this program, so that one text serves both
// databases:
//   - placeholders are $1, $2, … in order of their first appearance;
//   - times are passed as UTC and come back as UTC with microseconds; in SQLite a
//     time is only recognised when its declared column is selected, so no RETURNING,
//     max() or coalesce() of a time column;
//   - a transaction takes SQLite's write lock when it begins.
type DB struct {
	*sql.DB
	Pool *pgxpool.Pool // nil for SQLite: for LISTEN and COPY only
	Path string        // the SQLite file; "" for PostgreSQL
	lock *fileLock
}

// ErrInUse says that another process has the SQLite file.
var ErrInUse = errors.New("another synthook is using this database")

// Open opens a PostgreSQL URL (postgres:// or postgresql://) or a SQLite file (a
// path, or sqlite:// and a path), creating the file where there is none. It does not
// touch the schema. A SQLite file belongs to one process at a time: ErrInUse.
func Open(ctx context.Context, location string) (*DB, error) {
	switch scheme, rest, ok := strings.Cut(location, "://"); {
	case !ok:
		return openSQLite(ctx, location)
	case scheme == "sqlite":
		return openSQLite(ctx, rest)
	case scheme == "postgres" || scheme == "postgresql":
		return openPostgres(ctx, location)
	default:
		return nil, fmt.Errorf("database URL starts with %q: it must be postgres://… or a file path", scheme+"://")
	}
}

func openPostgres(ctx context.Context, location string) (*DB, error) {
	config, err := pgxpool.ParseConfig(location)
	if err != nil {
		return nil, errors.New("database URL can't be parsed: expected postgres://user:password@host:port/database")
	}
	set := func(name, value string) {
		if _, ok := config.ConnConfig.RuntimeParams[name]; !ok {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	set("application_name", "synthook")
	set("timezone", "UTC")
	// A process frozen inside a transaction must not hold up the event log for ever.
	set("idle_in_transaction_session_timeout", "30000")
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		return nil
	}
	if u, err := url.Parse(location); err == nil && !u.Query().Has("pool_max_conns") {
		config.MaxConns = 16
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{DB: stdlib.OpenDBFromPool(pool), Pool: pool}
	// The pool keeps the idle connections; database/sql must not keep a second set.
	db.SetMaxIdleConns(0)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("reach database at %s:%d: %w", config.ConnConfig.Host, config.ConnConfig.Port, err), db.Close())
	}
	return db, nil
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if path == "" {
		return nil, errors.New("database path is empty")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find database file: %w", err)
	}
	// Only its owner may read a database that holds sealed credentials.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database file: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	options := url.Values{
		"_pragma": {"busy_timeout(30000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)"},
		// A transaction that will write says so at once: it waits its turn instead of failing half way.
		"_txlock":              {"immediate"},
		"_time_integer_format": {"unix_micro"},
		"_inttotime":           {"1"},
		"_timezone":            {"UTC"},
	}
	inner, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), lock.release())
	}
	db := &DB{DB: inner, Path: path, lock: lock}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	return db, nil
}

// Close closes every connection and lets go of a SQLite file.
func (db *DB) Close() error {
	err := db.DB.Close()
	if db.Pool != nil {
		db.Pool.Close()
	}
	return errors.Join(err, db.lock.release())
}
