package hashstore

import (
	"encoding/binary"
	"slices"
)

// A segment is a piece of a listing under way, to be kept until the rest has come:
//
//	uvarint n; n × (place 8, fingerprint 8); n stored ids; seal

// Segment encodes the listing.
func (l *Listing) Segment() []byte {
	b := make([]byte, 0, binary.MaxVarintLen64+len(l.records)*entrySize+len(l.ids)+sealSize)
	b = binary.AppendUvarint(b, uint64(len(l.records)))
	for _, r := range l.records {
		b = appendEntry(b, r.place, r.fingerprint)
	}
	for _, r := range l.records {
		b = append(b, l.id(r)...)
	}
	return seal(b, 0)
}

// AddSegment adds the records of a segment as Add would. The error is ErrCorrupt for
// what is none, and then nothing is added.
func (l *Listing) AddSegment(segment []byte) error {
	b, ok := unseal(segment, 0)
	if !ok {
		return corrupt("a segment doesn't match its seal")
	}
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width)/(entrySize+1) {
		return corrupt("a segment is cut")
	}
	entries, ids := b[width:], b[width+int(n)*entrySize:]
	records := make([]record, n)
	rest := ids
	for i := range records {
		e, before := entryAt(entries, i), len(rest)
		if _, rest, ok = cutID(rest); !ok {
			return corrupt("a segment lacks ids")
		}
		records[i] = record{e.Place, e.Fingerprint, uint64(len(l.ids) + len(ids) - before)}
	}
	if len(rest) > 0 {
		return corrupt("a segment has ids of no record")
	}
	l.records, l.ids, l.distinct = append(l.records, records...), append(l.ids, ids...), false
	return nil
}

// Append adds the records of other as Add would.
func (l *Listing) Append(other *Listing) {
	if len(l.records) == 0 {
		l.records, l.ids, l.distinct = slices.Clip(other.records), slices.Clip(other.ids), other.distinct
		return
	}
	offset := uint64(len(l.ids))
	for _, r := range other.records {
		r.id += offset
		l.records = append(l.records, r)
	}
	l.ids, l.distinct = append(l.ids, other.ids...), false
}
