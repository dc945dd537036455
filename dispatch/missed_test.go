package dispatch

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// dryRun counts what a replay would send.
func (f *fixture) dryRun(r ReplayRequest) int64 {
	f.t.Helper()
	r.ProjectID, r.DryRun = project, true
	counted, err := f.webhooks.Replay(f.t.Context(), r)
	if err != nil || len(counted) != 1 {
		f.t.Fatalf("dry run %+v, %v", counted, err)
	}
	return counted[0].Events
}

func TestReplayOfWhatWasMissed(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			if p.record == "bad" {
				return 400
			}
			return 200
		})
		f.append("before1", "before2")
		w, err := f.webhooks.Create(t.Context(), NewWebhook{ProjectID: project, URL: r.URL, Events: []string{"hris_employees.updated"}})
		if err != nil {
			t.Fatal(err)
		}
		f.append("got1", "bad", "got2")
		f.appendNamed("hris_employees.deleted", "not-taken")
		d, _ := f.dispatch(func(c *Config) { c.Schedule = c.Schedule[:1] })
		eventually(t, "up to date", func() bool { got := f.get(w.ID); return got.Backlog == 0 && got.Dead == 1 })
		if n := f.dryRun(ReplayRequest{Missed: true}); n != 3 {
			t.Errorf("%d missed: want what was before its time, and the dead one", n)
		}
		// What its events leave out is missed once they are changed.
		if _, err := f.webhooks.Update(t.Context(), project, w.ID, WebhookUpdate{Events: []string{"hris_employees.*"}}); err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		f.appendNamed("hris_employees.deleted", "taken")
		d.Wake()
		eventually(t, "the new events come", func() bool { return slices.Contains(told(r.accepted()), "hris_employees.deleted taken") })
		r.set(nil)
		before := len(r.accepted())
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, Missed: true})
		if err != nil || made[0].Events != 4 {
			t.Fatalf("%+v, %v", made, err)
		}
		d.Refresh()
		eventually(t, "done", func() bool { return f.replay(made[0].ID).State == ReplayDone })
		want := []string{"hris_employees.deleted not-taken", "hris_employees.updated bad", "hris_employees.updated before1", "hris_employees.updated before2"}
		if diff := cmp.Diff(want, told(r.accepted()[before:])); diff != "" {
			t.Error(diff)
		}
		// Then nothing is missed any more.
		if n := f.dryRun(ReplayRequest{Missed: true}); n != 0 {
			t.Errorf("%d still missed", n)
		}
	})
}

func TestReplayChoosesChangedFieldsAndKeepsItsPace(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		f.appendMany(40, 40)
		f.exec(`UPDATE test_events SET fields = 'title manager' WHERE id > 10`)
		f.exec(`UPDATE test_events SET fields = 'title' WHERE id > 38`)
		d, _ := f.dispatch()
		r.waitAccepted(t, 40)
		if n := f.dryRun(ReplayRequest{Filter: Filter{Changed: []string{"manager"}}}); n != 28 {
			t.Errorf("%d of the field", n)
		}
		if n := f.dryRun(ReplayRequest{After: 4, Through: 20}); n != 16 {
			t.Errorf("%d of the range", n)
		}
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, WebhookID: w.ID, RateLimit: 40, Filter: Filter{Changed: []string{"manager"}}})
		if err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		eventually(t, "done", func() bool { return f.replay(made[0].ID).State == ReplayDone })
		posts := r.accepted()[40:]
		slices.SortFunc(posts, func(a, b post) int { return a.at.Compare(b.at) })
		if took := posts[27].at.Sub(posts[0].at); len(posts) != 28 || took < 550*time.Millisecond {
			t.Errorf("%d deliveries in %s", len(posts), took)
		}
	})
}

// What the log says goes on while a replay is slow, also of the same records.
func TestSlowReplayHoldsUpNobody(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		f.appendMany(200, 200)
		d, _ := f.dispatch()
		r.waitAccepted(t, 200)
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, RateLimit: 0.01})
		if err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		eventually(t, "the replay has begun", func() bool { return len(r.accepted()) > 200 })
		// All but the one that the replay has in hand.
		f.appendMany(200, 200)
		d.Wake()
		r.waitAccepted(t, 399)
		if got := f.replay(made[0].ID); got.State != ReplayRunning || f.get(w.ID).State != StateOK {
			t.Errorf("%+v", got)
		}
	})
}

func TestWebhookBeginsAnywhere(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		f.append("1", "2", "3", "4")
		start := time.Now().Add(-10 * time.Hour).UTC().Truncate(time.Second)
		events := f.events()
		for i, e := range events {
			f.exec(`UPDATE test_events SET occurred_at = $1 WHERE id = $2`, start.Add(time.Duration(i)*time.Hour), e.ID)
		}
		for name, test := range map[string]struct {
			from    NewWebhook
			backlog int64
		}{
			"now":             {NewWebhook{}, 0},
			"the start":       {NewWebhook{FromStart: true}, 4},
			"a time":          {NewWebhook{FromTime: start.Add(time.Hour)}, 3},
			"a time between":  {NewWebhook{FromTime: start.Add(90 * time.Minute)}, 2},
			"before all":      {NewWebhook{FromTime: start.Add(-time.Hour)}, 4},
			"after all":       {NewWebhook{FromTime: start.Add(9 * time.Hour)}, 0},
			"an event":        {NewWebhook{FromID: events[1].ID}, 3},
			"an event to be ": {NewWebhook{FromID: events[3].ID + 100}, 0},
		} {
			test.from.ProjectID, test.from.URL, test.from.Events = project, "https://example.com/", []string{"*"}
			w, err := f.webhooks.Create(t.Context(), test.from)
			if err != nil || w.Backlog != test.backlog {
				t.Errorf("from %s: backlog %d, %v", name, w.Backlog, err)
			}
		}
	})
}
