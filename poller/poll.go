package poller

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/rs/zerolog"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
)

// Result is the outcome of one poll. Changes are those that were believed and told of:
// a silent first listing has none.
type Result struct {
	Complete    bool   `json:"complete"`    // the listing reached its end
	Incremental bool   `json:"incremental"` // and was of changes alone: it says nothing about absence
	Pages       int    `json:"pages"`
	Requests    int    `json:"requests"`
	Records     int    `json:"records"`
	Created     int    `json:"created"`
	Updated     int    `json:"updated"`
	Deleted     int    `json:"deleted"`
	Suspected   int    `json:"suspected"`   // missing once
	Hidden      int    `json:"hidden"`      // missing, but there when asked for
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
	state     hashstore.State
	before    doubts
	find      finding // what is known of the stream before it is listed
	early     early   // what checkpoints have told
	seen      progress
	kept      checkpoints
	result    Result
	fields    map[string]int // in how many of the updated records each changed, held ones included
	relaid    bool           // what is kept of fields changes with the next complete listing
	outcome   string         // for the log
	pollID    int64          // of the poll's own row; 0: there is none yet
	relist    bool           // a complete listing is wanted soon
	memory    []byte         // sealed validators for later polls; nil: none
	asOf      time.Time      // all that changed before it is known once the poll has succeeded
	asked     int            // records that were asked for
	bytes     int64
	storeTime time.Duration // spent on what is known: load, compare, write
}

