package hashstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/synthook/synthook/diff"
)

// ComparePartial finds what a listing that says nothing about absence adds to the state
// of its stream and changes in it. Its Missing are the known records among gone, which
// the provider itself says are gone, as far as they are not listed; nil: none. Only the
// runs and the parts that the listing reaches into are read. Errors are those of Compare.
//
// A commit of the difference keeps everything else as it is, under the same recipe. What
// is known of a stream that was never listed is nothing: there, it is a Compare.
func (s *Store) ComparePartial(ctx context.Context, st State, l, gone *Listing) (*Difference, error) {
	if st.Version == 0 {
		return s.Compare(ctx, st, l)
	}
	d := &Difference{state: st, listing: l, sums: slices.Clone(st.digests)}
	if err := d.checkFields(); err != nil {
		return nil, fmt.Errorf("compare stream %d in part: %w", st.StreamID, err)
	}
	c := &comparison{Difference: d, gone: map[string]bool{}}
	d.partial = c
	reached := make([]bool, 1<<st.Bits)
	if gone != nil {
		for _, r := range gone.records {
			c.gone[string(gone.id(r))] = true
			reached[partOf(r.place, st.Bits)] = true
			c.gonePlaces = append(c.gonePlaces, r.place)
		}
		slices.Sort(c.gonePlaces)
	}
	c.groups = group(l.records, st.Bits)
	var parts []int64
	for p := range reached {
		c.groups.settle(p, st.Bits, &l.list, &c.sorter)
		if reached[p] || len(c.groups.part(p)) > 0 {
			parts = append(parts, int64(p))
		}
	}
	l.records, l.distinct = c.groups.compact(), true
	if len(parts) > 0 {
		if err := c.run(ctx, s, parts); err != nil {
			return nil, fmt.Errorf("compare stream %d in part: %w", st.StreamID, err)
		}
	}
	// A place is not an id.
	c.missing.records = slices.DeleteFunc(c.missing.records, func(r record) bool { return !c.gone[string(c.missing.id(r))] })
	d.unchanged = len(d.created)+len(d.updated)+len(d.missing.records) == 0
	return d, nil
}

// gain moves the digest of a part, where the listing's own is not the one that counts.
func (c *comparison) gain(part int, by uint64) {
	if c.partial != nil {
		c.sums[part] += by
	}
}

// misses tells whether a known record in a place, which is not listed, may be missing.
func (c *comparison) misses(place uint64) bool {
	if c.partial == nil {
		return true
	}
	_, gone := slices.BinarySearch(c.gonePlaces, place)
	return gone
}

// A fold after a partial listing lays runs and changes over the base as it is stored,
// part by part: memory holds no more. It never makes the parts fewer: that is left to
// the next complete listing.

// planStoredFold makes next a state without runs. Its digests, where the number of parts
// changes, are known only once the parts are read.
func (p *plan) planStoredFold(partSize int) {
	p.next.baseSize, p.next.deltaSize, p.next.deltaRuns = p.next.Records, 0, 0
	p.next.Bits = max(p.state.Bits, partBits(p.next.Records, partSize, p.state.Bits))
	p.all = p.next.Bits != p.state.Bits
	p.touchChanged()
}

// foldStored writes the parts of next, the last one first: a part that is cut in several
// lands behind those that are yet to be read, or in its own place.
func (p *plan) foldStored(ctx context.Context, tx *sql.Tx) error {
	f := &storedFold{partWriter: partWriter{plan: p, rows: rowWriter{Fields: p.next.Fields}}, fields: diff.NewFieldComparer(p.next.Fields.Names), digests: make([]uint64, 1<<p.next.Bits), pieces: 1 << (p.next.Bits - p.state.Bits)}
	if err := f.readRuns(ctx, tx); err != nil {
		return err
	}
	for part := 1<<p.state.Bits - 1; part >= 0; part-- {
		if how := p.touched[part]; p.all || how != 0 {
			if err := f.fold(ctx, tx, part, how); err != nil {
				return fmt.Errorf("fold part %d: %w", part, err)
			}
		}
	}
	if err := p.clearRuns(ctx, tx); err != nil || !p.all {
		return err
	}
	p.next.digests, p.next.Root = f.digests, rootOf(f.digests, p.next.Records)
	if _, err := tx.ExecContext(ctx, `UPDATE stream_states SET root = $1, digests = $2 WHERE stream_id = $3`,
		int64(p.next.Root), digestBytes(p.next.digests), p.state.StreamID); err != nil {
		return fmt.Errorf("update digests: %w", err)
	}
	return nil
}

