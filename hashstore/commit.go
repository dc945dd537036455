package hashstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
)

// Commit says what of a difference is taken over, and what belongs to it.
type Commit struct {
	// Recipe is kept with the state from now on.
	Recipe string
	// Delete says by their places which of the missing records are deleted; nil: none.
	// The others stay as they are, and missing the next time.
	Delete func(place uint64) bool
	// Rebase, where not nil, becomes what is known instead of the listing that was
	// compared: the same records, fingerprinted by Recipe. What of Missing is kept keeps its
	// old fingerprint, so that it is found updated when it is listed again, whatever it
	// holds. Any other listing is not noticed, and breaks what the next poll concludes.
	Rebase *Listing
	// Events are appended to the log; nil: none.
	Events iter.Seq[Event]
	// Guard runs first in the transaction; its error rolls everything back and is
	// returned as it is. nil: no guard.
	Guard func(ctx context.Context, tx *sql.Tx) error
}

// Commit makes d, found by a Compare with st, known, all in one transaction: the guard,
// what has changed of the stream, the events. It returns how many events were appended.
// The error is ErrConflict, and nothing has happened, when st is not the present state
// any more. After another error nothing has happened either, unless the connection broke
// while committing: then Load tells. A difference is committed at most once.
func (s *Store) Commit(ctx context.Context, st State, d *Difference, c Commit) (events int, err error) {
	if d.state.StreamID != st.StreamID || d.state.Version != st.Version {
		return 0, fmt.Errorf("commit stream %d: the difference is of another state", st.StreamID)
	}
	if d.partial != nil && (c.Rebase != nil || c.Recipe != st.Recipe) {
		return 0, fmt.Errorf("commit stream %d: only a complete listing brings another recipe", st.StreamID)
	}
	p := d.plan(c, s.partSize)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("commit stream %d: %w", st.StreamID, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if c.Guard != nil {
		if err := c.Guard(ctx, tx); err != nil {
			return 0, err
		}
	}
	if err := p.write(ctx, tx); err != nil {
		return 0, fmt.Errorf("commit stream %d: %w", st.StreamID, err)
	}
	if c.Events != nil {
		if events, err = s.Append(ctx, tx, c.Events); err != nil {
			return 0, fmt.Errorf("commit stream %d: %w", st.StreamID, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("commit stream %d: %w", st.StreamID, err)
	}
	if events > 0 && s.OnAppend != nil {
		s.OnAppend()
	}
	return events, nil
}

// maxRuns is how many runs a stream has at most, however few they hold: every poll with
// changes reads them all.
const maxRuns = 64

// plan is what a commit will write, made before its transaction begins.
type plan struct {
	*Difference
	next    State // the version is still that of state
	deleted list
	kept    list // missing, and to stay
	stored  *Listing
	fold    bool
	all     bool    // of the base's parts; where fold
	base    *groups // of stored, by the parts of next; where fold
}

func (d *Difference) plan(c Commit, partSize int) *plan {
	p := &plan{Difference: d, next: d.state, stored: d.listing}
	p.next.Recipe = c.Recipe
	relaid := d.state.Version != 0 && d.listing.fields.Layout != d.state.Fields.Layout && d.partial == nil
	if d.unchanged && c.Rebase == nil && !relaid {
		return p
	}
	if d.partial == nil || d.findsFields() {
		p.next.Fields = d.listing.fields
	}
	p.deleted.ids, p.kept.ids = d.missing.ids, d.missing.ids // appended to no more
	for _, r := range d.missing.records {
		if c.Delete != nil && c.Delete(r.place) {
			p.deleted.records = append(p.deleted.records, r)
			continue
		}
		p.kept.records = append(p.kept.records, r)
	}
	p.count()
	if size := p.size(); size > 0 {
		p.next.deltaSize += size
		p.next.deltaRuns++
	}
	if c.Rebase != nil {
		p.planRebase(c.Rebase, partSize)
		return p
	}
	p.all = relaid
	p.fold = relaid || d.state.Version == 0 || p.next.deltaSize > d.state.baseSize/4 || p.next.deltaRuns >= maxRuns
	switch {
	case p.fold && p.partial != nil:
		p.planStoredFold(partSize)
	case p.fold:
		p.planFold(partSize)
	}
	p.next.Root = rootOf(p.next.digests, p.next.Records)
	return p
}

// count makes the digests and the number of records of what is known next: the listing
// and what is kept, or, where the listing is a part, what was known and has not gone.
func (p *plan) count() {
	p.next.digests = slices.Clone(p.sums)
	part := func(r record) *uint64 { return &p.next.digests[partOf(r.place, p.state.Bits)] }
	if p.partial != nil {
		p.next.Records += len(p.created) - len(p.deleted.records)
		for _, r := range p.deleted.records {
			*part(r) -= r.fingerprint
		}
		return
	}
	p.next.Records = len(p.listing.records) + len(p.kept.records)
	for _, r := range p.kept.records {
		*part(r) += r.fingerprint
	}
}

// size is the number of changes.
func (p *plan) size() int { return len(p.created) + len(p.updated) + len(p.deleted.records) }

// write brings the database from state to next, the stream's row first: whoever comes
// second waits for it, and then finds another version.
func (p *plan) write(ctx context.Context, tx *sql.Tx) error {
	switch {
	case p.state.Version == 0:
		if err := p.insertState(ctx, tx); err != nil {
			return err
		}
	case p.size() == 0 && !p.fold && p.next.Recipe == p.state.Recipe:
		return p.checkVersion(ctx, tx)
	default:
		if err := p.updateState(ctx, tx); err != nil {
			return err
		}
	}
	switch {
	case p.fold && p.partial != nil:
		return p.foldStored(ctx, tx)
	case p.fold:
		return p.writeBase(ctx, tx)
	}
	if p.size() == 0 {
		return nil
	}
	run, fields := p.encodeRun()
	_, err := tx.ExecContext(ctx, `INSERT INTO stream_runs (stream_id, seq, run, fields) VALUES ($1, $2, $3, $4)`,
		p.state.StreamID, p.state.Version+1, run, fields)
	if err != nil {
		return fmt.Errorf("append run: %w", err)
	}
	return nil
}

func (p *plan) insertState(ctx context.Context, tx *sql.Tx) error {
	// Beginning anywhere: a state that was forgotten and made anew is not mistaken for the old one.
	p.next.Version = 1 + rand.Int64N(1<<62)
	n := &p.next
	fields, err := n.Fields.encode()
	if err != nil {
		return fmt.Errorf("insert state: %w", err)
	}
	result, err := tx.ExecContext(ctx,
		`INSERT INTO stream_states (stream_id, version, root, records, bits, recipe, base_size, delta_size, delta_runs, digests, fields)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (stream_id) DO NOTHING`,
		n.StreamID, n.Version, int64(n.Root), n.Records, n.Bits, n.Recipe, n.baseSize, n.deltaSize, n.deltaRuns, digestBytes(n.digests), fields)
	return wonBy("insert state", result, err)
}

func (p *plan) updateState(ctx context.Context, tx *sql.Tx) error {
	n := &p.next
	fields, err := n.Fields.encode()
	if err != nil {
		return fmt.Errorf("update state: %w", err)
	}
	result, err := tx.ExecContext(ctx,
		`UPDATE stream_states SET version = version + 1, root = $1, records = $2, bits = $3, recipe = $4,
			base_size = $5, delta_size = $6, delta_runs = $7, digests = $8, fields = $9
		WHERE stream_id = $10 AND version = $11`,
		int64(n.Root), n.Records, n.Bits, n.Recipe, n.baseSize, n.deltaSize, n.deltaRuns, digestBytes(n.digests), fields, n.StreamID, n.Version)
	return wonBy("update state", result, err)
}

// wonBy is the outcome of a compare-and-swap.
func wonBy(what string, result sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	} else if n == 0 {
		return ErrConflict
	}
	return nil
}

// checkVersion is for a commit that has nothing to write of the stream.
func (p *plan) checkVersion(ctx context.Context, tx *sql.Tx) error {
	var same bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM stream_states WHERE stream_id = $1 AND version = $2)`,
		p.state.StreamID, p.state.Version).Scan(&same)
	if err != nil {
		return fmt.Errorf("check version: %w", err)
	}
	if !same {
		return ErrConflict
	}
	return nil
}

// encodeRun makes the run of all changes, and what stands beside it: the digests of their
// fields, nil where there are none.
func (p *plan) encodeRun() (run, fields []byte) {
	all := make([]runEntry, 0, p.size())
	add := func(r record, kind byte, id []byte) {
		if p.shared[r.place] {
			kind = shared
		}
		if kind == plain {
			id = nil
		}
		all = append(all, runEntry{place: r.place, fingerprint: r.fingerprint, kind: kind, id: id, of: r})
	}
	for _, i := range p.created {
		add(p.groups.records[i], named, p.listing.id(p.groups.records[i]))
	}
	for _, i := range p.updated {
		add(p.groups.records[i], plain, p.listing.id(p.groups.records[i]))
	}
	for _, r := range p.deleted.records {
		r.fingerprint = 0
		add(r, plain, p.deleted.id(r))
	}
	slices.SortFunc(all, func(a, b runEntry) int { return cmp.Compare(a.place, b.place) })
	w := rowWriter{Fields: p.next.Fields}
	w.begin(len(w.Names))
	for _, e := range all {
		if e.fingerprint == 0 {
			w.addRow(nil)
		} else {
			w.add(p.listing, e.of)
		}
	}
	run = encodeRun(all)
	return run, w.sealed(checksum(run, 0))
}
