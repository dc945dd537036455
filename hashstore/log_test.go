package hashstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"pgregory.net/rapid"
)

func append1(t testing.TB, s *Store, events ...Event) {
	t.Helper()
	tx := must[*sql.Tx](t)(s.db.Begin())
	defer func() { _ = tx.Rollback() }()
	if n, err := s.Append(t.Context(), tx, slices.Values(events)); err != nil || n != len(events) {
		t.Fatalf("appended %d of %d: %v", n, len(events), err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestEventsComeBackAsTheyWere(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		at := time.Date(2026, 11, 22, 9, 8, 7, 654321000, time.FixedZone("", 3600))
		whole := Event{ProjectID: "p", AccountID: "a", Provider: "x", Name: "hris_employees.updated", RecordType: "employees", RecordID: "Zoë 'x' %", OccurredAt: at,
			PollID: 7, Fields: []string{"a.b", `"`, "ü"}, Details: json.RawMessage(`{"provider":"x","setup_information":{"domain":"<ü>"}}`)}
		bare := Event{ProjectID: "p", AccountID: "a", Name: "account.created", RecordType: "account", RecordID: "a", OccurredAt: at}
		append1(t, s, whole, bare)
		// Enough for several chunks: of mixed events, of one and of different fields, of none.
		many := make([]Event, 5001)
		for i := range many {
			many[i] = whole
			many[i].RecordID = fmt.Sprint(i)
			if i > 99 || i%2 == 1 {
				many[i].PollID, many[i].Fields, many[i].Details = 0, nil, nil
			}
			if i > 2000 && i%3 > 0 {
				many[i].Fields = []string{"a", "b", "c"}[i%3:]
			}
		}
		stream := newStream(t, db)
		d := must[*Difference](t)(s.Compare(t.Context(), State{StreamID: stream}, NewListing()))
		if n := must[int](t)(s.Commit(t.Context(), State{StreamID: stream}, d, Commit{Events: slices.Values(many)})); n != len(many) {
			t.Fatalf("%d events, want %d", n, len(many))
		}

		want := slices.Concat([]Event{whole, bare}, many)
		got := must[[]Event](t)(s.Events(t.Context(), EventQuery{}))
		if len(got) != len(want) {
			t.Fatalf("%d events, want %d", len(got), len(want))
		}
		uid, seen := regexp.MustCompile(`^evt_[0-7][0-9A-HJKMNP-TV-Z]{25}$`), map[string]bool{}
		for i := range got {
			if i > 0 && got[i].ID <= got[i-1].ID {
				t.Fatalf("event %d follows %d", got[i].ID, got[i-1].ID)
			}
			if !uid.MatchString(got[i].UID) || seen[got[i].UID] {
				t.Fatalf("uid %q", got[i].UID)
			}
			seen[got[i].UID] = true
			want[i].ID, want[i].UID = got[i].ID, got[i].UID
		}
		if d := gocmp.Diff(want, got); d != "" { // times: the same instants
			t.Fatal(d)
		}
		if zone, _ := got[0].OccurredAt.Zone(); zone != "UTC" {
			t.Errorf("time zone %q", zone)
		}
	})
}

func TestEventUIDs(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	a, b, c := uid(7, 12, at), uid(3, -1, at.Add(time.Millisecond)), uid(1<<62, 0, at.Add(time.Hour))
	if !(a < b && b < c) || a[:14] != "evt_01HF7YAT00" {
		t.Errorf("%s %s %s", a, b, c)
	}
	for text, id := range map[string]int64{a: 7, b: 3, c: 1 << 62, "": 0, "evt_": 0, a[:29]: 0, a + "0": 0, "EVT_" + a[4:]: 0, a[:29] + "U": 0, a[:29] + "é": 0} {
		if got := idOf(text); got != id {
			t.Errorf("the id in %q is %d, want %d", text, got, id)
		}
	}
	if uid(7, 13, at) == a {
		t.Error("the salt is not in the uid")
	}
}

func TestEventQueries(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		event := func(project, account, name, recordType, record string, hour int, poll int64) Event {
			return Event{ProjectID: project, AccountID: account, Name: name, RecordType: recordType, RecordID: record,
				OccurredAt: day.Add(time.Duration(hour) * time.Hour), PollID: poll}
		}
		append1(t, s,
			event("p", "a", "hris_employees.created", "employees", "1", 1, 1),
			event("p", "a", "hris_employees.updated", "employees", "1", 2, 2),
			event("p", "b", "hris_employments.created", "employments", "1", 3, 3),
			event("q", "c", "hris_employees.created", "employees", "2", 4, 0),
			event("p", "b", "hrisXemployees.created", "employees", "3", 5, 3),
			event("p", "b", "account.deleted", "account", "b", 6, 0))
		all := must[[]Event](t)(s.Events(t.Context(), EventQuery{}))
		first := all[0].ID
		for _, c := range []struct {
			what  string
			query EventQuery
			want  string // hours
		}{
			{"everything", EventQuery{}, "123456"},
			{"project", EventQuery{ProjectID: "p"}, "12356"},
			{"after", EventQuery{ProjectID: "p", After: first + 1}, "356"},
			{"through", EventQuery{After: first, Through: first + 3}, "234"},
			{"since, inclusive", EventQuery{Since: day.Add(3 * time.Hour)}, "3456"},
			{"until, exclusive", EventQuery{Since: day.Add(2 * time.Hour), Until: day.Add(4 * time.Hour)}, "23"},
			{"a name", EventQuery{Names: []string{"account.deleted"}}, "6"},
			{"a pattern", EventQuery{Names: []string{"hris_employees.*"}}, "124"},
			{"names and patterns", EventQuery{Names: []string{"hris_employees.*", "account.deleted", "nothing"}}, "1246"},
			{"every name", EventQuery{Names: []string{"account.deleted", "*", "x.*"}, ProjectID: "q"}, "4"},
			{"no wildcards of SQL", EventQuery{Names: []string{"%", "hris%.*", "hris_employees._pdated"}}, ""},
			{"account", EventQuery{AccountID: "b"}, "356"},
			{"record", EventQuery{RecordType: "employees", RecordID: "1"}, "12"},
			{"poll", EventQuery{PollID: 3}, "35"},
			{"limit", EventQuery{ProjectID: "p", Limit: 2}, "12"},
			{"newest", EventQuery{ProjectID: "p", Limit: 3, Descending: true}, "653"},
		} {
			var got strings.Builder
			for _, e := range must[[]Event](t)(s.Events(t.Context(), c.query)) {
				fmt.Fprint(&got, e.OccurredAt.Hour())
			}
			if got.String() != c.want {
				t.Errorf("%s: events %s, want %s", c.what, got.String(), c.want)
			}
			c.query.Limit = 0
			if n := must[int64](t)(s.Count(t.Context(), c.query)); c.what != "limit" && c.what != "newest" && n != int64(len(c.want)) {
				t.Errorf("%s: %d counted, want %d", c.what, n, len(c.want))
			}
		}
		if id := must[int64](t)(s.LastID(t.Context())); id != all[5].ID {
			t.Errorf("last id %d, want %d", id, all[5].ID)
		}
		byID := must[[]Event](t)(s.EventsByID(t.Context(), []int64{all[4].ID, 99999, all[1].ID}))
		if d := gocmp.Diff([]Event{all[1], all[4]}, byID); d != "" {
			t.Errorf("by id: %s", d)
		}
		if none := must[[]Event](t)(s.EventsByID(t.Context(), nil)); len(none) != 0 {
			t.Errorf("%d events of no ids", len(none))
		}
		if e, err := s.EventByUID(t.Context(), "q", all[3].UID); err != nil || e.RecordID != "2" {
			t.Errorf("by uid: %+v %v", e, err)
		}
		for what, uid := range map[string]string{"of another project": all[3].UID, "with another salt": uid(all[0].ID, ^saltOf(t, all[0]), all[0].OccurredAt),
			"of the future": uid(all[5].ID+1, 1, day), "that is none": "u4"} {
			if _, err := s.EventByUID(t.Context(), "p", uid); !errors.Is(err, ErrNotFound) {
				t.Errorf("an event %s: %v", what, err)
			}
		}
	})
}

