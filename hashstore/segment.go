package hashstore

import (
	"encoding/binary"
	"slices"
)

// A segment is a piece of a listing under way, to be kept until the rest has come:
//
//	uvarint n; n × (place 8, fingerprint 8); a byte, 1 where fields have digests; n × (the
//	stored id and, where they have, a byte: how many digests, marked as settled; these, by
//	named slot); seal

// Segment encodes the listing. Digests of fields are kept where they are wanted, and the
// listing is named by names that stay; else they are not known any more.
func (l *Listing) Segment(digests bool) []byte {
	b := make([]byte, 0, binary.MaxVarintLen64+len(l.records)*entrySize+len(l.ids)+sealSize)
	b = binary.AppendUvarint(b, uint64(len(l.records)))
	for _, r := range l.records {
		b = appendEntry(b, r.place, r.fingerprint)
	}
	rowed := byte(0)
	if l.rowed {
		rowed = 1
	}
	b = append(b, rowed)
	var row []uint16
	for _, r := range l.records {
		b = append(b, l.id(r)...)
		switch {
		case l.rowed && digests:
			row = l.row(r, row)
			b = appendRow(append(b, settledRow|byte(len(row))), row)
		case l.rowed:
			b = append(b, 0)
		}
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
	if len(ids) == 0 || ids[0] > 1 || len(l.records) > 0 && n > 0 && l.rowed != (ids[0] == 1) {
		return corrupt("a segment is of another kind of listing")
	}
	rowed := ids[0] == 1
	ids = ids[1:]
	records := make([]record, n)
	rest := ids
	for i := range records {
		e, before := entryAt(entries, i), len(rest)
		if _, rest, ok = cutID(rest); ok && rowed {
			rest, ok = cutRow(rest)
		}
		if !ok {
			return corrupt("a segment lacks ids")
		}
		records[i] = record{e.Place, e.Fingerprint, uint64(len(l.ids) + len(ids) - before)}
	}
	if len(rest) > 0 {
		return corrupt("a segment has ids of no record")
	}
	l.records, l.ids, l.distinct = append(l.records, records...), append(l.ids, ids...), false
	l.rowed = l.rowed || rowed && n > 0
	return nil
}

// cutRow cuts the digests of a record from a segment.
func cutRow(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != 0 && b[0]&settledRow == 0 {
		return nil, false
	}
	end := 1 + 2*int(b[0]&^settledRow)
	if len(b) < end {
		return nil, false
	}
	return b[end:], true
}

// Append adds the records of other as Add would.
func (l *Listing) Append(other *Listing) {
	if len(l.records) == 0 {
		l.records, l.ids, l.distinct, l.rowed = slices.Clip(other.records), slices.Clip(other.ids), other.distinct, other.rowed
		return
	}
	offset := uint64(len(l.ids))
	for _, r := range other.records {
		r.id += offset
		l.records = append(l.records, r)
	}
	l.ids, l.distinct = append(l.ids, other.ids...), false
}
