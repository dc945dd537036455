package poller

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
)

// ledger is a hash store in memory, and a poller over it that takes every decision with
// the real code: it reads as a poll reads, and believes as a poll believes.
type ledger struct {
	*plan
	emit   bool
	stored string // recipe; "": never listed
	known  map[hashstore.Item]uint64
	doubts doubts
	trust  trust
}

func (l *ledger) poll(ctx context.Context) (outcome, error) {
	silent := l.stored == "" && !l.emit
	if l.former = nil; l.stored != "" {
		_, l.former = l.recipe.follow(l.stored)
	}
	w, err := l.list(ctx, "employees", silent)
	if err != nil {
		return outcome{}, nil // what the provider does is an outcome
	}
	found := l.compare(w.comparable())
	f := finding{difference: found, known: len(l.known), listed: w.listing.Len(), onePage: w.onePage(len(l.known)), silent: silent, trust: l.trust}
	d := f.decide(l.doubts, time.Time{})
	l.doubts = d.after
	o := outcome{complete: true, held: len(d.held), suspected: len(d.suspected)}
	for op, item := range d.told() {
		o.told = append(o.told, change{op, item.ID})
	}
	if len(d.held) > 0 {
		return o, nil
	}
	for item := range found.Missing() {
		if d.deletes(item.Place) {
			delete(l.known, item)
		}
	}
	if w.former != nil && !d.rebases() {
		maps.Insert(l.known, w.former.All())
		return o, nil
	}
	maps.Insert(l.known, w.listing.All())
	l.stored, err = l.recipe.encode()
	return o, err
}

func (l *ledger) ignore(_ context.Context, paths []string) (err error) {
	rules := rulesOf(l.info, paths)
	l.recipe = recipeOf(l.info, rules, make([]byte, 16))
	l.canonical, err = diff.NewCanonicalizer(rules)
	return err
}

func (l *ledger) decide(_ context.Context, approve bool) error {
	if approve {
		l.doubts.approved = true
	} else {
		l.doubts = doubts{}
	}
	return nil
}

// contrast is a difference, each kind of change by place.
type contrast struct{ created, updated, missing []hashstore.Item }

func (l *ledger) compare(listing *hashstore.Listing) contrast {
	var c contrast
	listed := maps.Collect(listing.All())
	for item, fingerprint := range listed {
		switch before, known := l.known[item]; {
		case !known:
			c.created = append(c.created, item)
		case before != fingerprint:
			c.updated = append(c.updated, item)
		}
	}
	for item := range l.known {
		if _, there := listed[item]; !there {
			c.missing = append(c.missing, item)
		}
	}
	for _, items := range [...][]hashstore.Item{c.created, c.updated, c.missing} {
		slices.SortFunc(items, func(a, b hashstore.Item) int { return cmp.Compare(a.Place, b.Place) })
	}
	return c
}

func (c contrast) Counts() (created, updated, missing int) {
	return len(c.created), len(c.updated), len(c.missing)
}
func (c contrast) Created() iter.Seq[hashstore.Item] { return slices.Values(c.created) }
func (c contrast) Updated() iter.Seq[hashstore.Item] { return slices.Values(c.updated) }
func (c contrast) Missing() iter.Seq[hashstore.Item] { return slices.Values(c.missing) }

// installation is the same on a real database.
type installation struct {
	*rig
	account Account
	seen    int64
}

func (i *installation) poll(ctx context.Context) (outcome, error) {
	result, err := i.poller.Poll(ctx, i.stream(i.account).ID)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{complete: result.Complete, held: result.Quarantined, suspected: result.Suspected}
	events, err := i.store.Events(ctx, hashstore.EventQuery{ProjectID: DefaultProject, AccountID: i.account.ID, RecordType: "employees", After: i.seen})
	for _, e := range events {
		i.seen = e.ID
		for _, op := range [...]diff.Op{diff.Created, diff.Updated, diff.Deleted} {
			if e.Name == "hris_employees."+op.String() {
				o.told = append(o.told, change{op, e.RecordID})
			}
		}
	}
	return o, err
}

func (i *installation) ignore(ctx context.Context, paths []string) error {
	_, err := i.streams.Update(ctx, DefaultProject, i.account.ID, "employees", StreamUpdate{IgnorePaths: &paths})
	return err
}

func (i *installation) decide(ctx context.Context, approve bool) error {
	if approve {
		return i.streams.Approve(ctx, DefaultProject, i.account.ID, "employees")
	}
	return i.streams.Reject(ctx, DefaultProject, i.account.ID, "employees")
}