// saltOf is the salt in an event's uid.
func saltOf(t *testing.T, e Event) int16 {
	t.Helper()
	for salt := range 1 << 16 {
		if uid(e.ID, int16(salt), e.OccurredAt) == e.UID {
			return int16(salt)
		}
	}
	t.Fatalf("%s is not the uid of event %d", e.UID, e.ID)
	return 0
}

// Within a chunk and over many, a page at a time in both directions: each event once, in
// order, and counted.
func TestQueriesInsideChunks(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		var events []Event
		for poll, size := range []int{1, 3, 1200, 1, 1, 499, 500, 501, 2} {
			for i := range size {
				e := benchEvent("hris_employees.updated", fmt.Sprint("r", i%700), at)
				e.PollID = int64(poll + 1)
				if i%2 == 1 {
					e.Fields = []string{"title", fmt.Sprint("f", i%3)}
				}
				events = append(events, e)
			}
		}
		append1(t, s, events...)
		all := must[[]Event](t)(s.Events(t.Context(), EventQuery{}))
		rapid.Check(t, func(t *rapid.T) {
			bound := rapid.Int64Range(0, all[len(all)-1].ID+1)
			q := EventQuery{After: bound.Draw(t, "after"), Through: bound.Draw(t, "through"), Descending: rapid.Bool().Draw(t, "descending"),
				RecordID: rapid.SampledFrom([]string{"", "", "r5", "r698"}).Draw(t, "record"), Field: rapid.SampledFrom([]string{"", "", "f1"}).Draw(t, "field"),
				PollID: rapid.SampledFrom([]int64{0, 0, 3, 7}).Draw(t, "poll")}
			var want []Event
			for _, e := range all {
				if e.ID > q.After && (q.Through == 0 || e.ID <= q.Through) && (q.RecordID == "" || e.RecordID == q.RecordID) &&
					(q.Field == "" || slices.Contains(e.Fields, q.Field)) && (q.PollID == 0 || e.PollID == q.PollID) {
					want = append(want, e)
				}
			}
			if n, err := s.Count(context.Background(), q); err != nil || n != int64(len(want)) {
				t.Fatalf("%d counted, want %d: %v", n, len(want), err)
			}
			if q.Descending {
				slices.Reverse(want)
			}
			q.Limit = rapid.SampledFrom([]int{0, 1, 2, 500, 501, 3000}).Draw(t, "limit")
			if q.Limit > 0 {
				want = want[:min(q.Limit, len(want))]
			}
			got, err := s.Events(context.Background(), q)
			if d := gocmp.Diff(want, got); err != nil || d != "" {
				t.Fatal(err, d)
			}
		})
		var ids []int64
		for i := 0; i < len(all); i += 7 {
			ids = append(ids, all[i].ID)
		}
		for i, e := range must[[]Event](t)(s.EventsByID(t.Context(), ids)) {
			if e.ID != ids[i] {
				t.Fatalf("event %d instead of %d", e.ID, ids[i])
			}
		}
	})
}

