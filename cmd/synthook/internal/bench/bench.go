// Package bench measures the store's part of a poll on a database of the user's choice:
// as synthook does it, and as a row per record does it, in turns in the same run.
//
// It owns a scratch database that it drops at the end, and an invented stream. It polls
// no provider: requests, canonical form and fingerprints are not measured, nor is the
// stream's own row that a poll updates in either way of storing.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/scratch"
)

// MaxRecords is the biggest stream that is measured.
const MaxRecords = 10_000_000

// FieldsARecord is how many fields the invented records have, where that matters.
const FieldsARecord = 30

// Options say what is measured.
type Options struct {
	Records     int     // of the stream; 1 to MaxRecords
	Percent     float64 // of the records, updated in every poll; 0 to 100
	Fields      bool    // ours keeps digests of FieldsARecord fields, and its events name the one that changed
	First       bool    // measure first listings, with a created event for every record, instead
	Runs        int     // measured polls of each way; at least 1
	Polls       int     // polls of the same rate before the measured ones
	DatabaseURL string  // PostgreSQL; "": a SQLite file in a temporary directory
	Note        func(format string, args ...any)
}

// Report is what was measured.
type Report struct {
	Records      int     `json:"records"`
	Changed      int     `json:"changed"` // records that a measured poll finds changed
	Fields       bool    `json:"fields"`  // of every record, FieldsARecord
	First        bool    `json:"first"`
	Runs         int     `json:"runs"`
	Polls        int     `json:"polls"`
	Database     string  `json:"database"`
	Checkpointed bool    `json:"checkpointed"` // before every measured poll
	Ours         Figures `json:"ours"`
	RowPerRecord Figures `json:"row_per_record"`
	Events       Floor   `json:"events_alone"` // appending the same events and nothing else
	Ratio        float64 `json:"ratio"`        // row per record to ours, in time
	// WALRatio is row per record to ours in WAL beyond the events' own; nil where there
	// is none to speak of.
	WALRatio *float64 `json:"wal_ratio"`
}

// Floor is the cost of one poll: medians of the runs, but of the WAL the smallest. It is
// the whole server's, and what others write only adds to it.
type Floor struct {
	StoreMS    float64 `json:"store_ms"`
	Statements int64   `json:"statements"` // BEGIN and COMMIT count
	WALBytes   *int64  `json:"wal_bytes"`  // nil on SQLite
}

// Figures are the cost of one poll, and of keeping what it needs.
type Figures struct {
	Floor
	BytesPerRecord float64 `json:"bytes_per_record"` // tables and indexes, after all polls; without the event log
	HeapBytes      int64   `json:"heap_bytes"`       // live, above idle, with the listing and what was found in memory
}

// store is a way of keeping what is known of the stream.
type store interface {
	// list makes the next poll listing w in a round. It is not measured.
	list(w world, round int)
	// compare finds what has changed since the last commit. Listing and findings stay in
	// memory until the next list.
	compare(ctx context.Context) (found int, err error)
	// commit makes it known and appends its events.
	commit(ctx context.Context) error
	// reset forgets the stream.
	reset(ctx context.Context) error
	// tables are those that hold the stream.
	tables() []string
}

// errDisagree can only be a mistake in this program.
var errDisagree = errors.New("the two ways found different changes")

// Run measures. When ctx ends it stops, and nothing is left in the database.
func Run(ctx context.Context, o Options) (r Report, err error) {
	location, drop, err := scratch.Database(ctx, "bench", o.DatabaseURL)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	db, err := open(ctx, location)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b := &bench{Options: o, db: db, world: newWorld(o.Records, o.Percent, o.Fields)}
	if err := b.run(ctx); err != nil {
		// A driver may put an interruption in words of its own.
		return r, errors.Join(context.Cause(ctx), err)
	}
	return b.report(), nil
}

// bench is one run.
type bench struct {
	Options
	db    *database
	world world
	round int
	ways  []*way // ours, row per record, the events alone
	found int
}

// way is a store with what was measured of it.
type way struct {
	name  string
	store store
	costs []cost
	bytes int64
	heap  int64
}

func (b *bench) run(ctx context.Context) error {
	anchor, err := newAnchor(ctx, b.db)
	if err != nil {
		return err
	}
	rows, err := newRows(ctx, b.db, anchor)
	if err != nil {
		return err
	}
	ours, err := newOurs(ctx, b.db)
	if err != nil {
		return err
	}
	events := &floor{anchor: anchor, name: updated}
	if b.First {
		events.name = created
	}
	b.ways = []*way{{name: "ours", store: ours}, {name: "row per record", store: rows}, {name: "events alone", store: events}}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for run := range b.Runs {
		b.round++
		for _, w := range b.ways {
			if err := b.measure(ctx, w); err != nil {
				return fmt.Errorf("measure %s: %w", w.name, err)
			}
		}
		b.Note("run %d of %d: ours %s, row per record %s", run+1, b.Runs, b.ways[0].last(), b.ways[1].last())
	}
	b.round++
	for _, w := range b.ways[:2] {
		if err := b.weigh(ctx, w); err != nil {
			return fmt.Errorf("weigh %s: %w", w.name, err)
		}
	}
	return nil
}

