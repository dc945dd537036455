package hashstore

import (
	"context"
	"fmt"
)

// The rows that read selects besides parts.
const (
	isState = -2
	isRun   = -1
)

// visitor is called with the blob of a part, or of a run: then the part is isRun, and seq
// says which.
type visitor func(part, seq int64, blob []byte) error

// readParts calls visit with the stream's runs, oldest first, each as the part isRun, then
// with the entries of parts, which ascend.
func (s *Store) readParts(ctx context.Context, st State, parts []int64, visit visitor) error {
	return s.read(ctx, st, parts, visit, `SELECT -2, version, digests FROM stream_states WHERE stream_id = $1
		UNION ALL SELECT -1, seq, run FROM stream_runs WHERE stream_id = $1
		UNION ALL SELECT part, 0, entries FROM stream_parts WHERE stream_id = $1 AND part`+s.in("$2")+`
		ORDER BY 1, 2`)
}

// readIDs calls visit with the ids of parts, which ascend.
func (s *Store) readIDs(ctx context.Context, st State, parts []int64, visit visitor) error {
	return s.read(ctx, st, parts, visit, `SELECT -2, version, digests FROM stream_states WHERE stream_id = $1
		UNION ALL SELECT part, 0, ids FROM stream_parts WHERE stream_id = $1 AND part`+s.in("$2")+`
		ORDER BY 1`)
}

// readFields calls visit with the digests of fields of runs, and then of parts, both of
// which ascend.
func (s *Store) readFields(ctx context.Context, st State, parts, seqs []int64, visit visitor) error {
	return s.read(ctx, st, parts, visit, `SELECT -2, version, digests FROM stream_states WHERE stream_id = $1
		UNION ALL SELECT -1, seq, fields FROM stream_runs WHERE stream_id = $1 AND seq`+s.in("$3")+`
		UNION ALL SELECT part, 0, fields FROM stream_parts WHERE stream_id = $1 AND part`+s.in("$2")+`
		ORDER BY 1, 2`, seqs)
}

// read calls visit with what query selects for a stream and some of its parts. One
// statement is one snapshot: it belongs to the version of st, or the error is
// ErrConflict. A part without a row is a nil blob. Blobs stay valid.
func (s *Store) read(ctx context.Context, st State, parts []int64, visit visitor, query string, more ...[]int64) error {
	args := []any{st.StreamID, s.list(parts)}
	for _, numbers := range more {
		args = append(args, s.list(numbers))
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read parts: %w", err)
	}
	defer rows.Close()
	found := int64(0) // version
	for rows.Next() {
		var part, seq int64
		var blob []byte
		if err := rows.Scan(&part, &seq, &blob); err != nil {
			return fmt.Errorf("read parts: %w", err)
		}
		if part == isState {
			found = seq
			continue
		}
		if found != st.Version {
			return ErrConflict
		}
		for part >= 0 && parts[0] < part {
			if err := visit(parts[0], 0, nil); err != nil {
				return err
			}
			parts = parts[1:]
		}
		if err := visit(part, seq, blob); err != nil {
			return err
		}
		if part >= 0 {
			parts = parts[1:]
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read parts: %w", err)
	}
	if found != st.Version {
		return ErrConflict
	}
	for _, part := range parts {
		if err := visit(part, 0, nil); err != nil {
			return err
		}
	}
	return nil
}
