package poller

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// photos changes the photo of the first n people.
func (p roster) photos(n int, photo string) {
	for i := range n {
		p[i]["photo"] = photo
	}
}

func TestStormIsHeld(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(150)
		r.people.list(&people)
		a := r.account(func(n *NewAccount) { n.Credentials["page_size"] = "40" })
		var seen int64
		r.poll(a)
		before := dump(t, r.db)
		people.photos(150, "b")
		for n := 1; n <= 3; n++ {
			if got := r.poll(a); got.Quarantined != 150 || got.Events+got.Updated+got.Created != 0 || !got.Complete {
				t.Fatalf("poll %d: %+v", n, got)
			}
			s := r.stream(a)
			if q := s.Quarantine; s.State != StreamQuarantined || q == nil || q.Missing != 0 || q.Updated != 150 || q.Polls != n || !slices.Equal(q.Fields, []string{"photo"}) ||
				!strings.Contains(q.Reason, "150 of 150 records updated") || !strings.Contains(q.Reason, "photo") || len(q.Sample) != sampleSize {
				t.Fatalf("poll %d: %+v", n, q)
			}
		}
		if sums, err := r.streams.Sums(t.Context()); err != nil || len(sums) != 1 || sums[0].States[StreamQuarantined] != 1 || sums[0].Quarantined != 150 {
			t.Fatalf("summed up: %+v, %v", sums, err)
		}
		people[0]["name"] = "renamed"
		people = append(people, newRoster(151)[150])
		if got := r.poll(a); got.Quarantined != 150 || got.Events != 0 {
			t.Fatalf("what comes on top is held as well: %+v", got)
		}
		if q := r.stream(a).Quarantine; q.Created != 1 || q.Updated != 150 {
			t.Fatalf("the pending set is refreshed: %+v", q)
		}
		after := dump(t, r.db)
		for _, table := range []string{"stream_states", "stream_parts", "stream_runs", "event_chunks"} {
			if before[table] != after[table] {
				t.Errorf("table %s has changed", table)
			}
		}
		if err := r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		people = append(people[:3], people[4:]...) // nobody has approved that
		if got := r.poll(a); got.Updated != 149 || got.Created != 1 || got.Suspected != 1 || got.Quarantined+got.Deleted != 0 {
			t.Fatalf("approved: %+v", got)
		}
		told := r.changes(a, &seen)
		if len(told) != 149 || !slices.Contains(told, "1: name photo") || !slices.Contains(told, "2: photo") {
			t.Errorf("told: %q", told)
		}
		if s := r.stream(a); s.State != StreamOK || s.Quarantine != nil {
			t.Errorf("%+v", s)
		}
	})
}

// A storm that passes is told by nobody; one that is rejected is judged anew.
func TestStormPassesOrStays(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(120)
		r.people.list(&people)
		a := r.account(nil)
		var seen int64
		r.poll(a)
		people.photos(120, "b")
		r.poll(a)
		if err := r.streams.Reject(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		if got := r.poll(a); got.Quarantined != 120 {
			t.Fatalf("rejected, and still there: %+v", got)
		}
		people.photos(120, "a")
		people[3]["name"] = "renamed"
		if got := r.poll(a); got.Quarantined != 0 || got.Updated != 1 {
			t.Fatalf("passed: %+v", got)
		}
		if told := r.changes(a, &seen); !slices.Equal(told, []string{"4: name"}) {
			t.Errorf("told: %q", told)
		}
		if s := r.stream(a); s.Quarantine != nil {
			t.Errorf("%+v", s.Quarantine)
		}
	})
}

func TestStormReleasesItself(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(120)
		r.people.list(&people)
		a := r.account(nil)
		r.poll(a)
		n := 3
		r.update(a, StreamUpdate{ReleaseAfter: &n})
		people.photos(100, "b")
		r.poll(a)
		people.photos(101, "b") // another set: counted anew
		for range 2 {
			if got := r.poll(a); got.Quarantined != 101 {
				t.Fatalf("%+v", got)
			}
		}
		if got := r.poll(a); got.Updated != 101 || got.Quarantined != 0 {
			t.Fatalf("the third equal listing: %+v", got)
		}
	})
}

