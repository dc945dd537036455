package hashstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
)

// State is what is known of a stream as a whole.
type State struct {
	StreamID int64
	Version  int64  // rises with every commit; 0: the stream was never listed
	Root     uint64 // digest of everything; with Records it tells an unchanged listing
	Records  int
	Bits     int    // the base has 2^Bits parts
	Recipe   string // what was hashed and how: the poller's word, kept with the hashes
	Fields   Fields // what digests of fields are kept

	baseSize  int      // records of the base
	deltaSize int      // entries of all runs
	deltaRuns int      // runs
	digests   []uint64 // of each part, base and delta together
}

// Load returns what is known of a stream, by one statement. A stream that was never
// listed has Version 0. The error is ErrCorrupt when the digests don't match their root.
func (s *Store) Load(ctx context.Context, streamID int64) (State, error) {
	st := State{StreamID: streamID}
	var root int64
	var digests []byte
	var fields string
	err := s.db.QueryRowContext(ctx,
		`SELECT version, root, records, bits, recipe, base_size, delta_size, delta_runs, digests, fields
		FROM stream_states WHERE stream_id = $1`, streamID).
		Scan(&st.Version, &root, &st.Records, &st.Bits, &st.Recipe, &st.baseSize, &st.deltaSize, &st.deltaRuns, &digests, &fields)
	if errors.Is(err, sql.ErrNoRows) {
		return st, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("load stream %d: %w", streamID, err)
	}
	if st.Root = uint64(root); len(digests) != 8<<st.Bits {
		return State{}, fmt.Errorf("load stream %d: %w", streamID, corrupt("%d bytes of digests for %d parts", len(digests), 1<<st.Bits))
	}
	st.digests = make([]uint64, 1<<st.Bits)
	for p := range st.digests {
		st.digests[p] = binary.BigEndian.Uint64(digests[8*p:])
	}
	if rootOf(st.digests, st.Records) != st.Root {
		return State{}, fmt.Errorf("load stream %d: %w", streamID, corrupt("the digests don't match their root"))
	}
	if st.Fields, err = decodeFields(fields); err != nil {
		return State{}, fmt.Errorf("load stream %d: %w", streamID, err)
	}
	return st, nil
}

// Forget removes all that is known of a stream: its next listing is a first one.
func (s *Store) Forget(ctx context.Context, tx *sql.Tx, streamID int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM stream_states WHERE stream_id = $1`, streamID); err != nil {
		return fmt.Errorf("forget stream %d: %w", streamID, err)
	}
	return nil
}

// partSize is how many records a part should have: small enough that an update rewrites
// little in a fold, big enough that digests are few.
const partSize = 4096

// maxBits is the schema's bound.
const maxBits = 24

// partBits is the bits for a number of records in parts of a size. It keeps the present
// ones while the parts have between half and twice that size, so that a stream whose
// size wavers doesn't rewrite itself again and again.
func partBits(records, size, present int) int {
	if average := records >> present; average <= 2*size && (average >= size/2 || present == 0) {
		return present
	}
	n := 0
	for records>>n > size && n < maxBits {
		n++
	}
	return n
}
