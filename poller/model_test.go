package poller

import (
	"context"
	"flag"
	"maps"
	"strconv"
	"testing"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers"
	"pgregory.net/rapid"
)

var sequences = flag.Int("sequences", 10_000, "sequences of polls that TestSequencesOfPolls makes")

// subject is what polls: in memory, or on a real database.
type subject interface {
	poll(ctx context.Context) (outcome, error)
	decide(ctx context.Context, approve bool) error
	ignore(ctx context.Context, paths []string) error
}

type outcome struct {
	complete        bool
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
//   - a listing that did not reach its end, or is held, tells nothing;
//   - created is told of a record that is not known, updated of one that was read with
//     another content than was told last, deleted of one that is known and was not listed:
//     none of them twice for one change;
//   - deleted is only told of a record that two complete listings in a row lacked, or
//     that a person approved, or that a listing of one page with room for all that is
//     known lacked, beside fewer than half of those. So a record that exists during the whole of both listings is deleted
//     only if both skipped it, which no listing does in which nothing moved, nor one that
//     a keyset cursor leads through, unless the provider itself withheld the record;
//   - after a complete listing that is not held, everything it showed has been told;
//   - what is missing in two of them has been told to be deleted;
//   - a new recipe is told to nobody, and hides no change that the old one would show;
//   - at rest, two listings make the consumer's mirror equal to the provider.
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
	catalog, _, err := providers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		sequence(t, catalog, func(w *world, emit bool, trust trust) (subject, error) {
			info, _ := w.Stream("employees")
			seal, err := diff.NewSealer(make([]byte, 16), "account/employees")
			return &ledger{plan: &plan{info: info, client: w, seal: seal}, emit: emit, trust: trust, known: map[hashstore.Item]uint64{}}, err
		})
	})
}

// The same on a real database, with everything between the provider and the event log.
func TestSequencesOfPollsOnADatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t, migrationstest.Open(t, migrationstest.SQLite(t)).DB)
	rapid.Check(t, func(t *rapid.T) {
		sequence(t, r.config.Catalog, func(w *world, emit bool, trust trust) (subject, error) {
			r.poller.open = func(*providers.Connector, providers.Target, providers.Options) (lister, error) { return w, nil }
			a := r.account(func(n *NewAccount) {
				if emit {
					n.Baseline = BaselineEmit
				}
			})
			_, err := r.streams.Update(context.Background(), DefaultProject, a.ID, "employees", StreamUpdate{
				QuarantineThreshold: &trust.percent, ReleaseAfter: &trust.releaseAfter})
			return &installation{rig: r, account: a}, err
		})
	})
}

// history is what a consumer knows, and what may be told next.
type history struct {
	*rapid.T
	*world
	subject
	emit   bool
	based  bool               // the first listing is behind us
	heeds  bool               // moods count from the next poll on
	by     bool               // they count in what is known
	told   map[string]version // the mirror
	before map[string]version // read in the complete listing before; nil: there was none
	missed map[string]int     // in how many believed listings in a row
	last   outcome
	word   map[string]bool // approved: what was missing when a person said so
}

