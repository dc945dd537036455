package dispatch

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// handedBuffer is how many bytes of ids are held before they are written.
const handedBuffer = 8 << 20

// longestID bounds a record id that is handed in.
const longestID = 1024

// HandIn adds ids to a reconciliation that collects, and returns how many; one that is
// handed in twice counts once. Memory is bounded, whatever their number. What was read
// before an error may be kept or not; it does no harm to hand it in again. ErrNotFound,
// *InvalidError.
func (m *Webhooks) HandIn(ctx context.Context, projectID, id string, ids iter.Seq2[string, error]) (int64, error) {
	if _, err := m.collecting(ctx, projectID, id); err != nil {
		return 0, err
	}
	var n int64
	var parts [1 << handedBits][]byte
	size := 0
	for record, err := range ids {
		if err != nil {
			return n, err
		}
		if record == "" || len(record) > longestID {
			return n, &InvalidError{"ids", fmt.Sprintf("must have 1 to %d bytes each: look at number %d", longestID, n+1)}
		}
		part := &parts[m.config.Records.Place(record)>>(64-handedBits)]
		*part = append(binary.AppendUvarint(*part, uint64(len(record))), record...)
		n++
		if size += len(record) + 2; size >= handedBuffer {
			if err := m.store.keepHanded(ctx, id, parts[:]); err != nil {
				return n, err
			}
			size = 0
		}
	}
	return n, m.store.keepHanded(ctx, id, parts[:])
}

// keepHanded writes ids and empties their buffers.
func (s store) keepHanded(ctx context.Context, id string, parts [][]byte) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		var state string
		if err := tx.QueryRowContext(ctx, `SELECT state FROM replays WHERE id = $1`, id).Scan(&state); err != nil {
			return err
		}
		if state != string(ReplayCollecting) {
			return notCollecting(state)
		}
		seq := time.Now().UnixNano()
		for part, ids := range parts {
			if len(ids) == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO handed_ids (replay_id, part, seq, ids) VALUES ($1, $2, $3, $4)`, id, part, seq, ids); err != nil {
				return err
			}
			parts[part] = ids[:0]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep ids: %w", err)
	}
	return nil
}

func notCollecting(state string) error {
	return &InvalidError{"id", "is a reconciliation that takes no ids any more, it is " + state + ": begin another one"}
}

// handedIn returns the ids of a reconciliation that stand in a range, by place, each once.
func (s store) handedIn(ctx context.Context, id string, from, to uint64, place func(string) uint64) ([]Record, error) {
	const shift = 64 - handedBits
	rows, err := s.db.QueryContext(ctx, `SELECT ids FROM handed_ids WHERE replay_id = $1 AND part BETWEEN $2 AND $3`, id, from>>shift, to>>shift)
	var records []Record
	_, err = collect(rows, err, func(rows *sql.Rows) (none struct{}, err error) {
		var ids []byte
		if err := rows.Scan(&ids); err != nil {
			return none, err
		}
		for len(ids) > 0 {
			size, n := binary.Uvarint(ids)
			if n <= 0 || size > uint64(len(ids)-n) {
				return none, errors.New("they are damaged: begin another reconciliation")
			}
			ids = ids[n:]
			r := Record{ID: string(ids[:size])}
			if r.Place = place(r.ID); from <= r.Place && r.Place <= to {
				records = append(records, r)
			}
			ids = ids[size:]
		}
		return none, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read handed ids: %w", err)
	}
	slices.SortFunc(records, compareRecords)
	return slices.Compact(records), nil
}

func (s store) forgetHanded(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM handed_ids WHERE replay_id = $1`, id); err != nil {
		return fmt.Errorf("forget handed ids: %w", err)
	}
	return nil
}

func compareRecords(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.ID, b.ID))
}

// compareFirst compares the first of two lists of records; nothing left is more than
// anything.
func compareFirst(a, b []Record) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return compareRecords(a[0], b[0])
}
