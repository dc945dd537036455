package poller

import (
	"iter"
	"slices"
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
	partial bool // the listing is of changes alone: missing is what it says is gone
	silent  bool // a first listing, of which nothing is told
	trust   trust
	fields  changedFields // of the updates
	following

	confirms bool // a single record can be asked for
	replies
}

// sighting is the finding without what is listed.
func (f finding) sighting() sighting {
	_, _, missing := f.Counts()
	s := sighting{known: f.known, listed: f.listed, onePage: f.onePage, missing: make([]uint64, 0, missing), replies: f.replies, trust: f.trust}
	for item := range f.Missing() {
		s.missing = append(s.missing, item.Place)
	}
	return s
}

// judge finds what to believe of the finding by what was doubted before it.
func (f finding) judge(before doubts) (sighting, verdict) {
	s := f.sighting()
	if f.partial {
		return s, believePart(s, before, f.changes())
	}
	v := believe(s, before)
	if storm := f.storm(before, s.missing); storm != nil {
		v = storm.hold(v, s, before)
	}
	return s, v
}

// changes are the records that are listed and not known so.
func (f finding) changes() int {
	created, updated, _ := f.Counts()
	return created + updated
}

// sees tells whether an update can be told. By another mapping it can where most of what
// is known reads as it did: the new one reads the same content.
func (f finding) sees() bool {
	created, updated, _ := f.Counts()
	return !f.blind && (!f.mapped || 2*updated <= f.listed-created)
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
	d.created, d.updated, _ = f.Counts()
	switch {
	case f.silent:
		d.outcome, d.created, d.updated = "baseline", 0, 0
	case !f.sees():
		d.outcome, d.updated = "rebased", 0
	}
	_, d.verdict = f.judge(before)
	d.after = before.after(d.verdict, now)
	if d.after.hiddenSample = before.hiddenSample; !f.partial {
		d.after.hiddenSample = d.sample(d.Missing(), d.hidden)
	}
	switch {
	case d.relist:
		d.outcome, d.created, d.updated = "relisting", 0, 0
	case d.holds():
		d.outcome = "quarantined"
		if d.after.sample = d.sample(d.Missing(), d.held); len(d.held) == 0 {
			d.after.sample = d.sample(d.Updated(), d.stormed)
		}
		d.after.created, d.after.updated = d.created, d.updated
	case len(d.suspected) > 0 && d.created+d.updated+len(d.deleted) == 0:
		d.outcome = "suspected"
	}
	return d
}

// quiet tells whether nothing was found that is not as it was before.
func (d *decision) quiet(before doubts) bool {
	told := d.created + d.updated + len(d.deleted)
	return !d.silent && !d.relist && !d.holds() && told+len(d.suspected)+len(d.exist) == 0 &&
		before.calm() && slices.Equal(d.hidden, placesOf(before.hidden))
}

// rebases tells whether a new recipe may be taken over: what is only suspected keeps its
// fingerprint, which nobody could compare with its next content by another recipe. Until
// the suspicion is settled, which is soon, the old recipe stays. What is hidden may stay
// so for long: when it is back, it is told as updated.
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
		_ = d.holds() || d.relist ||
			(d.created == 0 || tell(diff.Created, d.Created())) &&
				(d.updated == 0 || tell(diff.Updated, d.Updated())) &&
				(len(d.deleted) == 0 || tell(diff.Deleted, d.Missing()))
	}
}

// sampleSize is how many of the records that are held are named to whoever decides: the
// missing ones, and where none is held, the updated ones. So many hidden ones are, too.
const sampleSize = 20

// sample is the ids of some records that are held or hidden.
func (d *decision) sample(from iter.Seq[hashstore.Item], of []uint64) []string {
	ids := make([]string, 0, min(len(of), sampleSize))
	if len(of) == 0 {
		return ids
	}
	for item := range from {
		if !contains(of, item.Place) {
			continue
		}
		if ids = append(ids, item.ID); len(ids) == sampleSize {
			break
		}
	}
	return ids
}
