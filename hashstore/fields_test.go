package hashstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// fielded is records by id; each is its digests by slot.
type fielded map[string][]uint16

// listing lists the records; their first width fields have names, and the first one is
// what stands for the others as well.
func (f fielded) listing(t testing.TB, layout string, width int, place func(string) uint64) *Listing {
	t.Helper()
	l, fields, slots := NewListing(), Fields{Layout: layout}, make([]uint8, 8)
	for id, row := range f {
		var text []byte
		for _, digest := range row {
			text = append(text, byte(digest), byte(digest>>8))
		}
		if layout == "" {
			l.Add(id, place(id), xxhash.Sum64(text))
		} else {
			l.AddFields(id, place(id), xxhash.Sum64(text), row)
		}
	}
	if layout == "" {
		return l
	}
	for slot := range width {
		fields.Names, slots[slot] = append(fields.Names, fmt.Sprintf("f%d", slot)), uint8(slot)
	}
	if err := l.Name(fields, slots); err != nil {
		t.Fatal(err)
	}
	return l
}

// changedIn are the names of changed fields by id, in one text each.
func changedIn(d *Difference) map[string]string {
	changed := map[string]string{}
	for item := range d.Updated() {
		changed[item.ID] = strings.Join(d.FieldNames(item.Changed), " ")
	}
	return changed
}

// Through polls, folds, records that are kept though missing, changing numbers of parts
// and fields, and layouts that come and go: what is said to have changed has changed, and
// nothing is left out where the old digests were stored.
func TestChangedFieldsAgreeWithModel(t *testing.T) {
	places := map[string]func(string) uint64{
		"places of their own": diff.Place,
		"shared places":       func(id string) uint64 { return diff.Place(id) >> 56 * 0x9E3779B97F4A7C15 },
	}
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		for name, place := range places {
			t.Run(name, func(t *testing.T) {
				m := &fieldModel{t: t, store: New(db.DB), stream: newStream(t, db), place: place, random: rand.New(rand.NewPCG(7, 1)),
					there: fielded{}, known: fielded{}, unsure: map[string]bool{}, layout: "a", width: 3, shares: name == "shared places"}
				m.store.partSize = 16
				for range 150 {
					m.poll()
				}
				if m.exact < 200 || m.switched < 5 || m.folds < 5 || m.foldsOfParts < 3 && !m.shares {
					t.Errorf("%d updates with fields, %d layouts, %d folds, %d after partial listings", m.exact, m.switched, m.folds, m.foldsOfParts)
				}
			})
		}
	})
}

type fieldModel struct {
	t      *testing.T
	store  *Store
	stream int64
	place  func(string) uint64
	random *rand.Rand

	shares bool // places: then old digests may not be found, and nothing is deleted
	layout string
	width  int // fields that have names

	there, known fielded
	unsure       map[string]bool // of known: their digests may not be stored

	exact, switched, folds, foldsOfParts int
}

// someDigest is one of few of a slot, or 0 for a field that is absent.
func someDigest(r *rand.Rand, slot int) uint16 {
	value := r.IntN(4)
	if value == 0 {
		return 0
	}
	return uint16(xxhash.Sum64([]byte{byte(value), byte(slot)}))
}

func (m *fieldModel) live() {
	r := m.random
	target := []int{100, 300, 40}[m.switched%3]
	for _, id := range slices.Sorted(maps.Keys(m.there)) {
		switch n := r.IntN(100); {
		case !m.shares && (n < 2 || len(m.there) > target && n < 20):
			delete(m.there, id)
		case n < 8:
			row := slices.Clone(m.there[id])
			for range 1 + r.IntN(2) {
				slot := 1 + r.IntN(len(row)-1)
				row[slot] = someDigest(r, slot)
			}
			m.there[id] = row
		}
	}
	for range 1 + min(max(target-len(m.there), 0), 40) {
		row := make([]uint16, 8)
		for slot := range row {
			row[slot] = someDigest(r, slot)
		}
		row[0] = 1 // never all zeros
		m.there[someID(r)] = row
	}
	if r.IntN(15) == 0 && m.width < 8 {
		m.width++
	}
	if r.IntN(12) == 0 {
		m.layout, m.width = []string{"", "a", "b"}[r.IntN(3)], 3+r.IntN(3)
		m.switched++
	}
}

