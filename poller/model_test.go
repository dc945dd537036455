package poller

import (
	"context"
	"flag"
	"maps"
	"strconv"
	"testing"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers"
	"pgregory.net/rapid"
)

var sequences = flag.Int("sequences", 10_000, "sequences of polls that TestSequencesOfPolls makes")

// subject is what polls: in memory, or on a real database.
type subject interface {
	poll(ctx context.Context, changes bool) (outcome, error) // of changes alone, where it can be
	decide(ctx context.Context, approve bool) error
	ignore(ctx context.Context, paths []string) error
	rotate(ctx context.Context) error // the project's hash key
	wait(ctx context.Context) error   // until hidden records are asked for again
}

type outcome struct {
	complete        bool // reached its end
	partial         bool // was of changes alone
	relist          bool // and too much of it
	held, suspected int
	told            []change
}

type change struct {
	op diff.Op
	id string
}

// Whole sequences of polls against a provider that moves and errs. What holds, whatever
// happens:
//
//   - a listing that did not reach its end, or is held, tells nothing but what checkpoints
//     have told of it, and they tell no deletion;
//   - created is told of a record that is not known, updated of one that was read with
//     another content than was told last, deleted of one that is known and was not listed:
//     none of them twice for one change;
//   - deleted is only told of a record that two complete listings in a row lacked, or one
//     that the provider said was gone, in a listing or when asked for it, or that a person
//     approved, or that a listing of one page with room for all that is known lacked, beside
//     fewer than half of those. So a record that exists during the whole of both listings
//     is deleted only if both skipped it, which no listing does in which nothing moved, nor
//     one that a keyset cursor leads through, unless the provider itself withheld the
//     record. What was there when it was asked for is never deleted by that poll;
//   - a listing of changes alone deletes only what was asked for and is gone;
//   - after a complete listing that is not held, everything it showed has been told; after
//     one of changes, unless it was too much, too;
//   - what is missing in two of them has been told to be deleted, unless it was there when
//     asked for;
//   - a new recipe or key is told to nobody, and hides no change that the old one would
//     show. (A record that was hidden meanwhile may be told as updated when it is back.)
//   - at rest, two listings that begin then make the consumer's mirror equal to the provider.
func TestSequencesOfPolls(t *testing.T) {
	// No other test runs beside one that is not parallel, so the flags are its own.
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(*sequences), "rapid.seed": "1"} {
		if f := flag.Lookup(name); name != "rapid.seed" || f.Value.String() == "0" {
			before := f.Value.String()
			if err := f.Value.Set(value); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Value.Set(before) }()
		}
	}
	catalog, _, err := providers.Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		sequence(t, catalog, func(w *world, emit bool, trust trust) (subject, error) { return newLedger(w, emit, trust) })
	})
}

// The same on a real database, with everything between the provider and the event log:
// a checkpoint after every page, listings that go on where another poll was interrupted,
// and answers that nothing changed.
func TestSequencesOfPollsOnADatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t, migrationstest.Open(t, migrationstest.SQLite(t)).DB)
	keep := r.config
	keep.Checkpoint = 1
	keeper := New(keep)
	rapid.Check(t, func(t *rapid.T) {
		sequence(t, r.config.Catalog, func(w *world, emit bool, trust trust) (subject, error) {
			p := r.poller
			if rapid.Bool().Draw(t, "checkpoints") {
				p, w.kept = keeper, true
			}
			p.open = func(*providers.Connector, providers.Target, providers.Options) (lister, error) { return w, nil }
			a := r.account(func(n *NewAccount) {
				n.Provider, n.Credentials = "lab", map[string]string{"paging": "page"}
				if emit {
					n.Baseline = BaselineEmit
				}
			})
			fast := "30m"
			_, err := r.streams.Update(context.Background(), DefaultProject, a.ID, "employees", StreamUpdate{
				QuarantineThreshold: &trust.percent, ReleaseAfter: &trust.releaseAfter, IncrementalSchedule: &fast})
			own := *r
			own.poller = p
			return &installation{rig: &own, account: a}, err
		})
	})
}

// history is what a consumer knows, and what may be told next.
type history struct {
	*rapid.T
	*world
	subject
	emit    bool
	based   bool               // the first listing is behind us
	heeds   bool               // moods count from the next poll on
	by      bool               // they count in what is known
	told    map[string]version // the mirror
	before  map[string]version // read in the complete listing before; nil: there was none
	missed  map[string]int     // in how many believed listings in a row
	entombs map[string]bool    // said to be gone by a listing of changes since
	hidden  map[string]bool    // missing, but there when asked for
	stale   map[string]bool    // hidden while what is known was hashed anew
	anew    bool               // it is, with the next listing
	last    outcome
	word    map[string]bool // approved: what was missing when a person said so
}

