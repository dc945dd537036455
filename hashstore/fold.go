package hashstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
)

// A fold writes the base anew: all of it when the number of parts changes, else the
// parts that runs or this commit have touched. What it writes is the listing and the
// records that are kept though missing: together they are all that is known. After a
// partial listing that is not so: see partial.go.

// planFold makes next a state without runs.
func (p *plan) planFold(partSize int) {
	p.next.baseSize, p.next.deltaSize, p.next.deltaRuns = p.next.Records, 0, 0
	p.base = p.groups
	if p.state.Version != 0 {
		p.next.Bits = partBits(p.next.Records, partSize, p.state.Bits)
	}
	if p.all = p.all || p.next.Bits != p.state.Bits; p.all {
		p.base = group(p.listing.records, p.next.Bits)
		p.next.digests = p.sumsOfAll(p.listing)
		return
	}
	p.touchChanged()
}

// touchChanged marks the parts that this commit changes.
func (p *plan) touchChanged() {
	for _, i := range p.created {
		p.touched[partOf(p.groups.records[i].place, p.state.Bits)] |= touchEntries | touchMembers
	}
	for _, i := range p.updated {
		p.touched[partOf(p.groups.records[i].place, p.state.Bits)] |= touchEntries
	}
	for _, r := range p.deleted.records {
		p.touched[partOf(r.place, p.state.Bits)] |= touchEntries | touchMembers
	}
}

// planRebase makes next a state without runs, of l and what is kept.
func (p *plan) planRebase(l *Listing, partSize int) {
	p.stored, p.fold, p.all = l, true, true
	p.next.Fields = l.fields
	p.next.Records = l.Len() + len(p.kept.records)
	p.next.baseSize, p.next.deltaSize, p.next.deltaRuns = p.next.Records, 0, 0
	p.next.Bits = partBits(p.next.Records, partSize, p.state.Bits)
	p.base = group(l.records, p.next.Bits)
	p.next.digests = p.sumsOfAll(l)
	p.next.Root = rootOf(p.next.digests, p.next.Records)
}

// sumsOfAll are the digests of l and what is kept, in the parts of next.
func (p *plan) sumsOfAll(l *Listing) []uint64 {
	sums := l.sums(p.next.Bits)
	for _, r := range p.kept.records {
		sums[partOf(r.place, p.next.Bits)] += r.fingerprint
	}
	return sums
}

// writeBase writes the parts of next.
func (p *plan) writeBase(ctx context.Context, tx *sql.Tx) error {
	if p.all {
		if _, err := tx.ExecContext(ctx, `DELETE FROM stream_parts WHERE stream_id = $1`, p.state.StreamID); err != nil {
			return fmt.Errorf("clear base: %w", err)
		}
	}
	if err := p.clearRuns(ctx, tx); err != nil {
		return err
	}
	w := partWriter{plan: p, keep: p.kept.records, rows: rowWriter{Fields: p.next.Fields}}
	for part := range 1 << p.next.Bits {
		how := touchEntries | touchMembers
		if !p.all {
			how = p.touched[part]
		}
		if err := w.write(ctx, tx, part, how); err != nil {
			return fmt.Errorf("fold part %d: %w", part, err)
		}
	}
	return nil
}

func (p *plan) clearRuns(ctx context.Context, tx *sql.Tx) error {
	if p.state.deltaRuns == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM stream_runs WHERE stream_id = $1`, p.state.StreamID); err != nil {
		return fmt.Errorf("clear runs: %w", err)
	}
	return nil
}

// partWriter writes parts, ascending, one at a time: memory holds no more.
type partWriter struct {
	*plan
	keep         []record // of kept, not written yet
	sorter       sorter
	entries, ids []byte
	rows         rowWriter // beside entries
}

func (w *partWriter) write(ctx context.Context, tx *sql.Tx, part int, how touch) error {
	n := 0
	for n < len(w.keep) && partOf(w.keep[n].place, w.next.Bits) == part {
		n++
	}
	keep := w.keep[:n]
	w.keep = w.keep[n:]
	if how == 0 {
		return nil
	}
	w.gather(part, keep)
	return w.store(ctx, tx, part, how)
}

// store writes the entries at hand, and the ids where members came or went.
func (w *partWriter) store(ctx context.Context, tx *sql.Tx, part int, how touch) error {
	fields := w.rows.sealed(checksum(w.entries, 0))
	if how&touchMembers == 0 {
		result, err := tx.ExecContext(ctx, `UPDATE stream_parts SET entries = $1, fields = $2 WHERE stream_id = $3 AND part = $4`,
			seal(w.entries, 0), fields, w.state.StreamID, part)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return cmp.Or(err, corrupt("the base lacks the part"))
		}
		return nil
	}
	if len(w.entries) == 0 {
		_, err := tx.ExecContext(ctx, `DELETE FROM stream_parts WHERE stream_id = $1 AND part = $2`, w.state.StreamID, part)
		return err
	}
	places := placesOf(w.entries)
	_, err := tx.ExecContext(ctx, `INSERT INTO stream_parts (stream_id, part, entries, ids, fields) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (stream_id, part) DO UPDATE SET entries = excluded.entries, ids = excluded.ids, fields = excluded.fields`,
		w.state.StreamID, part, seal(w.entries, 0), seal(w.ids, places), fields)
	return err
}

// gather merges what the listing has of a part with what is kept of it.
func (w *partWriter) gather(part int, keep []record) {
	w.base.settle(part, w.next.Bits, &w.stored.list, &w.sorter)
	w.entries, w.ids = w.entries[:0], w.ids[:0]
	w.rows.begin(len(w.rows.Names))
	add := func(l *list, r record) {
		w.entries = appendEntry(w.entries, r.place, r.fingerprint)
		w.ids = append(w.ids, l.id(r)...)
		if l == &w.kept {
			w.rows.addRow(nil)
		} else {
			w.rows.add(w.stored, r)
		}
	}
	for _, r := range w.base.part(part) {
		for len(keep) > 0 && compareFirst(&w.kept, keep, &w.stored.list, r) < 0 {
			add(&w.kept, keep[0])
			keep = keep[1:]
		}
		add(&w.stored.list, r)
	}
	for _, r := range keep {
		add(&w.kept, r)
	}
}