func (m *fieldModel) poll() {
	t, ctx := m.t, m.t.Context()
	t.Helper()
	m.live()
	st := must[State](t)(m.store.Load(ctx, m.stream))
	if m.layout != "" && st.Fields.Layout == m.layout {
		m.width = max(m.width, len(st.Fields.Names))
	}
	listed := maps.Clone(m.there)
	for id := range listed {
		if m.random.IntN(60) == 0 && !m.shares {
			delete(listed, id)
		}
	}
	if st.Version != 0 && m.layout == st.Fields.Layout && m.random.IntN(3) == 0 && !m.shares {
		m.pollPart(st, listed)
		return
	}
	d := must[*Difference](t)(m.store.Compare(ctx, st, listed.listing(t, m.layout, m.width, m.place)))
	for item := range d.Updated() {
		m.check(st, item.ID, d.FieldNames(item.Changed), listed)
	}
	keep := m.random.IntN(2) == 0
	if _, err := m.store.Commit(ctx, st, d, Commit{Recipe: "r", Delete: func(uint64) bool { return !keep }}); err != nil {
		t.Fatal(err)
	}
	after := must[State](t)(m.store.Load(ctx, m.stream))
	folded := after.deltaRuns == 0 && after.Version != st.Version
	for id := range m.known {
		if _, ok := listed[id]; ok {
			continue
		}
		if !keep {
			delete(m.known, id)
			delete(m.unsure, id)
		} else if folded {
			m.unsure[id] = true
		}
	}
	for id, row := range listed {
		if !slices.Equal(m.known[id], row) { // else it is not written
			delete(m.unsure, id)
		}
		m.known[id] = row
	}
	if folded {
		m.folds++
	}
	if after.Fields.Layout != m.layout {
		t.Fatalf("layout %q is stored, want %q", after.Fields.Layout, m.layout)
	}
	m.columns(after)
}

// pollPart lists some of the records, through a segment.
func (m *fieldModel) pollPart(st State, listed fielded) {
	t, ctx := m.t, m.t.Context()
	t.Helper()
	for id := range listed {
		if m.random.IntN(3) > 0 {
			delete(listed, id)
		}
	}
	whole, l := listed.listing(t, m.layout, m.width, m.place), NewListing()
	if fields := must[Fields](t)(l.AddSegment(must[[]byte](t)(whole.Segment()))); fields.Layout != m.layout {
		t.Fatalf("a segment has the fields %+v", fields)
	} else if m.layout != "" {
		slots := make([]uint8, len(fields.Names))
		for i := range slots {
			slots[i] = uint8(i)
		}
		if err := l.Name(fields, slots); err != nil {
			t.Fatal(err)
		}
	}
	d := must[*Difference](t)(m.store.ComparePartial(ctx, st, l, nil))
	for item := range d.Updated() {
		m.check(st, item.ID, d.FieldNames(item.Changed), listed)
	}
	must[int](t)(m.store.Commit(ctx, st, d, Commit{Recipe: "r"}))
	for id, row := range listed {
		if !slices.Equal(m.known[id], row) {
			delete(m.unsure, id)
		}
		m.known[id] = row
	}
	after := must[State](t)(m.store.Load(ctx, m.stream))
	if after.deltaRuns == 0 && after.Version != st.Version {
		m.foldsOfParts++
	}
	m.columns(after)
}

// check holds what is said of an updated record against the model. What stands behind the
// third field gets its name at times: till then it is counted with the first.
func (m *fieldModel) check(st State, id string, got []string, listed fielded) {
	m.t.Helper()
	if len(got) == 0 && (m.layout == "" || st.Fields.Layout != m.layout || m.unsure[id] || m.shares) {
		return
	}
	m.exact++
	old, now := m.known[id], listed[id]
	for slot := range 3 {
		want, name := old[slot] != now[slot], fmt.Sprintf("f%d", slot)
		if slot == 0 {
			want = want || !slices.Equal(old[3:], now[3:])
		}
		has := slices.ContainsFunc(got, func(n string) bool { return n == name || slot == 0 && n > "f2" })
		if want != has {
			m.t.Fatalf("%s was %v and is %v: %q changed (stored %+v)", id, old, now, got, st.Fields)
		}
	}
}

// columns checks that digests are stored where they must be, and nowhere else.
func (m *fieldModel) columns(st State) {
	m.t.Helper()
	var with, without int
	if err := m.store.db.QueryRow(`SELECT count(fields), count(*) - count(fields) FROM
		(SELECT fields FROM stream_parts WHERE stream_id = $1 UNION ALL SELECT fields FROM stream_runs WHERE stream_id = $1) AS all_of_it`, m.stream).Scan(&with, &without); err != nil {
		m.t.Fatal(err)
	}
	if st.Fields.Layout == "" && with > 0 || st.Fields.Layout != "" && without > 0 {
		m.t.Fatalf("%d rows with digests and %d without, layout %q", with, without, st.Fields.Layout)
	}
}