// prepare brings the stream to where measuring begins.
func (b *bench) prepare(ctx context.Context) error {
	if b.First {
		return nil
	}
	b.Note("%s: first listing of %d records …", b.db.name, b.Records)
	for _, w := range b.ways[:2] {
		if err := b.poll(ctx, w, unmeasured); err != nil {
			return fmt.Errorf("list %s first: %w", w.name, err)
		}
	}
	if err := b.db.settle(ctx); err != nil {
		return err
	}
	for n := range b.Polls {
		if n%10 == 0 {
			b.Note("poll %d of %d before measuring …", n+1, b.Polls)
		}
		b.round++
		for _, w := range b.ways[:2] {
			if err := b.poll(ctx, w, unmeasured); err != nil {
				return fmt.Errorf("poll %s: %w", w.name, err)
			}
		}
	}
	return nil
}

// poll polls once, into an empty event log, and vacuums what the server would vacuum
// before the next poll of a stream. around gets the part that counts.
func (b *bench) poll(ctx context.Context, w *way, around func(poll func() error) error) error {
	if err := b.db.clear(ctx, "event_chunks"); err != nil {
		return err
	}
	w.store.list(b.world, b.round)
	err := around(func() error {
		found, err := w.store.compare(ctx)
		if err != nil {
			return err
		}
		if w == b.ways[0] {
			b.found = found
		} else if found != b.found {
			return fmt.Errorf("%w: %d and %d", errDisagree, b.found, found)
		}
		return w.store.commit(ctx)
	})
	w.store.list(world{}, 0) // no way has another's listing in its heap
	if err != nil {
		return err
	}
	return b.db.vacuum(ctx, w.store.tables())
}

func unmeasured(poll func() error) error { return poll() }

func (b *bench) measure(ctx context.Context, w *way) error {
	if b.First {
		if err := w.store.reset(ctx); err != nil {
			return err
		}
	}
	err := b.poll(ctx, w, func(poll func() error) error {
		c, err := b.db.cost(ctx, poll)
		w.costs = append(w.costs, c)
		return err
	})
	if err == nil && len(w.costs) == b.Runs {
		w.bytes, err = b.db.size(ctx, w.store.tables())
	}
	return err
}

// weigh finds the live heap of a poll that is not committed.
func (b *bench) weigh(ctx context.Context, w *way) error {
	if b.First {
		if err := w.store.reset(ctx); err != nil {
			return err
		}
	}
	idle := liveHeap()
	w.store.list(b.world, b.round)
	if _, err := w.store.compare(ctx); err != nil {
		return err
	}
	w.heap = max(0, liveHeap()-idle)
	w.store.list(world{}, 0)
	return nil
}

func (b *bench) report() Report {
	r := Report{Records: b.Records, Changed: b.found, Fields: b.Fields, First: b.First, Runs: b.Runs, Polls: b.Polls, Database: b.db.name, Checkpointed: b.db.checkpoints}
	r.Ours, r.RowPerRecord, r.Events = b.ways[0].figures(b.Records), b.ways[1].figures(b.Records), b.ways[2].figures(0).Floor
	r.Ratio = rounded(r.RowPerRecord.StoreMS/r.Ours.StoreMS, 2)
	if r.Ours.WALBytes != nil && r.Changed > 0 {
		events := *r.Events.WALBytes
		if ours := *r.Ours.WALBytes - events; ours > 0 {
			ratio := rounded(float64(*r.RowPerRecord.WALBytes-events)/float64(ours), 2)
			r.WALRatio = &ratio
		}
	}
	return r
}

func (w *way) last() time.Duration { return w.costs[len(w.costs)-1].time.Round(10 * time.Microsecond) }

func (w *way) figures(records int) Figures {
	f := Figures{HeapBytes: w.heap}
	f.StoreMS = rounded(median(w.costs, func(c cost) time.Duration { return c.time }).Seconds()*1e3, 3)
	f.Statements = median(w.costs, func(c cost) int64 { return c.statements })
	if w.costs[0].wal != nil {
		wal := *slices.MinFunc(w.costs, func(a, b cost) int { return cmp.Compare(*a.wal, *b.wal) }).wal
		f.WALBytes = &wal
	}
	if records > 0 {
		f.BytesPerRecord = rounded(float64(w.bytes)/float64(records), 1)
	}
	return f
}

// median is the middle one, the lower of two.
func median[T int64 | time.Duration](costs []cost, of func(cost) T) T {
	var all []T
	for _, c := range costs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