// A storm and a deletion that is too big are held and decided together.
func TestStormBesideManyMissing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(200)
		r.people.list(&people)
		a := r.account(func(n *NewAccount) { n.Credentials["page_size"] = "50" })
		r.poll(a)
		people.photos(200, "b")
		people = people[:150]
		if got := r.poll(a); got.Quarantined != 200 {
			t.Fatalf("%+v", got)
		}
		if q := r.stream(a).Quarantine; q.Missing != 50 || q.Updated != 150 || !strings.Contains(q.Reason, "missing") || !strings.Contains(q.Reason, "updated") {
			t.Fatalf("%+v", q)
		}
		if err := r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		if got := r.poll(a); got.Updated != 150 || got.Deleted != 50 || got.Quarantined != 0 {
			t.Fatalf("%+v", got)
		}
	})
}

func TestWhatIsNoStorm(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		off := false
		for name, c := range map[string]struct {
			records int
			fields  bool
			change  func(roster)
			held    int
		}{
			"half of them":              {120, true, func(p roster) { p.photos(60, "b") }, 0},
			"more than half":            {120, true, func(p roster) { p.photos(61, "b") }, 61},
			"a small stream":            {stormFloor - 1, true, func(p roster) { p.photos(len(p), "b") }, 0},
			"each in another field":     {120, true, func(p roster) { scatter(p) }, 0},
			"no fields, half":           {120, false, func(p roster) { p.photos(60, "b") }, 0},
			"no fields, more than that": {120, false, func(p roster) { scatter(p) }, 120},
		} {
			people := newRoster(c.records)
			r.people.list(&people)
			a := r.account(func(n *NewAccount) { n.Credentials["page_size"] = "60" })
			if !c.fields {
				r.update(a, StreamUpdate{ChangedFields: &off})
			}
			r.poll(a)
			c.change(people)
			if got := r.poll(a); got.Quarantined != c.held || c.held == 0 && got.Updated == 0 {
				t.Errorf("%s: %+v", name, got)
			}
			if q := r.stream(a).Quarantine; c.held > 0 && !c.fields && (len(q.Fields) > 0 || !strings.Contains(q.Reason, "updated")) {
				t.Errorf("%s: %+v", name, q)
			}
		}
	})
}

// scatter changes every record, each third in the same field.
func scatter(p roster) {
	for i := range p {
		p[i][[]string{"photo", "name", "department"}[i%3]] = "changed " + strconv.Itoa(i)
	}
}

// One command ends a storm of a field that means nothing: nothing of it is told, and what
// happened meanwhile is.
func TestIgnoringEndsAStorm(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people := newRoster(120)
		r.people.list(&people)
		a := r.account(nil)
		var seen int64
		r.poll(a)
		people.photos(120, "b")
		people[4]["name"] = "renamed"
		r.poll(a)
		r.ignore(a, "photo")
		people.photos(100, "c")
		if got := r.poll(a); got.Updated != 1 || got.Quarantined != 0 {
			t.Fatalf("%+v", got)
		}
		if told := r.changes(a, &seen); !slices.Equal(told, []string{"5: name photo"}) {
			t.Errorf("told: %q", told)
		}
		people.photos(120, "d")
		if got := r.poll(a); got.Updated+got.Quarantined != 0 {
			t.Fatalf("ignored: %+v", got)
		}
		if s := r.stream(a); s.State != StreamOK || s.Quarantine != nil {
			t.Errorf("%+v", s)
		}
	})
}

// A storm holds up no other stream.
func TestStormIsOfItsStreamAlone(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		people, others := newRoster(120), newRoster(3)
		r.people.list(&people)
		a, other := r.account(nil), r.account(func(n *NewAccount) {
			n.RecordTypes, n.Credentials["candidates_path"] = []string{"candidates"}, "/candidates"
		})
		r.poll(a)
		people.photos(120, "b")
		r.poll(a)
		r.people.list(&others)
		r.poll(other)
		others[0]["name"] = "renamed"
		if got := r.poll(other); got.Updated != 1 {
			t.Errorf("%+v", got)
		}
		if s, o := r.stream(a), r.stream(other); s.State != StreamQuarantined || o.State != StreamOK {
			t.Errorf("%s and %s", s.State, o.State)
		}
	})
}
