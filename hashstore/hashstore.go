// Package hashstore keeps what is known of every stream, and the log of events: a
// change and its events are one transaction.
//
// It owns the tables stream_states, stream_parts, stream_runs and event_chunks. It never
// sees a record's content (only ids, places, fingerprints and digests of fields), never
// decides whether a difference is believed, and never interprets a recipe.
//
// A stream is a base and a delta. The base is cut into 2^bits parts by the first bits
// of a record's place; a part is an ascending row of (place, fingerprint) and, in a
// column of its own, the ids in the same order. Where a stream keeps digests of its
// records' fields, they stand in one more column, which is read only to name the fields
// of updated records. The delta is a row of runs, one for
// every poll that found something; when it has grown past a quarter of the base it is
// folded into it. The stream's one row in stream_states holds a digest of every part
// (the wrapping sum of its fingerprints) and a root over them, so that a listing that
// equals what is known is recognised without reading anything else.
//
// Words: the place of a record is the hash of its id, which says where it stands; a
// part, a run, a fold and the root are as above. A place is shared when two ids of one
// stream have it: those records are told apart by their ids wherever both stand in the
// listing or both in the store. What stays unnoticed is a record that vanishes while
// another one of the very same place appears between two listings (a chance of 2^-64 a
// pair): it is taken for an update.
package hashstore

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
)

var (
	// ErrConflict says that somebody else has committed to the stream since Load.
	ErrConflict = errors.New("the stream has been changed by another poll")
	// ErrCorrupt says that what is stored of a stream contradicts itself. Nothing can be
	// concluded from it; Forget and a new baseline is the way out.
	ErrCorrupt = errors.New("stored hashes are damaged")
	// ErrNotFound says that there is no such event.
	ErrNotFound = errors.New("event not found")
)

// Store is the hash store and the event log of one database. It is safe for concurrent
// use.
type Store struct {
	// OnAppend is called after Commit has committed events; nil: nobody is told. Set it
	// before the Store is used.
	OnAppend func()

	db       *sql.DB
	postgres bool
	partSize int // how many records a part should have
	sums     sums

	lockTimeout string // how long an appender waits for the others
}

// New returns the store of db, a PostgreSQL or SQLite database with the schema applied.
func New(db *sql.DB) *Store {
	_, postgres := db.Driver().(*stdlib.Driver)
	return &Store{db: db, postgres: postgres, partSize: partSize, lockTimeout: "60s", sums: sums{block: sumBlock, spare: pruneBatch}}
}

// in follows a column: it is one of the numbers of a parameter, which list makes.
func (s *Store) in(parameter string) string {
	if s.postgres {
		return " = ANY(" + parameter + ")"
	}
	return " IN (SELECT value FROM json_each(" + parameter + "))"
}

// each64 is the rows of the column value that a parameter of list makes.
func (s *Store) each64(parameter string) string {
	if s.postgres {
		return "(SELECT unnest(" + parameter + "::bigint[]) AS value)"
	}
	return "(SELECT value FROM json_each(" + parameter + "))"
}

func (s *Store) list(numbers []int64) any {
	if s.postgres {
		return numbers
	}
	text, _ := json.Marshal(numbers) // numbers can't be refused
	return string(text)
}

func corrupt(what string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(what, args...))
}
