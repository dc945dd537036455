package poller

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
)

// halve takes people 16 to 30 away.
func halve(r *rig) (gone []string) {
	for i := 16; i <= 30; i++ {
		gone = append(gone, strconv.Itoa(i))
	}
	r.people.remove(gone...)
	return gone
}

func deleted(ids []string) (told []string) {
	for _, id := range ids {
		told = append(told, "deleted "+id)
	}
	slices.Sort(told)
	return told
}

func TestQuarantineHoldsEverything(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		gone := halve(r)
		r.people.rename("1", "renamed")
		r.people.add(person{id: "31", name: "new"})
		for n := 1; n <= 3; n++ {
			if got := r.poll(a); got.Quarantined != 15 || got.Events != 0 || got.Created+got.Updated+got.Deleted+got.Suspected != 0 || !got.Complete {
				t.Fatalf("poll %d: %+v", n, got)
			}
			s := r.stream(a)
			if s.State != StreamQuarantined || s.Quarantine == nil {
				t.Fatalf("poll %d: %+v", n, s)
			}
			q := *s.Quarantine
			if q.Missing != 15 || q.Created != 1 || q.Updated != 1 || q.Polls != n || q.Approved || q.Reason == "" || len(q.Sample) != 15 || !slices.Contains(gone, q.Sample[0]) {
				t.Errorf("poll %d: %+v", n, q)
			}
		}
		r.expect(a, &seen)
	})
}

// Until it is decided, a held change leaves no trace in what is known and told, whatever
// is held with it, and holds up no other stream.
func TestQuarantineLeaksNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		candidates := 3
		r.people.setFault(func(_ int, w http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path == "/candidates" {
				_, _ = fmt.Fprintf(w, `{"items":[{"id":"c%d"}],"has_more":false}`, candidates)
				return true
			}
			return false
		})
		a := r.account(func(n *NewAccount) { n.Credentials["candidates_path"] = "/candidates" })
		other := r.account(func(n *NewAccount) {
			n.RecordTypes, n.Credentials["candidates_path"] = []string{"candidates"}, "/candidates"
		})
		r.poll(a)
		r.poll(other)
		halve(r)
		before := dump(t, r.db)
		for n := 1; n <= 3; n++ {
			id := strconv.Itoa(n)
			r.people.rename(id, "renamed")
			r.people.add(person{id: "new " + id, name: "new"})
			r.people.remove(strconv.Itoa(10 + n))
			if got := r.poll(a); got.Quarantined != 15+n || got.Events != 0 {
				t.Fatalf("poll %d: %+v", n, got)
			}
			if q := r.stream(a).Quarantine; q.Missing != 15+n || q.Created != int64(n) || q.Updated != int64(n) || q.Polls != 1 {
				t.Errorf("poll %d has not refreshed it: %+v", n, q)
			}
		}
		after := dump(t, r.db)
		for _, table := range []string{"stream_states", "stream_parts", "stream_runs", "events"} {
			if before[table] != after[table] {
				t.Errorf("table %s has changed", table)
			}
		}
		candidates = 4
		if got := r.poll(other); got.Created != 1 || got.Suspected != 1 {
			t.Errorf("another stream: %+v", got)
		}
		if s := r.stream(other); s.State != StreamOK {
			t.Errorf("another stream: %+v", s)
		}
	})
}

func TestQuarantineReleasesItself(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		n := 3
		if s, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{ReleaseAfter: &n}); err != nil || s.ReleaseAfter != 3 || s.QuarantineThreshold != 10 {
			t.Fatal(s, err)
		}
		var seen int64
		gone := append(halve(r), "1")
		r.poll(a)
		r.people.remove("1") // another set: counted anew
		for range 2 {
			if got := r.poll(a); got.Quarantined != 16 {
				t.Fatalf("%+v", got)
			}
			r.people.setFault(answers(500)) // what is no complete listing counts for nothing
			r.poll(a)
			r.people.setFault(nil)
		}
		r.expect(a, &seen)
		if got := r.poll(a); got.Deleted != 16 || got.Quarantined != 0 {
			t.Fatalf("the third equal listing: %+v", got)
		}
		r.expect(a, &seen, deleted(gone)...)
		if s := r.stream(a); s.State != StreamOK || s.Quarantine != nil {
			t.Errorf("%+v", s)
		}
	})
}

