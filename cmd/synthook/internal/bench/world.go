package bench

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
)

// world is the stream's records, invented anew for every listing so that they take no
// memory: UUIDs, of which the same number changes from each round to the next.
type world struct {
	records, changed int
	fields           bool // have digests in a listing
}

func newWorld(records int, percent float64, fields bool) world {
	changed := int(math.Round(float64(records) * percent / 100))
	if percent > 0 {
		changed = max(changed, min(records, 1))
	}
	return world{records, changed, fields}
}

// stride is a prime beyond MaxRecords: its multiples visit every record once.
const stride = 15_485_863

// all yields the id and the fingerprint of every record in a round.
func (w world) all(round int) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		random := rand.New(rand.NewPCG(1, 2))
		for i := range w.records {
			id := uuid(random.Uint64(), random.Uint64())
			if !yield(id, mix(random.Uint64()+uint64(w.version(i, round)))) {
				return
			}
		}
	}
}

// version counts how often a record has changed: in each round, the next w.changed
// positions have.
func (w world) version(record, round int) int {
	position := record * stride % w.records
	return (round*w.changed + w.records - 1 - position) / w.records
}

// changes yields the ids of the records that changed in a round; with everything, of all.
func (w world) changes(round int, everything bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		i := 0
		for id := range w.all(round) {
			if (everything || w.version(i, round) != w.version(i, round-1)) && !yield(id) {
				return
			}
			i++
		}
	}
}

// mix is the finish of SplitMix64: one number from another, evenly.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return max(x^x>>31, 1)
}

// uuid writes a version 4 UUID.
func uuid(high, low uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], high&^0xf000|0x4000)
	binary.BigEndian.PutUint64(b[8:], low&^(3<<62)|2<<62)
	var text [36]byte
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		start := [...]int{0, 9, 14, 19, 24}[i]
		if i > 0 {
			text[start-1] = '-'
		}
		hex.Encode(text[start:], part)
	}
	return string(text[:])
}

// listing is the world as hashstore takes it.
func (w world) listing(round int) *hashstore.Listing {
	l := hashstore.NewListing()
	if w.fields {
		w.addWithFields(l, round)
		return l
	}
	for id, fingerprint := range w.all(round) {
		l.Add(id, diff.Place(id), fingerprint)
	}
	return l
}

// addWithFields is for listings that know a record's fields. The field that changes is
// another one each time.
func (w world) addWithFields(l *hashstore.Listing, round int) {
	fields, slots := hashstore.Fields{Layout: "bench", Names: []string{"*"}}, []uint8{0}
	for n := range FieldsARecord {
		fields.Names, slots = append(fields.Names, fmt.Sprintf("field_%d", n+1)), append(slots, uint8(n+1))
	}
	row, i := make([]uint16, len(slots)), 0
	for id, fingerprint := range w.all(round) {
		place, version := diff.Place(id), w.version(i, round)
		for n := range FieldsARecord {
			turns := (version + FieldsARecord - 1 - n) / FieldsARecord // that this one has changed
			row[n+1] = uint16(mix(place + uint64(n)<<32 + uint64(turns)))
		}
		l.AddFields(id, place, fingerprint, row)
		i++
	}
	if err := l.Name(fields, slots); err != nil {
		panic(err) // a mistake in this function
	}
}

func event(name, id string, at time.Time) hashstore.Event {
	return hashstore.Event{ProjectID: "acmeinc-27270", AccountID: "GnQoASvosYhE5wJcmmAQs", Name: name, RecordType: "employees", RecordID: id, OccurredAt: at, PollID: 7}
}

const (
	created = "hris_employees.created"
	updated = "hris_employees.updated"
)
