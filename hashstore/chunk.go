package hashstore

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// maxChunk is how many events a chunk holds at most. The schema knows it as well.
const maxChunk = 500

// chunk is a row of the log: events of one append that differ only in their record and
// their fields. A row an event costs ten times the time and the WAL where a poll has
// found much, and saves nothing where it has found little.
//
// Its blob is, sealed: the stored ids of the records; then, where any event has fields, a
// uvarint an event: which of the chunk's sets of fields they are, counted from 1, or 0.
type chunk struct {
	head   Event // what the events have in common
	size   int
	salt   int16
	ids    []byte
	sets   [][]string     // the sets of fields that occur
	number map[string]int // of a set, by its names
	fields []byte         // the numbers, of as many events as are marked
	marked int
}

func newChunk(e *Event) chunk {
	c := chunk{head: *e, salt: int16(rand.Uint32())}
	c.add(e)
	return c
}

// takes tells whether e can stand in c.
func (c *chunk) takes(e *Event) bool {
	h := &c.head
	return c.size < maxChunk && h.Details == nil && e.Details == nil && h.PollID == e.PollID && h.Name == e.Name &&
		h.AccountID == e.AccountID && h.ProjectID == e.ProjectID && h.Provider == e.Provider && h.RecordType == e.RecordType && h.OccurredAt.Equal(e.OccurredAt)
}

func (c *chunk) add(e *Event) {
	c.ids = appendID(c.ids, e.RecordID)
	c.size++
	if len(e.Fields) == 0 {
		return
	}
	key := strings.Join(e.Fields, "\x00")
	number, ok := c.number[key]
	if !ok {
		if c.number == nil {
			c.number = map[string]int{}
		}
		c.sets = append(c.sets, slices.Clone(e.Fields))
		number = len(c.sets)
		c.number[key] = number
	}
	c.mark(c.size - 1)
	c.fields = binary.AppendUvarint(c.fields, uint64(number))
	c.marked++
}

// mark says of the events up to n that are not marked yet that their fields are not known.
func (c *chunk) mark(n int) {
	for ; c.marked < n; c.marked++ {
		c.fields = append(c.fields, 0)
	}
}

// fieldSets is the stored form of the sets.
func (c *chunk) fieldSets() (string, error) {
	if len(c.sets) == 0 {
		return "", nil
	}
	text, err := json.Marshal(c.sets)
	return string(text), err
}

func (c *chunk) encode() []byte {
	if len(c.sets) > 0 {
		c.mark(c.size)
	}
	return seal(slices.Concat(c.ids, c.fields), 0)
}

// decodeChunk returns the events of a chunk: head is the first one, but for its record and
// fields; sets is what fieldSets gave.
func decodeChunk(head Event, size int, salt int16, sets string, blob []byte) ([]Event, error) {
	rest, ok := unseal(blob, 0)
	if !ok || size < 1 || size > maxChunk {
		return nil, corrupt("the events up to %d don't match their seal", head.ID+int64(size)-1)
	}
	var named [][]string
	if sets != "" {
		if err := json.Unmarshal([]byte(sets), &named); err != nil {
			return nil, corrupt("the fields of the events up to %d are unreadable", head.ID+int64(size)-1)
		}
	}
	events := make([]Event, size)
	for i := range events {
		var id []byte
		if id, rest, ok = cutID(rest); !ok {
			return nil, corrupt("event %d has no record", head.ID+int64(i))
		}
		e := &events[i]
		*e = head
		e.ID += int64(i)
		e.RecordID, e.UID = textOf(id), uid(e.ID, salt, e.OccurredAt)
	}
	for i := range events {
		if len(named) == 0 {
			break
		}
		number, width := binary.Uvarint(rest)
		if width <= 0 || number > uint64(len(named)) {
			return nil, corrupt("event %d has unknown fields", head.ID+int64(i))
		}
		if rest = rest[width:]; number > 0 {
			events[i].Fields = named[number-1]
		}
	}
	if len(rest) > 0 {
		return nil, corrupt("the events up to %d are followed by something", head.ID+int64(size)-1)
	}
	return events, nil
}

// uid is the public id of an event: "evt_" and 26 characters of Crockford's base 32: 48
// bits of milliseconds, 16 random ones of its chunk, and the 64 of its id. So uids sort by
// time, an event is found by its uid without an index, and a log that was restored from a
// backup hands out no uid again.
func uid(id int64, salt int16, at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(at.UnixMilli())<<16|uint64(uint16(salt)))
	binary.BigEndian.PutUint64(b[8:], uint64(id))
	return uidPrefix + crockford(b)
}

const uidPrefix = "evt_"

// crockford writes 128 bits as a ULID does: two zero bits before them make 26 times 5.
func crockford(b [16]byte) string {
	high, low := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	var text [26]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = alphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(text[:])
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// idOf is the id in a uid; 0 where it is none.
func idOf(text string) int64 {
	digits, ok := strings.CutPrefix(text, uidPrefix)
	if !ok || len(digits) != 26 {
		return 0
	}
	var low uint64
	for _, c := range []byte(digits[13:]) { // 65 bits: more than an id has
		value := strings.IndexByte(alphabet, c)
		if value < 0 {
			return 0
		}
		low = low<<5 | uint64(value)
	}
	return int64(low)
}
