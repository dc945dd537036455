package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/synthook/synthook/hashstore"
)

// anchor is a stream without a record, with whose commits the others append their events
// as ours does: in a transaction that checks a version.
type anchor struct {
	store  *hashstore.Store
	stream int64
	state  hashstore.State
}

func newAnchor(ctx context.Context, db *database) (*anchor, error) {
	stream, err := db.stream(ctx, "anchor")
	if err != nil {
		return nil, err
	}
	a := &anchor{store: hashstore.New(db.DB), stream: stream}
	return a, a.ready(ctx)
}

// ready commits the empty listing where that is not known; it is not measured.
func (a *anchor) ready(ctx context.Context) (err error) {
	if a.state, err = a.store.Load(ctx, a.stream); err != nil || a.state.Version != 0 {
		return err
	}
	if err := a.commit(ctx, hashstore.Commit{}); err != nil {
		return err
	}
	a.state, err = a.store.Load(ctx, a.stream)
	return err
}

func (a *anchor) commit(ctx context.Context, c hashstore.Commit) error {
	none, err := a.store.Compare(ctx, a.state, hashstore.NewListing())
	if err == nil {
		_, err = a.store.Commit(ctx, a.state, none, c)
	}
	if err != nil {
		return fmt.Errorf("commit with the empty stream: %w", err)
	}
	return nil
}

// floor is what either way of storing has in common: the events.
type floor struct {
	anchor *anchor
	name   string
	ids    []string
}

func (f *floor) list(w world, round int) {
	f.ids = nil
	for id := range w.changes(round, f.name == created) {
		f.ids = append(f.ids, id)
	}
}

func (f *floor) compare(context.Context) (found int, err error) { return len(f.ids), nil }

func (f *floor) commit(ctx context.Context) error {
	if len(f.ids) == 0 {
		return nil
	}
	return f.anchor.commit(ctx, hashstore.Commit{Events: func(yield func(hashstore.Event) bool) {
		at := time.Now()
		for _, id := range f.ids {
			if !yield(event(f.name, id, at)) {
				return
			}
		}
	}})
}

func (f *floor) reset(ctx context.Context) error { return f.anchor.ready(ctx) }

func (f *floor) tables() []string { return nil }
