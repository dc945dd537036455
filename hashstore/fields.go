package hashstore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/synthook/synthook/diff"
)

// Fields say what the digests of a listing's fields are of. A stream whose listings have
// none pays nothing for those that do: neither a byte nor a statement.
//
// Where the layout of a listing is not the one that is stored, nothing is told of fields,
// and its commit writes the base anew: with digests, or without. Within a layout, names
// are only ever added.
type Fields struct {
	Layout string   `json:"layout"` // digests of one layout can be compared; "": there are none
	Names  []string `json:"names"`  // by slot; at most diff.MaxFields
}

func (f Fields) encode() (string, error) {
	if f.Layout == "" {
		return "", nil
	}
	text, err := json.Marshal(f)
	return string(text), err
}

func decodeFields(text string) (f Fields, err error) {
	if text == "" {
		return Fields{}, nil
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil || f.Layout == "" || len(f.Names) == 0 || len(f.Names) > diff.MaxFields {
		return Fields{}, corrupt("the names of fields can't be read")
	}
	return f, nil
}

// continues tells whether the names that are stored go on in f.
func (f Fields) continues(stored Fields) bool {
	return len(f.Names) >= len(stored.Names) && slices.Equal(f.Names[:len(stored.Names)], stored.Names)
}

// AddFields adds a record with the digests of its fields, in slots that the listing's
// Name explains. All records of a listing are added by AddFields, or none is; digests
// that are not known are nil.
func (l *Listing) AddFields(id string, place, fingerprint uint64, digests []uint16) {
	l.Add(id, place, fingerprint)
	l.rowed = true
	l.ids = appendDigests(l.ids, digests)
}

// appendDigests appends digests as they stand behind an id: their number, and them.
func appendDigests(dst []byte, digests []uint16) []byte {
	dst = append(dst, byte(len(digests)))
	for _, digest := range digests {
		dst = binary.BigEndian.AppendUint16(dst, digest)
	}
	return dst
}

// cutDigests returns what follows digests, of which there are so many.
func cutDigests(b []byte, number int) (rest []byte, ok bool) {
	if len(b) < 1+2*number || int(b[0]) != number {
		return nil, false
	}
	return b[1+2*number:], true
}

// Name says what the digests of the listing's records stand for: names by slot, and for
// each slot of AddFields the named one that it is a part of. It belongs between the last
// AddFields and Compare.
func (l *Listing) Name(f Fields, slots []uint8) error {
	if f.Layout == "" || len(f.Names) == 0 || len(f.Names) > diff.MaxFields {
		return fmt.Errorf("%d names of fields, of layout %q", len(f.Names), f.Layout)
	}
	for _, slot := range slots {
		if int(slot) >= len(f.Names) {
			return errors.New("a slot of a field has no name")
		}
	}
	l.fields, l.slots = f, slots
	return nil
}

// row reads the digests of a record by named slot. A row of zeros is not known.
func (l *Listing) row(r record, row []uint16) []uint16 {
	row = slices.Grow(row[:0], len(l.fields.Names))[:len(l.fields.Names)]
	clear(row)
	b := l.ids[int(r.id)+len(l.id(r)):]
	for slot := range int(b[0]) {
		row[l.slots[slot]] += binary.BigEndian.Uint16(b[1+2*slot:])
	}
	return row
}

// Stored digests of fields stand in a column of their own, beside the entries of a part
// or a run and in their order:
//
//	a byte w; n × w × 2 bytes: a row; seal over them, seeded with what they stand beside
//
// A row of zeros is not known.

// rowsOf is stored digests, unsealed.
type rowsOf struct {
	width int
	rows  []byte
}

// unsealRows checks that digests stand beside n entries whose checksum is beside.
func unsealRows(b []byte, n int, beside uint64) (rowsOf, error) {
	content, ok := unseal(b, beside)
	if !ok || len(content) == 0 {
		return rowsOf{}, corrupt("digests of fields don't match their seal")
	}
	r := rowsOf{int(content[0]), content[1:]}
	if r.width == 0 || r.width > diff.MaxFields || len(r.rows) != n*r.width*2 {
		return rowsOf{}, corrupt("digests of fields are cut")
	}
	return r, nil
}

func (r rowsOf) at(i int, row []uint16) []uint16 {
	row = row[:0]
	for b := r.rows[i*r.width*2 : (i+1)*r.width*2]; len(b) > 0; b = b[2:] {
		row = append(row, binary.BigEndian.Uint16(b))
	}
	return row
}

// rowWriter gathers the digests of records for one blob; the zero value writes none.
type rowWriter struct {
	Fields
	width int
	row   []uint16
	rows  []byte
}

// begin begins a blob of rows by the first names, so many.
func (w *rowWriter) begin(width int) {
	if w.width = width; w.Layout != "" {
		w.rows = append(w.rows[:0], byte(width))
	}
}

// add adds a record of the listing. Digests of another layout are as good as none.
func (w *rowWriter) add(l *Listing, r record) {
	w.row = w.row[:0]
	if w.Layout != "" && l.fields.Layout == w.Layout {
		w.row = l.row(r, w.row)
	}
	w.addRow(w.row)
}

// addRow adds digests by slot; a row of none is not known.
func (w *rowWriter) addRow(row []uint16) {
	if w.Layout == "" {
		return
	}
	for _, digest := range row {
		w.rows = binary.BigEndian.AppendUint16(w.rows, digest)
	}
	w.rows = append(w.rows, make([]byte, 2*(w.width-len(row)))...)
}

// sealed returns the blob, to stand beside something; nil where there are no digests.
func (w *rowWriter) sealed(beside uint64) []byte {
	if w.Layout == "" {
		return nil
	}
	return seal(w.rows, beside)
}
