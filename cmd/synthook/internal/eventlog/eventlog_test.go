package eventlog_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/synthook/synthook/cmd/synthook/internal/eventlog"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var at = time.Date(2026, 11, 22, 9, 8, 7, 654321000, time.UTC)

// fill writes events 1 to 10 of two projects, by turns.
func fill(t *testing.T, db *migrations.DB) eventlog.Log {
	t.Helper()
	store := hashstore.New(db.DB)
	var events []hashstore.Event
	for i := range 10 {
		events = append(events, hashstore.Event{
			ProjectID: []string{"acme", "globex"}[i%2], AccountID: "a", Name: "hris_employees.updated",
			RecordType: "employees", RecordID: string(rune('0' + i)), OccurredAt: at.Add(time.Duration(i) * time.Second),
		})
	}
	events[4].Fields, events[6].Fields, events[8].AccountID = []string{"title"}, []string{"title", "manager"}, "b"
	events[0].Name, events[0].RecordType, events[0].RecordID = "account.created", "account", "a"
	events[0].Details = json.RawMessage(`{"provider":"bamboohr","origin_owner_id":"o","setup_information":{"domain":"x"}}`)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := store.Append(t.Context(), tx, slices.Values(events)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return eventlog.Log{Store: store}
}

// A reader that goes on from what was covered sees every event that matches once, and
// gets past those that don't.
func TestRead(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		log := fill(t, db)
		for _, c := range []struct {
			filter         dispatch.Filter
			after, through int64
			limit          int
			ids            []int64
			covered        int64
		}{
			{limit: 100, ids: []int64{1, 3, 5, 7, 9}, covered: 10},
			{limit: 2, ids: []int64{1, 3}, covered: 3},
			{after: 3, limit: 3, ids: []int64{5, 7, 9}, covered: 9},
			{after: 9, limit: 3, covered: 10},
			{after: 10, limit: 3, covered: 10},
			{after: 20, limit: 3, covered: 20}, // a log that was restored from an older backup
			{through: 6, limit: 100, ids: []int64{1, 3, 5}, covered: 6},
			{after: 5, through: 6, limit: 100, covered: 6},
			{filter: dispatch.Filter{Names: []string{"account.*"}}, limit: 1, ids: []int64{1}, covered: 1},
			{filter: dispatch.Filter{Names: []string{"ats_candidates.*"}}, limit: 1, covered: 10},
			{filter: dispatch.Filter{RecordType: "employees", AccountID: "a", RecordID: "4"}, limit: 9, ids: []int64{5}, covered: 10},
			{filter: dispatch.Filter{Since: at.Add(4 * time.Second), Until: at.Add(8 * time.Second)}, limit: 9, ids: []int64{5, 7}, covered: 10},
			{filter: dispatch.Filter{Fields: []string{"manager"}, Names: []string{"hris_employees.*"}}, limit: 9, ids: []int64{3, 7, 9}, covered: 10},
			{filter: dispatch.Filter{Changed: []string{"manager"}}, limit: 1, ids: []int64{7}, covered: 7},
			{filter: dispatch.Filter{Changed: []string{"manager"}}, after: 7, limit: 1, covered: 10},
			{filter: dispatch.Filter{Accounts: []string{"b"}}, limit: 2, ids: []int64{9}, covered: 10},
		} {
			events, covered, err := log.Read(t.Context(), "acme", c.filter, c.after, c.through, c.limit)
			var ids []int64
			for _, e := range events {
				ids = append(ids, e.ID)
			}
			if err != nil || !slices.Equal(ids, c.ids) || covered != c.covered {
				t.Errorf("%+v: %v covered %d, %v", c, ids, covered, err)
			}
			if n, err := log.Count(t.Context(), "acme", c.filter, c.after, c.through); err != nil || c.limit > len(c.ids) && n != int64(len(c.ids)) {
				t.Errorf("%+v: counted %d, %v", c, n, err)
			}
		}
		if last, err := log.Last(t.Context()); err != nil || last != 10 {
			t.Errorf("last %d, %v", last, err)
		}
	})
}

func TestEventsTravelWhole(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		log := fill(t, db)
		got, err := log.Get(t.Context(), []int64{1, 3, 99})
		if err != nil || len(got) != 2 || got[0].UID == "" || got[0].UID == got[1].UID {
			t.Fatalf("%+v %v", got, err)
		}
		want := []dispatch.Event{
			{ID: 1, UID: got[0].UID, ProjectID: "acme", AccountID: "a", Name: "account.created", RecordType: "account", RecordID: "a", OccurredAt: at,
				Account: &dispatch.AccountDetails{Provider: "bamboohr", OriginOwnerID: "o", SetupInformation: json.RawMessage(`{"domain":"x"}`)}},
			{ID: 3, UID: got[1].UID, ProjectID: "acme", AccountID: "a", Name: "hris_employees.updated", RecordType: "employees", RecordID: "2", OccurredAt: at.Add(2 * time.Second)},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
