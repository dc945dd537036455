package diff

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCompareAgreesWithMaps(t *testing.T) {
	streams := rapid.MapOf(rapid.Uint64Range(0, 20), rapid.Uint64Range(1, 3))
	rapid.Check(t, func(t *rapid.T) {
		old, new := streams.Draw(t, "old"), streams.Draw(t, "new")
		type change struct {
			Place uint64
			Op    string
		}
		var want, got []change
		for place := range uint64(21) {
			was, is := old[place], new[place]
			switch {
			case was == 0 && is != 0:
				want = append(want, change{place, "created"})
			case was != 0 && is == 0:
				want = append(want, change{place, "deleted"})
			case was != is:
				want = append(want, change{place, "updated"})
			}
		}
		before, after := entries(old), entries(new)
		Compare(before, after, func(op Op, i, j int) {
			switch {
			case op == Created && i != -1, op == Deleted && j != -1, op == Updated && before[i].Place != after[j].Place:
				t.Fatalf("%v of %d and %d", op, i, j)
			case op == Deleted:
				got = append(got, change{before[i].Place, op.String()})
			default:
				got = append(got, change{after[j].Place, op.String()})
			}
		})
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func entries(stream map[uint64]uint64) []Entry {
	var all []Entry
	for _, place := range slices.Sorted(maps.Keys(stream)) {
		all = append(all, Entry{place, stream[place]})
	}
	return all
}

func TestComparePairsEntriesThatShareAPlace(t *testing.T) {
	var got []Op
	record := func(op Op, _, _ int) { got = append(got, op) }
	two, three := []Entry{{1, 7}, {1, 8}}, []Entry{{1, 7}, {1, 9}, {1, 10}}
	Compare(two, three, record)
	Compare(three, two, record)
	if d := cmp.Diff([]Op{Updated, Created, Updated, Deleted}, got); d != "" {
		t.Error(d)
	}
}
