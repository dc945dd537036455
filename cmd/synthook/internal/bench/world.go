package bench

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
)

// world is the stream's records, invented anew for every listing so that they take no
// memory: UUIDs, of which the same number changes from each round to the next.
type world struct{ records, changed int }

func newWorld(records int, percent float64) world {
	changed := int(math.Round(float64(records) * percent / 100))
	if percent > 0 {
		changed = max(changed, min(records, 1))
	}
	return world{records, changed}
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
	for id, fingerprint := range w.all(round) {
		l.Add(id, diff.Place(id), fingerprint)
	}
	return l
}

func event(name, id string, at time.Time) hashstore.Event {
	return hashstore.Event{ProjectID: "acmeinc-27270", AccountID: "GnQoASvosYhE5wJcmmAQs", Name: name, RecordType: "employees", RecordID: id, OccurredAt: at, PollID: 7}
}

const (
	created = "hris_employees.created"
	updated = "hris_employees.updated"
)
