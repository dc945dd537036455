package poller

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A storm is most records of a big stream updated in the same fields at once. That is
// hardly ever the work of people: a provider writes its dates otherwise, or shows a field
// that it did not show before. It is held as a big deletion is, and shows the fields.
// Where it is not known which fields changed, most records updated are enough.

// stormFloor is how many records a stream must have for a storm: in a small one, people
// do change most records at once.
const stormFloor = 100

// storm is what of a finding is held for being one; nil: nothing.
type storm struct {
	updated []uint64 // places, ascending
	fields  []string // that changed in most records, most often first; nil: not known
	reason  string
}

// storm looks for one among the updates that nobody has approved.
func (f finding) storm(before doubts, missing []uint64) *storm {
	_, updated, _ := f.Counts()
	if f.silent || !f.sees() || f.known < stormFloor || 2*updated <= f.known {
		return nil
	}
	s := &storm{updated: make([]uint64, 0, updated)}
	for item := range f.Updated() {
		s.updated = append(s.updated, item.Place)
	}
	slices.Sort(s.updated)
	if fresh := len(without(s.updated, f.approvedStorm(before, s.updated, missing))); 2*fresh <= f.known {
		return nil
	}
	most := 0
	for name, records := range f.fields.byName {
		if most = max(most, records); 2*records > f.known {
			s.fields = append(s.fields, name)
		}
	}
	if 2*(most+f.fields.unknown) <= f.known {
		return nil
	}
	byRecords := f.fields.byName
	slices.SortFunc(s.fields, func(a, b string) int {
		return cmp.Or(cmp.Compare(byRecords[b], byRecords[a]), cmp.Compare(a, b))
	})
	s.reason = fmt.Sprintf("%d of %d records updated in one poll", updated, f.known)
	if len(s.fields) > 0 {
		s.reason += ", most of them in " + listed(s.fields)
	}
	return s
}

// approvedStorm are the updates that a person or a rule has decided about.
func (f finding) approvedStorm(before doubts, updated, missing []uint64) []uint64 {
	equal := slices.Equal(updated, before.stormed) && (len(before.quarantined) == 0 || slices.Equal(missing, before.quarantined))
	if before.approved || f.trust.releaseAfter > 0 && equal && before.polls+1 >= f.trust.releaseAfter {
		return before.stormed
	}
	return nil
}

// listed names the first few.
func listed(fields []string) string {
	const some = 5
	if len(fields) <= some {
		return strings.Join(fields, ", ")
	}
	return fmt.Sprintf("%s and %d more fields", strings.Join(fields[:some], ", "), len(fields)-some)
}

// hold makes a verdict that lets nothing of the storm through. What is missing beside it
// is not held with it, unless it was anyway: whoever approves the one has not seen the other.
func (s *storm) hold(v verdict, sight sighting, before doubts) verdict {
	if len(v.held) == 0 {
		v = verdict{suspected: intersection(without(sight.missing, v.hidden), before.suspected), hidden: v.hidden, exist: v.exist}
	}
	v.reason = strings.TrimPrefix(v.reason+"; "+s.reason, "; ")
	v.stormed, v.stormFields = s.updated, s.fields
	return v
}
