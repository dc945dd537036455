// Package poller decides when a stream is polled, carries one poll from end to end, and
// says what of it is believed: the only place where providers, diff and hashstore meet.
//
// It owns projects, former_keys, accounts, record_type_schedules, streams, doubts, polls,
// listings and listing_segments. The rows are authoritative: any number of processes share one PostgreSQL, and what holds
// a stream for one of them is the lease in its row. It never keeps a record's content
// longer than it takes to fingerprint it, never concludes anything from a listing that
// did not reach its end, and never sends anything to anybody.
//
// Words: to claim a stream is to take its lease, a time until which nobody else polls
// it. Every claim raises the stream's fence; what a poll writes is refused when the
// fence has risen since. A poll is revoked by raising it (its account's credentials
// were replaced, its quarantine was decided): it comes to nothing and the next one
// starts from the new facts.
package poller

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/rs/zerolog"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

// Sealer encrypts what must not stand in the database as it is. Purpose binds the
// sealed text to its place.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Config is what this package's four types are made of. Zero values of the durations
// and numbers mean their defaults.
type Config struct {
	DB      *sql.DB
	Store   *hashstore.Store
	Catalog *providers.Catalog
	Sealer  Sealer
	Logger  zerolog.Logger

	HTTP      *http.Client // for the providers; it keeps away from addresses that may not be asked
	UserAgent string       // to the providers; synthook

	// CheckURL refuses a base URL that may not be polled (a private address); nil: all may.
	CheckURL func(ctx context.Context, url string) error
	// Wake is called when a stream became due by a user's hand; nil: nobody is told.
	// Poller.Wake is made for it.
	Wake func()
	// OnPoll is told of every poll that ended, OnSilence of a provider that asked for
	// silence. They must not block; nil: nobody watches.
	OnPoll    func(Report)
	OnSilence func(provider string)

	// Underway is told of polls by the Poller, and asked by Streams; nil: Streams tell of
	// polls what their rows say.
	Underway *Underway

	MinInterval  time.Duration // shortest interval that may be asked for; 5 minutes
	Checkpoint   time.Duration // how often a long listing is kept, so that it can go on after a restart; 1 minute
	ConfirmDelay time.Duration // longest wait for the listing that confirms a suspicion; 15 seconds
	Lease        time.Duration // how long a process that died keeps its streams; 30 seconds
	Concurrency  int           // polls at once in this process; 32
	PerAccount   int           // polls at once of one account; 2
}

// core is what the four types share.
type core struct {
	Config
	schedules *schedules

	// The database's clock, in its own words: the replicas' clocks may differ.
	now        string // for comparisons and assignments
	nowMicros  string // as a number
	forUpdate  string
	skipLocked string // not "": claims are one statement
}

func newCore(c Config) *core {
	c.MinInterval = cmp.Or(c.MinInterval, DefaultMinInterval)
	c.ConfirmDelay = cmp.Or(c.ConfirmDelay, 15*time.Second)
	c.Checkpoint = cmp.Or(c.Checkpoint, time.Minute)
	c.Lease = cmp.Or(c.Lease, 30*time.Second)
	c.Concurrency = cmp.Or(c.Concurrency, 32)
	c.PerAccount = cmp.Or(c.PerAccount, 2)
	if c.Underway == nil {
		c.Underway = &Underway{}
	}
	k := &core{
		Config:    c,
		schedules: newSchedules(c.MinInterval),
		now:       "CAST(unixepoch('subsec') * 1000000 AS integer)",
		nowMicros: "CAST(unixepoch('subsec') * 1000000 AS integer)",
	}
	if _, postgres := c.DB.Driver().(*stdlib.Driver); postgres {
		k.now = "now()"
		k.nowMicros = "CAST(extract(epoch FROM now()) * 1000000 AS bigint)"
		k.forUpdate = " FOR UPDATE"
		k.skipLocked = " FOR UPDATE OF s SKIP LOCKED"
	}
	return k
}

// after is the database's time a parameter's number of microseconds from now.
func (k *core) after(parameter string) string {
	if k.skipLocked != "" {
		return "(now() + CAST(" + parameter + " AS bigint) * interval '1 microsecond')"
	}
	return "(" + k.now + " + " + parameter + ")"
}