// Old digests are found beside the newest word on a record, whether that is the base, an
// old run or a young one, and are moved by a fold and a rebase.
func TestFieldsOfEachRow(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s, stream := New(db.DB), newStream(t, db)
		f := fielded{}
		for i := range 100 {
			f[fmt.Sprint(i)] = []uint16{1, 1, 1, 1}
		}
		take := func(layout string, rebase string) map[string]string {
			t.Helper()
			st := must[State](t)(s.Load(t.Context(), stream))
			d := must[*Difference](t)(s.Compare(t.Context(), st, f.listing(t, layout, 4, diff.Place)))
			c := Commit{Recipe: "r", Delete: always}
			if rebase != "" {
				c.Rebase = f.listing(t, rebase, 4, diff.Place)
			}
			must[int](t)(s.Commit(t.Context(), st, d, c))
			return changedIn(d)
		}
		expect := func(what string, got map[string]string, want map[string]string) {
			t.Helper()
			if !maps.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
		expect("the first listing", take("a", ""), nil)
		f["7"] = []uint16{1, 2, 1, 1}
		expect("from the base", take("a", ""), map[string]string{"7": "f1"})
		f["7"], f["8"] = []uint16{1, 2, 2, 1}, []uint16{1, 1, 1, 0}
		expect("from a run and the base", take("a", ""), map[string]string{"7": "f2", "8": "f3"})
		f["7"], f["9"] = []uint16{1, 3, 2, 5}, []uint16{2, 1, 1, 1}
		expect("from the youngest run", take("a", ""), map[string]string{"7": "f1 f3", "9": "f0"})
		for i := range 60 {
			f[fmt.Sprint(i)] = []uint16{1, 9, 1, 1}
		}
		take("a", "") // folds
		f["7"] = []uint16{1, 9, 1, 7}
		expect("from the folded base", take("a", ""), map[string]string{"7": "f3"})
		f["7"] = []uint16{1, 1, 1, 7}
		expect("before a rebase", take("a", "b"), map[string]string{"7": "f1"})
		f["7"], f["99"] = []uint16{1, 1, 2, 7}, []uint16{0, 0, 1, 1}
		expect("from the rebased base", take("b", ""), map[string]string{"7": "f2", "99": "f0 f1"})
		f["7"] = []uint16{1, 1, 3, 7}
		expect("without digests", take("", ""), map[string]string{"7": ""})
		f["7"] = []uint16{1, 1, 4, 7}
		expect("with digests again", take("b", ""), map[string]string{"7": ""})
		f["7"] = []uint16{1, 1, 5, 7}
		expect("and after that", take("b", ""), map[string]string{"7": "f2"})
	})
}

func TestDamagedFieldsAreNoNames(t *testing.T) {
	damages := map[string]func(d *damaged){
		"part":         func(d *damaged) { d.change("stream_parts", "fields", func(b []byte) []byte { b[20] ^= 1; return b }) },
		"part cut":     func(d *damaged) { d.change("stream_parts", "fields", func(b []byte) []byte { return b[:16] }) },
		"part empty":   func(d *damaged) { d.change("stream_parts", "fields", func([]byte) []byte { return []byte{} }) },
		"part without": func(d *damaged) { d.change("stream_parts", "fields", func([]byte) []byte { return nil }) },
		"another part": func(d *damaged) { d.swap("fields") },
		"run":          func(d *damaged) { d.change("stream_runs", "fields", func(b []byte) []byte { b[3] ^= 1; return b }) },
		"run without":  func(d *damaged) { d.change("stream_runs", "fields", func([]byte) []byte { return nil }) },
		"names":        func(d *damaged) { d.exec(`UPDATE stream_states SET fields = '{' WHERE stream_id = $1`, d.stream) },
		"no names": func(d *damaged) {
			d.exec(`UPDATE stream_states SET fields = '{"layout":"a"}' WHERE stream_id = $1`, d.stream)
		},
	}
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		s.partSize = 50
		for name, damage := range damages {
			t.Run(name, func(t *testing.T) {
				stream, f := newStream(t, db), fielded{}
				poll := func() (*Difference, error) {
					st, err := s.Load(t.Context(), stream)
					if err != nil {
						return nil, err
					}
					d, err := s.Compare(t.Context(), st, f.listing(t, "a", 4, diff.Place))
					if err == nil {
						_, err = s.Commit(t.Context(), st, d, Commit{Recipe: "r"})
					}
					return d, err
				}
				for i := range 400 {
					f[fmt.Sprint(i)] = []uint16{1, uint16(i), 1, 1}
				}
				must[*Difference](t)(poll())
				f["3"] = []uint16{1, 1, 2, 1}
				must[*Difference](t)(poll())
				damage(&damaged{t, db.DB, stream})
				for i := range 400 {
					f[fmt.Sprint(i)] = []uint16{1, 2, 3, 4}
				}
				if d, err := poll(); !errors.Is(err, ErrCorrupt) || d != nil {
					t.Fatalf("got %v", err)
				}
			})
		}
	})
}

// Names that don't go on where the stored ones end would give old digests other names.
func TestNamesOfFieldsContinue(t *testing.T) {
	db := migrationstest.Open(t, migrationstest.SQLite(t))
	s, stream := New(db.DB), newStream(t, db)
	f := fielded{"1": {1, 2, 3, 4}}
	st := must[State](t)(s.Load(t.Context(), stream))
	d := must[*Difference](t)(s.Compare(t.Context(), st, f.listing(t, "a", 4, diff.Place)))
	must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r"}))
	st = must[State](t)(s.Load(t.Context(), stream))
	if _, err := s.Compare(t.Context(), st, f.listing(t, "a", 3, diff.Place)); err == nil {
		t.Error("fewer names are taken")
	}
	if err := NewListing().Name(Fields{Layout: "a", Names: []string{"*"}}, []uint8{1}); err == nil {
		t.Error("a slot without a name is taken")
	}
}
