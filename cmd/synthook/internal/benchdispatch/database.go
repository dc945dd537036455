package benchdispatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
)

// database is the scratch database. Whatever writes to it does so under a location of
// its own name, and has closed it when the rows are counted.
type database struct {
	location string
	name     string // for people
	postgres bool
	local    bool // its processes can be seen
	sessions string
	watch    *migrations.DB // beside them; nil on SQLite, which belongs to one process
}

func open(ctx context.Context, location string) (*database, error) {
	db := &database{location: location}
	first, err := migrations.Open(ctx, location)
	if err != nil {
		return nil, err
	}
	if _, _, err := migrations.Up(ctx, first.DB); err != nil {
		return nil, errors.Join(err, first.Close())
	}
	db.postgres = migrations.IsPostgres(first.DB)
	version := `SELECT 'SQLite ' || sqlite_version()`
	if db.postgres {
		version = `SELECT 'PostgreSQL ' || current_setting('server_version')`
	}
	if err := first.QueryRowContext(ctx, version).Scan(&db.name); err != nil {
		return nil, errors.Join(fmt.Errorf("ask for the database's version: %w", err), first.Close())
	}
	if !db.postgres {
		return db, first.Close()
	}
	db.watch = first
	u, err := url.Parse(location)
	if err != nil {
		return nil, errors.Join(errors.New("the database's URL can't be parsed"), first.Close())
	}
	query := u.Query()
	db.sessions = query.Get("search_path") // nobody else has that name
	query.Set("application_name", db.sessions)
	u.RawQuery = query.Encode()
	db.location = u.String()
	if config, err := pgx.ParseConfig(db.location); err == nil {
		ip := net.ParseIP(config.Host)
		db.local = strings.HasPrefix(config.Host, "/") || config.Host == "localhost" || ip.IsLoopback()
	}
	return db, nil
}

func (db *database) close() error {
	if db.watch == nil {
		return nil
	}
	return db.watch.Close()
}

// within opens the database as a process of its own would.
func (db *database) within(ctx context.Context, do func(*migrations.DB) error) error {
	opened, err := migrations.Open(ctx, db.location)
	if err != nil {
		return err
	}
	return errors.Join(do(opened), opened.Close())
}

// fill appends the events of a round.
func (db *database) fill(ctx context.Context, o order) error {
	return db.within(ctx, func(opened *migrations.DB) error {
		store := hashstore.New(opened.DB)
		for from := 0; from < o.Events; from += 10_000 {
			if err := fillPart(ctx, opened, store, func(yield func(hashstore.Event) bool) {
				at := time.Now()
				for n := from; n < min(from+10_000, o.Events); n++ {
					if !yield(event(o, n, block(o.Events, len(o.Names)), at)) {
						return
					}
				}
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func fillPart(ctx context.Context, db *migrations.DB, store *hashstore.Store, events func(func(hashstore.Event) bool)) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if _, err := store.Append(ctx, tx, events); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	return nil
}

// block is how many events a poll finds: a hundred, or fewer where every webhook shall
// get some.
func block(events, webhooks int) int { return max(1, min(100, events/webhooks)) }

// event is the round's nth: the webhooks' projects take turns, a poll's events each.
func event(o order, n, block int, at time.Time) hashstore.Event {
	return hashstore.Event{
		ProjectID: o.Names[n/block%len(o.Names)], AccountID: "GnQoASvosYhE5wJcmmAQs", Name: "hris_employees.updated", RecordType: "employees",
		RecordID: recordID(o.Round, n), OccurredAt: at, PollID: int64(1 + n/block), Fields: []string{"department"},
	}
}

// written is how many rows were ever inserted, updated and deleted in PostgreSQL. A
// server tells what its sessions did when they have ended, at the latest.
func (db *database) written(ctx context.Context) (rows int64, err error) {
	if !db.postgres {
		return 0, nil
	}
	for before := int64(-1); before != rows; {
		before = rows
		var busy int
		err := db.watch.QueryRowContext(ctx, `
			SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name = $1),
			       (SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = $1)`,
			db.sessions).Scan(&busy, &rows)
		if err != nil {
			return 0, fmt.Errorf("count rows written: %w", err)
		}
		if busy > 0 {
			before = -1
		}
		if before != rows {
			if err := until(ctx, time.Now().Add(300*time.Millisecond)); err != nil {
				return 0, err
			}
		}
	}
	return rows, nil
}

// cpu is what the server's processes used that serve the sessions there are; not known
// where they run elsewhere.
func (db *database) cpu(ctx context.Context) (used time.Duration, known bool, err error) {
	if !db.local {
		return 0, false, nil
	}
	rows, err := db.watch.QueryContext(ctx, `SELECT pid FROM pg_stat_activity WHERE application_name = $1`, db.sessions)
	if err != nil {
		return 0, false, fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			return 0, false, fmt.Errorf("list sessions: %w", err)
		}
		ticks, ok := processTicks(filepath.Join("/proc", strconv.Itoa(pid)))
		if !ok {
			return 0, false, nil
		}
		used += time.Duration(ticks) * time.Second / 100 // USER_HZ, on every Linux
	}
	return used, true, rows.Err()
}

// processTicks reads what a process of PostgreSQL used, in user and system mode.
func processTicks(dir string) (ticks int64, ok bool) {
	command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil || !strings.HasPrefix(string(command), "postgres: ") {
		return 0, false
	}
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	_, rest, found := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if err != nil || !found || len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return user + system, err1 == nil && err2 == nil
}