func sequence(t *rapid.T, catalog *providers.Catalog, begin func(w *world, emit bool, trust trust) (subject, error)) {
	w := &world{
		paging:   rapid.SampledFrom([]string{"page", "offset", "cursor", "url", "none"}).Draw(t, "paging"),
		order:    rapid.SampledFrom([]string{"ascending", "descending", "none"}).Draw(t, "order"),
		total:    rapid.IntRange(0, 3).Draw(t, "total") == 0,
		size:     rapid.IntRange(2, 12).Draw(t, "page size"),
		confirms: rapid.Bool().Draw(t, "confirms"),
		filters:  rapid.Bool().Draw(t, "filters"),
		asked:    map[string]bool{},
	}
	w.keyed = w.order != "none" && (w.paging == "cursor" || w.paging == "url") && rapid.Bool().Draw(t, "keyed")
	w.tombs = w.filters && !w.total && rapid.Bool().Draw(t, "tombstones")
	for range rapid.IntRange(0, 60).Draw(t, "people") {
		w.hire(len(w.records))
	}
	if err := w.open(catalog); err != nil {
		t.Fatal(err)
	}
	h := &history{T: t, world: w, emit: rapid.Bool().Draw(t, "emit"), told: map[string]version{}, missed: map[string]int{},
		entombs: map[string]bool{}, hidden: map[string]bool{}, stale: map[string]bool{}}
	var err error
	trust := trust{rapid.SampledFrom([]int{10, 10, 1, 30, 100}).Draw(t, "threshold"), rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(t, "release after")}
	if h.subject, err = begin(w, h.emit, trust); err != nil {
		t.Fatal(err)
	}
	h.heed(rapid.Bool().Draw(t, "moods count"))
	for range rapid.IntRange(1, 12).Draw(t, "polls") {
		h.live(catalog)
	}
	w.during, w.faults, w.hides, w.foreign = nil, nil, nil, false
	for believed := 0; believed < 2 || len(h.hidden) > 0 && believed < 6; { // so many are asked for in one poll
		if err := h.wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.step(false)
		switch {
		case !h.last.complete:
			t.Fatal("a provider at rest can't be listed")
		case h.last.held > 0:
			h.settle(true)
		case !h.resumed:
			believed++
		}
	}
	if contents := w.contents(); !maps.Equal(h.told, contents) {
		t.Fatalf("the events make %v of %v", h.told, contents)
	}
}

// live is one interval, and the poll at its end.
func (h *history) live(catalog *providers.Catalog) {
	if h.last.held > 0 && rapid.Bool().Draw(h.T, "decide") {
		h.settle(rapid.Bool().Draw(h.T, "approve"))
	}
	for range rapid.IntRange(0, 4).Draw(h.T, "changes") {
		h.clock++
		happening(h.T, h.world)()
	}
	if rapid.IntRange(0, 4).Draw(h.T, "new recipe") == 0 {
		h.heed(!h.heeds)
	}
	if rapid.IntRange(0, 9).Draw(h.T, "new key") == 0 {
		if err := h.rotate(context.Background()); err != nil {
			h.Fatal(err)
		}
		h.anew = true
	}
	h.disturb()
	h.step(rapid.Bool().Draw(h.T, "of changes alone"))
	if h.poisoned {
		if err := h.open(catalog); err != nil {
			h.Fatal(err)
		}
	}
}

// happening draws something that happens to records; it may happen later.
func happening(t *rapid.T, w *world) func() {
	at := rapid.IntRange(0, 1000).Draw(t, "at")
	switch rapid.SampledFrom([]string{"hire", "leave", "edit", "edit in secret", "cheer", "move", "layoff"}).Draw(t, "change") {
	case "hire":
		return func() { w.hire(at) }
	case "leave":
		return func() { w.leave(at, 1) }
	case "edit":
		return func() { w.edit(at) }
	case "edit in secret":
		return func() { w.editInSecret(at) }
	case "cheer":
		return func() { w.cheer(at) }
	case "move":
		to := rapid.IntRange(0, 1000).Draw(t, "to")
		return func() { w.move(at, to) }
	default:
		n := rapid.IntRange(1, 40).Draw(t, "how many")
		return func() { w.leave(at, n) }
	}
}

