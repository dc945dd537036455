package hashstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// fuse is a context that is cancelled when it has been looked at n times: database/sql
// looks at it before and during every statement.
type fuse struct {
	context.Context
	left   atomic.Int64
	cancel context.CancelFunc
}

func (f *fuse) Done() <-chan struct{} {
	if f.left.Add(-1) == 0 {
		f.cancel()
	}
	return f.Context.Done()
}

// A commit that is cut off anywhere leaves the old state, or is whole.
func TestCommitIsWholeOrNothing(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		s.partSize = 20
		for _, w := range []struct {
			what           string
			added, removed int
		}{{"a run", 3, 1}, {"a fold", 30, 1}, {"another number of parts", 3, 70}} {
			t.Run(w.what, func(t *testing.T) {
				stream := newStream(t, db)
				c := numbered(100, 1)
				st, _ := poll(t, s, stream, c)
				for i := range w.added {
					c[fmt.Sprint("n", i)] = 9
				}
				for i := range w.removed {
					delete(c, fmt.Sprint(i))
				}
				cut := 0
				for n := int64(1); ; n++ {
					inner, cancel := context.WithCancel(t.Context())
					ctx := &fuse{Context: inner, cancel: cancel}
					ctx.left.Store(n)
					d := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
					_, err := s.Commit(ctx, st, d, Commit{Recipe: "r", Delete: always, Events: eventsOf(d)})
					cancel()
					if s.postgres { // it may be at it still: wait until it has let go of the row
						if _, err := db.Exec(`SELECT 1 FROM stream_states WHERE stream_id = $1 FOR UPDATE`, stream); err != nil {
							t.Fatal(err)
						}
					}
					now := must[State](t)(s.Load(t.Context(), stream))
					if now.Version == st.Version {
						if err == nil {
							t.Fatal("a commit that says it succeeded changed nothing")
						}
						cut++
						expectOld(t, s, db, st)
						continue
					}
					if d := must[*Difference](t)(s.Compare(t.Context(), now, list1(c))); !d.Unchanged() {
						t.Fatal("the new state is not whole")
					}
					if got := must[int64](t)(s.Count(t.Context(), EventQuery{})); got != int64(w.added) {
						t.Fatalf("%d events, want %d", got, w.added)
					}
					break
				}
				if cut < 5 {
					t.Fatalf("cut off in only %d places", cut)
				}
				if _, err := db.Exec(`DELETE FROM event_chunks`); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}
