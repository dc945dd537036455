package poller

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/synthook/synthook/hashstore"
)

// roster is what the provider answers instead of its directory.
type roster []map[string]any

func newRoster(n int) roster {
	var all roster
	for i := range n {
		all = append(all, map[string]any{
			"id": strconv.Itoa(i + 1), "name": fmt.Sprintf("person %d", i+1), "department": "one", "photo": "a",
			"team": map[string]any{"lead": "x", "room": "1", "by_mail": map[string]any{fmt.Sprintf("p%d@example.com", i): true}},
		})
	}
	return all
}

func (d *directory) list(records *roster) {
	d.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
		size, _ := strconv.Atoi(req.URL.Query().Get("limit"))
		from := min((page-1)*size, len(*records))
		to := min(from+size, len(*records))
		_ = json.NewEncoder(w).Encode(map[string]any{"items": (*records)[from:to], "has_more": to < len(*records)})
		return true
	})
}

func (r *rig) update(a Account, u StreamUpdate) {
	r.t.Helper()
	if _, err := r.streams.Update(r.t.Context(), DefaultProject, a.ID, "employees", u); err != nil {
		r.t.Fatal(err)
	}
}

// changes are the updates told since the last call, as "7: department name".
func (r *rig) changes(a Account, after *int64) []string {
	r.t.Helper()
	events, err := r.store.Events(r.t.Context(), hashstore.EventQuery{ProjectID: DefaultProject, AccountID: a.ID, After: *after})
	if err != nil {
		r.t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		*after = e.ID
		if strings.HasSuffix(e.Name, "employees.updated") {
			told = append(told, e.RecordID+": "+strings.Join(slices.Sorted(slices.Values(e.Fields)), " "))
		} else if len(e.Fields) > 0 {
			r.t.Errorf("%s has the fields %q", e.Name, e.Fields)
		}
	}
	slices.Sort(told)
	return told
}

func TestChangedFieldsAreTold(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(25)
		r.people.list(&people)
		a := r.account(nil)
		var seen int64
		expect := func(what string, want ...string) {
			t.Helper()
			if got := r.poll(a); !got.Complete || got.Error != "" {
				t.Fatalf("%s: %+v", what, got)
			}
			if got := r.changes(a, &seen); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		on, off, paths := true, false, []string{"team.lead"}
		expect("the baseline")
		people[2]["department"] = "two"
		people[6]["department"], people[6]["name"] = "two", "renamed"
		people[7]["team"] = map[string]any{"lead": "y", "room": "1"}
		people[8]["nickname"] = "new"
		expect("fields", "3: department", "7: department name", "8: team", "9: *")

		polls, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 1)
		if want := map[string]int{"department": 2, "name": 1, "team": 1, "*": 1}; err != nil || !maps.Equal(polls[0].Fields, want) {
			t.Errorf("on record: %v, want %v (%v)", polls[0].Fields, want, err)
		}

		r.update(a, StreamUpdate{DigestPaths: &paths})
		expect("a path more is silent")
		people[3]["team"] = map[string]any{"lead": "y", "room": "1"}
		people[4]["team"] = map[string]any{"lead": "y", "room": "1", "by_mail": people[4]["team"].(map[string]any)["by_mail"]}
		expect("a path", "4: team team.lead", "5: team.lead")

		r.ignore(a, "photo")
		people[5]["department"], people[7]["photo"] = "three", "ignored"
		expect("while the recipe changes", "6: department", "8: photo") // which counted till now
		people[5]["name"] = "renamed"
		expect("after it has", "6: name")

		r.update(a, StreamUpdate{ChangedFields: &off})
		people[9]["name"] = "renamed"
		expect("off", "10: ")
		r.update(a, StreamUpdate{ChangedFields: &on})
		expect("on again is silent")
		people[9]["name"] = "renamed again"
		expect("and tells", "10: name")
	})
}

// Keys that are data are no names, neither in an event nor anywhere else.
func TestNamesOfFieldsAreNothingPersonal(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(30)
		for i := range people {
			people[i][fmt.Sprintf("Marker%d", i)] = 1
			people[i][fmt.Sprintf("marker-%d@example.com", i)] = 1
		}
		r.people.list(&people)
		a := r.account(nil)
		r.update(a, StreamUpdate{DigestPaths: &[]string{"team.*", "team.by_mail.*"}})
		r.poll(a)
		for i := range people {
			people[i][fmt.Sprintf("Marker%d", i)] = 2
			people[i]["team"].(map[string]any)["by_mail"] = map[string]any{fmt.Sprintf("p%d@example.com", i): "value-marker"}
			r.poll(a)
		}
		var seen int64
		for _, told := range r.changes(a, &seen) {
			if _, fields, _ := strings.Cut(told, ": "); fields != "* team.by_mail" {
				t.Errorf("told: %s", told)
			}
		}
		for table, rows := range dump(t, r.db) {
			for _, marker := range []string{"Marker", "marker", "@example.com"} {
				if strings.Contains(rows, marker) {
					t.Errorf("%s holds %q", table, marker)
				}
			}
		}
	})
}

// A path that can't be one is refused before a poll meets it.
func TestPathsOfFieldsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.account(nil)
		for _, path := range []string{"", "a..b", "a.*.b"} {
			if _, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{DigestPaths: &[]string{path}}); err == nil {
				t.Errorf("%q is taken", path)
			}
		}
	})
}
