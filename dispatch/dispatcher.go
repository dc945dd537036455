package dispatch

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Config is what a Dispatcher works with. Zero values take the defaults.
type Config struct {
	DB      *sql.DB
	Log     Log
	Records Records      // of resyncs and reconciliations
	HTTP    *http.Client // its transport alone is used, see newSender; it guards the address at dial time
	Sealer  Sealer
	Logger  zerolog.Logger

	Owner     string           // of leases, unique among all processes; default: random
	UserAgent string           // name/version
	Refused   func(error) bool // says of a dial error that the address is not allowed; nil: none is that
	OnAttempt func(Report)     // is told of every attempt whose outcome is known; it must not block; nil: nobody watches

	Schedule     []time.Duration // wait before each attempt of a parked event; default RetrySchedule
	Concurrency  int             // attempts in flight of a webhook that sets none; default 16
	Timeout      time.Duration   // of an attempt; default 15s
	Flush        time.Duration   // how long outcomes are gathered before they are written; default 100ms
	Poll         time.Duration   // how often the log and the webhooks are looked at unasked; default 1s
	Lease        time.Duration   // how long a process that died holds its webhooks; default 10s
	Drain        time.Duration   // how long attempts in flight are waited for at the end; default and at most half a lease
	ProbeFirst   time.Duration   // wait before the first probe of an endpoint that is down, doubling; default 5s
	ProbeLongest time.Duration   // default 5m
	OverloadWait time.Duration   // least wait before a retry after a timeout, 429, 502 or 504; default 1m
	DisableAfter time.Duration   // of nothing but failures; default 5 days

	// NoticeURL is told of webhooks that were disabled by their endpoints, see notice;
	// "": nobody is.
	NoticeURL   string
	NoticeRetry time.Duration // wait before a notice that failed is sent again; default 1m

	DatabaseTimeout time.Duration // of a batch of reads or writes; default 30s
}

func (c Config) withDefaults() Config {
	c.Owner = cmp.Or(c.Owner, rand.Text())
	c.UserAgent = cmp.Or(c.UserAgent, "synthook")
	if len(c.Schedule) == 0 {
		c.Schedule = RetrySchedule
	}
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	c.Flush = cmp.Or(c.Flush, 100*time.Millisecond)
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.Lease = cmp.Or(c.Lease, 10*time.Second)
	c.Drain = min(cmp.Or(c.Drain, c.Lease/2), c.Lease/2)
	c.NoticeRetry = cmp.Or(c.NoticeRetry, time.Minute)
	c.DatabaseTimeout = cmp.Or(c.DatabaseTimeout, 30*time.Second)
	c.ProbeFirst = cmp.Or(c.ProbeFirst, 5*time.Second)
	c.ProbeLongest = max(cmp.Or(c.ProbeLongest, 5*time.Minute), c.ProbeFirst)
	c.OverloadWait = cmp.Or(c.OverloadWait, time.Minute)
	c.DisableAfter = cmp.Or(c.DisableAfter, 5*24*time.Hour)
	return c
}

// Dispatcher delivers to the webhooks of a database, as many as are its share: any
// number of dispatchers may work on one PostgreSQL. Each webhook has a worker of its
// own and never waits for another.
type Dispatcher struct {
	config   Config
	store    store
	sender   sender
	operator sender // of notices: the operator's own choice of address is not guarded
	wake     chan struct{}
	refresh  chan struct{}
}

// New returns a dispatcher that Run sets to work.
func New(c Config) *Dispatcher {
	c = c.withDefaults()
	d := &Dispatcher{config: c, store: newStore(c.DB), wake: make(chan struct{}, 1), refresh: make(chan struct{}, 1)}
	d.sender = newSender(c.HTTP, c.UserAgent, c.Timeout, max(c.Concurrency, MostConcurrency))
	d.sender.refused = c.Refused
	d.operator = newSender(nil, c.UserAgent, c.Timeout, 1)
	return d
}

// Wake says that events were appended to the log. It never blocks.
func (d *Dispatcher) Wake() { signal(d.wake) }

// Refresh says that webhooks or replays were changed. It never blocks.
func (d *Dispatcher) Refresh() { signal(d.refresh) }

