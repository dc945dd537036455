package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/synthook/synthook/hashstore"
)

// rows is the way that ours is measured against, done well: a row per record; all of the
// stream's are loaded into a map, and only changes are written, in batches. As with
// ours, a poll without changes only reads, and reading comes before the transaction.
type rows struct {
	db      *database
	anchor  *anchor
	stream  int64
	listing []row
	known   map[string]int64
	changed []change
}

type row struct {
	id   string
	hash int64
}

type change struct {
	row
	created bool
}

func newRows(ctx context.Context, db *database, a *anchor) (*rows, error) {
	_, err := db.ExecContext(ctx, `CREATE TABLE bench_records (
		stream_id bigint NOT NULL, record_id text NOT NULL, hash bigint NOT NULL, PRIMARY KEY (stream_id, record_id))`)
	if err != nil {
		return nil, fmt.Errorf("make table for a row per record: %w", err)
	}
	return &rows{db: db, anchor: a, stream: 1}, nil
}

func (r *rows) list(w world, round int) {
	r.known, r.changed, r.listing = nil, nil, make([]row, 0, w.records)
	for id, fingerprint := range w.all(round) {
		r.listing = append(r.listing, row{id, int64(fingerprint)})
	}
}

func (r *rows) compare(ctx context.Context) (found int, err error) {
	r.known = make(map[string]int64, len(r.listing))
	if r.db.postgres {
		err = r.loadPostgres(ctx)
	} else {
		err = r.loadSQLite(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("load records: %w", err)
	}
	missing := len(r.known)
	for _, listed := range r.listing {
		hash, ok := r.known[listed.id]
		if ok {
			missing--
		}
		if !ok || hash != listed.hash {
			r.changed = append(r.changed, change{listed, !ok})
		}
	}
	return len(r.changed) + missing, nil
}

// loadPostgres reads past database/sql, which takes its time for each row.
func (r *rows) loadPostgres(ctx context.Context) error {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driver any) error {
		found, err := driver.(*stdlib.Conn).Conn().Query(ctx, `SELECT record_id, hash FROM bench_records WHERE stream_id = $1`, r.stream)
		if err != nil {
			return err
		}
		var id string
		var hash int64
		_, err = pgx.ForEachRow(found, []any{&id, &hash}, func() error {
			r.known[id] = hash
			return nil
		})
		return err
	})
}

func (r *rows) loadSQLite(ctx context.Context) error {
	found, err := r.db.QueryContext(ctx, `SELECT record_id, hash FROM bench_records WHERE stream_id = $1`, r.stream)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var id string
		var hash int64
		if err := found.Scan(&id, &hash); err != nil {
			return err
		}
		r.known[id] = hash
	}
	return found.Err()
}

func (r *rows) commit(ctx context.Context) error {
	if len(r.changed) == 0 {
		return nil
	}
	return r.anchor.commit(ctx, hashstore.Commit{Guard: r.write, Events: r.events})
}

func (r *rows) write(ctx context.Context, tx *sql.Tx) error {
	const conflict = ` ON CONFLICT (stream_id, record_id) DO UPDATE SET hash = excluded.hash`
	size := 5000
	if !r.db.postgres {
		size = 1000
	}
	for rest := r.changed; len(rest) > 0; {
		batch := rest[:min(len(rest), size)]
		rest = rest[len(batch):]
		var err error
		if r.db.postgres {
			ids, hashes := make([]string, len(batch)), make([]int64, len(batch))
			for i, c := range batch {
				ids[i], hashes[i] = c.id, c.hash
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO bench_records (stream_id, record_id, hash)
				SELECT $1, * FROM unnest($2::text[], $3::bigint[])`+conflict, r.stream, ids, hashes)
		} else {
			args := make([]any, 0, 3*len(batch))
			for _, c := range batch {
				args = append(args, r.stream, c.id, c.hash)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO bench_records (stream_id, record_id, hash)
				VALUES `+strings.Repeat(", (?, ?, ?)", len(batch))[2:]+conflict, args...)
		}
		if err != nil {
			return fmt.Errorf("write records: %w", err)
		}
	}
	return nil
}

func (r *rows) events(yield func(hashstore.Event) bool) {
	at := time.Now()
	for _, c := range r.changed {
		name := updated
		if c.created {
			name = created
		}
		if !yield(event(name, c.id, at)) {
			return
		}
	}
}

func (r *rows) reset(ctx context.Context) error {
	if err := r.db.clear(ctx, "bench_records"); err != nil {
		return err
	}
	return r.anchor.ready(ctx)
}

func (r *rows) tables() []string { return []string{"bench_records"} }
