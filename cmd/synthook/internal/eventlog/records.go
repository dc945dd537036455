package eventlog

import (
	"context"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
)

// Records is dispatch.Records over a hashstore.Store.
type Records struct{ Store *hashstore.Store }

// Count implements dispatch.Records.
func (r Records) Count(ctx context.Context, streamID int64) (n int64, listed bool, err error) {
	st, err := r.Store.Load(ctx, streamID)
	return int64(st.Records), st.Version > 0, err
}

// Range implements dispatch.Records.
func (r Records) Range(ctx context.Context, streamID int64, from, to uint64) ([]dispatch.Record, error) {
	items, err := r.Store.Walk(ctx, streamID, from, to)
	records := make([]dispatch.Record, 0, len(items))
	for _, item := range items {
		records = append(records, dispatch.Record{ID: item.ID, Place: item.Place})
	}
	return records, err
}

// Place implements dispatch.Records.
func (Records) Place(id string) uint64 { return diff.Place(id) }
