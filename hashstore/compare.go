package hashstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/synthook/synthook/diff"
)

// Compare finds how a listing differs from the state of its stream. Where it doesn't,
// nothing is read; else the runs, the parts whose digests differ and, where records are
// missing, their ids; where records are updated and have digests of their fields, those.
// The error is ErrConflict when st is not the present state any
// more, ErrCorrupt when what is stored can't be believed.
func (s *Store) Compare(ctx context.Context, st State, l *Listing) (*Difference, error) {
	d := &Difference{state: st, listing: l}
	if err := d.checkFields(); err != nil {
		return nil, fmt.Errorf("compare stream %d: %w", st.StreamID, err)
	}
	if st.Version == 0 {
		d.takeAll(s.partSize)
		return d, nil
	}
	d.sums = l.sums(st.Bits)
	if len(l.records) == st.Records && rootOf(d.sums, st.Records) == st.Root {
		l.distinct, d.unchanged = true, true // an id listed twice would have shown
		return d, nil
	}
	c := &comparison{Difference: d}
	parts := c.settleDiffering()
	l.records, l.distinct = d.groups.compact(), true
	if len(parts) == 0 {
		d.unchanged = true
		return d, nil
	}
	if err := c.run(ctx, s, parts); err != nil {
		return nil, fmt.Errorf("compare stream %d: %w", st.StreamID, err)
	}
	return d, nil
}

// sums are the digests that the listing would have in 2^bits parts.
func (l *Listing) sums(bits int) []uint64 {
	sums := make([]uint64, 1<<bits)
	for i := range l.records {
		sums[partOf(l.records[i].place, bits)] += l.records[i].fingerprint
	}
	return sums
}

// takeAll makes the difference of a first listing: everything is created.
func (d *Difference) takeAll(partSize int) {
	l := d.listing
	d.state.Bits = partBits(len(l.records), partSize, 0)
	d.groups = group(l.records, d.state.Bits)
	d.touched = make([]touch, 1<<d.state.Bits)
	var s sorter
	for p := range d.groups.start {
		d.groups.settle(p, d.state.Bits, &l.list, &s)
		for i := d.groups.start[p]; i < d.groups.end[p]; i++ {
			d.created = append(d.created, i)
		}
	}
	l.records, l.distinct = d.groups.compact(), true
	d.sums = l.sums(d.state.Bits)
}

// comparison is one Compare at work, part by part.
type comparison struct {
	*Difference
	sorter sorter

	delta list    // the entries of all runs; those that name no id have the id 0
	runs  *groups // them by part, those of a place in the order of their age

	// What is known of the part at hand, and the listing's side of it. An origin says
	// where the record's id is: in the base's ids (0, 1, …) or in delta's (-1, -2, …).
	known, listed []diff.Entry
	origins       []int

	pending []pending

	evidence *evidence // for the fields that changed; nil: nobody asks

	// What a partial listing says is gone: ids in their stored form, and places, ascending.
	gone       map[string]bool
	gonePlaces []uint64
}

// settleDiffering settles the parts whose digests differ and returns those that still do.
func (c *comparison) settleDiffering() (parts []int64) {
	l, st := c.listing, c.state
	c.groups = group(l.records, st.Bits)
	for p := range c.sums {
		if c.sums[p] == st.digests[p] {
			continue
		}
		c.groups.settle(p, st.Bits, &l.list, &c.sorter)
		if c.sums[p] = sumOf(c.groups.part(p)); c.sums[p] != st.digests[p] {
			parts = append(parts, int64(p))
		}
	}
	return parts
}

// run reads and compares parts, which ascend.
func (c *comparison) run(ctx context.Context, s *Store, parts []int64) error {
	c.touched = make([]touch, len(c.sums))
	c.delta.ids = []byte{0} // so that the id 0 is none
	if c.findsFields() {
		c.evidence = &evidence{entries: map[int][]byte{}}
	}
	err := s.readParts(ctx, c.state, parts, func(part, seq int64, blob []byte) error {
		if part != isRun {
			return c.compare(int(part), blob)
		}
		if c.evidence != nil {
			c.evidence.runs = append(c.evidence.runs, storedRun{seq, blob})
		}
		return decodeRun(blob, c.addToDelta)
	})
	if err == nil && len(c.pending) > 0 {
		err = c.nameMissing(ctx, s)
	}
	if err == nil && c.evidence != nil {
		err = c.findFields(ctx, s)
	}
	c.evidence = nil
	return err
}

func (c *comparison) addToDelta(e runEntry) {
	p := partOf(e.place, c.state.Bits)
	c.touched[p] |= touchEntries
	if e.kind == plain {
		c.delta.records = append(c.delta.records, record{place: e.place, fingerprint: e.fingerprint})
	} else {
		c.delta.add(e.place, e.fingerprint, e.id)
	}
	if e.kind != plain || e.fingerprint == 0 {
		c.touched[p] |= touchMembers
	}
	if e.kind == shared {
		c.touched[p] |= touchShared
	}
}

// compare finds the changes of part p, whose base has the entries blob (nil: none).
func (c *comparison) compare(p int, blob []byte) error {
	if c.runs == nil {
		c.runs = group(c.delta.records, c.state.Bits)
	}
	c.sorter.sort(c.runs.part(p), c.state.Bits)
	entries, err := unsealEntries(blob, p, c.state.Bits)
	if err != nil {
		return err
	}
	listed := c.groups.part(p)
	if c.touched[p]&touchShared != 0 || sharesPlaces(entries, listed) {
		c.pending = append(c.pending, pending{part: p, places: placesOf(entries), size: len(entries) / entrySize, byID: true, entries: entries})
		if c.evidence != nil {
			c.evidence.entries[p] = entries
		}
		return nil
	}
	if err := c.know(p, entries); err != nil {
		return err
	}
	c.listed = slices.Grow(c.listed[:0], len(listed))[:len(listed)]
	for i := range listed {
		c.listed[i] = diff.Entry{Place: listed[i].place, Fingerprint: listed[i].fingerprint}
	}
	var missing []unnamed
	updated := len(c.updated)
	diff.Compare(c.known, c.listed, func(op diff.Op, old, new int) {
		switch op {
		case diff.Created:
			c.created = append(c.created, c.groups.start[p]+new)
			c.gain(p, c.listed[new].Fingerprint)
		case diff.Updated:
			c.updated = append(c.updated, c.groups.start[p]+new)
			c.gain(p, c.listed[new].Fingerprint-c.known[old].Fingerprint)
		case diff.Deleted:
			if !c.misses(c.known[old].Place) {
				return
			}
			if origin := c.origins[old]; origin >= 0 {
				missing = append(missing, unnamed{base: origin, missing: len(c.missing.records)})
				c.missing.add(c.known[old].Place, c.known[old].Fingerprint, nil)
			} else {
				id, _, _ := cutID(c.delta.ids[-origin:])
				c.missing.add(c.known[old].Place, c.known[old].Fingerprint, id)
			}
		}
	})
	if len(missing) > 0 {
		c.pending = append(c.pending, pending{part: p, places: placesOf(entries), size: len(entries) / entrySize, missing: missing})
	}
	if c.evidence != nil && len(c.updated) > updated {
		c.evidence.entries[p] = entries
	}
	return nil
}
