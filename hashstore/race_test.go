package hashstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"golang.org/x/sync/errgroup"
)

// Four pollers with different listings on one stream: the winner of every version found
// exactly the difference to the winner before it, and the last winner's listing is what
// is stored, with one event for every record that was ever created.
func TestRace(t *testing.T) {
	const pollers, rounds = 4, 40
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		s.partSize = 30
		first, _ := poll(t, s, stream, numbered(100, 0))

		var mu sync.Mutex
		won := map[int64]contents{first.Version: numbered(100, 0)} // by the version that the commit made
		found := map[int64][3][]string{}
		created, conflicts := 0, 0
		var group errgroup.Group
		for p := range pollers {
			random := rand.New(rand.NewPCG(uint64(p), 9))
			group.Go(func() error {
				for range rounds {
					c := numbered(60+random.IntN(80), uint64(random.IntN(3)))
					st, err := s.Load(t.Context(), stream)
					if err != nil {
						return err
					}
					d, err := s.Compare(t.Context(), st, listingOf(c, diff.Place, random))
					n := 0
					if err == nil {
						n, err = s.Commit(t.Context(), st, d, Commit{Recipe: "r", Delete: always, Events: eventsOf(d)})
					}
					mu.Lock()
					switch {
					case errors.Is(err, ErrConflict):
						conflicts++
						err = nil
					case err == nil && !d.Unchanged():
						created += n
						won[st.Version+1] = c
						found[st.Version+1] = [3][]string{ids(d.Created()), ids(d.Updated()), ids(d.Missing())}
					}
					mu.Unlock()
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		last := must[State](t)(s.Load(t.Context(), stream))
		if winners := int64(len(found)); last.Version != first.Version+winners || winners == 0 {
			t.Fatalf("%d winners, but version %d became %d", winners, first.Version, last.Version)
		}
		for version := first.Version + 1; version <= last.Version; version++ {
			before, after := won[version-1], won[version]
			var want [3][]string
			for id, fingerprint := range after {
				if old, ok := before[id]; !ok {
					want[0] = append(want[0], id)
				} else if old != fingerprint {
					want[1] = append(want[1], id)
				}
			}
			for id := range before {
				if _, ok := after[id]; !ok {
					want[2] = append(want[2], id)
				}
			}
			for i := range want {
				slices.Sort(want[i])
			}
			if d := gocmp.Diff(want, found[version]); d != "" {
				t.Fatalf("version %d (-want +found):\n%s", version-first.Version, d)
			}
		}
		if d := must[*Difference](t)(s.Compare(t.Context(), last, list1(won[last.Version]))); !d.Unchanged() {
			t.Fatal("the last winner's listing is not what is stored")
		}
		if n := must[int64](t)(s.Count(t.Context(), EventQuery{})); n != int64(created) {
			t.Fatalf("%d events, want %d", n, created)
		}
		t.Logf("%d winners, %d conflicts", len(found), conflicts)
	})
}

// Two first listings at once: one wins.
func TestRaceOfFirstListings(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				c := maps.Clone(numbered(50, 1))
				c[fmt.Sprint("of ", i)] = 1
				d, err := s.Compare(t.Context(), State{StreamID: stream}, list1(c))
				if err == nil {
					_, err = s.Commit(t.Context(), State{StreamID: stream}, d, Commit{Recipe: "r"})
				}
				errs[i] = err
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, ErrConflict) {
				t.Errorf("got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d first listings were committed", won)
		}
	})
}
