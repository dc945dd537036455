package poller

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// changing answers listings of changes with what it has, and notes what is asked for.
type changing struct {
	single
	items []map[string]any
	since []time.Time
	date  time.Time
}

func (c *changing) answer(page int, w http.ResponseWriter, r *http.Request) bool {
	if !c.date.IsZero() {
		w.Header().Set("Date", c.date.Format(http.TimeFormat))
	}
	if c.single.answer(page, w, r) {
		return true
	}
	text := r.URL.Query().Get("since")
	if text == "" {
		return false
	}
	since, _ := time.Parse(time.RFC3339, text)
	c.since = append(c.since, since)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"items": append([]map[string]any{}, c.items...), "has_more": false})
	return true
}

// twoSpeeds is an account with 30 people that was listed completely, and is asked for
// changes every five minutes.
func twoSpeeds(t *testing.T, r *rig) (Account, *changing) {
	t.Helper()
	r.people.staff(30)
	c := &changing{single: single{status: always(500)}, date: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r.people.setFault(c.answer)
	a := r.lab(nil)
	fast := "5m"
	s, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{IncrementalSchedule: &fast})
	if err != nil || s.IncrementalSchedule != "5m" {
		t.Fatal(s, err)
	}
	r.poll(a)
	return a, c
}

func (r *rig) pollChanges(a Account) Result {
	r.t.Helper()
	got, err := (&installation{rig: r, account: a}).pollOnce(r.t.Context(), true)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

func TestTwoSpeeds(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, c := twoSpeeds(t, r)
		s := r.stream(a)
		if wait := time.Until(s.NextPollAt); wait > 5*time.Minute+time.Second {
			t.Errorf("next poll in %s", wait)
		}
		first := c.date
		c.date = c.date.Add(4 * time.Minute)
		c.items = []map[string]any{{"id": "7", "name": "renamed", "seat": ""}, {"id": "31", "name": "new", "seat": ""}, {"id": "8", "name": "person 8", "seat": ""}}
		var seen int64
		if got := r.pollChanges(a); !got.Incremental || !got.Complete || got.Created != 1 || got.Updated != 1 || got.Deleted+got.Suspected != 0 || got.Requests != 1 {
			t.Fatalf("%+v", got)
		}
		r.expect(a, &seen, "created 31", "updated 7")
		if wait := time.Until(r.stream(a).NextPollAt); wait > 5*time.Minute+time.Second {
			t.Errorf("next poll in %s", wait)
		}
		if after := r.stream(a); !after.LastCompleteAt.Equal(s.LastCompleteAt) || after.Records != s.Records {
			t.Errorf("taken for a complete listing: %+v", after)
		}
		if got := r.pollChanges(a); got.Created+got.Updated+got.Deleted != 0 {
			t.Fatalf("the same again: %+v", got)
		}
		// The connector's margin is a second; a Date is cut to one.
		for i, began := range []time.Time{first, c.date} {
			if early := began.Sub(c.since[i]); early < time.Second || early > time.Minute {
				t.Errorf("listing %d asks for what changed since %s, %s before the one before it", i+1, c.since[i], early)
			}
		}
		r.people.rename("7", "renamed")
		r.people.add(person{id: "31", name: "new"})
		r.people.remove("9")
		if got := r.poll(a); got.Incremental || got.Created+got.Updated != 0 || got.Suspected != 1 {
			t.Fatalf("a complete listing finds what has gone, and nothing twice: %+v", got)
		}
		r.poll(a)
		r.expect(a, &seen, "deleted 9")
	})
}

// The timetable: changes alone until the complete listing is due, which nothing puts off.
func TestCompleteListingsStayOnSchedule(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, _ := twoSpeeds(t, r)
		id := r.stream(a).ID
		due := func(full time.Duration) Result {
			t.Helper()
			if _, err := r.db.Exec(`UPDATE streams SET next_poll_at = $1, full_poll_at = $2 WHERE id = $3`,
				time.Now().Add(-time.Second).UTC(), time.Now().Add(full).UTC(), id); err != nil {
				t.Fatal(err)
			}
			claims, err := r.poller.claimDue(t.Context(), 10)
			if err != nil || len(claims) != 1 {
				t.Fatal(claims, err)
			}
			got, err := r.poller.poll(t.Context(), claims[0])
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := due(time.Hour); !got.Incremental {
			t.Errorf("an hour before the complete listing is due: %+v", got)
		}
		if got := due(2 * time.Minute); !got.Incremental {
			t.Errorf("two minutes before: %+v", got)
		}
		if wait := time.Until(r.stream(a).NextPollAt); wait > 2*time.Minute+time.Second {
			t.Errorf("the complete listing is put off for %s", wait)
		}
		if got := due(-time.Second); got.Incremental {
			t.Errorf("when it is due: %+v", got)
		}
		due(time.Hour)
		if err := r.streams.RequestPoll(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		claims, err := r.poller.claimDue(t.Context(), 10)
		if err != nil || len(claims) != 1 || !claims[0].complete {
			t.Errorf("who asks for a poll means a complete one: %v, %v", claims, err)
		}
	})
}