// Run delivers until ctx is cancelled; it then waits for what is in flight (up to
// Config.Drain), records it and hands its webhooks back. A database that goes away is
// waited for.
func (d *Dispatcher) Run(ctx context.Context) error {
	s := share{Dispatcher: d, workers: map[lease]*worker{}}
	defer s.running.Wait()
	defer s.stop()
	ticker := time.NewTicker(min(d.config.Poll, d.config.Lease/3))
	defer ticker.Stop()
	look := true
	for {
		if look {
			s.look(ctx)
			s.sendNotices(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
			look = false
			s.passOn(ctx)
		case <-d.refresh:
			look = true
		case <-ticker.C:
			look = true
		}
	}
}

// share is the webhooks that one dispatcher holds.
type share struct {
	*Dispatcher
	workers map[lease]*worker
	running sync.WaitGroup
	freed   bool
	renewed time.Time
	last    int64 // id of the newest event seen
	poked   int64 // that when every worker was last made to read
	pokedAt time.Time
	failing bool
	notices atomic.Bool // are being sent
}

func (s *share) stop() {
	for _, w := range s.workers {
		w.stop()
	}
}

// look brings the workers in line with the database.
func (s *share) look(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, s.config.DatabaseTimeout)
	defer cancel()
	err := s.lookOnce(looking)
	switch {
	case ctx.Err() != nil:
	case err != nil && !s.failing:
		s.failing = true
		s.config.Logger.Warn().Err(err).Msg("dispatcher waits for the database")
	case err == nil && s.failing:
		s.failing = false
		s.config.Logger.Info().Msg("dispatcher goes on")
	}
}

func (s *share) lookOnce(ctx context.Context) error {
	if !s.store.postgres && !s.freed {
		if err := s.store.releaseAll(ctx); err != nil {
			return err
		}
		s.freed = true
	}
	if time.Since(s.renewed) >= s.config.Lease/3 {
		if err := s.store.renew(ctx, s.config.Owner, s.config.Lease); err != nil {
			return err
		}
		s.renewed = time.Now()
	}
	all, err := s.store.standings(ctx)
	if err != nil {
		return err
	}
	if err := s.settle(ctx, all); err != nil {
		return err
	}
	if err := s.takeShare(ctx, all); err != nil {
		return err
	}
	last, err := s.config.Log.Last(ctx)
	if err != nil {
		return err
	}
	// Workers that get no news read now and then all the same: their cursors pass the
	// events of others, which retention waits for.
	if missed := last > s.last; missed || last > s.poked && time.Since(s.pokedAt) >= cursorStep {
		s.last = last
		s.pokeAll()
	}
	return nil
}

// settle stops the workers whose webhook was changed, disabled, deleted, called in or
// taken by another dispatcher. What is still ours is claimed again and starts afresh.
func (s *share) settle(ctx context.Context, all []standing) error {
	ours := make(map[lease]standing, len(all))
	for _, w := range all {
		if w.owner == s.config.Owner {
			ours[w.lease] = w
		}
	}
	for l, w := range s.workers {
		if w.over() {
			delete(s.workers, l)
			continue
		}
		if now, ok := ours[l]; ok && now.updatedAt.Equal(w.updatedAt) {
			w.want(now.replay)
		} else {
			w.stop()
		}
	}
	for l := range ours {
		if s.workers[l] == nil {
			// Its worker could not hand it back: the database was away.
			if err := s.store.release(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeShare claims free webhooks up to this dispatcher's share, and when none is free
// calls in what others hold above theirs.
func (s *share) takeShare(ctx context.Context, all []standing) error {
	held := map[string]int{s.config.Owner: 0}
	free := 0
	for _, w := range all {
		switch {
		case !w.live:
			free++
		case w.owner != "":
			held[w.owner]++
		}
	}
	fair := (len(all) + len(held) - 1) / len(held)
	wanted := fair - held[s.config.Owner]
	if wanted <= 0 {
		return nil
	}
	if free == 0 {
		for _, w := range all {
			if wanted > 0 && w.live && held[w.owner] > fair {
				if err := s.store.callIn(ctx, w.lease); err != nil {
					return err
				}
				held[w.owner]--
				wanted--
			}
		}
		return nil
	}
	// A claim goes on when ctx ends: webhooks taken without anybody's knowledge would get
	// nothing until their leases run out. What it took is handed back by its workers.
	claiming, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Drain)
	defer cancel()
	claimed, err := s.store.claim(claiming, s.config.Owner, s.config.Lease, wanted)
	if err != nil {
		return err
	}
	for _, l := range claimed {
		i := slices.IndexFunc(all, func(w standing) bool { return w.webhook == l.webhook })
		if i < 0 {
			all = append(all, standing{lease: l}) // made just now: its worker starts again at the next look
			i = len(all) - 1
		}
		all[i].lease = l
		w := newWorker(s.Dispatcher, all[i])
		w.told = s.last
		s.workers[l] = w
		s.running.Go(func() {
			w.run(context.WithoutCancel(ctx))
			s.Refresh()
		})
	}
	return nil
}
