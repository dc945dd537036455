package poller

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

// A complete listing that takes long is kept every now and then, in one transaction: what
// it has seen so far, where it can go on, and the changes found in it, which are told. A
// later poll of the stream takes it up there. What has gone is known at its end only.

const (
	keptRecords = 1000           // a checkpoint that keeps fewer waits up to ten times as long
	keptFor     = 24 * time.Hour // an older checkpoint is of another time: the listing begins anew
)

// interrupted stands in a poll's row while its listing is under way.
const interrupted = "the listing was interrupted: the next poll goes on with it"

// early is what the checkpoints of a listing have told.
type early struct{ created, updated, events int }

// checkpoints is what the next checkpoint goes on from.
type checkpoints struct {
	at      time.Time // the last one
	records int       // of the listing then
	seq     int       // of its segments
	created int       // records that the listing has added to what is known
	lost    bool      // a page could not be gone on behind: the listing can't be taken up any more
}

// position is where a listing can be taken up again.
type position struct {
	Resume   string    `json:"resume"` // the provider's
	Walk     int       `json:"walk"`   // 1, or 2 of a listing that is read twice
	Pages    int       `json:"pages"`
	Records  int       `json:"records"`
	Capacity int       `json:"capacity"`
	Created  int       `json:"created"`
	Seq      int       `json:"seq"`
	Began    time.Time `json:"began"` // by the provider's clock; zero: it does not tell
}

func (a *attempt) positionPurpose() string {
	return fmt.Sprintf("stream:%d:position:%s", a.streamID, a.bound)
}

// listAll makes a complete listing, or the rest of one that was interrupted.
func (a *attempt) listAll(ctx context.Context) (*walk, error) {
	w, err := a.takeUp(ctx)
	if err != nil {
		return nil, err
	}
	from := w.pages
	if from == 0 && a.find.same && !a.relaid && a.state.Version != 0 && !a.doubted {
		w.options.Validators = a.remembered().Full
	}
	err = a.list(ctx, a.recordType, w)
	if from > 0 && w.pages == from && refuses(err) {
		if err := a.dropListing(ctx, a.DB, true); err != nil {
			return nil, err
		}
		w = a.fresh()
		err = a.list(ctx, a.recordType, w)
	}
	a.result.Pages, a.result.Requests, a.bytes = w.pages, w.requests, w.bytes
	if err != nil {
		return nil, err
	}
	return w, a.remind(w, memory{Full: w.validators, Latest: w.validators})
}

// refuses tells whether an error says that the provider doesn't go on where it is asked to.
func refuses(err error) bool {
	refusal, ok := errors.AsType[*providers.Error](err)
	return errors.Is(err, providers.ErrResume) || ok && worthless(refusal)
}

// worthless tells whether an error says that what was listed so far leads nowhere.
func worthless(err *providers.Error) bool {
	return err.Kind == providers.Protocol || err.Kind == providers.NotFound || err.Kind == providers.Refused
}

// fresh begins a listing.
func (a *attempt) fresh() *walk {
	w := newWalk()
	w.union, w.onPage = a.find.silent, a.onPage
	a.kept = checkpoints{at: time.Now()}
	a.seen.begin(a.started, 0, w)
	return w
}

// takeUp goes on with an interrupted listing, where there is one that still fits.
func (a *attempt) takeUp(ctx context.Context) (*walk, error) {
	w := a.fresh()
	if !a.listing {
		return w, nil
	}
	var started time.Time
	var resumed int
	var sealed []byte
	err := a.DB.QueryRowContext(ctx, `SELECT started_at, resumed, CASE WHEN updated_at > `+a.after("$1")+` THEN position END AS position
		FROM listings WHERE stream_id = $2`, -keptFor.Microseconds(), a.streamID).Scan(&started, &resumed, &sealed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read listing under way: %w", err)
	}
	var p position
	if len(sealed) > 0 {
		if plain, err := a.Sealer.Open(sealed, a.positionPurpose()); err == nil {
			_ = json.Unmarshal(plain, &p)
		}
	}
	if p.Pages > 0 {
		if err = a.restore(ctx, w, p); err == nil {
			w.resumed = true
			a.kept = checkpoints{at: time.Now(), records: p.Records, seq: p.Seq, created: p.Created}
			a.seen.begin(started.UTC(), resumed+1, w)
			return w, nil
		}
		if !errors.Is(err, hashstore.ErrCorrupt) {
			return nil, err
		}
	}
	return a.fresh(), a.dropListing(ctx, a.DB, true)
}

