package poller

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
)

// ledger is a hash store in memory, and a poller over it that takes every decision with
// the real code: it reads as a poll reads, and believes as a poll believes.
type ledger struct {
	*plan
	world  *world
	emit   bool
	stored string // recipe; "": never listed
	known  map[hashstore.Item]uint64
	doubts doubts
	trust  trust
	since  time.Time
	key    []byte
	former map[string][]byte // keys
}

func newLedger(w *world, emit bool, trust trust) (*ledger, error) {
	info, _ := w.Stream("employees")
	l := &ledger{plan: &plan{info: info, client: w, stream: "account/employees"}, world: w, emit: emit, trust: trust,
		known: map[hashstore.Item]uint64{}, key: make([]byte, 16), former: map[string][]byte{}}
	var err error
	l.seal, err = diff.NewSealer(l.key, l.stream)
	return l, err
}

func (l *ledger) poll(ctx context.Context, changes bool) (outcome, error) {
	f := finding{silent: l.stored == "" && !l.emit, trust: l.trust, confirms: l.info.Confirms, following: following{same: true}}
	if l.stored != "" {
		var err error
		if f.following, err = l.follow(l.stored, func(id string) ([]byte, error) { return l.former[id], nil }); err != nil {
			return outcome{}, err
		}
	}
	l.plan.former = f.following.former
	f.partial = changes && l.info.Since && l.stored != "" && l.doubts.calm()
	w := newWalk()
	if w.union = f.silent; f.partial {
		w.options.Since = l.since.Add(-l.info.SinceMargin)
	}
	if err := l.list(ctx, "employees", w); err != nil {
		return outcome{}, nil // what the provider does is an outcome
	}
	listing := w.listing
	if l.plan.former != nil {
		listing = w.former
	}
	found := l.compare(listing)
	if f.partial {
		found.missing = slices.DeleteFunc(found.missing, func(i hashstore.Item) bool { return !w.said[i.ID] })
	} else {
		for _, item := range found.missing {
			if w.said[item.ID] {
				f.gone = append(f.gone, item.Place)
			}
		}
	}
	f.difference, f.known, f.listed, f.onePage = found, len(l.known), w.listing.Len(), w.onePage(len(l.known))
	said, err := l.ask(ctx, "employees", f.questions(l.doubts, l.world.time()), w.control(f))
	if err != nil {
		return outcome{}, err
	}
	f.gone, f.exist = union(f.gone, said.gone), said.exist
	d := f.decide(l.doubts, l.world.time())
	l.doubts = d.after
	o := outcome{complete: true, partial: f.partial, held: len(d.held), suspected: len(d.suspected)}
	for op, item := range d.told() {
		o.told = append(o.told, change{op, item.ID})
	}
	if o.relist = d.relist; len(d.held) > 0 || d.relist {
		return o, nil
	}
	l.since = w.began
	for _, item := range found.missing {
		if d.deletes(item.Place) {
			delete(l.known, item)
		}
	}
	if l.plan.former != nil && (f.partial || !d.rebases()) {
		maps.Insert(l.known, w.former.All())
		return o, nil
	}
	maps.Insert(l.known, w.listing.All())
	l.stored, err = l.recipe.encode()
	return o, err
}

func (l *ledger) ignore(_ context.Context, paths []string) (err error) {
	rules := rulesOf(l.info, paths)
	l.recipe = recipeOf(l.info, rules, l.key)
	l.canonical, err = diff.NewCanonicalizer(rules)
	return err
}

func (l *ledger) rotate(context.Context) (err error) {
	l.former[keyID(l.key)] = l.key
	l.key = slices.Clone(l.key)
	l.key[0]++
	l.recipe.Key = keyID(l.key)
	l.seal, err = diff.NewSealer(l.key, l.stream)
	return err
}

func (l *ledger) wait(context.Context) error {
	l.world.clock += int(lastAsk.Minutes())
	return nil
}

func (l *ledger) decide(_ context.Context, approve bool) error {
	if approve {
		l.doubts.approved = true
	} else {
		l.doubts = doubts{hidden: l.doubts.hidden}
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

func (i *installation) poll(ctx context.Context, changes bool) (outcome, error) {
	result, err := i.pollOnce(ctx, changes)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{
		complete: result.Complete, partial: result.Incremental, held: result.Quarantined, suspected: result.Suspected,
		relist: strings.Contains(i.lastLine(), `"outcome":"relisting"`),
	}
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

// pollOnce polls what is due: a complete listing or, where there can be one, of changes.
func (i *installation) pollOnce(ctx context.Context, changes bool) (Result, error) {
	id := i.stream(i.account).ID
	if !changes {
		return i.poller.Poll(ctx, id)
	}
	if _, err := i.db.ExecContext(ctx, `UPDATE streams SET full_poll_at = $1 WHERE id = $2`, time.Now().Add(time.Hour).UTC(), id); err != nil {
		return Result{}, err
	}
	claims, err := i.poller.claim(ctx, `s.id = $1`, id)
	if err != nil || len(claims) != 1 {
		return Result{}, fmt.Errorf("%d claims: %w", len(claims), err)
	}
	return i.poller.poll(ctx, claims[0])
}

func (i *installation) lastLine() string {
	text := strings.TrimSpace(i.log.String())
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func (i *installation) ignore(ctx context.Context, paths []string) error {
	_, err := i.streams.Update(ctx, DefaultProject, i.account.ID, "employees", StreamUpdate{IgnorePaths: &paths})
	return err
}

func (i *installation) rotate(ctx context.Context) error {
	_, err := i.projects.RotateKey(ctx, DefaultProject)
	return err
}

func (i *installation) wait(ctx context.Context) error {
	id := i.stream(i.account).ID
	d, err := loadDoubts(ctx, i.db, id)
	if err != nil {
		return err
	}
	for n := range d.hidden {
		d.hidden[n].asked = time.Unix(0, 0)
	}
	_, err = i.db.ExecContext(ctx, `UPDATE doubts SET hidden = $1 WHERE stream_id = $2`, encodeHidden(d.hidden), id)
	return err
}

func (i *installation) decide(ctx context.Context, approve bool) error {
	if approve {
		return i.streams.Approve(ctx, DefaultProject, i.account.ID, "employees")
	}
	return i.streams.Reject(ctx, DefaultProject, i.account.ID, "employees")
}
