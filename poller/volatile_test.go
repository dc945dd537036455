package poller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestFindVolatile(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	poll := func(id int64, records int, fields map[string]int) Poll {
		return Poll{ID: id, Number: id, StartedAt: at, Result: Result{Complete: true, Records: records}, Fields: fields}
	}
	six := func(fields map[string]int) (polls []Poll) {
		for id := range int64(6) {
			polls = append(polls, poll(6-id, 100, fields))
		}
		return polls
	}
	for name, c := range map[string]struct {
		polls  []Poll
		number int64
		want   []VolatileField
	}{
		"nothing":                       {nil, 9, nil},
		"few records, few polls":        {[]Poll{poll(1, 100, map[string]int{"a": 3})}, 1, nil},
		"most records of a poll":        {[]Poll{poll(7, 100, map[string]int{"a": 51, "b": 50})}, 7, []VolatileField{{"a", 1, 1, 51, []FieldEvidence{{7, at, 51, 100}}}}},
		"most of very few records":      {[]Poll{poll(1, 9, map[string]int{"a": 9})}, 1, nil},
		"most polls":                    {six(map[string]int{"a": 2}), 6, []VolatileField{{"a", 6, 6, 12, nil}}},
		"most polls that found a thing": {six(map[string]int{"a": 2}), 60, nil},
		"a poll that failed":            {[]Poll{{ID: 3, Number: 3, Result: Result{Records: 100}, Fields: map[string]int{"a": 99}}}, 3, nil},
		"the most records first": {six(map[string]int{"a": 2, "b": 3}), 6,
			[]VolatileField{{"b", 6, 6, 18, nil}, {"a", 6, 6, 12, nil}}},
	} {
		if d := gocmp.Diff(c.want, findVolatile(c.polls, c.number)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A field that changes by itself is found by polling, and what is ignored is told no more.
func TestVolatileFieldsFindThemselves(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(20)
		r.people.list(&people)
		a := r.account(nil)
		r.poll(a)
		paths := func() (paths []string) {
			t.Helper()
			found, err := r.streams.VolatileFields(t.Context(), r.stream(a))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				paths = append(paths, fmt.Sprintf("%s %d/%d %d %d", f.Path, f.Polls, f.Of, f.Records, len(f.Most)))
			}
			return paths
		}
		people.photos(20, "b")
		people[0]["name"] = "renamed"
		r.poll(a)
		if got := paths(); !slices.Equal(got, []string{"photo 1/2 20 1"}) {
			t.Fatalf("after a change of most records: %q", got)
		}
		r.poll(a) // finds nothing, and is counted
		for n := range 5 {
			people[n]["department"] = fmt.Sprint(n)
			people.photos(1, fmt.Sprint(n))
			r.poll(a)
		}
		if got := paths(); !slices.Equal(got, []string{"photo 6/8 25 1", "department 5/8 5 0"}) {
			t.Errorf("after changes with most polls: %q", got)
		}
		r.ignore(a, "photo")
		if got := paths(); !slices.Equal(got, []string{"department 5/8 5 0"}) {
			t.Errorf("after it was ignored: %q", got)
		}
	})
}
