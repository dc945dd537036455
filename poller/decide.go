package poller

import (
	"iter"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
)

// difference is how a complete listing differs from what is known of its stream: a
// [hashstore.Difference].
type difference interface {
	Counts() (created, updated, missing int)
	Created() iter.Seq[hashstore.Item]
	Updated() iter.Seq[hashstore.Item]
	Missing() iter.Seq[hashstore.Item]
}

// finding is a complete listing beside what was known before it.
type finding struct {
	difference
	known   int  // records in the hash store
	listed  int  // records in the listing
	onePage bool // nothing can shift between pages
	silent  bool // a first listing, of which nothing is told
	blind   bool // what is known was hashed otherwise: an update can't be told
	trust   trust
	fields  changedFields // of the updates
}

// decision is what a poll makes of a finding: what is told, what is doubted. It is
// reached without a clock, a database or a network.
type decision struct {
	finding
	verdict
	created, updated int // believed, and to be told or held
	after            doubts
	outcome          string // for the log
}

// decide judges a finding by what was doubted before it.
func (f finding) decide(before doubts, now time.Time) decision {
	d := decision{finding: f, outcome: "changed"}
	created, updated, missing := f.Counts()
	d.created, d.updated = created, updated
	switch {
	case f.silent:
		d.outcome, d.created, d.updated = "baseline", 0, 0
	case f.blind:
		d.outcome, d.updated = "rebased", 0
	}
	s := sighting{known: f.known, listed: f.listed, onePage: f.onePage, missing: make([]uint64, 0, missing), trust: f.trust}
	for item := range f.Missing() {
		s.missing = append(s.missing, item.Place)
	}
	d.verdict = believe(s, before)
	if storm := f.storm(before, s.missing); storm != nil {
		d.verdict = storm.hold(d.verdict, s, before)
	}
	d.after = before.after(d.verdict, now)
	switch {
	case d.holds():
		d.outcome = "quarantined"
		d.after.sample, d.after.created, d.after.updated = d.sample(), d.created, d.updated
	case len(d.suspected) > 0 && d.created+d.updated+len(d.deleted) == 0:
		d.outcome = "suspected"
	}
	return d
}

// rebases tells whether a new recipe may be taken over: what is only suspected keeps its
// fingerprint, which nobody could compare with its next content by another recipe. Until
// the suspicion is settled, which is soon, the old recipe stays.
func (d *decision) rebases() bool { return !d.holds() && len(d.suspected) == 0 }

// deletes tells of a missing record whether it is believed to be gone.
func (d *decision) deletes(place uint64) bool { return contains(d.deleted, place) }

// told are the changes that become events; none while they are held.
func (d *decision) told() iter.Seq2[diff.Op, hashstore.Item] {
	return func(yield func(diff.Op, hashstore.Item) bool) {
		tell := func(op diff.Op, items iter.Seq[hashstore.Item]) bool {
			for item := range items {
				if op == diff.Deleted && !d.deletes(item.Place) {
					continue
				}
				if !yield(op, item) {
					return false
				}
			}
			return true
		}
		_ = d.holds() ||
			(d.created == 0 || tell(diff.Created, d.Created())) &&
				(d.updated == 0 || tell(diff.Updated, d.Updated())) &&
				(len(d.deleted) == 0 || tell(diff.Deleted, d.Missing()))
	}
}

// sampleSize is how many of the records that are held are named to whoever decides: the
// missing ones, and where none is held, the updated ones.
const sampleSize = 20

func (d *decision) sample() []string {
	ids := make([]string, 0, sampleSize)
	held := d.Missing()
	if len(d.held) == 0 {
		held = d.Updated()
	}
	for item := range held {
		if ids = append(ids, item.ID); len(ids) == sampleSize {
			break
		}
	}
	return ids
}