var faults = []string{"429", "429 for long", "500", "no network", "cut body", "cut JSON", "no body", "empty page", "empty answer", "foreign page", "repeated cursor", "wrong total"}

// disturb draws what happens during the next poll.
func (h *history) disturb() {
	h.during, h.faults = map[int][]func(){}, map[int]string{}
	request := rapid.IntRange(1, 12)
	for range rapid.IntRange(0, 3).Draw(h.T, "happenings during the poll") {
		n := request.Draw(h.T, "before request")
		h.during[n] = append(h.during[n], happening(h.T, h.world))
	}
	for range max(0, rapid.IntRange(-2, 2).Draw(h.T, "faults")) {
		h.faults[request.Draw(h.T, "fault of request")] = rapid.SampledFrom(faults).Draw(h.T, "fault")
	}
	switch rapid.IntRange(0, 11).Draw(h.T, "lie") {
	case 0: // half of the records can't be seen, for this poll and maybe more
		odd := rapid.IntRange(0, 1).Draw(h.T, "odd")
		h.hides = func(id string) bool { n, _ := strconv.Atoi(id); return n%2 == odd }
	case 1:
		h.foreign = true
	case 2, 3, 4, 5, 6, 7:
		h.hides, h.foreign = nil, false
	}
}

// heed says whether moods count from now on.
func (h *history) heed(moods bool) {
	paths := []string{"seen", "mood"}
	if h.heeds = moods; moods {
		paths = paths[:1]
	}
	if !h.based { // nothing is known yet
		h.by = moods
	}
	if err := h.ignore(context.Background(), paths); err != nil {
		h.Fatal(err)
	}
	h.anew = true
}

// same compares as what is known is compared.
func (h *history) same(a, b version) bool {
	return a.content == b.content && (!h.by || a.mood == b.mood)
}

func (h *history) settle(approve bool) {
	if err := h.decide(context.Background(), approve); err != nil {
		h.Fatal(err)
	}
	if !approve {
		clear(h.missed) // judged anew
		h.before = nil
		clear(h.entombs)
		return
	}
	h.word = map[string]bool{}
	for id := range h.told {
		if _, there := h.before[id]; !there {
			h.word[id] = true
		}
	}
}

// step polls once and checks what was told of it.
func (h *history) step(changes bool) {
	h.requests, h.asked, h.ended = 0, map[string]bool{}, true
	var err error
	if h.last, err = h.poll(context.Background(), changes); err != nil {
		h.Fatal(err)
	}
	for id, there := range h.asked {
		if there && (h.last.complete && !h.last.partial) {
			h.hidden[id] = true
		}
	}
	read, often := map[string]version{}, map[string]bool{}
	for _, s := range h.walks {
		maps.Copy(read, s.read)
		maps.Copy(often, s.often)
	}
	if h.now().unmodified && h.last.complete {
		if len(h.last.told) > 0 {
			h.Fatalf("%+v tells something of what is as it was", h.last)
		}
		read = h.before
	}
	if !h.last.complete || h.last.held > 0 || h.last.relist {
		h.checkEarly(read, often)
		if h.last.complete && !h.last.partial {
			h.seeWho(read)
		}
		return
	}
	if h.last.partial {
		h.checkPart(read)
		return
	}
	for _, s := range h.walks {
		h.checkWalk(s)
	}
	h.seeWho(read)
	h.checkTold(read, often)
	h.word = nil
}

// seeWho notes who is in a complete listing, also in one that is held.
func (h *history) seeWho(read map[string]version) {
	for id := range read {
		delete(h.missed, id)
		delete(h.entombs, id)
		delete(h.hidden, id)
	}
	if h.last.held > 0 {
		h.before = read
	}
}

// checkEarly is for what is told of a listing that did not reach its end: what its
// checkpoints have read.
func (h *history) checkEarly(read map[string]version, often map[string]bool) {
	if len(h.last.told) > 0 && (!h.kept || h.last.partial) {
		h.Fatalf("%+v tells something", h.last)
	}
	for _, c := range h.last.told {
		if c.op == diff.Deleted || !h.based && !h.emit {
			h.Fatalf("%s %s before the listing's end", c.id, c.op)
		}
		h.checkChange(c, read, often)
	}
	if len(h.last.told) > 0 {
		h.based = true
	}
}