func TestDamagedChunk(t *testing.T) {
	good := newChunk(&Event{RecordID: "1", Fields: []string{"a"}})
	good.add(&Event{RecordID: "2"})
	sets := must[string](t)(good.fieldSets())
	blob := good.encode()
	if _, err := decodeChunk(Event{ID: 1}, 2, 0, sets, blob); err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(blob)
	flipped[1] ^= 1
	for what, c := range map[string]struct {
		size int
		sets string
		blob []byte
	}{
		"a flipped bit": {2, sets, flipped}, "a cut blob": {2, sets, blob[:len(blob)-1]}, "no blob": {2, sets, nil}, "no sets": {2, "", blob},
		"fewer events": {1, sets, blob}, "more events": {3, sets, blob}, "no events": {0, sets, blob}, "a broken set": {2, "[", blob}, "fewer sets": {2, "[]", blob},
	} {
		if _, err := decodeChunk(Event{ID: 1}, c.size, 0, c.sets, c.blob); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPrune(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		const hours = 2*pruneBatch + 500 // a chunk of three events each
		var events []Event
		for i := range 3 * hours {
			events = append(events, benchEvent("hris_employees.created", fmt.Sprint(i), day.Add(time.Duration(i/3)*time.Hour)))
		}
		for i := range 3 {
			events[30+i].OccurredAt = day.AddDate(9, 0, 0) // younger than its neighbours
		}
		append1(t, s, events...)
		all := must[[]Event](t)(s.Events(t.Context(), EventQuery{}))
		const boundary = hours - 100
		keepAfter := all[3*boundary-1].ID
		for _, c := range []struct {
			before        time.Time
			deleted, left int
		}{
			{day, 0, hours},
			{day.Add(pruneBatch * time.Hour), pruneBatch - 1, hours - pruneBatch + 1},
			{day.AddDate(5, 0, 0), boundary - pruneBatch, 101},
			{day.AddDate(5, 0, 0), 0, 101},
		} {
			if n := must[int64](t)(s.Prune(t.Context(), c.before, keepAfter)); n != int64(3*c.deleted) {
				t.Errorf("pruned %d events, want %d", n, 3*c.deleted)
			}
			if n := must[int64](t)(s.Count(t.Context(), EventQuery{})); n != int64(3*c.left) {
				t.Errorf("%d events left, want %d", n, 3*c.left)
			}
		}
		if e := must[[]Event](t)(s.Events(t.Context(), EventQuery{Limit: 1})); e[0].RecordID != "30" {
			t.Errorf("the young event among old ones is gone; the first is %s", e[0].RecordID)
		}
		// Ids go on where they were, though nothing of the log may be left.
		if _, err := db.Exec(`DELETE FROM event_chunks`); err != nil {
			t.Fatal(err)
		}
		append1(t, s, events[0])
		if e := must[[]Event](t)(s.Events(t.Context(), EventQuery{})); e[0].ID != all[len(all)-1].ID+1 {
			t.Errorf("an emptied log begins at %d, behind %d", e[0].ID, all[len(all)-1].ID)
		}
	})
}
