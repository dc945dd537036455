package hashstore

import (
	"errors"
	"testing"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// A walk needs no poll to have found anything, and believes nothing that is damaged.
func TestWalk(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		if items, err := s.Walk(t.Context(), stream, 0, 1<<64-1); err != nil || len(items) != 0 {
			t.Errorf("never listed: %v %v", items, err)
		}
		st := must[State](t)(s.Load(t.Context(), stream))
		d := must[*Difference](t)(s.Compare(t.Context(), st, uuidListing(100, 0, 0)))
		must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r"}))
		if items, err := s.Walk(t.Context(), stream, 0, 1<<64-1); err != nil || len(items) != 100 {
			t.Errorf("%d records, %v", len(items), err)
		}
		for _, damage := range []string{
			`UPDATE stream_parts SET ids = entries`,
			`UPDATE stream_parts SET entries = ids`,
			`DELETE FROM stream_parts`,
		} {
			if _, err := db.Exec(damage); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Walk(t.Context(), stream, 0, 1<<64-1); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", damage, err)
			}
		}
	})
}
