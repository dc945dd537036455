package hashstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// BenchmarkPoll is the store's part of a poll, events included, beside the method of a
// row per record: load them into a map, compare, write what has changed in batches.
// The metric to look at is median-ms.
func BenchmarkPoll(b *testing.B) {
	const n = 100_000
	eachDatabase(b, func(b *testing.B, location func(testing.TB) string) {
		for _, w := range []struct {
			name    string
			changed int
			first   bool
		}{{"0%", 0, false}, {"1%", n / 100, false}, {"first", 0, true}, {"all", n, false}} {
			b.Run(w.name+"/ours", func(b *testing.B) {
				db := migrationstest.Open(b, location(b))
				store, stream := New(db.DB), newStream(b, db)
				if !w.first {
					storePoll(b, store, stream, uuidListing(n, w.changed, 0))
				}
				measure(b, w.first, func() { resetStore(b, store, stream) }, func(round int) *Listing { return uuidListing(n, w.changed, round) },
					func(l *Listing) { storePoll(b, store, stream, l) })
			})
			b.Run(w.name+"/row-per-record", func(b *testing.B) {
				db := migrationstest.Open(b, location(b))
				rows := newRowStore(b, db)
				if !w.first {
					rows.poll(b, uuidListing(n, w.changed, 0))
				}
				measure(b, w.first, func() { rows.reset(b) }, func(round int) *Listing { return uuidListing(n, w.changed, round) },
					func(l *Listing) { rows.poll(b, l) })
			})
		}
	})
}

// BenchmarkAppend is the floor under BenchmarkPoll: the events alone.
func BenchmarkAppend(b *testing.B) {
	eachDatabase(b, func(b *testing.B, location func(testing.TB) string) {
		for _, n := range []int{1000, 100_000} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				db := migrationstest.Open(b, location(b))
				store, stream := New(db.DB), newStream(b, db)
				empty := must[*Difference](b)(store.Compare(b.Context(), State{StreamID: stream}, NewListing()))
				must[int](b)(store.Commit(b.Context(), State{StreamID: stream}, empty, Commit{}))
				st := must[State](b)(store.Load(b.Context(), stream))
				none := must[*Difference](b)(store.Compare(b.Context(), st, NewListing()))
				measure(b, false, nil, func(int) *Listing { return uuidListing(n, 0, 0) }, func(l *Listing) {
					events := func(yield func(Event) bool) {
						at := time.Now()
						for _, r := range l.records {
							if !yield(benchEvent("hris_employees.updated", textOf(l.id(r)), at)) {
								return
							}
						}
					}
					must[int](b)(store.Commit(b.Context(), st, none, Commit{Events: events}))
				})
			})
		}
	})
}

func eachDatabase(b *testing.B, run func(b *testing.B, location func(testing.TB) string)) {
	b.Run("sqlite", func(b *testing.B) { run(b, migrationstest.SQLite) })
	if os.Getenv(migrationstest.Variable) != "" {
		b.Run("postgres", func(b *testing.B) { run(b, migrationstest.Postgres) })
	}
}

