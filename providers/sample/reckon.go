package sample

import (
	"cmp"
	"fmt"
	"slices"
)

// Expected is what a poller must have told of one record since the mark.
type Expected struct {
	Dialect    Dialect
	RecordType string
	RecordID   string
	Created    bool
	Updated    int // visible changes between its creation and its deletion
	Deleted    bool
}

// Expected says, record by record, what could be seen in a dialect since the mark.
//
// Creations and deletions are the journal's, whatever any walk served. Updates are
// the versions that complete walks served and that differ from the one before; what
// was changed again before anybody listed it is not among them. A living record's
// present version always is: it must have been seen, since pollers poll.
func (c *Company) Expected(d Dialect) []Expected {
	c.mu.Lock()
	defer c.mu.Unlock()
	type key struct{ recordType, id string }
	found := map[key]*Expected{}
	for _, e := range c.views[d].journal {
		if e.Seq <= c.mark {
			continue
		}
		k := key{e.RecordType, e.RecordID}
		x := found[k]
		if x == nil {
			x = &Expected{Dialect: d, RecordType: e.RecordType, RecordID: e.RecordID}
			found[k] = x
		}
		x.Created = x.Created || e.Action == Created
		x.Deleted = x.Deleted || e.Action == Deleted
	}
	for _, l := range c.views[d].lists {
		for _, r := range l.rows {
			for _, recordType := range l.types {
				if x := found[key{recordType, r.id}]; x != nil {
					x.Updated = r.visible()
				}
			}
		}
	}
	var all []Expected
	for _, x := range found {
		if x.Created || x.Deleted || x.Updated > 0 {
			all = append(all, *x)
		}
	}
	slices.SortFunc(all, func(a, b Expected) int {
		return cmp.Or(cmp.Compare(a.RecordType, b.RecordType), cmp.Compare(a.RecordID, b.RecordID))
	})
	return all
}

// visible counts the updates of the record that can have been seen since the mark.
func (r *row) visible() int {
	seen := slices.Clone(r.served)
	if !r.dead {
		seen = append(seen, r.version())
	}
	n, before := 0, r.marked
	for _, version := range seen {
		if version <= before {
			continue
		}
		if before > 0 && r.texts[version-1] != r.texts[before-1] {
			n++
		}
		before = version // 0 before it: the creation showed this version
	}
	return n
}

// Seen is an event as it was received. A second delivery of the same event is the
// caller's to leave out: by its webhook-id.
type Seen struct {
	Dialect    Dialect
	RecordType string
	RecordID   string
	Action     string
}

// Report compares what happened with what was told. Changes and Events count by action.
type Report struct {
	Changes, Events map[string]int
	Missed          []Seen   // happened and was not told
	False           []Untrue // told and did not happen, or not then
}

// Untrue is an event that should not have come, and why.
type Untrue struct {
	Seen
	Reason string
}

func (s Seen) String() string {
	return fmt.Sprintf("%s %s %s %s", s.Dialect, s.RecordType, s.RecordID, s.Action)
}

func (u Untrue) String() string { return u.Seen.String() + ": " + u.Reason }

// Honest says that nothing was missed and nothing made up.
func (r Report) Honest() bool { return len(r.Missed) == 0 && len(r.False) == 0 }

// Reckon compares record by record, action by action and in order: of one record,
// created comes before updated and updated before deleted. received is in the order of
// arrival. It forgives nothing.
func Reckon(expected []Expected, received []Seen) Report {
	report := Report{Changes: map[string]int{Created: 0, Updated: 0, Deleted: 0}, Events: map[string]int{Created: 0, Updated: 0, Deleted: 0}}
	due := map[Seen]int{}
	for _, x := range expected {
		for _, s := range x.events() {
			due[s]++
			report.Changes[s.Action]++
		}
	}
	rank := map[string]int{Created: 0, Updated: 1, Deleted: 2}
	reached := map[Seen]int{} // by record: without an action
	for _, s := range received {
		report.Events[s.Action]++
		of := s
		of.Action = ""
		switch {
		case due[s] == 0:
			report.False = append(report.False, Untrue{s, "no such change"})
			continue
		case rank[s.Action] < reached[of]:
			report.False = append(report.False, Untrue{s, "out of order"})
		}
		due[s]--
		reached[of] = max(reached[of], rank[s.Action])
	}
	for _, x := range expected {
		for _, s := range x.events() {
			if due[s] > 0 {
				due[s]--
				report.Missed = append(report.Missed, s)
			}
		}
	}
	return report
}

// events are the events that tell of it, in order.
func (x Expected) events() []Seen {
	var all []Seen
	add := func(action string, n int) {
		for range n {
			all = append(all, Seen{x.Dialect, x.RecordType, x.RecordID, action})
		}
	}
	if x.Created {
		add(Created, 1)
	}
	add(Updated, x.Updated)
	if x.Deleted {
		add(Deleted, 1)
	}
	return all
}
