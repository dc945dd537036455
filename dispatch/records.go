package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// Records is the hash store, as far as a resync or a reconciliation reads it. A place
// says where a record stands in its stream, and follows from the record's id alone.
type Records interface {
	// Count is how many records are known of a stream; listed says whether it was ever
	// listed completely.
	Count(ctx context.Context, streamID int64) (n int64, listed bool, err error)
	// Range returns the records known in from ≤ place ≤ to, by place, as of one moment.
	Range(ctx context.Context, streamID int64, from, to uint64) ([]Record, error)
	// Place is where the record with an id stands.
	Place(id string) uint64
}

// Record is a record that the hash store knows.
type Record struct {
	ID    string
	Place uint64
}

// Stream is the stream of a resync or reconciliation, and what its events say of it.
type Stream struct {
	ID         int64
	AccountID  string
	Provider   string
	RecordType string // employees
	Prefix     string // hris_employees: events are hris_employees.created …
}

// walk is the way through a stream's records, range by range: a resync's, or a
// reconciliation's. A spot is half a place, so that it is a cursor's number.
type walk struct {
	id        string // of the resync or reconciliation
	projectID string
	at        time.Time // when it was made: the date of its events
	Stream    Stream    `json:"stream"`
	Bits      int       `json:"bits"` // there are 2^Bits ranges
}

func parseWalk(text string) (k walk, err error) {
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return k, fmt.Errorf("parse stream: %w", err)
	}
	return k, nil
}

const (
	beforeFirst = -1        // the spot before all records
	lastSpot    = 1<<63 - 1 // and the last one
	// rangeSize is how many records a range should have: they are in memory at once.
	rangeSize = 4096
	// handedBits is how many bits of a place the ids that are handed in are kept by.
	handedBits = 8
)

// rangeBits is the Bits for a number of records.
func rangeBits(records int64, most int) int {
	return min(most, max(0, bits.Len64(uint64(records)/rangeSize)))
}

// next is the range behind a spot: its last spot, and its first and last place.
func (k walk) next(spot int64) (end int64, from, to uint64) {
	first := uint64(spot + 1)
	last := first | (1<<(63-k.Bits) - 1)
	return int64(last), first << 1, last<<1 | 1
}

func spotOf(place uint64) int64 { return int64(place >> 1) }

// event is the event that tells of a record. Its uid is the same whenever it is made
// again; its id is below 0, so that it comes before what the log says of the record.
func (k walk) event(action, record string) Event {
	sum := sha256.Sum256([]byte(k.id + "\x00" + k.Stream.AccountID + "\x00" + k.Stream.RecordType + "\x00" + action + "\x00" + record))
	return Event{
		ID:        -1 - int64(binary.BigEndian.Uint64(sum[16:])>>1),
		UID:       "evt_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]),
		ProjectID: k.projectID, AccountID: k.Stream.AccountID, Provider: k.Stream.Provider, Name: k.Stream.Prefix + action,
		RecordType: k.Stream.RecordType, RecordID: record, OccurredAt: k.at,
	}
}

// owed is an event that a walk has found, and where.
type owed struct {
	event Event
	spot  int64
}

// walker finds what a walk owes to a webhook.
type walker struct {
	walk
	records Records
	store   store
	filter  Filter // of the webhook
	handed  bool   // a reconciliation: compare with the ids that were handed in
}

// read returns what is owed of the records in a range: created for what the store
// knows; of a reconciliation, created for what only the store knows, and deleted for
// what only the consumer has.
func (k walker) read(ctx context.Context, from, to uint64) ([]owed, error) {
	known, err := k.records.Range(ctx, k.Stream.ID, from, to)
	if err != nil {
		return nil, err
	}
	var consumers []Record
	if k.handed {
		if consumers, err = k.store.handedIn(ctx, k.id, from, to, k.records.Place); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(known, compareRecords)
	var all []owed
	add := func(action string, r Record) {
		if e := k.event(action, r.ID); k.filter.Match(e) {
			all = append(all, owed{e, spotOf(r.Place)})
		}
	}
	for len(known)+len(consumers) > 0 {
		switch order := compareFirst(known, consumers); {
		case order < 0:
			add(created, known[0])
			known = known[1:]
		case order > 0:
			add(deleted, consumers[0])
			consumers = consumers[1:]
		default:
			known, consumers = known[1:], consumers[1:]
		}
	}
	return all, nil
}

// count counts what the whole walk owes, by action.
func (k walker) count(ctx context.Context) (toCreate, toDelete int64, err error) {
	for spot := int64(beforeFirst); spot < lastSpot; {
		end, from, to := k.next(spot)
		found, err := k.read(ctx, from, to)
		if err != nil {
			return 0, 0, err
		}
		for _, o := range found {
			if o.event.Name == k.Stream.Prefix+created {
				toCreate++
			} else {
				toDelete++
			}
		}
		spot = end
	}
	return toCreate, toDelete, nil
}