// BenchmarkHeap is the live heap of a poll of 100,000 records, above idle.
func BenchmarkHeap(b *testing.B) {
	db := migrationstest.Open(b, migrationstest.SQLite(b))
	store, stream := New(db.DB), newStream(b, db)
	storePoll(b, store, stream, uuidListing(100_000, 1000, 0))
	for b.Loop() {
		idle := liveHeap()
		l := uuidListing(100_000, 1000, 1)
		st := must[State](b)(store.Load(b.Context(), stream))
		d := must[*Difference](b)(store.Compare(b.Context(), st, l))
		b.ReportMetric(float64(liveHeap()-idle)/1e6, "MB")
		runtime.KeepAlive(d)
		runtime.KeepAlive(l)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// measure runs poll on fresh listings and reports the median of its times.
func measure(b *testing.B, fresh bool, reset func(), listing func(round int) *Listing, poll func(*Listing)) {
	var times []time.Duration
	for b.Loop() {
		if fresh {
			reset()
		}
		l := listing(len(times) + 1)
		runtime.GC()
		began := time.Now()
		poll(l)
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1e3, "median-ms")
	b.ReportMetric(0, "ns/op") // building the listing is not the store's part
}

func storePoll(b *testing.B, store *Store, stream int64, l *Listing) {
	st := must[State](b)(store.Load(b.Context(), stream))
	d := must[*Difference](b)(store.Compare(b.Context(), st, l))
	if d.Unchanged() {
		return
	}
	events := func(yield func(Event) bool) {
		at := time.Now()
		for name, items := range map[string]iter.Seq[Item]{"hris_employees.created": d.Created(), "hris_employees.updated": d.Updated()} {
			for item := range items {
				if !yield(benchEvent(name, item.ID, at)) {
					return
				}
			}
		}
	}
	must[int](b)(store.Commit(b.Context(), st, d, Commit{Events: events}))
}

func benchEvent(name, id string, at time.Time) Event {
	return Event{ProjectID: "acmeinc-27270", AccountID: "GnQoASvosYhE5wJcmmAQs", Name: name, RecordType: "employees", RecordID: id, OccurredAt: at, PollID: 7}
}

func resetStore(b *testing.B, store *Store, stream int64) {
	tx := must[*sql.Tx](b)(store.db.Begin())
	if err := store.Forget(b.Context(), tx, stream); err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// rowStore is the method that ours is measured against.
type rowStore struct {
	*Store
}

func newRowStore(b *testing.B, db *migrations.DB) rowStore {
	if _, err := db.Exec(`CREATE TABLE bench_records (stream_id bigint NOT NULL, record_id text NOT NULL, hash bigint NOT NULL, PRIMARY KEY (stream_id, record_id))`); err != nil {
		b.Fatal(err)
	}
	return rowStore{New(db.DB)}
}

func (s rowStore) reset(b *testing.B) {
	if _, err := s.db.Exec(`DELETE FROM bench_records`); err != nil {
		b.Fatal(err)
	}
}

func (s rowStore) poll(b *testing.B, l *Listing) {
	if err := s.pollRows(b.Context(), l); err != nil {
		b.Fatal(err)
	}
}

func (s rowStore) pollRows(ctx context.Context, l *Listing) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	known := map[string]int64{}
	rows, err := tx.QueryContext(ctx, `SELECT record_id, hash FROM bench_records WHERE stream_id = 1`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id string
		var hash int64
		if err := rows.Scan(&id, &hash); err != nil {
			return err
		}
		known[id] = hash
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var ids []string
	var hashes []int64
	var events []Event
	at := time.Now()
	for _, r := range l.records {
		id, hash := textOf(l.id(r)), int64(r.fingerprint)
		old, ok := known[id]
		if ok && old == hash {
			continue
		}
		name := "hris_employees.updated"
		if !ok {
			name = "hris_employees.created"
		}
		ids, hashes, events = append(ids, id), append(hashes, hash), append(events, benchEvent(name, id, at))
	}
	if err := s.upsert(ctx, tx, ids, hashes); err != nil {
		return err
	}
	if _, err := s.Append(ctx, tx, slices.Values(events)); err != nil {
		return err
	}
	return tx.Commit()
}

func (s rowStore) upsert(ctx context.Context, tx *sql.Tx, ids []string, hashes []int64) error {
	for len(ids) > 0 {
		n := min(len(ids), 1000)
		const conflict = ` ON CONFLICT (stream_id, record_id) DO UPDATE SET hash = excluded.hash`
		var err error
		if s.postgres {
			_, err = tx.ExecContext(ctx, `INSERT INTO bench_records SELECT 1, * FROM unnest($1::text[], $2::bigint[])`+conflict, ids[:n], hashes[:n])
		} else {
			args := make([]any, 0, 2*n)
			for i := range n {
				args = append(args, ids[i], hashes[i])
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO bench_records VALUES `+strings.Repeat(", (1, ?, ?)", n)[2:]+conflict, args...)
		}
		if err != nil {
			return err
		}
		ids, hashes = ids[n:], hashes[n:]
	}
	return nil
}
