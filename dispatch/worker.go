package dispatch

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	// window bounds the events of one cursor that a worker holds, and so what a crash
	// can make it send twice.
	window = 1000
	// readLimit is how many events are read from the log at once.
	readLimit = 500
	// batchLimit is how many attempts are written at once.
	batchLimit = 1000
	// cursorStep is how long a cursor may lag that only passes events of others.
	cursorStep = 10 * time.Second
)

// worker delivers to one webhook while it holds the lease. One goroutine, run, owns
// all of its state; what waits for the network or the database runs beside it and
// hands its result back through results and inbox.
type worker struct {
	config Config
	store  store
	sender sender
	lease  lease
	logger zerolog.Logger

	// Set by the dispatcher.
	updatedAt time.Time
	wake      chan struct{}
	stopping  chan struct{}
	stopOnce  sync.Once
	ended     chan struct{}
	project   string // whose events it gets
	told      int64  // there are no events of the project behind it that the worker wasn't told of
	news      chan news
	unread    atomic.Bool            // the log has grown
	wanted    atomic.Pointer[string] // the replay that should run

	results chan attemptResult
	inbox   chan func()
	joined  sync.WaitGroup

	hook
	breaker breaker
	log     track
	replay  *replay

	records  map[int64]*delivery // the last delivery in hand of each record
	queues   [sources][]*delivery
	turn     source
	held     []*delivery // failed, and it is not clear yet whose fault it is
	inflight int
	draining bool
	lost     bool // the lease

	concurrency int       // attempts in flight at most
	pace        *pace     // of attempts
	paceAt      time.Time // when it lets the next one through; zero: it holds up none

	taken   map[int64]struct{} // parked events in hand, until what came of them is written
	dueAt   time.Time          // when to look for due retries; zero: when one is parked
	parking bool               // a look at them is under way
	stale   map[int64]struct{} // what was written since it began: it may have seen the rows as they were before
	loading bool               // of a replay

	batch     *batch
	writing   *batch // under way, or to be written again
	busy      bool   // a write is under way
	unwritten bool   // the last one failed
	lastWrite time.Time
	lastEnd   time.Time // of an attempt
	pauseTill time.Time // after a database error
	errors    int       // of the database, in a row
}

type attemptResult struct {
	d *delivery
	o outcome
}

func newWorker(d *Dispatcher, s standing) *worker {
	w := &worker{
		config: d.config, store: d.store, sender: d.sender, lease: s.lease, updatedAt: s.updatedAt,
		project: s.project, news: make(chan news, 1),
		logger: d.config.Logger.With().Str("webhook_id", s.webhook).Logger(),
		wake:   make(chan struct{}, 1), stopping: make(chan struct{}), ended: make(chan struct{}),
		results: make(chan attemptResult, MostConcurrency), inbox: make(chan func(), 8),
		breaker: breaker{first: d.config.ProbeFirst, longest: d.config.ProbeLongest},
		records: map[int64]*delivery{}, taken: map[int64]struct{}{}, batch: newBatch(),
	}
	w.wanted.Store(&s.replay)
	w.unread.Store(true)
	return w
}

func newBatch() *batch {
	return &batch{parked: map[int64]retryRow{}, removed: map[int64]struct{}{}}
}

// poke makes the worker look at the log. It never blocks.
func (w *worker) poke() {
	w.unread.Store(true)
	signal(w.wake)
}

// want names the replay that should run; "": none.
func (w *worker) want(replay string) {
	if *w.wanted.Swap(&replay) != replay {
		signal(w.wake)
	}
}

// stop makes the worker end; over says that it has.
func (w *worker) stop() {
	w.stopOnce.Do(func() { close(w.stopping) })
}

func (w *worker) over() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// choice is what the webhook takes of the log.
func (w *worker) choice() Filter { return choice(w.names, w.settings.Narrowing) }

