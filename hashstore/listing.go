package hashstore

import (
	"bytes"
	"iter"
	"slices"
)

// Listing is what one poll saw of a stream: ids, places and fingerprints, 24 bytes and
// the id's stored form (17 for a UUID) a record, and where fields have digests two bytes
// a field. It is not safe for concurrent use.
type Listing struct {
	list
	distinct bool // no id stands in it twice
	rowed    bool // digests of its fields follow each id

	fields Fields  // of the digests
	slots  []uint8 // of the rows: the named one that each belongs to
}

// NewListing returns an empty listing.
func NewListing() *Listing { return &Listing{distinct: true} }

// Add adds a record; the id is copied. The place must follow from the id alone. An id
// added again replaces the record added before.
func (l *Listing) Add(id string, place, fingerprint uint64) {
	l.records = append(l.records, record{place, max(fingerprint, 1), uint64(len(l.ids))}) // 0 is for what is gone
	l.ids = appendID(l.ids, id)
	l.distinct = false
}

// Len is the number of records. It sorts the listing when no Compare has looked at it
// since the last Add.
func (l *Listing) Len() int {
	if !l.distinct {
		l.settle()
	}
	return len(l.records)
}

// Union adds the records of other whose ids l lacks.
func (l *Listing) Union(other *Listing) {
	mine, theirs := l.settle(), other.settle()
	for len(theirs) > 0 {
		r := theirs[0]
		switch order := compareFirst(&l.list, mine, &other.list, r); {
		case order < 0:
			mine = mine[1:]
		case order == 0:
			mine, theirs = mine[1:], theirs[1:]
		default:
			l.add(r.place, r.fingerprint, other.stored(r))
			theirs = theirs[1:]
		}
	}
}

// Remove takes records out by their ids.
func (l *Listing) Remove(ids map[string]bool) {
	stored := make(map[string]bool, len(ids))
	for id := range ids {
		stored[string(appendID(nil, id))] = true
	}
	l.records = slices.DeleteFunc(l.records, func(r record) bool { return stored[string(l.id(r))] })
}

// stored is what the listing keeps of a record besides its entry: the stored form of its
// id and, where its fields have digests, their row.
func (l *Listing) stored(r record) []byte {
	end := int(r.id) + len(l.id(r))
	if l.rowed {
		end += 1 + 2*int(l.ids[end])
	}
	return l.ids[r.id:end]
}

// compareFirst compares the first of records with r by place, then by id. Nothing left
// is more than anything.
func compareFirst(l *list, records []record, other *list, r record) int {
	switch {
	case len(records) == 0 || records[0].place > r.place:
		return 1
	case records[0].place < r.place:
		return -1
	}
	return bytes.Compare(l.id(records[0]), other.id(r))
}

// settle sorts the listing and drops what was replaced.
func (l *Listing) settle() []record {
	bits := partBits(len(l.records), partSize, 0)
	g, s := group(l.records, bits), sorter{}
	for p := range g.start {
		g.settle(p, bits, &l.list, &s)
	}
	l.records, l.distinct = g.compact(), true
	return l.records
}

// All are the records and their fingerprints, by place.
func (l *Listing) All() iter.Seq2[Item, uint64] {
	return func(yield func(Item, uint64) bool) {
		if !l.distinct {
			l.settle()
		}
		for _, r := range l.records {
			if !yield(l.item(r), r.fingerprint) {
				return
			}
		}
	}
}
