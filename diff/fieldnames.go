package diff

import (
	"iter"
	"math/bits"
)

// FieldSet is a set of fields, each by its slot.
type FieldSet uint64

// Has tells whether the field in a slot is in the set.
func (s FieldSet) Has(slot int) bool { return s>>slot&1 == 1 }

// Slots are the slots of the set, ascending.
func (s FieldSet) Slots() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(bits.TrailingZeros64(uint64(s))) {
				return
			}
		}
	}
}

// FieldComparer compares the digests of records. Names by slot grow from listing to
// listing; a row that was made when there were fewer of them is compared as such.
type FieldComparer struct{ above []int }

// NewFieldComparer takes the names by slot, of which rows may have fewer.
func NewFieldComparer(names []string) *FieldComparer {
	c := &FieldComparer{}
	slots := map[string]int{}
	for slot, name := range names {
		above := 0
		for i := range len(name) {
			if at, ok := slots[name[:i]]; ok && name[i] == '.' {
				above = at
			}
		}
		slots[name], c.above = slot, append(c.above, above)
	}
	return c
}

// Changed are the fields in which two rows of digests of one record differ. new has all
// slots; old has those that had a name when it was made. A row of zeros is one that is
// not known: then nothing can be told, and the set is empty.
func (c *FieldComparer) Changed(old, new []uint16) (changed FieldSet) {
	if isUnknown(old) || isUnknown(new) {
		return 0
	}
	// What has got a name since old was made was counted where it stands.
	var moved [MaxFields]uint16
	var late [MaxFields]FieldSet
	for slot := len(old); slot < len(new); slot++ {
		if new[slot] == 0 {
			continue
		}
		above := c.standsIn(slot, len(old))
		moved[above] += new[slot]
		late[above] |= 1 << slot
	}
	for slot, digest := range old {
		switch digest {
		case new[slot]: // so what is late was not there
			changed |= late[slot]
		case new[slot] + moved[slot]:
		default:
			changed |= 1 << slot
		}
	}
	return changed
}

// Narrow returns the row as it would be had only the first names been there, so many; it
// may change it. A row that has no more is returned as it is.
func (c *FieldComparer) Narrow(row []uint16, names int) []uint16 {
	for slot := names; slot < len(row); slot++ {
		row[c.standsIn(slot, names)] += row[slot]
	}
	return row[:min(len(row), names)]
}

// standsIn is the slot in which a field was counted when there were only so many names.
func (c *FieldComparer) standsIn(slot, names int) int {
	for slot >= names {
		slot = c.above[slot]
	}
	return slot
}

func isUnknown(row []uint16) bool {
	for _, digest := range row {
		if digest != 0 {
			return false
		}
	}
	return true
}
