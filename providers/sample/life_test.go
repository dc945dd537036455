package sample

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What each change looks like from outside: which entries it makes in the view of each
// dialect. A change that a dialect doesn't show is not in its view.
func TestChangesAreSeenWhereTheyShow(t *testing.T) {
	candidate := func(action string) []string { return []string{"applications " + action, "candidates " + action} }
	for change, want := range map[Change]map[Dialect][]string{
		Hire:         {BambooHR: {"employees created", "employments created"}, Workable: {"employees created"}, StackOne: {"employees created", "employments created"}},
		Leave:        {BambooHR: {"employees deleted", "employments deleted"}, Workable: {"employees deleted"}, StackOne: {"employees deleted", "employments deleted"}},
		Move:         {BambooHR: {"employees updated", "employments created"}, Workable: {"employees updated"}, StackOne: {"employees updated", "employments created"}},
		Raise:        {StackOne: {"employments updated"}},
		Correct:      {BambooHR: {"employments updated"}, StackOne: {"employments updated"}},
		EditPerson:   {BambooHR: {"employees updated"}, Workable: {"employees updated"}, StackOne: {"employees updated"}},
		Telephone:    {Workable: {"employees updated"}, StackOne: {"employees updated"}},
		Absence:      {BambooHR: {"employees updated"}, Workable: {"employees updated"}, StackOne: {"employees updated"}},
		Apply:        {BambooHR: {"applications created"}, Workable: candidate(Created), StackOne: candidate(Created)},
		EditCV:       {Workable: candidate(Updated), StackOne: {"candidates updated"}},
		Advance:      {BambooHR: {"applications updated"}, Workable: candidate(Updated), StackOne: {"applications updated"}},
		Rate:         {BambooHR: {"applications updated"}},
		Reject:       {BambooHR: {"applications updated"}, Workable: candidate(Updated), StackOne: {"applications updated"}},
		Erase:        {BambooHR: {"applications deleted"}, Workable: candidate(Deleted), StackOne: candidate(Deleted)},
		Schedule:     {Workable: {"interviews created"}, StackOne: {"interviews created"}},
		Reschedule:   {Workable: {"interviews updated"}, StackOne: {"interviews updated"}},
		Cancel:       {Workable: {"interviews deleted"}, StackOne: {"interviews deleted"}},
		OpenPosting:  {BambooHR: {"job_postings created"}, Workable: {"job_postings created"}, StackOne: {"job_postings created"}},
		EditPosting:  {BambooHR: {"job_postings updated"}, Workable: {"job_postings updated"}, StackOne: {"job_postings updated"}},
		HoldPosting:  {BambooHR: {"job_postings updated"}, Workable: {"job_postings updated"}, StackOne: {"job_postings updated"}},
		ClosePosting: {BambooHR: {"job_postings deleted"}, Workable: {"job_postings deleted"}, StackOne: {"job_postings deleted"}},
	} {
		t.Run(string(change), func(t *testing.T) {
			c := New(Config{Seed: 6})
			before := map[Dialect]int{}
			for _, d := range Dialects() {
				before[d] = len(c.View(d))
			}
			if !c.Do(change) {
				t.Fatal("it doesn't happen")
			}
			for _, d := range Dialects() {
				seen := map[string]bool{} // several edits at once, several interviews of one candidate: said once
				for _, e := range c.View(d)[before[d]:] {
					if strings.HasPrefix(e.RecordType, "interviews") && change == Erase {
						continue
					}
					seen[e.RecordType+" "+e.Action] = true
				}
				if diff := cmp.Diff(want[d], slices.Sorted(maps.Keys(seen)), cmp.Transformer("nil", func(s []string) string { return strings.Join(s, ", ") })); diff != "" {
					t.Errorf("%s: %s", d, diff)
				}
			}
		})
	}
	c := New(Config{})
	if got := len(c.changes()); got != 21 {
		t.Errorf("there are %d kinds of change and 21 in this table", got)
	}
}

// The journal, played from its beginning, gives what is there: for the company and for
// each dialect, after any life.
func TestJournalsAgreeWithWhatIsThere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := New(Config{Seed: rapid.Uint64().Draw(rt, "seed"), Employees: rapid.IntRange(1, 40).Draw(rt, "employees")})
		for range rapid.IntRange(0, 300).Draw(rt, "steps") {
			if c.Step() == "" {
				rt.Fatal("nothing happens though nobody is waited for")
			}
		}
		own := play(rt, c.Journal())
		for recordType, living := range map[string][]int{
			Employees: ids(c.employees), Employments: ids(c.employments), Candidates: ids(c.candidates),
			Applications: ids(c.applications), Interviews: ids(c.interviews), JobPostings: ids(c.postings),
		} {
			if len(living) != len(own[recordType]) {
				rt.Fatalf("%s: %d live, %d by the journal", recordType, len(living), len(own[recordType]))
			}
		}
		for _, d := range Dialects() {
			seen := play(rt, c.View(d))
			for _, recordType := range d.RecordTypes() {
				if diff := cmp.Diff(c.IDs(d, recordType), slices.Sorted(maps.Keys(seen[recordType]))); diff != "" {
					rt.Fatalf("%s %s (-there +journal):\n%s", d, recordType, diff)
				}
			}
		}
		for id, e := range c.employees {
			for _, row := range e.employments {
				if c.employments[row].employee != id {
					rt.Fatalf("employment %d is not employee %d's", row, id)
				}
			}
		}
	})
}

// play applies a journal and checks its form.
func play(t *rapid.T, journal []Entry) map[string]map[string]int {
	living, dead := map[string]map[string]int{}, map[string]bool{}
	var seq int64
	for _, e := range journal {
		if living[e.RecordType] == nil {
			living[e.RecordType] = map[string]int{}
		}
		version, lives := living[e.RecordType][e.RecordID]
		key := e.RecordType + " " + e.RecordID
		if e.Seq < seq || lives == (e.Action == Created) || dead[key] {
			t.Fatalf("%+v: out of order, or it lives already, or no longer", e)
		}
		seq = e.Seq
		if e.Action == Deleted {
			delete(living[e.RecordType], e.RecordID)
			dead[key] = true
			continue
		}
		if e.Version != version+1 {
			t.Fatalf("%+v: follows version %d", e, version)
		}
		living[e.RecordType][e.RecordID] = e.Version
	}
	return living
}

func TestTheSameSeedLivesTheSameLife(t *testing.T) {
	live := func(seed uint64) []Entry {
		c := New(Config{Seed: seed})
		for range 3000 {
			c.Step()
		}
		return c.Journal()
	}
	sameTime := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "At" }, cmp.Ignore())
	if diff := cmp.Diff(live(7), live(7), sameTime); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(live(7), live(8), sameTime) {
		t.Error("every seed lives the same life")
	}
}

func TestQuietEndsTheLife(t *testing.T) {
	c := New(Config{})
	live := make(chan error, 1)
	go func() { live <- c.Live(t.Context(), 500) }()
	c.Quiet()
	c.Quiet()
	if err := <-live; err != nil {
		t.Error(err)
	}
	if c.Step() != "" || c.Do(Hire) {
		t.Error("something happens in the quiet")
	}
	for _, rate := range []float64{0, -1, 1e9} {
		if c.Live(t.Context(), rate) == nil {
			t.Errorf("a rate of %v is taken", rate)
		}
	}
}
