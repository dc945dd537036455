package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// FieldDigester makes the sum of a record and, beside it, a small digest of each of its
// fields: enough to say which fields of a record changed, and nothing of any value.
//
// A field is a member of the record. The paths that the digester is given make fields of
// what stands deeper: a path itself, or, where it ends in *, each member of what stands
// there. Of what a path passes the rest is a field as well: beside the field a.b, a
// stands for all that a holds but b.
//
// A digest has 16 bits, which is the odds: of 65,536 changed fields about one goes
// unnamed. That a record changed is for the fingerprint to say, and it has 64. A field
// that a record lacks, or has as null, has the digest 0. A digest is the first two bytes
// of an AES block, as [Sealer.Fingerprint] is, under a key of its own over the record's
// place, the field's path and the value: equal values of two records, or of two fields,
// have unrelated digests.
//
// Digests stand in slots, and a slot has a name: the path. Names are kept and shown, so
// a key may only become one when it looks like a field's name ([PathKey]) and most
// records of a listing have it, or when whoever wrote the paths has written it: keys of
// a map are data of people. What gets no name shares the slot of where it stands; slot
// 0, *, is the record's own. There are at most [MaxFields] slots.
//
// It is not safe for concurrent use.
type FieldDigester struct {
	canonical *Canonicalizer
	seal      *fieldSeal
	root      *field
	fields    []*field // by slot
	records   int

	place uint64   // of the record at hand
	row   []uint16 // its digests, by slot
}

// FieldVersion is the version of the digests and of what gets a slot. It rises whenever
// either changes for any record; digests of two versions can't be compared.
const FieldVersion = 1

// MaxFields is how many fields of a record are told apart.
const MaxFields = 64

// otherFields is the name of slot 0.
const otherFields = "*"

// field is what has a slot, or shares one.
type field struct {
	slot    int
	above   *field
	name    string
	path    uint64 // hash of name, which is bound into the digests
	named   bool   // whatever the records have
	records int    // that have it

	below  map[string]*field // fields inside, by quoted key
	learns bool              // each key inside becomes a field
}

// splits tells whether an object there is looked into.
func (at *field) splits() bool { return at.learns || at.below != nil }

// NewFieldDigester takes what names a stream's fields: paths, as [Rules] have them but
// with * only at the end, and the names by slot that an earlier digester with the same
// paths ended with (none: nil).
func NewFieldDigester(r Rules, paths []string, s *Sealer, known []string) (*FieldDigester, error) {
	c, err := NewCanonicalizer(r)
	if err != nil {
		return nil, err
	}
	f := &FieldDigester{canonical: c, seal: s.forFields(), root: &field{name: otherFields, named: true, learns: true}}
	f.fields = []*field{f.root}
	if len(known) > MaxFields || len(known) > 0 && known[0] != otherFields {
		return nil, errors.New("the stored names of fields make no sense")
	}
	for i, name := range known {
		if at, err := f.field(name); err != nil || i != at.slot {
			return nil, errors.New("the stored names of fields make no sense")
		}
	}
	for _, path := range slices.Sorted(slices.Values(paths)) {
		if err := f.name(path); err != nil {
			return nil, fmt.Errorf("path of a field %q: %w", path, err)
		}
	}
	c.fields = f
	return f, nil
}

// name makes fields of a path.
func (f *FieldDigester) name(path string) error {
	keys, err := parsePath(path)
	if err != nil {
		return err
	}
	all := keys[len(keys)-1] == anyKey
	if all {
		path = strings.TrimSuffix(path[:len(path)-1], ".")
	}
	at, err := f.field(path)
	if err == nil && all {
		at.learns = true
	}
	return err
}

// field finds or makes the field with a name, and those on the way to it.
func (f *FieldDigester) field(name string) (*field, error) {
	if name == "" || name == otherFields {
		return f.root, nil
	}
	keys, err := parsePath(name)
	if err != nil {
		return nil, err
	}
	at, end := f.root, -1
	for _, key := range keys {
		if key == anyKey {
			return nil, errors.New("* may only be the last key")
		}
		end += 1 + keyEnd(name[end+1:])
		next := at.below[key]
		if next == nil {
			if len(f.fields) == MaxFields {
				return nil, fmt.Errorf("a stream has at most %d fields", MaxFields-1)
			}
			next = f.add(at, key, name[:end])
		}
		next.named = true
		at = next
	}
	return at, nil
}

// add gives a field a slot.
func (f *FieldDigester) add(above *field, quoted, name string) *field {
	at := &field{slot: len(f.fields), above: above, name: name, path: xxhash.Sum64String(name)}
	if above.below == nil {
		above.below = map[string]*field{}
	}
	above.below[quoted] = at
	f.fields, f.row = append(f.fields, at), append(f.row, 0)
	return at
}

// Sum returns the record's [Canonicalizer.Sum] and its digests by slot. They stand in
// slots of this digester, which [FieldDigester.Names] assigns, and are valid until the
// next call. The error is a [*SyntaxError].
func (f *FieldDigester) Sum(record []byte, place uint64) (content uint64, digests []uint16, err error) {
	f.row = slices.Grow(f.row[:0], len(f.fields))[:len(f.fields)]
	clear(f.row)
	f.place = place
	if content, err = f.canonical.Sum(record); err != nil {
		return 0, nil, err
	}
	f.records++
	return content, f.row, nil
}

// KnownNames are Names without those that records would teach: the ones that the digester
// was given, as long as Names was not asked for. They are for a part of a listing.
func (f *FieldDigester) KnownNames() (names []string, slots []uint8) {
	for _, at := range f.fields {
		if at.named {
			slots = append(slots, uint8(len(names)))
			names = append(names, at.name)
		} else {
			slots = append(slots, slots[at.above.slot])
		}
	}
	return names, slots
}

// Names are the names by slot, once a listing is complete, and for each slot of this
// digester the one that its digests are added to. Names that were known keep their slots.
func (f *FieldDigester) Names() (names []string, slots []uint8) {
	for _, at := range f.fields {
		if at.named = at.named || 2*at.records > f.records; at.named {
			slots = append(slots, uint8(len(names)))
			names = append(names, at.name)
		} else {
			slots = append(slots, slots[at.above.slot])
		}
	}
	return names, slots
}