func TestQuarantineThreshold(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		halve(r)
		percent := 50
		if s, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{QuarantineThreshold: &percent}); err != nil || s.QuarantineThreshold != 50 {
			t.Fatal(s, err)
		}
		if got := r.poll(a); got.Suspected != 15 || got.Quarantined != 0 {
			t.Fatalf("as many as are believed: %+v", got)
		}
		r.people.remove("1")
		if got := r.poll(a); got.Quarantined != 16 {
			t.Fatalf("one more: %+v", got)
		}
	})
}

func TestQuarantineClearsItself(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		gone := halve(r)
		r.poll(a)
		for _, id := range gone[1:] { // all but one are back
			r.people.add(person{id: id, name: "person " + id})
		}
		r.people.rename("1", "renamed")
		if got := r.poll(a); got.Quarantined != 0 || got.Updated != 1 || got.Suspected != 1 {
			t.Fatalf("%+v", got)
		}
		if s := r.stream(a); s.State != StreamOK || s.Quarantine != nil || s.Suspected != 1 {
			t.Errorf("%+v", s)
		}
		r.poll(a)
		var seen int64
		r.expect(a, &seen, "deleted 16", "updated 1")
	})
}

func TestQuarantineApproved(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		gone := halve(r)
		r.poll(a)
		if err := r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		if s := r.stream(a); !s.Quarantine.Approved {
			t.Errorf("%+v", s.Quarantine)
		}
		r.people.remove("1") // judged on its own
		if got := r.poll(a); got.Deleted != 15 || got.Suspected != 1 {
			t.Fatalf("%+v", got)
		}
		var seen int64
		r.expect(a, &seen, deleted(gone)...)
		if s := r.stream(a); s.State != StreamOK {
			t.Errorf("%+v", s)
		}
	})
}

func TestQuarantineRejected(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		halve(r)
		r.poll(a)
		r.poll(a)
		if err := r.streams.Reject(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		if s := r.stream(a); s.State != StreamOK || s.Quarantine != nil {
			t.Errorf("%+v", s)
		}
		if got := r.poll(a); got.Quarantined != 15 {
			t.Errorf("%+v", got)
		}
		if s := r.stream(a); s.Quarantine.Polls != 1 {
			t.Errorf("judged anew, but %+v", s.Quarantine)
		}
		var seen int64
		r.expect(a, &seen)
	})
}

func TestEmptyListingIsQuarantined(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		r.poll(a)
		r.people.remove("1", "2", "3")
		if got := r.poll(a); got.Quarantined != 3 {
			t.Fatalf("%+v", got)
		}
		if err := r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		r.poll(a)
		var seen int64
		r.expect(a, &seen, "deleted 1", "deleted 2", "deleted 3")
	})
}

func TestNothingToDecide(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		r.people.remove("30")
		r.poll(a) // suspected, not quarantined
		for name, decide := range map[string]func() error{
			"approve": func() error { return r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees") },
			"reject":  func() error { return r.streams.Reject(t.Context(), DefaultProject, a.ID, "employees") },
		} {
			if _, ok := errors.AsType[*InvalidError](decide()); !ok {
				t.Errorf("%s: %v", name, decide())
			}
		}
		if err := r.streams.Approve(t.Context(), "another", a.ID, "employees"); !errors.Is(err, ErrNotFound) {
			t.Errorf("another project's stream: %v", err)
		}
		if s := r.stream(a); s.Suspected != 1 {
			t.Errorf("the suspicion is gone: %+v", s)
		}
	})
}

// While a change is held, no poll asks for changes alone and no checkpoint tells any.
func TestQuarantineHoldsFastPollsAndCheckpoints(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, changes := twoSpeeds(t, r)
		halve(r)
		if got := r.poll(a); got.Quarantined != 15 {
			t.Fatalf("%+v", got)
		}
		r.people.rename("1", "renamed")
		changes.items = []map[string]any{{"id": "1", "name": "renamed", "seat": ""}}
		if got := r.pollChanges(a); got.Incremental || got.Quarantined != 15 || got.Events != 0 {
			t.Errorf("%+v", got)
		}
		r.people.rename("2", "renamed")
		if got, err := r.keeping().Poll(t.Context(), r.stream(a).ID); err != nil || got.Quarantined != 15 || got.Events != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		var seen int64
		r.expect(a, &seen)
	})
}
