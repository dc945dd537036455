package poller

import (
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
)

func (r *rig) ignore(a Account, paths ...string) {
	r.t.Helper()
	if _, err := r.streams.Update(r.t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{IgnorePaths: &paths}); err != nil {
		r.t.Fatal(err)
	}
}

// seat changes a field that tests ignore.
func (d *directory) seat(where string) {
	d.change(func(records []person) []person {
		for i := range records {
			records[i].seat = where
		}
		return records
	})
}

// What counts from now on must not look like a change of everything, and what happened
// in the same interval is told as ever.
func TestNewRecipeIsSilent(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(40)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		r.ignore(a, "seat")
		if got := r.poll(a); got.Updated+got.Events != 0 || got.Requests != 4 {
			t.Fatalf("nothing happened: %+v", got)
		}
		r.people.seat("ignored")
		if got := r.poll(a); got.Events != 0 {
			t.Fatalf("an ignored field: %+v", got)
		}
		r.ignore(a)
		if got := r.poll(a); got.Events != 0 {
			t.Fatalf("no longer ignored: %+v", got)
		}
		r.expect(a, &seen)
		r.people.rename("7", "renamed")
		r.poll(a)
		r.expect(a, &seen, "updated 7")
		r.people.seat("counts again")
		if got := r.poll(a); got.Updated != 40 {
			t.Fatalf("a field that counts again: %+v", got)
		}
	})
}

func TestNewRecipeMissesNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(40)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		r.ignore(a, "seat")
		r.ignore(a, "seat", "mood") // twice before the next poll
		r.people.rename("7", "renamed")
		r.people.add(person{id: "41", name: "new"})
		r.people.remove("9")
		if got := r.poll(a); got.Created != 1 || got.Updated != 1 || got.Suspected != 1 {
			t.Fatalf("%+v", got)
		}
		r.expect(a, &seen, "created 41", "updated 7")
		r.poll(a)
		r.expect(a, &seen, "deleted 9")
		if got := r.poll(a); got.Events != 0 {
			t.Fatalf("settled: %+v", got)
		}
		r.people.seat("ignored")
		r.people.rename("8", "renamed")
		r.ignore(a, "seat") // again, in one more interval
		r.poll(a)
		r.expect(a, &seen, "updated 8")
	})
}

// A record that is only suspected when the recipe changes comes back as it was, or not.
func TestNewRecipeWithSuspects(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(40)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		r.people.remove("38", "39", "40")
		if got := r.poll(a); got.Suspected != 3 {
			t.Fatalf("%+v", got)
		}
		r.ignore(a, "seat")
		r.people.add(person{id: "38", name: "person 38"}, person{id: "39", name: "back, and changed"})
		r.people.remove("1")
		if got := r.poll(a); got.Suspected != 1 || got.Updated != 1 || got.Deleted != 1 {
			t.Fatalf("%+v", got)
		}
		r.expect(a, &seen, "deleted 40", "updated 39")
		r.people.add(person{id: "1", name: "back, and changed, before its deletion"})
		r.poll(a)
		r.expect(a, &seen, "updated 1")
		r.people.seat("ignored by now")
		if got := r.poll(a); got.Events != 0 || got.Suspected != 0 {
			t.Fatalf("%+v", got)
		}
	})
}

// While a change is held nothing is taken over, a new recipe neither.
func TestNewRecipeDuringQuarantine(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		gone := halve(r)
		r.ignore(a, "seat")
		r.people.rename("1", "renamed")
		if got := r.poll(a); got.Quarantined != 15 {
			t.Fatalf("%+v", got)
		}
		if err := r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		r.poll(a)
		r.expect(a, &seen, append(deleted(gone), "updated 1")...)
		r.people.seat("ignored by now")
		if got := r.poll(a); got.Events != 0 {
			t.Fatalf("%+v", got)
		}
	})
}

// Where the old fingerprints can't be made again, an update can't be told from a new
// recipe; what came and went still can.
func TestRecipeThatCannotBeFollowed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for _, other := range []string{`{"rules":"c0-1","mapping":"m","key":"k"}`, "c1 of another age"} {
			r.people.staff(9)
			a := r.account(nil)
			r.poll(a)
			if _, err := r.db.Exec(`UPDATE stream_states SET recipe = $1 WHERE stream_id = $2`, other, r.stream(a).ID); err != nil {
				t.Fatal(err)
			}
			r.people.rename("1", "renamed")
			r.people.remove("2")
			r.people.add(person{id: "10", name: "new"})
			r.poll(a)
			var seen int64
			r.expect(a, &seen, "created 10", "deleted 2")
			r.people.rename("3", "renamed")
			r.poll(a)
			r.expect(a, &seen, "updated 3")
		}
	})
}

func TestRecipeFollows(t *testing.T) {
	info := providers.StreamInfo{Version: "1", Ignore: []string{"seen"}}
	key := []byte("0123456789abcdef")
	of := func(change func(*providers.StreamInfo), ignore ...string) recipe {
		changed := info
		if change != nil {
			change(&changed)
		}
		return recipeOf(changed, rulesOf(changed, ignore), key)
	}
	stored, err := of(nil, "age", "photo").encode()
	if err != nil {
		t.Fatal(err)
	}
	other := []byte("fedcba9876543210")
	byOther, err := recipeOf(info, rulesOf(info, nil), other).encode()
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := recipeOf(info, rulesOf(info, nil), []byte("a key of long ago")[:16]).encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now    recipe
		stored string
		want   following // former: whether there is one
	}{
		"the same":                     {of(nil, "age", "photo"), stored, following{same: true}},
		"paths in another order":       {of(nil, "photo", "age", "photo"), stored, following{same: true}},
		"one path more":                {of(nil, "age", "photo", "floor"), stored, following{former: &hasher{}}},
		"a set":                        {of(func(i *providers.StreamInfo) { i.Sets = []string{"tags"} }, "age", "photo"), stored, following{former: &hasher{}}},
		"queries of URLs":              {of(func(i *providers.StreamInfo) { i.KeepURLQueries = true }, "age", "photo"), stored, following{former: &hasher{}}},
		"another mapping":              {of(func(i *providers.StreamInfo) { i.Version = "2" }, "age", "photo"), stored, following{former: &hasher{}, mapped: true}},
		"another key":                  {of(nil), byOther, following{former: &hasher{}}},
		"a key that is gone":           {of(nil), unknown, following{blind: true}},
		"another canonical form":       {of(nil, "age"), strings.Replace(stored, `"rules":"c1`, `"rules":"c0`, 1), following{blind: true}},
		"nothing that can be read":     {of(nil, "age"), "c1", following{blind: true}},
		"rules that are none any more": {of(nil, "age"), strings.Replace(stored, `"age"`, `"a..e"`, 1), following{blind: true}},
	} {
		t.Run(name, func(t *testing.T) {
			pl := &plan{recipe: c.now, stream: "account/employees"}
			got, err := pl.follow(c.stored, func(id string) ([]byte, error) {
				if id == keyID(other) {
					return other, nil
				}
				return nil, nil
			})
			if err != nil || got.same != c.want.same || got.blind != c.want.blind || got.mapped != c.want.mapped || (got.former != nil) != (c.want.former != nil) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}
