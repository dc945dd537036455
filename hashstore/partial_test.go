package hashstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// A stream that only ever has partial listings grows from nothing, and its parts with it.
func TestPartialListingsBuildAStream(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		const all, step = 60_000, 3000
		known := numbered(all, 1)
		var bits []int
		for from := 0; from < all; from += step {
			l := NewListing()
			for i := max(0, from-step/2); i < from+step; i++ { // some of them again
				id := fmt.Sprint(i)
				l.Add(id, diff.Place(id), known[id])
			}
			st := must[State](t)(s.Load(t.Context(), stream))
			d := must[*Difference](t)(s.ComparePartial(t.Context(), st, l, nil))
			must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r", Delete: always}))
			if n := len(bits); n == 0 || bits[n-1] != d.state.Bits {
				bits = append(bits, d.state.Bits)
			}
		}
		st := must[State](t)(s.Load(t.Context(), stream))
		if d := must[*Difference](t)(s.Compare(t.Context(), st, list1(known))); !d.Unchanged() || st.Records != all {
			t.Fatalf("%d records, want %d; unchanged: %t", st.Records, all, d.Unchanged())
		}
		if len(bits) < 3 || !slices.IsSorted(bits) {
			t.Errorf("bits seen: %v", bits)
		}
	})
}

// A small listing reads what it reaches into, and nothing else.
func TestPartialListingReadsItsPartsOnly(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		st, _ := poll(t, s, stream, numbered(60_000, 1))
		place := diff.Place("7")
		if _, err := db.Exec(`UPDATE stream_parts SET entries = $1 WHERE stream_id = $2 AND part <> $3`,
			[]byte("damaged"), stream, partOf(place, st.Bits)); err != nil {
			t.Fatal(err)
		}
		l := NewListing()
		l.Add("7", place, 77)
		d := must[*Difference](t)(s.ComparePartial(t.Context(), st, l, nil))
		if got := ids(d.Updated()); !slices.Equal(got, []string{"7"}) {
			t.Fatalf("updated: %q", got)
		}
		must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r"}))
		st = must[State](t)(s.Load(t.Context(), stream))
		if d := must[*Difference](t)(s.ComparePartial(t.Context(), st, l, nil)); !d.Unchanged() {
			t.Error("what was committed differs from what is stored")
		}
		if none := must[*Difference](t)(s.ComparePartial(t.Context(), st, NewListing(), nil)); !none.Unchanged() {
			t.Error("nothing listed, and something found")
		}
		if _, err := s.Commit(t.Context(), st, d, Commit{Recipe: "another"}); err == nil {
			t.Error("a partial listing has brought another recipe")
		}
	})
}

func TestSegmentsMakeTheListing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	whole, restored, joined, c := NewListing(), NewListing(), NewListing(), contents{}
	for range 20 {
		piece := NewListing()
		for range random.IntN(50) {
			id, fingerprint := someID(random), random.Uint64()|1
			if known := slices.Sorted(maps.Keys(c)); len(known) > 0 && random.IntN(9) == 0 {
				id = known[random.IntN(len(known))] // again, and the later one counts
			}
			c[id] = fingerprint
			whole.Add(id, diff.Place(id), fingerprint)
			piece.Add(id, diff.Place(id), fingerprint)
		}
		if fields, err := restored.AddSegment(must[[]byte](t)(piece.Segment())); err != nil || fields.Layout != "" {
			t.Fatal(fields, err)
		}
		joined.Append(piece)
	}
	want := maps.Collect(whole.All())
	for what, l := range map[string]*Listing{"of segments": restored, "joined": joined} {
		if got := maps.Collect(l.All()); !maps.Equal(got, want) || l.Len() != len(c) {
			t.Errorf("a listing %s has %d records, want %d", what, len(got), len(want))
		}
	}
	good := must[[]byte](t)(whole.Segment())
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 4
		if _, err := NewListing().AddSegment(bad); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for _, cut := range [][]byte{nil, good[:7], good[:len(good)/2], seal([]byte{200, 1, 0}, 0), seal([]byte{0, 9}, 0)} {
		if _, err := NewListing().AddSegment(cut); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(cut), err)
		}
	}
}
