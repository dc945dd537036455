package hashstore

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/synthook/synthook/diff"
)

func contentsOf(l *Listing) contents {
	c := contents{}
	for item, fingerprint := range l.All() {
		c[item.ID] = fingerprint
	}
	return c
}

func TestListingKeepsTheLastOfAnID(t *testing.T) {
	l := NewListing()
	for i, id := range []string{"7", "8", "7", "007", "9", "7"} {
		l.Add(id, diff.Place(id), uint64(i+1))
	}
	if l.Len() != 4 {
		t.Fatalf("%d records", l.Len())
	}
	if c := contentsOf(l); c["7"] != 6 || c["8"] != 2 || c["007"] != 4 || c["9"] != 5 {
		t.Fatalf("%v", c)
	}
	l.Add("8", diff.Place("8"), 7)
	if l.Len() != 4 || contentsOf(l)["8"] != 7 {
		t.Fatalf("after one more: %v", contentsOf(l))
	}
}

func TestUnion(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, place := range []func(string) uint64{diff.Place, func(string) uint64 { return 1 << 63 }} {
		a, b, want := contents{}, contents{}, contents{}
		for range 500 {
			id := someID(random)
			if where := random.IntN(3); where != 1 {
				a[id] = random.Uint64() | 1
			} else if where != 0 {
				b[id] = random.Uint64() | 1
			}
		}
		maps.Copy(want, b)
		maps.Copy(want, a)
		l := listingOf(a, place, random)
		l.Union(listingOf(b, place, random))
		l.Union(NewListing())
		if l.Len() != len(want) {
			t.Fatalf("%d records, want %d", l.Len(), len(want))
		}
		for id, fingerprint := range contentsOf(l) {
			if want[id] != fingerprint {
				t.Fatalf("%q has %d, want %d", id, fingerprint, want[id])
			}
		}
	}
}

func TestPartBits(t *testing.T) {
	for _, c := range []struct{ records, present, want int }{
		{0, 0, 0}, {4096, 0, 0}, {8192, 0, 0}, {8193, 0, 1}, {100_000, 0, 5}, {1_000_000, 0, 8},
		{100_000, 5, 5}, {65_536, 5, 5}, {65_535, 5, 4}, {262_144, 5, 5}, {262_176, 5, 6},
		{3_000, 1, 0}, {0, 8, 0}, {1 << 40, 0, 24},
	} {
		if got := partBits(c.records, partSize, c.present); got != c.want {
			t.Errorf("%d records, %d bits: %d bits, want %d", c.records, c.present, got, c.want)
		}
	}
}
