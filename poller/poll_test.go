package poller

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/hashstore"
)

func TestPollEndToEnd(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(nil)
		var seen int64

		got := r.poll(a)
		want := Result{Complete: true, Pages: 3, Requests: 6, Records: 25, DurationMS: got.DurationMS}
		if got != want {
			t.Errorf("first poll: %+v, want %+v (a silent baseline, listed twice)", got, want)
		}
		r.expect(a, &seen)

		got = r.poll(a)
		want = Result{Complete: true, Pages: 3, Requests: 3, Records: 25, DurationMS: got.DurationMS}
		if got != want {
			t.Errorf("unchanged poll: %+v, want %+v", got, want)
		}

		r.people.add(person{id: "26", name: "new"})
		r.people.rename("3", "renamed")
		got = r.poll(a)
		want = Result{Complete: true, Pages: 3, Requests: 3, Records: 26, Created: 1, Updated: 1, Events: 2, DurationMS: got.DurationMS}
		if got != want {
			t.Errorf("changed poll: %+v, want %+v", got, want)
		}
		r.expect(a, &seen, "created 26", "updated 3")

		r.people.remove("5")
		if got = r.poll(a); got.Suspected != 1 || got.Deleted != 0 || got.Events != 0 {
			t.Errorf("missing once: %+v", got)
		}
		if got = r.poll(a); got.Deleted != 1 || got.Suspected != 0 || got.Events != 1 {
			t.Errorf("missing twice: %+v", got)
		}
		r.expect(a, &seen, "deleted 5")
		if s := r.stream(a); s.State != StreamOK || s.Polls != 5 || s.Records != 25 || s.Suspected != 0 || s.LastChangeAt.IsZero() {
			t.Errorf("stream: %+v", s)
		}
	})
}

func TestEventsTellWhatTheyMust(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(func(n *NewAccount) { n.Baseline = BaselineEmit })
		before := time.Now()
		if got := r.poll(a); got.Created != 3 || got.Events != 3 {
			t.Fatalf("emitting baseline: %+v", got)
		}
		events, err := r.store.Events(t.Context(), hashstore.EventQuery{ProjectID: DefaultProject, RecordType: "employees"})
		if err != nil || len(events) != 3 {
			t.Fatal(events, err)
		}
		polls, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 10)
		if err != nil || len(polls) != 1 {
			t.Fatal(polls, err)
		}
		for _, e := range events {
			if e.Name != "hris_employees.created" || e.AccountID != a.ID || e.PollID != polls[0].ID || !strings.HasPrefix(e.UID, "evt_") ||
				!e.OccurredAt.Equal(events[0].OccurredAt) || e.OccurredAt.Before(before.Add(-time.Second)) || e.OccurredAt.After(time.Now().Add(time.Second)) {
				t.Errorf("%+v", e)
			}
		}
	})
}

// A page that shifts while it is walked hides a record from one listing.
func TestPageShiftTellsNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		r.told(a, &seen)
		r.people.setFault(func(page int, _ http.ResponseWriter, _ *http.Request) bool {
			if page == 2 { // record 11 moves to page 1, which has been read
				r.people.remove("1")
			}
			return false
		})
		if got := r.poll(a); got.Suspected != 1 || got.Events != 0 {
			t.Fatalf("shifted: %+v", got)
		}
		r.people.setFault(nil)
		if got := r.poll(a); got.Suspected != 1 || got.Events != 0 { // 11 is back; 1 is missing for the first time
			t.Fatalf("after the shift: %+v", got)
		}
		r.poll(a)
		r.expect(a, &seen, "deleted 1")
	})
}

// The first listing must not lack what a shift hid: it would be created later.
func TestSilentBaselineTakesTheUnion(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		listings := 0
		r.people.setFault(func(page int, _ http.ResponseWriter, _ *http.Request) bool {
			if page == 1 {
				listings++
			}
			if page == 2 && listings == 1 {
				r.people.remove("1")
			}
			return false
		})
		a := r.account(nil)
		if got := r.poll(a); got.Records != 30 || got.Events != 0 || listings != 2 {
			t.Fatalf("%+v after %d listings", got, listings)
		}
		var seen int64
		r.poll(a)
		r.poll(a)
		r.expect(a, &seen, "deleted 1")
	})
}

func TestBackWithinItsSuspicion(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		for range 3 {
			r.people.remove("30")
			if got := r.poll(a); got.Suspected != 1 {
				t.Fatalf("gone: %+v", got)
			}
			if s := r.stream(a); s.Suspected != 1 || time.Until(s.NextPollAt) > 16*time.Second {
				t.Fatalf("the suspicion is not confirmed soon: %+v", s)
			}
			r.people.add(person{id: "30", name: "person 30"})
			if got := r.poll(a); got.Suspected != 0 {
				t.Fatalf("back: %+v", got)
			}
		}
		r.expect(a, &seen)
	})
}

func TestOnePageNeedsNoConfirmation(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(9)
		a := r.account(nil)
		if got := r.poll(a); got.Requests != 1 {
			t.Errorf("a baseline of one page was listed twice: %+v", got)
		}
		r.people.remove("4", "5")
		r.poll(a)
		var seen int64
		r.expect(a, &seen, "deleted 4", "deleted 5")
	})
}

// A list of two pages that has one all of a sudden may have been cut short.
func TestOnePageWithoutRoomForAllIsConfirmed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(13)
		a := r.account(nil)
		r.poll(a)
		r.people.remove("11", "12", "13")
		if got := r.poll(a); got.Pages != 1 || got.Suspected != 3 || got.Deleted != 0 {
			t.Fatalf("at first sight: %+v", got)
		}
		if got := r.poll(a); got.Deleted != 3 {
			t.Fatalf("missing again: %+v", got)
		}
	})
}

func TestOldPollsAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		r.poll(a)
		if _, err := r.db.Exec(`UPDATE polls SET started_at = $1`, time.Now().Add(-2*time.Hour).UTC()); err != nil {
			t.Fatal(err)
		}
		r.people.add(person{id: "4", name: "person 4"})
		r.poll(a)
		if n, err := r.streams.PurgePolls(t.Context(), time.Now().Add(-time.Hour)); err != nil || n != 1 {
			t.Errorf("%d polls purged, %v", n, err)
		}
		if polls, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 10); err != nil || len(polls) != 1 || polls[0].Created != 1 {
			t.Errorf("left: %+v, %v", polls, err)
		}
	})
}

func TestEmptyStreamHasABaseline(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.account(nil)
		if got := r.poll(a); !got.Complete || got.Records != 0 {
			t.Fatalf("%+v", got)
		}
		r.people.staff(2)
		r.poll(a)
		var seen int64
		r.expect(a, &seen, "created 1", "created 2")
	})
}
