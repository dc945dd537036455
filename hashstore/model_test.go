package hashstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// Hundreds of polls against a model that is a map: what Compare finds is what the model
// says, and what Commit keeps is what the model keeps, through runs, folds and changing
// numbers of parts, with ordinary places and with places that many records share.
func TestPollsAgreeWithModel(t *testing.T) {
	places := map[string]func(string) uint64{
		"places of their own": diff.Place,
		"shared places":       func(id string) uint64 { return diff.Place(id) >> 56 * 0x9E3779B97F4A7C15 },
	}
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		for name, place := range places {
			for _, partSize := range []int{8, partSize} {
				t.Run(fmt.Sprintf("%s/parts of %d", name, partSize), func(t *testing.T) {
					for seed := range uint64(2) {
						m := newModel(t, db, place, partSize, seed)
						for range 180 {
							if m.live(); m.random.IntN(3) == 0 {
								m.partial()
								continue
							}
							m.poll()
						}
						if partSize == 8 && len(m.bits) < 4 {
							t.Errorf("seed %d: numbers of parts seen: %v", seed, slices.Sorted(maps.Keys(m.bits)))
						}
						if m.folds < 5 || m.runs < 20 || m.partialFolds < 5 || m.partialRuns < 10 {
							t.Errorf("seed %d: %d folds, %d runs, after partial listings %d and %d", seed, m.folds, m.runs, m.partialFolds, m.partialRuns)
						}
					}
				})
			}
		}
	})
}

type model struct {
	t      *testing.T
	store  *Store
	stream int64
	place  func(string) uint64
	random *rand.Rand
	target int // records that the stream tends to

	there, known contents // at the provider; in the store
	bits         map[int]bool
	polls        int
	folds, runs  int

	partialFolds, partialRuns int
}

func newModel(t *testing.T, db *migrations.DB, place func(string) uint64, partSize int, seed uint64) *model {
	store := New(db.DB)
	store.partSize = partSize
	return &model{t: t, store: store, stream: newStream(t, db), place: place, random: rand.New(rand.NewPCG(seed, 1)),
		there: contents{}, known: contents{}, bits: map[int]bool{}}
}

// live changes the provider's records.
func (m *model) live() {
	r := m.random
	m.polls++
	m.target = []int{50, 400, 150, 0, 10, 300}[m.polls/20%6]
	for _, id := range slices.Sorted(maps.Keys(m.there)) {
		switch n := r.IntN(100); {
		case n < 2, len(m.there) > m.target && n < 30:
			delete(m.there, id)
		case n < 5:
			m.there[id] = r.Uint64() | 1
		}
	}
	for range max(r.IntN(4), min(m.target-len(m.there), 60)) {
		m.there[someID(r)] = r.Uint64() | 1
	}
}

// seen is what a poll sees of c: now and then not all.
func (m *model) seen(c contents) contents {
	if m.random.IntN(6) == 0 {
		for _, id := range slices.Sorted(maps.Keys(c)) {
			if m.random.IntN(8) == 0 {
				delete(c, id)
			}
		}
	}
	// What the store can't notice, and says so: a place whose only record is another one now.
	only := func(c contents) map[uint64]string {
		at, many := map[uint64]string{}, map[uint64]bool{}
		for _, id := range slices.Sorted(maps.Keys(c)) {
			many[m.place(id)] = at[m.place(id)] != ""
			at[m.place(id)] = id
		}
		maps.DeleteFunc(at, func(place uint64, _ string) bool { return many[place] })
		return at
	}
	listed := only(c)
	for place, id := range only(m.known) {
		if other, ok := listed[place]; ok && other != id {
			c[id], m.there[id] = m.known[id], m.known[id]
		}
	}
	return c
}

func (m *model) poll() {
	t, ctx := m.t, m.t.Context()
	t.Helper()
	listed := m.seen(maps.Clone(m.there))
	st := must[State](t)(m.store.Load(ctx, m.stream))
	listing := listingOf(listed, m.place, m.random)
	d := must[*Difference](t)(m.store.Compare(ctx, st, listing))

	var created, updated, missing []string
	for id, fingerprint := range listed {
		if old, ok := m.known[id]; !ok {
			created = append(created, id)
		} else if old != fingerprint {
			updated = append(updated, id)
		}
	}
	for id := range m.known {
		if _, ok := listed[id]; !ok {
			missing = append(missing, id)
		}
	}
	m.expect("created", ids(d.Created()), created)
	m.expect("updated", ids(d.Updated()), updated)
	m.expect("missing", ids(d.Missing()), missing)
	if n := listing.Len(); n != len(listed) {
		t.Fatalf("the listing has %d records, want %d", n, len(listed))
	}
	if want := st.Version != 0 && len(created)+len(updated)+len(missing) == 0; d.Unchanged() != want {
		t.Fatalf("unchanged: %v", d.Unchanged())
	}

	rebase := m.random.IntN(10) == 0
	keep := m.random.Uint64() >> uint(m.random.IntN(2)*63) // of all places, some or one in two
	deleted := func(place uint64) bool { return place*2654435761>>3 >= keep>>3 }
	commit := Commit{Recipe: "r", Delete: deleted}
	if rebase { // the same records, with other fingerprints
		for id, fingerprint := range listed {
			listed[id] = fingerprint*0x9e3779b97f4a7c15 | 1
		}
		commit.Rebase = listingOf(listed, m.place, m.random)
	}
	must[int](t)(m.store.Commit(ctx, st, d, commit))
	for _, id := range missing {
		if deleted(m.place(id)) {
			delete(m.known, id)
		}
	}
	maps.Copy(m.known, listed)
	m.check(st)
}