// restore puts together what a listing has seen up to p.
func (a *attempt) restore(ctx context.Context, w *walk, p position) error {
	w.options.Resume, w.pages, w.records, w.capacity, w.began = p.Resume, p.Pages, p.Records, p.Capacity, p.Began
	first := w.listing
	if p.Walk == 2 {
		w.first = hashstore.NewListing()
		first = w.first
	}
	gone := hashstore.NewListing()
	into := map[string]*hashstore.Listing{"listing": w.listing, "former": w.former, "first": first, "gone": gone}
	rows, err := a.DB.QueryContext(ctx, `SELECT seq, kind, segment FROM listing_segments WHERE stream_id = $1 AND seq <= $2 ORDER BY seq`, a.streamID, p.Seq)
	if err != nil {
		return fmt.Errorf("read listing under way: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int
		var kind string
		var segment []byte
		if err := rows.Scan(&seq, &kind, &segment); err != nil {
			return fmt.Errorf("read listing under way: %w", err)
		}
		if kind == "gone" && seq < p.Seq {
			continue // said before; the last word counts
		}
		if _, err := into[kind].AddSegment(segment); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read listing under way: %w", err)
	}
	for item := range gone.All() {
		w.said[item.ID] = true
	}
	return nil
}

// onPage counts a page, and makes a checkpoint when it is time for one.
func (a *attempt) onPage(ctx context.Context, w *walk, resume string) error {
	a.seen.see(w)
	age, records := time.Since(a.kept.at), w.records-a.kept.records
	if age < a.Checkpoint || records < keptRecords && age < 10*a.Checkpoint {
		return nil
	}
	return a.checkpoint(ctx, w, resume)
}

func (a *attempt) checkpoint(ctx context.Context, w *walk, resume string) error {
	began := time.Now()
	defer func() { a.storeTime += time.Since(began) }()
	next, pollID, told := a.kept, a.pollID, a.early
	next.at, next.records, next.seq = began, w.records, next.seq+1
	next.lost = next.lost || resume == ""
	a.result.Pages, a.result.Records = w.pages, w.records
	keep := func(ctx context.Context, tx *sql.Tx) error { return a.keep(ctx, tx, w, next, resume) }
	d, err := a.compareEarly(ctx, w)
	if d != nil {
		created, _, _ := d.Counts()
		next.created += created
	}
	switch {
	case err != nil:
		return err
	case d == nil:
		err = a.inTx(ctx, func(tx *sql.Tx) error { return keep(ctx, tx) })
	default:
		err = a.tellEarly(ctx, d, keep)
	}
	if err != nil {
		a.pollID, a.early = pollID, told
		return err
	}
	w.join()
	w.rest, a.kept = nil, next
	return nil
}

// compareEarly finds the changes that can be told before the listing's end; nil: none.
// Where more than half of what was listed differs, or a quarantine waits for its decision, the
// whole listing will be judged as one.
func (a *attempt) compareEarly(ctx context.Context, w *walk) (*hashstore.Difference, error) {
	f := &a.find
	if err := a.nameFields(w.piece, w.formerPiece, true); err != nil {
		return nil, err
	}
	if f.silent || f.blind || f.mapped || a.relaid || a.before.holds() {
		return nil, nil
	}
	piece := a.comparable(w.piece, w.formerPiece)
	d, err := a.Store.ComparePartial(ctx, a.state, piece, nil)
	if err != nil || d.Unchanged() {
		return nil, err
	}
	created, updated, _ := d.Counts()
	if a.state.Version != 0 && 2*(created+updated) > piece.Len() {
		return nil, nil
	}
	return d, nil
}

// tellEarly makes a checkpoint's changes known, and tells them.
func (a *attempt) tellEarly(ctx context.Context, d *hashstore.Difference, keep func(context.Context, *sql.Tx) error) error {
	created, updated, _ := d.Counts()
	a.early = early{a.early.created + created, a.early.updated + updated, a.early.events + created + updated}
	a.result.Created, a.result.Updated, a.result.Events = a.early.created, a.early.updated, a.early.events
	c := hashstore.Commit{Recipe: a.state.Recipe, Events: a.events(d, changes(d))}
	if a.state.Version == 0 {
		var err error
		if c.Recipe, err = a.recipe.encode(); err != nil {
			return err
		}
	}
	c.Guard = func(ctx context.Context, tx *sql.Tx) error {
		if err := keep(ctx, tx); err != nil {
			return err
		}
		return a.remember(ctx, tx, interrupted)
	}
	if _, err := a.Store.Commit(ctx, a.state, d, c); err != nil {
		return err
	}
	var err error
	a.state, err = a.Store.Load(ctx, a.streamID)
	return err
}

// changes are what a listing adds and changes.
func changes(d difference) iter.Seq2[diff.Op, hashstore.Item] {
	return func(yield func(diff.Op, hashstore.Item) bool) {
		for item := range d.Created() {
			if !yield(diff.Created, item) {
				return
			}
		}
		for item := range d.Updated() {
			if !yield(diff.Updated, item) {
				return
			}
		}
	}
}

// keep writes what was listed since the last checkpoint, and where to go on.
func (a *attempt) keep(ctx context.Context, tx *sql.Tx, w *walk, next checkpoints, resume string) error {
	p := position{Resume: resume, Walk: 1, Pages: w.pages, Records: w.records, Capacity: w.capacity, Created: next.created, Seq: next.seq, Began: w.began}
	if w.first != nil {
		p.Walk = 2
	}
	var sealed []byte
	if !next.lost {
		plain, err := json.Marshal(p)
		if err == nil {
			sealed, err = a.Sealer.Seal(plain, a.positionPurpose())
		}
		if err != nil {
			return fmt.Errorf("keep the listing's position: %w", err)
		}
	}
	if err := a.renew(ctx, tx, a.claim); err != nil { // nobody takes the stream away before this is committed
		return err
	}
	now, _ := a.seen.now()
	if err := a.writeProgress(ctx, tx, now); err != nil {
		return err
	}
	a.seen.wrote()
	if _, err := tx.ExecContext(ctx, `UPDATE listings SET position = $1 WHERE stream_id = $2`, sealed, a.streamID); err != nil {
		return fmt.Errorf("keep the listing's position: %w", err)
	}
	if next.lost {
		return nil
	}
	return a.keepSegments(ctx, tx, w, next.seq)
}

func (a *attempt) keepSegments(ctx context.Context, tx *sql.Tx, w *walk, seq int) error {
	kind := "listing"
	if w.union && a.info.Positional && w.first == nil {
		kind = "first"
	}
	segments := map[string]*hashstore.Listing{kind: w.piece, "former": w.formerPiece, "gone": hashstore.NewListing()}
	if w.rest != nil {
		if err := a.nameFields(w.rest, nil, true); err != nil {
			return err
		}
		segments["first"] = w.rest
	}
	for id := range w.said {
		segments["gone"].Add(id, diff.Place(id), 0)
	}
	for kind, l := range segments {
		if l.Len() == 0 {
			continue
		}
		segment, err := l.Segment()
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO listing_segments (stream_id, seq, kind, segment) VALUES ($1, $2, $3, $4)`, a.streamID, seq, kind, segment)
		}
		if err != nil {
			return fmt.Errorf("keep listing: %w", err)
		}
	}
	return nil
}