// More changes than a quarantine bears are not believed of a listing that may be anybody's.
func TestTooManyChangesTakeACompleteListing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, c := twoSpeeds(t, r)
		for i := 1; i <= 11; i++ {
			c.items = append(c.items, map[string]any{"id": fmt.Sprint("other ", i), "name": "somebody else's"})
		}
		if got := r.pollChanges(a); got.Created+got.Updated+got.Events != 0 {
			t.Fatalf("%+v", got)
		}
		claims, err := r.poller.claimDue(t.Context(), 10)
		if err != nil || len(claims) != 1 || !claims[0].complete {
			t.Fatalf("no complete listing is due: %v, %v", claims, err)
		}
		if got, err := r.poller.poll(t.Context(), claims[0]); err != nil || got.Events != 0 || got.Incremental {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestProviderSaysWhatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		status             int
		deleted, suspected int
	}{"and it is": {404, 1, 0}, "and it is not": {200, 0, 0}, "and does not answer": {500, 0, 1}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				a, changes := twoSpeeds(t, r)
				changes.single.status = always(c.status)
				changes.items = []map[string]any{{"id": "7", "gone": true}, {"id": "nobody", "gone": true}}
				if got := r.pollChanges(a); got.Deleted != c.deleted || got.Suspected != c.suspected || got.Hidden != 0 {
					t.Fatalf("%+v", got)
				}
				if len(changes.asked) != 1 || changes.asked[0] != "7" {
					t.Errorf("asked for %q", changes.asked)
				}
				r.people.remove("7")
				if got := r.poll(a); got.Deleted != c.suspected && c.status != 200 {
					t.Errorf("the complete listing, which lacks it, too: %+v", got)
				}
			})
		})
	}
}

func TestIncrementalScheduleNeedsAFilter(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.account(nil)
		for fast, field := range map[string]string{"5m": "incremental_schedule", "soon": "incremental_schedule"} {
			_, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{IncrementalSchedule: &fast})
			if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Field != field {
				t.Errorf("%s: %v", fast, err)
			}
		}
	})
}

// etagged answers a list in one page, and 304 where it is as the caller knows it.
func etagged(d *directory, conditions *[]string) func(int, http.ResponseWriter, *http.Request) bool {
	one := &single{status: always(500)}
	return func(page int, w http.ResponseWriter, r *http.Request) bool {
		if one.answer(page, w, r) {
			return true
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		var items []map[string]string
		for _, p := range d.records {
			items = append(items, map[string]string{"id": p.id, "name": p.name, "seat": p.seat})
		}
		body, _ := json.Marshal(map[string]any{"items": items, "has_more": false})
		tag := fmt.Sprintf("%q", fmt.Sprint(len(body), strings.Count(string(body), "renamed")))
		*conditions = append(*conditions, r.Header.Get("If-None-Match"))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
		_, _ = w.Write(body)
		return true
	}
}

func TestNotModified(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(12)
		var asked []string
		r.people.setFault(etagged(r.people, &asked))
		a := r.lab(func(n *NewAccount) { n.Credentials["paging"] = "none" })
		last := func() string { return asked[len(asked)-1] }
		r.poll(a)
		if got := r.poll(a); !got.Complete || got.Records != 12 || got.Events != 0 || last() == "" {
			t.Fatalf("%+v, asked with %q", got, last())
		}
		if line := (&installation{rig: r}).lastLine(); !strings.Contains(line, `"outcome":"not_modified"`) {
			t.Error(line)
		}
		if s := r.stream(a); s.Records != 12 || s.State != StreamOK {
			t.Errorf("%+v", s)
		}
		r.people.rename("3", "renamed")
		if got := r.poll(a); got.Updated != 1 {
			t.Fatalf("a change: %+v", got)
		}
		r.ignore(a, "seat")
		if r.poll(a); last() != "" {
			t.Errorf("a new recipe needs the records, but the poll asked with %q", last())
		}
		if r.poll(a); last() == "" {
			t.Error("the next one asks without a condition")
		}
		for i := range 8 {
			r.people.remove(fmt.Sprint(i + 1)) // more than half: suspected
		}
		if got := r.poll(a); got.Suspected != 8 {
			t.Fatalf("%+v", got)
		}
		if got := r.poll(a); got.Deleted != 8 || last() != "" {
			t.Errorf("a suspicion needs a listing, but the poll asked with %q: %+v", last(), got)
		}
		var stored []byte
		if err := r.db.QueryRow(`SELECT validators FROM streams WHERE id = $1`, r.stream(a).ID).Scan(&stored); err != nil || len(stored) == 0 || strings.Contains(string(stored), "etag") {
			t.Errorf("kept: %q, %v", stored, err)
		}
	})
}
