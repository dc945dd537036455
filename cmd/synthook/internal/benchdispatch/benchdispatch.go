// Package benchdispatch measures deliveries on a database of the user's choice: events of
// the log, through whole services in processes of their own, to a receiver in another;
// in turns with the floor, a bare net/http loop that posts the same signed bodies.
//
// It owns a scratch database that it drops at the end, invented events, and the
// processes: it starts its own program again for each (Part). It sends nothing beyond
// this machine. What appending events costs is not measured.
package benchdispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/scratch"
)

// What is at most measured.
const (
	MaxEvents    = 10_000_000
	MaxWebhooks  = 1000
	MaxProcesses = 16
	MaxRate      = 20_000
)

// Options say what is measured.
type Options struct {
	Events      int           // delivered in a run, spread over the webhooks; 1 to MaxEvents
	Webhooks    int           // each in a project of its own; 1 to MaxWebhooks
	Slow        int           // webhooks beside them, for the same events, that take SlowAnswer to answer
	NoAttempts  bool          // keep no attempt on record
	Processes   int           // services on the database; 1 to MaxProcesses, 1 on SQLite
	Runs        int           // of each way; at least 1
	Rate        int           // events a second while latency is measured; 1 to MaxRate
	RateFor     time.Duration // how long it is
	Parked      int           // events behind an endpoint that is down; 0: don't measure that
	CPUProfile  string        // file for a profile of the first service in the last run; "": none
	DatabaseURL string        // PostgreSQL; "": a SQLite file in a temporary directory
	Note        func(format string, args ...any)
}

// SlowAnswer is how long a slow webhook takes.
const SlowAnswer = 2 * time.Second

// Run measures. When ctx ends it stops, and neither a process nor anything in the
// database is left.
func Run(ctx context.Context, o Options) (r Report, err error) {
	location, drop, err := scratch.Database(ctx, "bench", o.DatabaseURL)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	b := &bench{Options: o}
	defer b.end()
	if b.db, err = open(ctx, location); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.db.close()) }()
	if err := b.run(ctx); err != nil {
		return r, errors.Join(context.Cause(ctx), err)
	}
	return b.report(), nil
}

// bench is one run of the program.
type bench struct {
	Options
	db       *database
	receiver *part
	fast     string // URL of the receiver
	odd      string // where it is slow or down
	parts    []*part
	secrets  []string // of the webhooks
	parking  string   // id of the webhook whose endpoint is down; "" where none is
	round    int      // of events: the receiver knows them apart

	ours, floor []measured
	concurrency int // of ours, as the receiver saw it
	latency     latency
	parked      *Parked
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.receiver, err = b.start(ctx, order{Do: "receive"}); err != nil {
		return err
	}
	b.fast, b.odd = b.receiver.began.URL, b.receiver.began.OddURL
	if err := b.register(ctx); err != nil {
		return err
	}
	for run := range b.Runs {
		if err := b.turn(ctx, run); err != nil {
			return err
		}
	}
	if !b.db.postgres {
		b.Note("one more run, to count the rows written …")
		if err := b.countInSQLite(ctx); err != nil {
			return err
		}
	}
	b.Note("latency at %d events/s for %s …", b.Rate, b.RateFor)
	if err := b.measureLatency(ctx); err != nil {
		return fmt.Errorf("measure latency: %w", err)
	}
	if b.Parked > 0 {
		if err := b.measureParked(ctx); err != nil {
			return fmt.Errorf("measure parked events: %w", err)
		}
	}
	return nil
}

// turn is a run of each way.
func (b *bench) turn(ctx context.Context, run int) error {
	profile := ""
	if run == b.Runs-1 {
		profile = b.CPUProfile
	}
	ours, err := b.deliver(ctx, profile)
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	floor, err := b.post(ctx)
	if err != nil {
		return fmt.Errorf("post to the receiver: %w", err)
	}
	b.ours, b.floor = append(b.ours, ours), append(b.floor, floor)
	b.Note("run %d of %d: ours %.0f/s, floor %.0f/s", run+1, b.Runs, ours.perSecond, floor.perSecond)
	return nil
}
