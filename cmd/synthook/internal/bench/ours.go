package bench

import (
	"context"
	"time"

	"github.com/synthook/synthook/hashstore"
)

// ours is the hash store.
type ours struct {
	db      *database
	store   *hashstore.Store
	stream  int64
	listing *hashstore.Listing
	state   hashstore.State
	found   *hashstore.Difference
}

func newOurs(ctx context.Context, db *database) (*ours, error) {
	stream, err := db.stream(ctx, "ours")
	return &ours{db: db, store: hashstore.New(db.DB), stream: stream}, err
}

func (o *ours) list(w world, round int) {
	o.found, o.state = nil, hashstore.State{}
	o.listing = w.listing(round)
}

func (o *ours) compare(ctx context.Context) (found int, err error) {
	if o.state, err = o.store.Load(ctx, o.stream); err != nil {
		return 0, err
	}
	if o.found, err = o.store.Compare(ctx, o.state, o.listing); err != nil {
		return 0, err
	}
	created, updated, missing := o.found.Counts()
	return created + updated + missing, nil
}

func (o *ours) commit(ctx context.Context) error {
	if o.found.Unchanged() {
		return nil
	}
	_, err := o.store.Commit(ctx, o.state, o.found, hashstore.Commit{Events: o.events})
	return err
}

func (o *ours) events(yield func(hashstore.Event) bool) {
	at := time.Now()
	for item := range o.found.Created() {
		if !yield(event(created, item.ID, at)) {
			return
		}
	}
	for item := range o.found.Updated() {
		e := event(updated, item.ID, at)
		e.Fields = o.found.FieldNames(item.Changed)
		if !yield(e) {
			return
		}
	}
}

func (o *ours) reset(ctx context.Context) error { return o.db.clear(ctx, "stream_states") }

func (o *ours) tables() []string { return []string{"stream_states", "stream_parts", "stream_runs"} }