// partial is a poll that lists some records and is told of some that are gone: of some
// of these it is not known, or they are listed all the same.
func (m *model) partial() {
	t, ctx := m.t, m.t.Context()
	t.Helper()
	few := contents{}
	for _, id := range slices.Sorted(maps.Keys(m.there)) {
		if m.there[id] != m.known[id] && m.random.IntN(2) == 0 || m.random.IntN(20) == 0 {
			few[id] = m.there[id]
		}
	}
	listed, gone := m.seen(few), contents{someID(m.random): 1}
	for _, id := range slices.Sorted(maps.Keys(m.known)) {
		if _, there := m.there[id]; !there && m.random.IntN(2) == 0 || m.random.IntN(60) == 0 {
			gone[id] = 1
		}
	}
	st := must[State](t)(m.store.Load(ctx, m.stream))
	d := must[*Difference](t)(m.store.ComparePartial(ctx, st, listingOf(listed, m.place, m.random), listingOf(gone, m.place, m.random)))
	var created, updated, missing []string
	for id, fingerprint := range listed {
		if old, ok := m.known[id]; !ok {
			created = append(created, id)
		} else if old != fingerprint {
			updated = append(updated, id)
		}
	}
	for id := range gone {
		_, known := m.known[id]
		if _, there := listed[id]; known && !there {
			missing = append(missing, id)
		}
	}
	m.expect("created", ids(d.Created()), created)
	m.expect("updated", ids(d.Updated()), updated)
	m.expect("missing", ids(d.Missing()), missing)
	deleted := func(place uint64) bool { return place%3 > 0 }
	must[int](t)(m.store.Commit(ctx, st, d, Commit{Recipe: "r", Delete: deleted}))
	for _, id := range missing {
		if deleted(m.place(id)) {
			delete(m.known, id)
		}
	}
	maps.Copy(m.known, listed)
	folds, runs := m.folds, m.runs
	m.check(st)
	m.partialFolds, m.partialRuns = m.partialFolds+m.folds-folds, m.partialRuns+m.runs-runs
}

// check compares everything that is stored with the model.
func (m *model) check(before State) {
	t, ctx := m.t, m.t.Context()
	t.Helper()
	st := must[State](t)(m.store.Load(ctx, m.stream))
	if st.Records != len(m.known) || st.Recipe != "r" {
		t.Fatalf("state %+v, want %d records", st, len(m.known))
	}
	if m.bits[st.Bits] = true; st.deltaRuns == 0 && before.deltaRuns > 0 {
		m.folds++
	} else if st.deltaRuns > before.deltaRuns {
		m.runs++
	}
	same := must[*Difference](t)(m.store.Compare(ctx, st, listingOf(m.known, m.place, m.random)))
	if !same.Unchanged() {
		t.Fatal("what was committed differs from what is stored")
	}
	all := must[*Difference](t)(m.store.Compare(ctx, st, NewListing()))
	if len(m.known) > 0 {
		m.expect("stored", ids(all.Missing()), slices.Collect(maps.Keys(m.known)))
	}
	m.walk()
	m.sizes(st)
}

// walk reads the stream in ranges that begin where the one before has ended.
func (m *model) walk() {
	var walked []string
	ranges := slices.Sorted(slices.Values([]uint64{m.random.Uint64(), m.random.Uint64(), m.random.Uint64(), 1<<64 - 1}))
	from := uint64(0)
	for _, to := range ranges {
		items := must[[]Item](m.t)(m.store.Walk(m.t.Context(), m.stream, from, to))
		for i, item := range items {
			if item.Place != m.place(item.ID) || item.Place < from || item.Place > to || i > 0 && items[i-1].Place > item.Place {
				m.t.Fatalf("walked %+v from %x to %x", item, from, to)
			}
			walked = append(walked, item.ID)
		}
		from = to + 1
	}
	slices.Sort(walked)
	m.expect("walked", walked, slices.Collect(maps.Keys(m.known)))
}

// sizes checks the book-keeping that decides about folds.
func (m *model) sizes(st State) {
	var runs, parts int
	if err := m.store.db.QueryRow(`SELECT (SELECT count(*) FROM stream_runs WHERE stream_id = $1), (SELECT count(*) FROM stream_parts WHERE stream_id = $1)`, m.stream).Scan(&runs, &parts); err != nil {
		m.t.Fatal(err)
	}
	if runs != st.deltaRuns || parts > 1<<st.Bits || runs >= maxRuns || st.deltaSize > st.baseSize/4 {
		m.t.Fatalf("%d runs and %d parts beside %+v", runs, parts, st)
	}
}

func (m *model) expect(what string, got, want []string) {
	m.t.Helper()
	slices.Sort(want)
	if d := gocmp.Diff(want, got); d != "" {
		m.t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}