func (k *core) woken() {
	if k.Wake != nil {
		k.Wake()
	}
}

// lister reads a stream page by page: a providers.Client.
type lister interface {
	List(ctx context.Context, recordType string, o providers.ListOptions) iter.Seq2[providers.Page, error]
	// Exists asks for one record; only where StreamInfo.Confirms.
	Exists(ctx context.Context, recordType, id string) (bool, error)
	Stream(recordType string) (providers.StreamInfo, bool)
	prober
}

// Poller polls streams. It is safe for concurrent use; any number of Pollers, in this
// process or others, may share a database.
type Poller struct {
	*core
	owner string // of leases
	wake  chan struct{}
	open  func(c *providers.Connector, t providers.Target, o providers.Options) (lister, error)

	doctorPause time.Duration
	doctorRoom  room

	mu      sync.Mutex
	budgets map[string]*providers.Budget // by account id

	tokenStores map[string]*tokenStore // by account id
}

// New returns a Poller. Nothing happens until Run or Poll is called.
func New(c Config) *Poller {
	return &Poller{
		core:    newCore(c),
		owner:   rand.Text(),
		wake:    make(chan struct{}, 1),
		budgets: map[string]*providers.Budget{},

		tokenStores: map[string]*tokenStore{},
		open: func(c *providers.Connector, t providers.Target, o providers.Options) (lister, error) {
			return c.Open(t, o)
		},
		doctorPause: doctorPause,
		doctorRoom:  room{doctorRecords, doctorDigests},
	}
}

// Wake makes Run look for due streams at once.
func (p *Poller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

const (
	lookEvery = time.Second      // for due streams, when nobody wakes Run
	lookAgain = 30 * time.Second // longest wait while the database does not answer
	askEvery  = 100 * time.Millisecond
)

// Run polls what is due until ctx ends; then it cancels the polls under way, gives
// their streams back and returns nil. A database that goes away is waited for.
func (p *Poller) Run(ctx context.Context) error {
	slots := make(chan struct{}, p.Concurrency)
	var polls sync.WaitGroup
	defer polls.Wait()
	wait, orphaned := lookEvery, true
	for ctx.Err() == nil {
		var claims []*claim
		err := p.adopt(ctx, &orphaned)
		if err == nil {
			claims, err = p.claimDue(ctx, p.Concurrency-len(slots))
		}
		switch {
		case err != nil:
			wait = min(2*wait, lookAgain)
			p.Logger.Warn().Err(err).Dur("retry_in", wait).Msg("due streams not claimed")
		case wait > lookEvery:
			wait = lookEvery
			p.Logger.Info().Msg("due streams claimed again")
		}
		for _, c := range claims {
			slots <- struct{}{}
			polls.Go(func() {
				_, _ = p.poll(ctx, c) // it has written its own line
				<-slots
				p.Wake()
			})
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-time.After(wait):
		}
	}
	return nil
}

// Poll polls one stream now, whatever its schedule says and whether it is paused or
// not; a poll of it that is under way is waited for. It needs no Run. What the provider
// does stands in the result; the error is ErrNotFound, the database's or ctx's.
func (p *Poller) Poll(ctx context.Context, streamID int64) (Result, error) {
	for {
		c, err := p.claimOne(ctx, streamID)
		if err == nil {
			var result Result
			if result, err = p.poll(ctx, c); !errors.Is(err, errLeaseLost) {
				return result, err
			}
		} else if !errors.Is(err, ErrPolling) {
			return Result{}, err
		}
		select {
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		case <-time.After(askEvery):
		}
	}
}

// ErrNotFound says that the project has no such account, stream or project.
var ErrNotFound = errors.New("not found")

// ErrPolling says that a poll of the stream is under way.
var ErrPolling = errors.New("the stream is being polled")

func notFound(what string) error { return fmt.Errorf("%s %w", what, ErrNotFound) }

// InvalidError says which field of a request can't be accepted, and why.
type InvalidError struct {
	Field   string // as the API names it
	Message string
	Code    string // what the provider's answer says is wrong, see Finding.Fault; "": it was not asked
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }

func invalid(field string, format string, args ...any) error {
	return &InvalidError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// errLeaseLost says that the stream was claimed by somebody else, revoked or deleted.
var errLeaseLost = errors.New("the poll has lost its stream to another one")