func sequence(t *rapid.T, catalog *providers.Catalog, begin func(w *world, emit bool, trust trust) (subject, error)) {
	w := &world{
		paging: rapid.SampledFrom([]string{"page", "offset", "cursor", "url"}).Draw(t, "paging"),
		order:  rapid.SampledFrom([]string{"ascending", "descending", "none"}).Draw(t, "order"),
		total:  rapid.IntRange(0, 3).Draw(t, "total") == 0,
		size:   rapid.IntRange(2, 12).Draw(t, "page size"),
	}
	w.keyed = w.order != "none" && (w.paging == "cursor" || w.paging == "url") && rapid.Bool().Draw(t, "keyed")
	for range rapid.IntRange(0, 60).Draw(t, "people") {
		w.hire(len(w.records))
	}
	if err := w.open(catalog); err != nil {
		t.Fatal(err)
	}
	h := &history{T: t, world: w, emit: rapid.Bool().Draw(t, "emit"), told: map[string]version{}, missed: map[string]int{}}
	var err error
	trust := trust{rapid.SampledFrom([]int{10, 10, 1, 30, 100}).Draw(t, "threshold"), rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(t, "release after")}
	if h.subject, err = begin(w, h.emit, trust); err != nil {
		t.Fatal(err)
	}
	h.heed(rapid.Bool().Draw(t, "moods count"))
	for range rapid.IntRange(1, 12).Draw(t, "polls") {
		if h.last.held > 0 && rapid.Bool().Draw(t, "decide") {
			h.settle(rapid.Bool().Draw(t, "approve"))
		}
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			happening(t, w)()
		}
		if rapid.IntRange(0, 4).Draw(t, "new recipe") == 0 {
			h.heed(!h.heeds)
		}
		h.disturb()
		h.step()
		if w.poisoned {
			if err := w.open(catalog); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.during, w.faults, w.hides, w.foreign = nil, nil, nil, false
	for believed := 0; believed < 2; {
		h.step()
		switch {
		case !h.last.complete:
			t.Fatal("a provider at rest can't be listed")
		case h.last.held > 0:
			h.settle(true)
		default:
			believed++
		}
	}
	if contents := w.contents(); !maps.Equal(h.told, contents) {
		t.Fatalf("the events make %v of %v", h.told, contents)
	}
}

// happening draws something that happens to records; it may happen later.
func happening(t *rapid.T, w *world) func() {
	at := rapid.IntRange(0, 1000).Draw(t, "at")
	switch rapid.SampledFrom([]string{"hire", "leave", "edit", "cheer", "move", "layoff"}).Draw(t, "change") {
	case "hire":
		return func() { w.hire(at) }
	case "leave":
		return func() { w.leave(at, 1) }
	case "edit":
		return func() { w.edit(at) }
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

var faults = []string{"429", "429 for long", "500", "no network", "cut body", "cut JSON", "no body", "empty page", "empty answer", "foreign page", "repeated cursor"}

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
func (h *history) step() {
	h.requests, h.walks = 0, nil
	var err error
	if h.last, err = h.poll(context.Background()); err != nil {
		h.Fatal(err)
	}
	if !h.last.complete || h.last.held > 0 {
		if len(h.last.told) > 0 {
			h.Fatalf("%+v tells something", h.last)
		}
	}
	if !h.last.complete {
		return
	}
	read := map[string]version{}
	for _, s := range h.walks {
		h.checkWalk(s)
		maps.Copy(read, s.read)
	}
	for id := range read { // also in a listing that is held
		delete(h.missed, id)
	}
	if h.last.held == 0 {
		h.checkTold(read)
		h.word = nil
	}
	h.before = read
}

// checkWalk holds the model itself to what it says: only movement and lies hide records.
func (h *history) checkWalk(s *sight) {
	if s.failed || s.lied || s.moved && !h.keyed {
		return
	}
	for id, there := range s.there {
		if _, ok := s.read[id]; there && !ok {
			h.Fatalf("%s was there and is not in a listing that nothing disturbed", id)
		}
	}
}

func (h *history) checkTold(read map[string]version) {
	known, missing := len(h.told), 0
	for id := range h.told {
		if _, ok := read[id]; ok {
			continue
		}
		if missing++; h.word[id] {
			missing, known = missing-1, known-1
		}
	}
	onePage := h.now().pages == 1 && len(h.told) <= h.size && 2*missing < known
	first := !h.based
	if h.based = true; first && !h.emit {
		maps.Copy(h.told, read)
	}
	for _, c := range h.last.told {
		version, listed := read[c.id]
		was, knew := h.told[c.id]
		_, before := h.before[c.id]
		switch {
		case c.op == diff.Created && (knew || !listed):
			h.Fatalf("%s created: known %t, listed %t", c.id, knew, listed)
		case c.op == diff.Updated && (!knew || !listed || h.same(was, version)):
			h.Fatalf("%s updated: known %t, listed %t, version %v became %v", c.id, knew, listed, was, version)
		case c.op == diff.Deleted && (!knew || listed):
			h.Fatalf("%s deleted: known %t, listed %t", c.id, knew, listed)
		case c.op == diff.Deleted && (before || h.before == nil) && !onePage && !h.word[c.id]:
			h.Fatalf("%s deleted at first sight: %d of %d missing", c.id, missing, known)
		}
		if h.told[c.id] = version; c.op == diff.Deleted {
			delete(h.told, c.id)
		}
	}
	for id, version := range read {
		if !h.same(h.told[id], version) {
			h.Fatalf("%s was listed with version %v, and %v is told", id, version, h.told[id])
		}
		h.told[id] = version // what does not count is not told, and known from now on
	}
	for id := range h.told {
		if _, ok := read[id]; ok {
			continue
		}
		if h.missed[id]++; h.missed[id] > 1 {
			h.Fatalf("%s is missing for the second time, and not deleted", id)
		}
	}
	maps.DeleteFunc(h.missed, func(id string, _ int) bool { _, ok := h.told[id]; return !ok })
	if h.last.suspected == 0 {
		h.by = h.heeds
	}
}