type storedFold struct {
	partWriter
	pieces  int      // parts of next that a part of state becomes
	digests []uint64 // of next; where all parts are written

	fields *diff.FieldComparer
	inRuns map[uint64][]uint16 // the newest digests of fields in runs, by place; nil: not known
}

func (f *storedFold) fold(ctx context.Context, tx *sql.Tx, part int, how touch) error {
	known, err := f.read(ctx, tx, part)
	if err != nil {
		return err
	}
	if err := f.change(known, part); err != nil {
		return err
	}
	all := make([]placed, 0, len(known))
	for place, there := range known {
		for _, k := range there {
			all = append(all, placed{place, k})
		}
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.place, b.place), bytes.Compare(a.id, b.id))
	})
	width := f.width(all)
	if f.all {
		how = touchEntries | touchMembers
	}
	for piece := part * f.pieces; piece < (part+1)*f.pieces; piece++ {
		f.entries, f.ids = f.entries[:0], f.ids[:0]
		f.rows.begin(width)
		for len(all) > 0 && partOf(all[0].place, f.next.Bits) == piece {
			f.entries = appendEntry(f.entries, all[0].place, all[0].fingerprint)
			f.ids = append(f.ids, all[0].id...)
			f.rows.addRow(f.fields.Narrow(all[0].row, width))
			f.digests[piece] += all[0].fingerprint
			all = all[1:]
		}
		if err := f.store(ctx, tx, piece, how); err != nil {
			return err
		}
	}
	return nil
}

// placed is what is known of a record, and where.
type placed struct {
	place uint64
	knownID
}

// read returns what is known of a part of state.
func (f *storedFold) read(ctx context.Context, tx *sql.Tx, part int) (map[uint64][]knownID, error) {
	var entries, ids, fields []byte
	err := tx.QueryRowContext(ctx, `SELECT entries, ids, fields FROM stream_parts WHERE stream_id = $1 AND part = $2`, f.state.StreamID, part).
		Scan(&entries, &ids, &fields)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if entries, err = unsealEntries(entries, part, f.state.Bits); err != nil {
		return nil, err
	}
	base := pending{part: part, places: placesOf(entries), size: len(entries) / entrySize, entries: entries}
	if ids, err = unsealIDs(ids, part, base.size, base.places); err != nil {
		return nil, err
	}
	known, err := f.partial.knowByID(base, ids)
	if err != nil || f.rows.Layout == "" {
		return known, err
	}
	return known, f.knowRows(known, entries, fields)
}

// change makes the changes of this commit in what is known of a part.
func (f *storedFold) change(known map[uint64][]knownID, part int) error {
	if how := f.touched[part]; how == 0 {
		return nil
	}
	for _, i := range within(f.created, func(i int) int { return partOf(f.groups.records[i].place, f.state.Bits) }, part) {
		r := f.groups.records[i]
		known[r.place] = append(known[r.place], knownID{f.listing.id(r), r.fingerprint, f.rowOf(r)})
	}
	for _, i := range within(f.updated, func(i int) int { return partOf(f.groups.records[i].place, f.state.Bits) }, part) {
		r := f.groups.records[i]
		there := known[r.place]
		at := find(there, f.listing.id(r))
		if at < 0 && len(there) == 1 {
			at = 0 // as it was compared: by its place
		}
		if at < 0 {
			return corrupt("a record that is updated is not in the part")
		}
		there[at].fingerprint, there[at].row = r.fingerprint, f.rowOf(r)
	}
	for _, r := range within(f.deleted.records, func(r record) int { return partOf(r.place, f.state.Bits) }, part) {
		at := find(known[r.place], f.deleted.id(r))
		if at < 0 {
			return corrupt("a record that is deleted is not in the part")
		}
		known[r.place] = slices.Delete(known[r.place], at, at+1)
	}
	return nil
}

// within is the elements of one part; elements ascend by part.
func within[E any](elements []E, partOf func(E) int, part int) []E {
	compare := func(e E, part int) int { return cmp.Compare(partOf(e), part) }
	from, _ := slices.BinarySearchFunc(elements, part, compare)
	to, _ := slices.BinarySearchFunc(elements, part+1, compare)
	return elements[from:to]
}
