package poller

import (
	"net/http"
	"testing"
	"time"
)

// What tuning stands on: requests of all polls, changes since a time without those of a
// first listing, and only streams that are polled.
func TestObservations(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.people.staff(25)
		a := r.account(func(n *NewAccount) { n.Baseline, n.Schedule = BaselineEmit, "" })
		off := r.account(nil)
		if _, err := r.accounts.Pause(ctx, DefaultProject, off.ID); err != nil {
			t.Fatal(err)
		}
		observe := func(since time.Time) Observation {
			t.Helper()
			all, err := r.streams.Observations(ctx, DefaultProject, since)
			if err != nil || len(all) != 1 {
				t.Fatal(err, all)
			}
			return all[0]
		}
		week := time.Now().Add(-7 * 24 * time.Hour)
		r.poll(a) // 25 are told as created
		if o := observe(week); o.Updates+o.Deletions != 0 || o.Complete.Polls != 1 || o.Since.Before(week.Add(6*24*time.Hour)) {
			t.Errorf("after the first listing: %+v", o)
		}
		r.poll(a)
		r.people.rename("1", "another")
		r.people.rename("2", "another")
		r.people.add(person{id: "26", name: "new"})
		r.poll(a)
		r.people.setFault(answers(http.StatusServiceUnavailable))
		r.poll(a)
		r.people.setFault(nil)
		o := observe(week)
		if o.AccountID != a.ID || o.RecordType != "employees" || o.Provider != "generic" || o.ScheduleFrom != FromDefault || o.Schedule.String() != "1h" {
			t.Errorf("observed: %+v", o)
		}
		if want := int64(r.people.requested()); o.Updates != 3 || o.Deletions != 0 || o.Complete.Polls != 4 || o.Complete.Requests != want || o.Incremental != (PollsSeen{}) || o.CanIncrement {
			t.Errorf("observed %+v; want 3 updates, 4 polls, %d requests", o, want)
		}
		if o := observe(time.Now().Add(time.Hour)); o.Updates != 0 {
			t.Errorf("observed in the future: %+v", o)
		}
		if all, err := r.streams.Observations(ctx, "nobody", week); err != nil || len(all) != 0 {
			t.Errorf("of another project: %v %v", all, err)
		}
	})
}

// Listings of changes alone are counted apart, those that failed too; so are deletions.
func TestObservationsOfTwoSpeeds(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, c := twoSpeeds(t, r)
		c.items = []map[string]any{{"id": "7", "name": "renamed", "seat": ""}, {"id": "31", "name": "new", "seat": ""}}
		r.pollChanges(a)
		r.pollChanges(a)
		r.people.rename("7", "renamed")
		r.people.add(person{id: "31", name: "new"})
		r.people.remove("9")
		r.poll(a)
		r.poll(a)
		complete := r.people.requested() - len(c.since)
		r.people.setFault(answers(http.StatusServiceUnavailable))
		if got := r.pollChanges(a); !got.Incremental || got.Error == "" {
			t.Fatalf("%+v", got)
		}
		all, err := r.streams.Observations(t.Context(), DefaultProject, time.Now().Add(-time.Hour))
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		o := all[0]
		if o.Updates != 2 || o.Deletions != 1 || !o.CanIncrement || !o.IncrementalOwn || o.IncrementalSchedule == nil || o.IncrementalSchedule.String() != "5m" {
			t.Errorf("observed %+v", o)
		}
		if o.Complete.Polls != 3 || o.Complete.Requests != int64(complete) || o.Incremental.Polls != 3 || o.Incremental.Requests < 3 {
			t.Errorf("observed %+v; want 3 complete polls of %d requests, 3 incremental ones", o, complete)
		}
	})
}

func TestGaps(t *testing.T) {
	now := time.Date(2026, 11, 25, 10, 7, 0, 0, time.UTC) // a Wednesday
	for text, want := range map[string]struct {
		n               int
		shortest, whole time.Duration
	}{
		"15m":          {1, 15 * time.Minute, 15 * time.Minute},
		"0 6 * * 1-5":  {20, 24 * time.Hour, 28 * 24 * time.Hour},
		"0 9,10 * * *": {56, time.Hour, 28 * 24 * time.Hour},
		"0 0 1 1 *":    {1, 365 * 24 * time.Hour, 365 * 24 * time.Hour},
	} {
		s, err := ParseSchedule(text, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		gaps := s.Gaps(now)
		shortest, whole := gaps[0], time.Duration(0)
		for _, g := range gaps {
			shortest, whole = min(shortest, g), whole+g
		}
		if len(gaps) != want.n || shortest != want.shortest || whole != want.whole || s.Cron() != (text != "15m") {
			t.Errorf("%s: %d gaps, the shortest %s, %s together", text, len(gaps), shortest, whole)
		}
	}
}