// poll carries a claimed stream's poll to its end. What the provider does is an
// outcome: it stands in the result and in the stream's row. An error says that
// nothing was written, or that ctx ended.
func (p *Poller) poll(ctx context.Context, c *claim) (Result, error) {
	a := &attempt{Poller: p, claim: c, started: c.time()}
	c.beat = a.showProgress
	defer p.Underway.begin(c.streamID, &a.seen)()
	err := p.underLease(ctx, c, a.run)
	switch {
	case err == nil, errors.Is(err, errLeaseLost):
	case ctx.Err() != nil:
		err = context.Cause(ctx) // whatever a driver makes of a statement that is cut off
	default:
		err = a.fail(ctx, err)
	}
	if err == nil && a.result.Error == "" && a.account.checks > 0 {
		a.reassured(ctx)
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

func (a *attempt) run(ctx context.Context) error {
	if err := a.prepare(ctx); err != nil {
		return err
	}
	if a.quotas != nil {
		if err := a.takeUpQuotas(ctx, a.account.id, a.quotas); err != nil {
			return err
		}
		defer a.keepQuotas(ctx, a.account.id, a.quotas)
	}
	if a.attention {
		if err := a.askAgain(ctx); err != nil {
			return err
		}
	}
	if a.incremental() {
		return a.listChanges(ctx)
	}
	w, err := a.listAll(ctx)
	if err != nil {
		return err
	}
	a.result.Complete, a.result.Records = true, w.listing.Len()
	reached := time.Now()
	defer func() { a.storeTime += time.Since(reached) }()
	if w.unmodified {
		a.result.Records, a.outcome = a.state.Records, "not_modified"
		return a.end(ctx)
	}
	d, err := a.Store.Compare(ctx, a.state, a.comparable(w.listing, w.former))
	if err != nil {
		return err
	}
	f, known := a.find, a.state.Records-a.kept.created // what the listing itself has added proves nothing
	f.fields = changedFieldsOf(d)
	f.difference, f.listed, f.onePage, f.known = a.sift(d, a.before), a.result.Records, w.onePage(known), known
	for item := range d.Missing() {
		if w.said[item.ID] {
			f.gone = append(f.gone, item.Place) // by place, as Missing is
		}
	}
	return a.judge(ctx, d, w, f)
}

// prepare finds out how the stream is read and what is known of it.
func (a *attempt) prepare(ctx context.Context) (err error) {
	if a.plan, err = a.Poller.plan(a.claim); err != nil {
		return err
	}
	if a.doubted {
		if a.before, err = loadDoubts(ctx, a.DB, a.streamID); err != nil {
			return err
		}
	}
	loading := time.Now()
	if a.state, err = a.Store.Load(ctx, a.streamID); err != nil {
		return err
	}
	a.storeTime = time.Since(loading)
	known := a.state.Version != 0
	a.find = finding{silent: !known && a.baseline != BaselineEmit, trust: a.trust, confirms: a.info.Confirms, following: following{same: !known}}
	if known {
		a.find.following, err = a.follow(a.state.Recipe, func(id string) ([]byte, error) { return a.formerKey(ctx, a.account.projectID, id) })
		a.former = a.find.former
	}
	if err == nil {
		a.relaid, err = a.readFields(a.state)
	}
	return err
}

// comparable is the one of two listings that can be compared with what is known.
func (a *attempt) comparable(listing, former *hashstore.Listing) *hashstore.Listing {
	if a.former != nil {
		return former
	}
	return listing
}

// judge decides what of a listing is believed, and writes it.
func (a *attempt) judge(ctx context.Context, d *hashstore.Difference, w *walk, f finding) error {
	said, err := a.ask(ctx, a.recordType, f.questions(a.before, a.time()), w.control(f))
	if err != nil {
		return err
	}
	f.gone, f.exist = union(f.gone, said.gone), said.exist
	a.asked, a.result.Requests = said.asked, a.result.Requests+said.asked
	decided := f.decide(a.before, a.time())
	if decided.quiet(a.before) && f.same && !a.relaid && a.pollID == 0 {
		a.outcome = "unchanged"
		return a.quieten(ctx, decided.after)
	}
	a.outcome, a.relist = decided.outcome, decided.relist
	a.result.Suspected, a.result.Hidden, a.result.Quarantined = len(decided.suspected), len(decided.hidden), len(decided.held)+len(decided.stormed)
	if !f.silent && f.sees() {
		a.fields = f.fields.byName
	}
	if decided.holds() || decided.relist {
		return a.recordAlone(ctx, decided.after)
	}
	c := hashstore.Commit{Recipe: a.state.Recipe, Delete: decided.deletes}
	if !f.partial && (a.former == nil || decided.rebases()) {
		if c.Recipe, err = a.recipe.encode(); err != nil {
			return err
		}
		if a.former != nil {
			c.Rebase = w.listing
		}
	}
	return a.commit(ctx, d, c, decided)
}

// commit writes what is believed, and tells it.
func (a *attempt) commit(ctx context.Context, d *hashstore.Difference, c hashstore.Commit, decided decision) (err error) {
	a.result.Created = a.early.created + decided.created
	a.result.Updated = a.early.updated + decided.updated
	a.result.Deleted = len(decided.deleted)
	told := decided.created + decided.updated + a.result.Deleted
	a.result.Events = a.early.events + told
	c.Guard = func(ctx context.Context, tx *sql.Tx) error { return a.record(ctx, tx, decided.after) }
	if told > 0 {
		c.Events = a.events(d, decided.told())
	}
	if _, err = a.Store.Commit(ctx, a.state, d, c); err == nil && c.Rebase != nil {
		a.dropKeys(ctx)
	}
	return err
}

// quieten ends a poll that found nothing. A doubt that a person has ended goes with it.
func (a *attempt) quieten(ctx context.Context, after doubts) error {
	if !a.doubted || !after.none() {
		return a.end(ctx)
	}
	return a.inTx(ctx, func(tx *sql.Tx) error {
		if err := a.succeed(ctx, tx, after); err != nil {
			return err
		}
		return a.doubt(ctx, tx, after)
	})
}

// recordAlone writes what is doubted, and nothing to the hash store.
func (a *attempt) recordAlone(ctx context.Context, after doubts) error {
	return a.inTx(ctx, func(tx *sql.Tx) error {
		return a.record(ctx, tx, after)
	})
}

// events are those of what is told; all of one poll bear one time.
func (a *attempt) events(d *hashstore.Difference, told iter.Seq2[diff.Op, hashstore.Item]) iter.Seq[hashstore.Event] {
	now := a.time()
	return func(yield func(hashstore.Event) bool) {
		for op, item := range told {
			if !yield(hashstore.Event{
				ProjectID: a.account.projectID, AccountID: a.account.id, Provider: a.account.provider,
				Name: a.info.EventPrefix + "." + op.String(), RecordType: a.recordType, RecordID: item.ID,
				OccurredAt: now, PollID: a.pollID, Fields: d.FieldNames(item.Changed),
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
		Str("outcome", a.outcome).Bool("complete", r.Complete).Bool("incremental", r.Incremental).Int("pages", r.Pages).Int("requests", r.Requests).Int64("bytes", a.bytes).
		Int("records", r.Records).Int("created", r.Created).Int("updated", r.Updated).Int("deleted", r.Deleted).
		Int("suspected", r.Suspected).Int("hidden", r.Hidden).Int("asked", a.asked).Int("quarantined", r.Quarantined).Int("events", r.Events).
		Int64("duration_ms", r.DurationMS).Int64("store_us", a.storeTime.Microseconds()).
		AnErr("error", err).Str("reason", r.Error).Msg("poll")
}
