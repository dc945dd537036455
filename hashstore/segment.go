package hashstore

import (
	"encoding/binary"
	"slices"
)

// A segment is a piece of a listing under way, to be kept until the rest has come:
//
//	uvarint n; n × (place 8, fingerprint 8); uvarint size; fields, as stream_states has
//	them; n × (stored id, and where there are fields a byte w; w × digest 2); seal

// Segment encodes the listing. Digests of its fields go along when it has been named:
// what it is continued with must know these names, and goes on with their slots.
func (l *Listing) Segment() ([]byte, error) {
	fields, err := l.fields.encode()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 2*binary.MaxVarintLen64+len(l.records)*entrySize+len(fields)+len(l.ids)+sealSize)
	b = binary.AppendUvarint(b, uint64(len(l.records)))
	for _, r := range l.records {
		b = appendEntry(b, r.place, r.fingerprint)
	}
	b = append(binary.AppendUvarint(b, uint64(len(fields))), fields...)
	var row []uint16
	for _, r := range l.records {
		b = append(b, l.id(r)...)
		if fields != "" {
			row = l.row(r, row)
			b = appendDigests(b, row)
		}
	}
	return seal(b, 0), nil
}

// AddSegment adds the records of a segment as Add would, or AddFields where it has digests
// of fields, and returns what these are. The error is ErrCorrupt for what is no segment,
// and then nothing is added.
func (l *Listing) AddSegment(segment []byte) (Fields, error) {
	b, ok := unseal(segment, 0)
	if !ok {
		return Fields{}, corrupt("a segment doesn't match its seal")
	}
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width)/(entrySize+1) {
		return Fields{}, corrupt("a segment is cut")
	}
	entries, rest := b[width:], b[width+int(n)*entrySize:]
	size, width := binary.Uvarint(rest)
	if width <= 0 || size > uint64(len(rest)-width) {
		return Fields{}, corrupt("a segment is cut")
	}
	fields, err := decodeFields(string(rest[width : width+int(size)]))
	if err != nil {
		return Fields{}, err
	}
	ids := rest[width+int(size):]
	records := make([]record, n)
	rest = ids
	for i := range records {
		e, before := entryAt(entries, i), len(rest)
		if _, rest, ok = cutID(rest); ok && fields.Layout != "" {
			rest, ok = cutDigests(rest, len(fields.Names))
		}
		if !ok {
			return Fields{}, corrupt("a segment lacks ids")
		}
		records[i] = record{e.Place, e.Fingerprint, uint64(len(l.ids) + len(ids) - before)}
	}
	if len(rest) > 0 {
		return Fields{}, corrupt("a segment has ids of no record")
	}
	l.records, l.ids, l.distinct = append(l.records, records...), append(l.ids, ids...), false
	l.rowed = l.rowed || fields.Layout != ""
	return fields, nil
}

// Append adds the records of other as Add would, or AddFields.
func (l *Listing) Append(other *Listing) {
	l.rowed = l.rowed || other.rowed
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