// checkChange checks that a record was to be told as created or updated, and tells it.
func (h *history) checkChange(c change, read map[string]version, often map[string]bool) {
	version, listed := read[c.id]
	was, knew := h.told[c.id]
	switch {
	case c.op == diff.Created && (knew || !listed):
		h.Fatalf("%s created: known %t, listed %t", c.id, knew, listed)
	case c.op == diff.Updated && (!knew || !listed || h.same(was, version) && !often[c.id] && !h.stale[c.id]):
		h.Fatalf("%s updated: known %t, listed %t, version %v became %v", c.id, knew, listed, was, version)
	}
	h.told[c.id] = version
	delete(h.stale, c.id)
}

// checkPart checks what is told of a listing of changes alone.
func (h *history) checkPart(read map[string]version) {
	said := h.now().said
	for _, c := range h.last.told {
		if c.op != diff.Deleted {
			h.checkChange(c, read, h.now().often)
			continue
		}
		there, asked := h.asked[c.id]
		if _, knew := h.told[c.id]; !knew || !said[c.id] || !asked || there {
			h.Fatalf("%s deleted by a listing of changes: known %t, said %t, asked for %t, there %t", c.id, knew, said[c.id], asked, there)
		}
		h.forget(c.id)
	}
	for id := range said {
		h.entombs[id] = true
	}
	h.checkAllTold(read)
}

func (h *history) forget(id string) {
	delete(h.told, id)
	delete(h.stale, id)
	delete(h.hidden, id)
}

// checkAllTold checks that what was read has been told.
func (h *history) checkAllTold(read map[string]version) {
	for id, version := range read {
		if !h.same(h.told[id], version) {
			h.Fatalf("%s was listed with version %v, and %v is told", id, version, h.told[id])
		}
		h.told[id] = version // what does not count is not told, and known from now on
		delete(h.stale, id)
	}
}

// checkWalk holds the model itself to what it says: only movement and lies hide records.
func (h *history) checkWalk(s *sight) {
	if s.failed || s.lied || s.unmodified || s.moved && !h.keyed {
		return
	}
	for id, there := range s.there {
		if _, ok := s.read[id]; there && !ok {
			h.Fatalf("%s was there and is not in a listing that nothing disturbed", id)
		}
	}
}

func (h *history) checkTold(read map[string]version, often map[string]bool) {
	onePage := h.onePage(read)
	first := !h.based
	if h.based = true; first && !h.emit {
		maps.Copy(h.told, read)
	}
	for _, c := range h.last.told {
		if c.op != diff.Deleted {
			h.checkChange(c, read, often)
			continue
		}
		_, listed := read[c.id]
		_, knew := h.told[c.id]
		_, before := h.before[c.id]
		there, asked := h.asked[c.id]
		missedTwice := !before && h.before != nil || h.entombs[c.id]
		switch {
		case !knew || listed:
			h.Fatalf("%s deleted: known %t, listed %t", c.id, knew, listed)
		case asked && there:
			h.Fatalf("%s deleted though it was there when asked for", c.id)
		case !missedTwice && !asked && !onePage && !h.word[c.id] && !h.now().said[c.id]:
			h.Fatalf("%s deleted at first sight", c.id)
		case asked && !h.foreign && h.has(c.id):
			h.Fatalf("%s is there, and was said to be gone", c.id)
		}
		h.forget(c.id)
	}
	h.checkAllTold(read)
	for id := range h.told {
		if _, ok := read[id]; ok || h.hidden[id] {
			continue
		}
		if h.missed[id]++; h.missed[id] > 1 {
			h.Fatalf("%s is missing for the second time, and not deleted", id)
		}
	}
	maps.DeleteFunc(h.missed, func(id string, _ int) bool { _, ok := h.told[id]; return !ok })
	clear(h.entombs)
	if h.before = read; h.last.suspected > 0 {
		return
	}
	if h.by = h.heeds; h.anew {
		for id := range h.told {
			if _, ok := read[id]; !ok {
				h.stale[id] = true
			}
		}
		h.anew = false
	}
}

// onePage tells whether a listing was one page that proves absence.
func (h *history) onePage(read map[string]version) bool {
	known, missing := len(h.told), 0
	for id := range h.told {
		if _, ok := read[id]; ok {
			continue
		}
		if missing++; h.word[id] {
			missing, known = missing-1, known-1
		}
	}
	return h.now().pages == 1 && (len(h.told) <= h.size || h.paging == "none") && 2*missing < known+len(h.hidden)
}
