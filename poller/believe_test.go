package poller

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func upTo(n int) []uint64 {
	set := make([]uint64, n)
	for i := range set {
		set[i] = uint64(i + 1)
	}
	return set
}

func TestBelieve(t *testing.T) {
	for name, c := range map[string]struct {
		sight  sighting
		doubts doubts
		want   verdict
	}{
		"nothing missing": {
			sighting{known: 300, listed: 300}, doubts{}, verdict{},
		},
		"one page needs no confirmation": {
			sighting{known: 30, listed: 28, onePage: true, missing: []uint64{3, 9}}, doubts{},
			verdict{deleted: []uint64{3, 9}},
		},
		"missing once is suspected": {
			sighting{known: 300, listed: 298, missing: []uint64{3, 9}}, doubts{},
			verdict{suspected: []uint64{3, 9}},
		},
		"missing twice is deleted, what is new waits": {
			sighting{known: 300, listed: 297, missing: []uint64{3, 9, 11}}, doubts{suspected: []uint64{3, 11}},
			verdict{deleted: []uint64{3, 11}, suspected: []uint64{9}},
		},
		"back again": {
			sighting{known: 300, listed: 300}, doubts{suspected: []uint64{3, 11}}, verdict{},
		},
		"half of what one page held needs confirmation": {
			sighting{known: 12, listed: 6, onePage: true, missing: upTo(6)}, doubts{},
			verdict{suspected: upTo(6)},
		},
		"fewer than half don't": {
			sighting{known: 13, listed: 7, onePage: true, missing: upTo(6)}, doubts{},
			verdict{deleted: upTo(6)},
		},
		"ten are always believed, the second time": {
			sighting{known: 12, listed: 2, onePage: true, missing: upTo(10)}, doubts{suspected: upTo(10)},
			verdict{deleted: upTo(10)},
		},
		"eleven of twelve are not": {
			sighting{known: 12, listed: 1, onePage: true, missing: upTo(11)}, doubts{},
			verdict{held: upTo(11), reason: "11 of 12 records missing in one poll, at most 10 are believed"},
		},
		"a tenth of many is believed": {
			sighting{known: 409, listed: 369, missing: upTo(40)}, doubts{},
			verdict{suspected: upTo(40)},
		},
		"more than a tenth is not": {
			sighting{known: 409, listed: 368, missing: upTo(41)}, doubts{},
			verdict{held: upTo(41), reason: "41 of 409 records missing in one poll, at most 40 are believed"},
		},
		"more than a tenth where the stream bears a fifth": {
			sighting{known: 409, listed: 328, missing: upTo(81), trust: trust{percent: 20}}, doubts{},
			verdict{suspected: upTo(81)},
		},
		"the last of so many equal listings releases": {
			sighting{known: 50, listed: 30, missing: upTo(20), trust: trust{releaseAfter: 3}}, doubts{quarantined: upTo(20), polls: 2},
			verdict{deleted: upTo(20)},
		},
		"one before the last does not": {
			sighting{known: 50, listed: 30, missing: upTo(20), trust: trust{releaseAfter: 3}}, doubts{quarantined: upTo(20), polls: 1},
			verdict{held: upTo(20), reason: "20 of 50 records missing in one poll, at most 10 are believed"},
		},
		"nor does one that lacks others": {
			sighting{known: 50, listed: 29, missing: upTo(21), trust: trust{releaseAfter: 3}}, doubts{quarantined: upTo(20), polls: 5},
			verdict{held: upTo(21), reason: "21 of 50 records missing in one poll, at most 10 are believed"},
		},
		"an empty listing is never believed": {
			sighting{known: 2, listed: 0, onePage: true, missing: upTo(2)}, doubts{},
			verdict{held: upTo(2), reason: "the listing is empty, 2 records were known"},
		},
		"an implausible listing confirms nothing, but shows who is there": {
			sighting{known: 50, listed: 30, missing: upTo(20)}, doubts{suspected: []uint64{7, 44}},
			verdict{suspected: []uint64{7}, held: upTo(20), reason: "20 of 50 records missing in one poll, at most 10 are believed"},
		},
		"a quarantined set that is small again starts as a suspicion": {
			sighting{known: 50, listed: 48, missing: []uint64{4, 5}}, doubts{quarantined: upTo(20)},
			verdict{suspected: []uint64{4, 5}},
		},
		"approved is deleted": {
			sighting{known: 50, listed: 30, missing: upTo(20)}, doubts{quarantined: upTo(20), approved: true},
			verdict{deleted: upTo(20)},
		},
		"approved and empty": {
			sighting{known: 5, listed: 0, missing: upTo(5)}, doubts{quarantined: upTo(5), approved: true},
			verdict{deleted: upTo(5)},
		},
		"of the approved only what is missing, and the rest is judged": {
			sighting{known: 50, listed: 31, missing: []uint64{1, 2, 3, 40}}, doubts{quarantined: upTo(20), approved: true},
			verdict{deleted: upTo(3), suspected: []uint64{40}},
		},
		"a set that grew beyond belief after its approval needs another": {
			sighting{known: 50, listed: 10, missing: upTo(40)}, doubts{quarantined: upTo(20), approved: true},
			verdict{held: upTo(40), reason: "20 of 50 records missing in one poll, at most 10 are believed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.sight.trust.percent == 0 {
				c.sight.trust.percent = 10
			}
			if diff := cmp.Diff(c.want, believe(c.sight, c.doubts), cmp.AllowUnexported(verdict{}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever is doubted before: nothing that was listed is deleted or doubted, nothing
// is lost, and nothing is deleted that neither was missing before nor had a person's
// word, unless the listing was one page.
func TestBelieveProperties(t *testing.T) {
	set := rapid.Custom(func(t *rapid.T) []uint64 {
		s := rapid.SliceOfDistinct(rapid.Uint64Range(1, 60), rapid.ID[uint64]).Draw(t, "set")
		slices.Sort(s)
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		s := sighting{onePage: rapid.Bool().Draw(t, "one page"), missing: set.Draw(t, "missing"), trust: trust{percent: 10}}
		s.known = len(s.missing) + rapid.IntRange(0, 300).Draw(t, "others")
		s.listed = max(0, s.known-len(s.missing)+rapid.IntRange(0, 3).Draw(t, "new"))
		d := doubts{suspected: set.Draw(t, "suspected"), quarantined: set.Draw(t, "quarantined")}
		d.approved = len(d.quarantined) > 0 && rapid.Bool().Draw(t, "approved")
		v := believe(s, d)
		if len(v.held) > 0 {
			if len(v.deleted) > 0 || !slices.Equal(v.held, s.missing) || !strings.Contains(v.reason, "record") {
				t.Fatalf("held, but %+v", v)
			}
			return
		}
		if len(v.deleted)+len(v.suspected) != len(s.missing) || len(without(s.missing, v.deleted)) != len(v.suspected) {
			t.Fatalf("missing %v became %+v", s.missing, v)
		}
		var word []uint64
		if d.approved {
			word = d.quarantined
		}
		for _, place := range v.deleted {
			fewer := s.onePage && 2*len(without(s.missing, word)) < s.known-len(intersection(s.missing, word))
			if !fewer && !contains(d.suspected, place) && !(d.approved && contains(d.quarantined, place)) {
				t.Fatalf("%d deleted at first sight", place)
			}
		}
	})
}

func TestPlacesTravel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOf(rapid.Uint64()).Draw(t, "set")
		got, err := decodePlaces(encodePlaces(set))
		if err != nil || !slices.Equal(got, set) {
			t.Fatalf("%v became %v, %v", set, got, err)
		}
	})
	if _, err := decodePlaces(make([]byte, 9)); err == nil {
		t.Error("cut data was accepted")
	}
}
