package hashstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/synthook/synthook/diff"
)

// FieldNames are the names of a record's changed fields, in the order of their slots.
// Items with equal fields share them; nil: they are not known.
func (d *Difference) FieldNames(changed diff.FieldSet) []string {
	if changed == 0 {
		return nil
	}
	names, ok := d.fieldNames[changed]
	if !ok {
		for slot := range changed.Slots() {
			names = append(names, d.listing.fields.Names[slot])
		}
		if d.fieldNames == nil {
			d.fieldNames = map[diff.FieldSet][]string{}
		}
		d.fieldNames[changed] = names
	}
	return names
}

// FieldCounts tells by name in how many of the updated records a field has changed, and
// of how many of them no field is known.
func (d *Difference) FieldCounts() (byName map[string]int, unknown int) {
	if d.changed == nil {
		return nil, len(d.updated)
	}
	var counts [diff.MaxFields]int
	for _, set := range d.changed {
		if set == 0 {
			unknown++
		}
		for slot := range set.Slots() {
			counts[slot]++
		}
	}
	byName = map[string]int{}
	for slot, n := range counts {
		if n > 0 {
			byName[d.listing.fields.Names[slot]] = n
		}
	}
	return byName, unknown
}

// evidence is what Compare keeps of what it read, so that the old digests of an updated
// record are found: they stand beside the newest word on it.
type evidence struct {
	runs    []storedRun
	entries map[int][]byte // of parts in which something was updated
}

type storedRun struct {
	seq  int64
	blob []byte
}

// findsFields tells whether a difference will be asked for the fields that changed.
func (d *Difference) findsFields() bool {
	return d.listing.fields.Layout != "" && d.listing.fields.Layout == d.state.Fields.Layout
}

func (d *Difference) checkFields() error {
	if d.findsFields() && !d.listing.fields.continues(d.state.Fields) {
		return errors.New("the names of fields don't continue those that are stored")
	}
	return nil
}

// wanted is an updated record and where its old digests are.
type wanted struct {
	part, seq int64 // a part, or isRun and the run's
	row       int
	updated   int // where in Difference.updated
}

// findFields finds the fields in which updated records changed. It reads the digests of
// the parts and the runs that hold the old ones, and no others.
func (c *comparison) findFields(ctx context.Context, s *Store) error {
	wants := c.wants()
	if len(wants) == 0 {
		return nil
	}
	var parts, seqs []int64
	for _, w := range wants {
		switch {
		case w.part == isRun && (len(seqs) == 0 || seqs[len(seqs)-1] != w.seq):
			seqs = append(seqs, w.seq)
		case w.part != isRun && (len(parts) == 0 || parts[len(parts)-1] != w.part):
			parts = append(parts, w.part)
		}
	}
	c.changed = make([]diff.FieldSet, len(c.updated))
	comparer := diff.NewFieldComparer(c.listing.fields.Names)
	var old, new []uint16
	err := s.readFields(ctx, c.state, parts, seqs, func(part, seq int64, blob []byte) error {
		rows, err := c.rows(part, seq, blob)
		if err != nil {
			return err
		}
		for len(wants) > 0 && wants[0].part == part && wants[0].seq == seq {
			w := wants[0]
			old, new = rows.at(w.row, old), c.listing.row(c.groups.records[c.updated[w.updated]], new)
			c.changed[w.updated] = comparer.Changed(old, new)
			wants = wants[1:]
		}
		return nil
	})
	if err == nil && len(wants) > 0 {
		err = corrupt("a run is lost")
	}
	return err
}

// wants are the updated records whose old digests can be found, in the order in which
// they will be read. Where two records share a place, they can't.
func (c *comparison) wants() []wanted {
	wants := make([]wanted, 0, len(c.updated))
	for i, position := range c.updated {
		place := c.groups.records[position].place
		if c.shared[place] {
			continue
		}
		w, ok := c.findWord(place)
		if w.updated = i; ok {
			wants = append(wants, w)
		}
	}
	slices.SortStableFunc(wants, func(a, b wanted) int { return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.seq, b.seq)) })
	return wants
}

// findWord returns where the newest word on the record in a place stands: in the youngest
// run that has one, else in the base.
func (c *comparison) findWord(place uint64) (wanted, bool) {
	part, runs := partOf(place, c.state.Bits), c.evidence.runs
	_, inRuns := slices.BinarySearchFunc(c.runs.part(part), place, func(r record, place uint64) int { return cmp.Compare(r.place, place) })
	if !inRuns {
		row, found := findEntries(c.evidence.entries[part], place)
		return wanted{part: int64(part), row: row}, found == 1
	}
	for i := len(runs) - 1; i >= 0; i-- {
		if row, found := findEntries(runs[i].entries(), place); found > 0 {
			return wanted{part: isRun, seq: runs[i].seq, row: row}, found == 1
		}
	}
	return wanted{}, false
}

// entries are those of a run that has been read without an error.
func (r storedRun) entries() []byte {
	n, width := binary.Uvarint(r.blob)
	return r.blob[width : width+int(n)*entrySize]
}

// findEntries finds the first of ascending entries in a place, and tells whether there
// are none, one or more.
func findEntries(entries []byte, place uint64) (at, found int) {
	from, to := 0, len(entries)/entrySize
	for from < to {
		if middle := (from + to) / 2; binary.BigEndian.Uint64(entries[middle*entrySize:]) < place {
			from = middle + 1
		} else {
			to = middle
		}
	}
	for found < 2 && from+found < len(entries)/entrySize && entryAt(entries, from+found).Place == place {
		found++
	}
	return from, found
}

// rows unseals the digests of a part or a run that has been read.
func (c *comparison) rows(part, seq int64, blob []byte) (rowsOf, error) {
	beside := c.evidence.entries[int(part)]
	if part == isRun {
		i := slices.IndexFunc(c.evidence.runs, func(r storedRun) bool { return r.seq == seq })
		beside = c.evidence.runs[i].blob
		return c.unsealRows(blob, len(c.evidence.runs[i].entries())/entrySize, checksum(beside, 0))
	}
	return c.unsealRows(blob, len(beside)/entrySize, checksum(beside, 0))
}

func (c *comparison) unsealRows(blob []byte, n int, beside uint64) (rowsOf, error) {
	rows, err := unsealRows(blob, n, beside)
	if err == nil && rows.width > len(c.listing.fields.Names) {
		err = corrupt("there are digests of fields without a name")
	}
	return rows, err
}
