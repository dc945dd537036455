package poller

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/rs/zerolog"
	"github.com/synthook/synthook/hashstore"
)

// Result is the outcome of one poll. Changes are those that were believed and told of:
// a silent first listing has none.
type Result struct {
	Complete    bool   `json:"complete"` // the listing reached its end
	Pages       int    `json:"pages"`
	Requests    int    `json:"requests"`
	Records     int    `json:"records"`
	Created     int    `json:"created"`
	Updated     int    `json:"updated"`
	Deleted     int    `json:"deleted"`
	Suspected   int    `json:"suspected"`   // missing once
	Quarantined int    `json:"quarantined"` // missing, or updated in the same fields, but too many: nothing of this poll counts
	Events      int    `json:"events"`
	DurationMS  int64  `json:"duration_ms"`
	Error       string `json:"error,omitempty"` // why the listing did not reach its end
}

// attempt is one poll under way.
type attempt struct {
	*Poller
	*claim
	*plan // nil until it is made

	started   time.Time // by the database's clock
	before    doubts
	result    Result
	fields    map[string]int // in how many of the updated records each changed, held ones included
	outcome   string         // for the log
	bytes     int64
	storeTime time.Duration // spent on what is known: load, compare, write
}

// poll carries a claimed stream's poll to its end. What the provider does is an
// outcome: it stands in the result and in the stream's row. An error says that
// nothing was written, or that ctx ended.
func (p *Poller) poll(ctx context.Context, c *claim) (Result, error) {
	a := &attempt{Poller: p, claim: c, started: c.time()}
	err := p.underLease(ctx, c, a.run)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errLeaseLost) {
		err = a.fail(ctx, err)
	}
	a.result.DurationMS = a.time().Sub(a.started).Milliseconds()
	if err != nil {
		a.outcome = "dropped"
		// Where this fails too, the lease runs out by itself.
		_ = p.release(ctx, c)
	}
	a.log(err)
	a.report()
	return a.result, err
}

func (a *attempt) run(ctx context.Context) (err error) {
	if a.plan, err = a.Poller.plan(a.claim); err != nil {
		return err
	}
	if a.doubted {
		if a.before, err = loadDoubts(ctx, a.DB, a.streamID); err != nil {
			return err
		}
	}
	loading := time.Now()
	state, err := a.Store.Load(ctx, a.streamID)
	if err != nil {
		return err
	}
	a.storeTime = time.Since(loading)
	f := finding{known: state.Records, silent: state.Version == 0 && a.baseline != BaselineEmit, trust: a.trust}
	same := state.Version == 0
	if !same {
		same, a.former = a.recipe.follow(state.Recipe)
		f.blind = !same && a.former == nil
	}
	relaid, err := a.readFields(state)
	if err != nil {
		return err
	}
	w, err := a.list(ctx, a.recordType, f.silent)
	a.result.Pages, a.result.Requests, a.bytes = w.pages, w.requests, w.bytes
	if err != nil {
		return err
	}
	a.result.Complete, a.result.Records = true, w.listing.Len()
	reached := time.Now()
	defer func() { a.storeTime += time.Since(reached) }()
	d, err := a.Store.Compare(ctx, state, w.comparable())
	if err != nil {
		return err
	}
	if d.Unchanged() && same && !relaid && !a.doubted {
		a.outcome = "unchanged"
		return a.succeed(ctx, a.DB, doubts{})
	}
	f.fields = changedFieldsOf(d)
	f.difference, f.listed, f.onePage = a.sift(d, a.before), a.result.Records, w.onePage(state.Records)
	return a.judge(ctx, state, d, w, f)
}

// judge decides what of a complete listing is believed, and writes it.
func (a *attempt) judge(ctx context.Context, state hashstore.State, d *hashstore.Difference, w *walk, f finding) error {
	decided := f.decide(a.before, a.time())
	a.outcome, a.result.Suspected, a.result.Quarantined = decided.outcome, len(decided.suspected), len(decided.held)+len(decided.stormed)
	if !f.silent && !f.blind {
		a.fields = f.fields.byName
	}
	if decided.holds() {
		return a.recordAlone(ctx, decided.after)
	}
	a.result.Created, a.result.Updated, a.result.Deleted = decided.created, decided.updated, len(decided.deleted)
	a.result.Events = a.result.Created + a.result.Updated + a.result.Deleted
	var pollID int64
	c := hashstore.Commit{
		Delete: decided.deletes,
		Guard: func(ctx context.Context, tx *sql.Tx) (err error) {
			pollID, err = a.record(ctx, tx, decided.after)
			return err
		},
	}
	if a.result.Events > 0 {
		c.Events = a.events(decided, d, &pollID)
	}
	var err error
	if c.Recipe, err = a.recipe.encode(); err != nil {
		return err
	}
	if w.former != nil {
		if decided.rebases() {
			c.Rebase = w.listing
		} else {
			c.Recipe = state.Recipe
		}
	}
	a.result.Events, err = a.Store.Commit(ctx, state, d, c)
	return err
}

// recordAlone writes what is doubted, and nothing to the hash store.
func (a *attempt) recordAlone(ctx context.Context, after doubts) error {
	return a.inTx(ctx, func(tx *sql.Tx) error {
		_, err := a.record(ctx, tx, after)
		return err
	})
}

// events are those of what is told; all of one poll bear one time.
func (a *attempt) events(decided decision, d *hashstore.Difference, pollID *int64) iter.Seq[hashstore.Event] {
	now := a.time()
	return func(yield func(hashstore.Event) bool) {
		for op, item := range decided.told() {
			if !yield(hashstore.Event{
				ProjectID: a.account.projectID, AccountID: a.account.id, Provider: a.account.provider,
				Name: a.info.EventPrefix + "." + op.String(), RecordType: a.recordType, RecordID: item.ID,
				OccurredAt: now, PollID: *pollID, Fields: d.FieldNames(item.Changed),
			}) {
				return
			}
		}
	}
}

// log writes the poll's one line. It holds counts and names of record types, never an
// id or a content of a record.
func (a *attempt) log(err error) {
	level := zerolog.InfoLevel
	if err != nil && !errors.Is(err, context.Canceled) || a.result.Error != "" {
		level = zerolog.WarnLevel
	}
	r := a.result
	a.Logger.WithLevel(level).Str("account_id", a.account.id).Str("provider", a.account.provider).Str("record_type", a.recordType).
		Str("outcome", a.outcome).Bool("complete", r.Complete).Int("pages", r.Pages).Int("requests", r.Requests).Int64("bytes", a.bytes).
		Int("records", r.Records).Int("created", r.Created).Int("updated", r.Updated).Int("deleted", r.Deleted).
		Int("suspected", r.Suspected).Int("quarantined", r.Quarantined).Int("events", r.Events).
		Int64("duration_ms", r.DurationMS).Int64("store_us", a.storeTime.Microseconds()).
		AnErr("error", err).Str("reason", r.Error).Msg("poll")
}