// orderOf is what deliveries have in common that wait for each other: their record, or
// where the webhook wants no order, nothing.
func (w *worker) orderOf(e Event) int64 {
	if w.settings.Ordered {
		return e.recordKey()
	}
	return e.ID
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works until stopping is closed, the lease is lost or the webhook is disabled; it
// then waits for the attempts in flight (up to Config.Drain), writes what came of them
// and hands the lease back. ctx must outlive that.
func (w *worker) run(ctx context.Context) {
	defer close(w.ended)
	defer w.joined.Wait()
	if !w.start(ctx) {
		return
	}
	working, abort := context.WithCancel(ctx)
	defer abort()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := w.stopping
	var giveUp <-chan time.Time
	for !w.draining || w.inflight > 0 || w.busy {
		now := time.Now()
		w.step(ctx, working, now)
		timer.Reset(w.idle(now))
		select {
		case r := <-w.results:
			w.finish(r)
			w.finishAll()
		case apply := <-w.inbox:
			apply()
		case <-w.wake:
		case <-timer.C:
		case <-stopping:
			stopping, w.draining = nil, true
			giveUp = time.After(w.config.Drain)
		case <-giveUp:
			abort()
		}
		if w.lost || w.batch.disable != "" {
			w.draining = true
			abort()
		}
	}
	w.end(ctx)
}

// start loads the webhook, again and again while the database is away.
func (w *worker) start(ctx context.Context) bool {
	for {
		loading, cancel := context.WithTimeout(ctx, w.config.DatabaseTimeout)
		h, err := w.store.load(loading, w.lease, w.config.Sealer)
		cancel()
		if err == nil {
			w.hook = h
			w.concurrency, w.pace = cmp.Or(h.settings.Concurrency, w.config.Concurrency), newPace(h.settings.RateLimit)
			w.breaker.restore(h.failures, h.failingSince, h.probeAt)
			w.log.covered, w.log.behind = h.cursor, true
			w.lastWrite = time.Now()
			w.lookForRetries(w.lastWrite)
			return true
		}
		if errors.Is(err, errLeaseLost) {
			return false
		}
		w.pause(err)
		select {
		case <-w.stopping:
			w.handBack(ctx)
			return false
		case <-time.After(time.Until(w.pauseTill)):
		}
	}
}

// end writes what is left and hands the lease back.
func (w *worker) end(ctx context.Context) {
	last := []*batch{w.writing, w.batch}
	if w.batch.since.IsZero() && w.log.position() == w.cursor {
		last = last[:1]
	}
	w.seal(w.batch)
	for _, b := range last {
		if b == nil || w.lost {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, w.config.Drain)
		err := w.store.write(ctx, w.lease, b)
		cancel()
		if err != nil {
			w.logger.Warn().Err(err).Msg("last deliveries not recorded: they will be made again")
			w.lost = errors.Is(err, errLeaseLost)
		}
	}
	if !w.lost {
		w.handBack(ctx)
	}
}

func (w *worker) handBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.config.Drain)
	defer cancel()
	if err := w.store.release(ctx, w.lease); err != nil {
		w.logger.Warn().Err(err).Msg("webhook lease runs out by itself")
	}
}

// step starts whatever can be started.
func (w *worker) step(ctx, working context.Context, now time.Time) {
	if now.Before(w.pauseTill) {
		return
	}
	if !w.draining {
		w.read(working, now)
		// What can't be written must not pile up: sending waits for the database.
		if !w.unwritten {
			w.send(working, now)
		}
	}
	w.write(ctx, now)
}

// idle is how long nothing happens by itself.
func (w *worker) idle(now time.Time) time.Duration {
	if now.Before(w.pauseTill) {
		return w.pauseTill.Sub(now)
	}
	next := now.Add(cursorStep)
	for _, at := range []time.Time{w.writeAt(), w.dueAt, w.breaker.probeAt, w.paceAt} {
		// What is overdue waits for something else, which will wake the worker.
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	return next.Sub(now)
}

// beside runs f, which may wait for the database, and then the function it returns in
// the worker's own goroutine.
func (w *worker) beside(ctx context.Context, f func(ctx context.Context) func()) {
	w.joined.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, w.config.DatabaseTimeout)
		defer cancel()
		w.inbox <- f(ctx)
	})
}

// pause backs off from the database after an error.
func (w *worker) pause(err error) {
	w.errors++
	if w.errors == 1 {
		w.logger.Warn().Err(err).Msg("delivery waits for the database")
	}
	w.pauseTill = time.Now().Add(min(100*time.Millisecond<<min(w.errors-1, 6), 5*time.Second))
}

// resume records that the database answers, and lets us write.
func (w *worker) resume() {
	if w.errors > 0 && !w.unwritten {
		w.logger.Info().Int("errors", w.errors).Msg("delivery goes on")
		w.errors = 0
	}
}

func (w *worker) finishAll() {
	for {
		select {
		case r := <-w.results:
			w.finish(r)
		default:
			return
		}
	}
}
