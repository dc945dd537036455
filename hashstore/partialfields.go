package hashstore

import (
	"context"
	"database/sql"
	"fmt"
)

// knownRows are the digests of fields that a fold after a partial listing goes on with:
// those that stand beside the newest word on each record. Where there are none it is nil,
// and does nothing.
type knownRows struct {
	rowWriter
	evidence
	ofRuns []rowsOf
	part   int
	ofPart rowsOf // of the base's part at hand
	listed map[uint64][]uint16
	row    []uint16
}

// readRows reads the digests of the runs.
func (f *storedFold) readRows(ctx context.Context, tx *sql.Tx) error {
	if len(f.next.Fields.Names) == 0 {
		return nil
	}
	f.known = &knownRows{rowWriter: rowWriter{names: len(f.next.Fields.Names)}}
	rows, err := tx.QueryContext(ctx, `SELECT seq, run, fields FROM stream_runs WHERE stream_id = $1 ORDER BY seq`, f.state.StreamID)
	if err != nil {
		return fmt.Errorf("read runs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var run storedRun
		var fields []byte
		if err := rows.Scan(&run.seq, &run.blob, &fields); err != nil {
			return fmt.Errorf("read runs: %w", err)
		}
		if err := decodeRun(run.blob, func(runEntry) {}); err != nil {
			return err
		}
		of, err := unsealRows(fields, len(run.entries())/entrySize, checksum(run.blob, 0))
		if err != nil {
			return err
		}
		f.known.runs, f.known.ofRuns = append(f.known.runs, run), append(f.known.ofRuns, of)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read runs: %w", err)
	}
	return nil
}

// take makes a part of the base, whose entries are unsealed, the one at hand.
func (k *knownRows) take(part int, entries, fields []byte) (err error) {
	if k == nil {
		return nil
	}
	k.part, k.entries, k.listed, k.ofPart = part, map[int][]byte{part: entries}, map[uint64][]uint16{}, rowsOf{}
	if len(entries) > 0 {
		k.ofPart, err = unsealRows(fields, len(entries)/entrySize, checksum(entries, 0))
	}
	return err
}

// replace says that the digests of a record are those of a listing now.
func (k *knownRows) replace(l *Listing, r record) {
	if k != nil {
		k.listed[r.place] = l.row(r, nil)
	}
}

func (k *knownRows) begin() {
	if k != nil {
		k.rowWriter.begin()
	}
}

// write writes what is known of a record's fields. Of one that shares its place, nothing is.
func (k *knownRows) write(r placed, shared bool) {
	if k == nil {
		return
	}
	row, ok := k.listed[r.place]
	if !ok && !shared {
		if w, found := k.find(r.place, k.part); found {
			row, ok = k.at(w), true
		}
	}
	if !ok || shared || len(row) != k.names {
		k.addUnknown() // what has got a name since was counted elsewhere
		return
	}
	k.rows = appendRow(k.rows, row)
}

// at reads digests that were found.
func (k *knownRows) at(w wanted) []uint16 {
	of := k.ofPart
	if w.part == isRun {
		for i, run := range k.runs {
			if run.seq == w.seq {
				of = k.ofRuns[i]
			}
		}
	}
	k.row = of.at(w.row, k.row)
	return k.row
}

func (k *knownRows) sealed(beside uint64) []byte {
	if k == nil {
		return nil
	}
	return k.rowWriter.sealed(beside)
}
