package sample

import (
	"maps"
	"slices"
	"sync"
	"testing"
)

// reader is a poller that knows only what comes over HTTP.
type reader struct {
	*client
	recordType string
	known      map[string]string
	told       []Seen
}

func (r *reader) look() (map[string]string, error) {
	records, err := r.list(r.recordType)
	found := map[string]string{}
	for id, record := range records {
		found[id] = text(record)
	}
	r.bodies = nil
	return found, err
}

// poll lists twice when something is missing, and believes what is missing twice.
func (r *reader) poll() error {
	found, err := r.look()
	if err != nil {
		return err
	}
	missing := func(id string) bool { _, ok := found[id]; return !ok }
	if slices.ContainsFunc(slices.Collect(maps.Keys(r.known)), missing) {
		again, err := r.look()
		if err != nil {
			return err
		}
		for id, text := range again {
			if missing(id) {
				found[id] = text
			}
		}
	}
	tell := func(id, action string) { r.told = append(r.told, Seen{r.dialect, r.recordType, id, action}) }
	for id, text := range found {
		if before, known := r.known[id]; !known {
			tell(id, Created)
		} else if before != text {
			tell(id, Updated)
		}
	}
	for id := range r.known {
		if missing(id) {
			tell(id, Deleted)
		}
	}
	r.known = found
	return nil
}

// The whole of it over HTTP: a company that lives while every stream is listed at the
// same time, records that move between pages, and an account that comes out even.
func TestALivingCompanyOverHTTP(t *testing.T) {
	c := New(Config{Seed: 13})
	servers, clients := serveAll(t, c, quick)
	var readers []*reader
	for _, d := range Dialects() {
		for _, recordType := range d.RecordTypes() {
			of := *clients[d]
			readers = append(readers, &reader{client: &of, recordType: recordType})
		}
	}
	round := func() {
		t.Helper()
		var polls sync.WaitGroup
		for _, r := range readers {
			polls.Go(func() {
				if err := r.poll(); err != nil {
					t.Errorf("%s %s: %v", r.dialect, r.recordType, err)
				}
			})
		}
		polls.Wait()
	}
	round()
	round()
	c.Mark()
	for _, r := range readers {
		r.told = nil
	}
	for _, s := range servers {
		s.Faults.Add(Fault{Kind: ShiftPages})
	}
	var life sync.WaitGroup
	life.Go(func() {
		if err := c.Live(t.Context(), 300); err != nil {
			t.Error(err)
		}
	})
	founded := len(c.Journal())
	for rounds := 0; rounds < 15 || len(c.Journal()) < founded+60; rounds++ {
		round()
	}
	c.Quiet()
	life.Wait()
	for !c.Settled() {
		round()
	}
	var expected []Expected
	var told []Seen
	for _, d := range Dialects() {
		expected = append(expected, c.Expected(d)...)
	}
	for _, r := range readers {
		told = append(told, r.told...)
	}
	report := Reckon(expected, told)
	if !report.Honest() {
		t.Errorf("missed %v\nfalse %v", report.Missed, report.False)
	}
	for _, action := range []string{Created, Updated, Deleted} {
		if report.Changes[action] < 5 {
			t.Errorf("only %d were %s", report.Changes[action], action)
		}
	}
	if servers[BambooHR].Faults.Struck(ShiftPages) == 0 || servers[Workable].Faults.Struck(ShiftPages) == 0 {
		t.Error("no page shifted")
	}
	t.Log(report.Changes)
}
