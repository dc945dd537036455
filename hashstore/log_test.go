package hashstore

import (
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
		whole := Event{ProjectID: "p", AccountID: "a", Name: "hris_employees.updated", RecordType: "employees", RecordID: "Zoë 'x' %", OccurredAt: at,
			PollID: 7, Fields: []string{"a.b", `"`, "ü"}, Details: json.RawMessage(`{"provider":"x","setup_information":{"domain":"<ü>"}}`)}
		bare := Event{UID: "evt_mine", ProjectID: "p", AccountID: "a", Name: "account.created", RecordType: "account", RecordID: "a", OccurredAt: at}
		append1(t, s, whole, bare)
		// Enough for every way in which events are inserted.
		many := make([]Event, 5001)
		for i := range many {
			many[i] = whole
			many[i].RecordID = fmt.Sprint(i)
			if i%2 == 1 {
				many[i].PollID, many[i].Fields, many[i].Details = 0, nil, nil
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
			if i != 1 && !uid.MatchString(got[i].UID) || seen[got[i].UID] {
				t.Fatalf("uid %q", got[i].UID)
			}
			seen[got[i].UID] = true
			want[i].ID, want[i].UID = got[i].ID, got[i].UID
		}
		if got[1].UID != "evt_mine" {
			t.Errorf("the given uid has become %q", got[1].UID)
		}
		if d := gocmp.Diff(want, got); d != "" { // times: the same instants
			t.Fatal(d)
		}
		if zone, _ := got[0].OccurredAt.Zone(); zone != "UTC" {
			t.Errorf("time zone %q", zone)
		}
	})
}

func TestEventUIDsSortByTime(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	a, b, c := NewEventUID(at), NewEventUID(at.Add(time.Millisecond)), NewEventUID(at.Add(time.Hour))
	if !(a < b && b < c) || a[:14] != "evt_01HF7YAT00" {
		t.Fatalf("%s %s %s", a, b, c)
	}
	if NewEventUID(at)[14:] == a[14:] {
		t.Fatal("two uids of one time are equal")
	}
}

func TestEventQueries(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		event := func(project, account, name, recordType, record string, hour int, poll int64) Event {
			return Event{UID: fmt.Sprint("u", hour), ProjectID: project, AccountID: account, Name: name, RecordType: recordType, RecordID: record,
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
			want  string // last characters of the uids
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
			{"uid", EventQuery{UID: "u5"}, "5"},
			{"poll", EventQuery{PollID: 3}, "35"},
			{"limit", EventQuery{ProjectID: "p", Limit: 2}, "12"},
			{"newest", EventQuery{ProjectID: "p", Limit: 3, Descending: true}, "653"},
		} {
			var got strings.Builder
			for _, e := range must[[]Event](t)(s.Events(t.Context(), c.query)) {
				got.WriteString(e.UID[1:])
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
		if e, err := s.EventByUID(t.Context(), "q", "u4"); err != nil || e.RecordID != "2" {
			t.Errorf("by uid: %+v %v", e, err)
		}
		if _, err := s.EventByUID(t.Context(), "p", "u4"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an event of another project: %v", err)
		}
	})
}

func TestPrune(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		events := make([]Event, 2*pruneBatch+500)
		for i := range events {
			events[i] = benchEvent("hris_employees.created", fmt.Sprint(i), day.Add(time.Duration(i)*time.Second))
		}
		events[10].OccurredAt = day.AddDate(1, 0, 0) // younger than its neighbours
		append1(t, s, events...)
		all := must[[]Event](t)(s.Events(t.Context(), EventQuery{}))
		boundary := len(events) - 100
		keepAfter := all[boundary-1].ID
		for _, c := range []struct {
			before        time.Time
			deleted, left int
		}{
			{day, 0, len(events)},
			{day.Add(pruneBatch * time.Second), pruneBatch - 1, len(events) - pruneBatch + 1},
			{day.Add(time.Hour * 24 * 30), boundary - pruneBatch, 101},
			{day.Add(time.Hour * 24 * 30), 0, 101},
		} {
			if n := must[int64](t)(s.Prune(t.Context(), c.before, keepAfter)); n != int64(c.deleted) {
				t.Errorf("pruned %d events, want %d", n, c.deleted)
			}
			if n := must[int64](t)(s.Count(t.Context(), EventQuery{})); n != int64(c.left) {
				t.Errorf("%d events left, want %d", n, c.left)
			}
		}
		if e := must[[]Event](t)(s.Events(t.Context(), EventQuery{Limit: 1})); e[0].RecordID != "10" {
			t.Errorf("the young event among old ones is gone; the first is %s", e[0].RecordID)
		}
	})
}
