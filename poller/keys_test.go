package poller

import (
	"encoding/json"
	"errors"
	"testing"
)

func (r *rig) rotate() int {
	r.t.Helper()
	n, err := r.projects.RotateKey(r.t.Context(), DefaultProject)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) formerKeys() (n int) {
	r.t.Helper()
	if err := r.db.QueryRow(`SELECT count(*) FROM former_keys`).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// Nobody hears of a new key, and what happens meanwhile is told as ever. The old one goes
// with the last stream that has followed.
func TestRotatedKey(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(40)
		a, b := r.account(nil), r.account(nil)
		r.poll(a)
		r.poll(b)
		var seenA, seenB int64
		if n := r.rotate(); n != 2 || r.formerKeys() != 1 {
			t.Fatalf("%d streams to follow, %d former keys", n, r.formerKeys())
		}
		r.people.rename("7", "renamed")
		r.people.add(person{id: "41", name: "new"})
		r.people.remove("9")
		if got := r.poll(a); got.Created != 1 || got.Updated != 1 || got.Suspected != 1 {
			t.Fatalf("%+v", got)
		}
		if n, err := r.projects.Following(t.Context(), DefaultProject); err != nil || n != 2 {
			t.Errorf("a suspicion is settled by the old key: %d streams, %v", n, err)
		}
		if n := r.rotate(); n != 2 || r.formerKeys() != 2 { // again, before anybody has followed; the key between goes unused
			t.Logf("%d streams to follow, %d former keys", n, r.formerKeys())
		}
		if got := r.poll(a); got.Deleted != 1 || got.Created+got.Updated != 0 {
			t.Fatalf("%+v", got)
		}
		r.expect(a, &seenA, "created 41", "deleted 9", "updated 7")
		if n, err := r.projects.Following(t.Context(), DefaultProject); err != nil || n != 1 || r.formerKeys() != 1 {
			t.Errorf("%d streams to follow, %v, %d former keys", n, err, r.formerKeys())
		}
		r.poll(b)
		r.poll(b)
		r.expect(b, &seenB, "created 41", "deleted 9", "updated 7")
		if r.formerKeys() != 0 {
			t.Error("a former key is left")
		}
		r.people.rename("8", "renamed")
		for account, seen := range map[string]*int64{a.ID: &seenA, b.ID: &seenB} {
			of := a
			if of.ID != account {
				of = b
			}
			if got := r.poll(of); got.Updated != 1 || got.Events != 1 {
				t.Errorf("%+v", got)
			}
			r.expect(of, seen, "updated 8")
		}
	})
}

// A poll under way when the key is rotated comes to nothing: what it keeps would be of a
// key that is gone.
func TestRotationRevokesPolls(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(5)
		a := r.account(nil)
		claims, err := r.poller.claimDue(t.Context(), 1)
		if err != nil || len(claims) != 1 {
			t.Fatal(claims, err)
		}
		r.rotate()
		if _, err := r.poller.poll(t.Context(), claims[0]); !errors.Is(err, errLeaseLost) {
			t.Fatalf("%v", err)
		}
		if got := r.poll(a); got.Records != 5 || r.formerKeys() != 0 {
			t.Errorf("%+v, %d former keys", got, r.formerKeys())
		}
		if _, err := r.projects.RotateKey(t.Context(), "nobody's"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

// Another mapping that reads the same content hides no change; one that reads another
// does not look like a change of everything.
func TestNewMapping(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(40)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		remap := func() {
			t.Helper()
			var text string
			if err := r.db.QueryRow(`SELECT recipe FROM stream_states`).Scan(&text); err != nil {
				t.Fatal(err)
			}
			var stored recipe
			if err := json.Unmarshal([]byte(text), &stored); err != nil {
				t.Fatal(err)
			}
			stored.Mapping = "of an older connector"
			text, err := stored.encode()
			if err == nil {
				_, err = r.db.Exec(`UPDATE stream_states SET recipe = $1`, text)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		remap()
		r.people.rename("7", "renamed")
		r.people.add(person{id: "41", name: "new"})
		r.poll(a)
		r.expect(a, &seen, "created 41", "updated 7")
		if got := r.poll(a); got.Events != 0 {
			t.Fatalf("%+v", got)
		}
		remap()
		r.people.seat("another view has another seat")
		r.people.add(person{id: "42", name: "new"})
		r.poll(a)
		r.expect(a, &seen, "created 42")
		r.people.rename("8", "renamed")
		r.poll(a)
		r.expect(a, &seen, "updated 8")
	})
}
