package hashstore

import (
	"context"
	"database/sql"
	"fmt"
)

// What a fold after a partial listing moves of the digests of fields: those of records
// that are not listed stand in the base, or in the runs that it ends.

// readRuns reads the digests of all runs, the newest word on each place last. Of two
// records in one place they are not told apart.
func (f *storedFold) readRuns(ctx context.Context, tx *sql.Tx) error {
	if f.rows.Layout == "" || f.state.deltaRuns == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT run, fields FROM stream_runs WHERE stream_id = $1 ORDER BY seq`, f.state.StreamID)
	if err != nil {
		return fmt.Errorf("read digests of runs: %w", err)
	}
	defer rows.Close()
	f.inRuns = map[uint64][]uint16{}
	for rows.Next() {
		var run, fields []byte
		if err := rows.Scan(&run, &fields); err != nil {
			return fmt.Errorf("read digests of runs: %w", err)
		}
		if err := f.takeRun(run, fields); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read digests of runs: %w", err)
	}
	return nil
}

func (f *storedFold) takeRun(run, fields []byte) error {
	var entries []runEntry
	if err := decodeRun(run, func(e runEntry) { entries = append(entries, e) }); err != nil {
		return err
	}
	digests, err := unsealRows(fields, len(entries), checksum(run, 0))
	if err != nil {
		return err
	}
	for i, e := range entries {
		f.inRuns[e.place] = nil
		if e.kind != shared {
			f.inRuns[e.place] = digests.at(i, nil)
		}
	}
	return nil
}

// knowRows gives the records of a part their digests: those of the newest word on them.
func (f *storedFold) knowRows(known map[uint64][]knownID, entries, fields []byte) error {
	inBase := rowsOf{}
	if len(entries) > 0 {
		var err error
		if inBase, err = unsealRows(fields, len(entries)/entrySize, checksum(entries, 0)); err != nil {
			return err
		}
	}
	for place, there := range known {
		if len(there) != 1 {
			continue
		}
		row, inRun := f.inRuns[place]
		if at, found := findEntries(entries, place); found == 1 && !inRun {
			row = inBase.at(at, nil)
		}
		there[0].row = row
	}
	return nil
}

// rowOf is the digests of a record that this commit writes; nil: not known.
func (f *storedFold) rowOf(r record) []uint16 {
	if f.rows.Layout == "" || f.listing.fields.Layout != f.rows.Layout {
		return nil
	}
	return f.listing.row(r, nil)
}

// width is how many names all rows of a part have: those that came later are counted in
// what they stand in, as in the rows that lack them.
func (f *storedFold) width(all []placed) int {
	width := len(f.rows.Names)
	for _, k := range all {
		if len(k.row) > 0 {
			width = min(width, len(k.row))
		}
	}
	return width
}
