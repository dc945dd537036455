package dispatch

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// deliveredFixture is one whose webhook has got what is in the log.
func deliveredFixture(t *testing.T, db *migrations.DB) (*fixture, *receiver, Webhook, *Dispatcher) {
	f := newFixture(t, db)
	r := newReceiver(t, nil)
	w := f.create(r.URL, "hris_employees.*")
	f.appendNamed("hris_employees.created", "1", "2", "3")
	f.appendNamed("ats_candidates.created", "3")
	f.appendNamed("hris_employees.updated", "1", "2")
	f.appendNamed("hris_employees.deleted", "1")
	f.exec(`UPDATE test_events SET account_id = 'acc2' WHERE record_id = '2'`)
	start := f.events()[0].OccurredAt
	for i, e := range f.events() {
		f.exec(`UPDATE test_events SET occurred_at = $1 WHERE id = $2`, start.Add(time.Duration(i)*time.Hour), e.ID)
	}
	d, _ := f.dispatch()
	r.waitAccepted(t, 6)
	return f, r, w, d
}

func TestReplayChooses(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f, r, w, d := deliveredFixture(t, db)
		events := f.events()
		for name, test := range map[string]struct {
			request ReplayRequest
			want    []int // indexes of events
		}{
			"everything":     {ReplayRequest{}, []int{0, 1, 2, 4, 5, 6}},
			"time":           {ReplayRequest{Filter: Filter{Since: events[1].OccurredAt, Until: events[5].OccurredAt}}, []int{1, 2, 4}},
			"one event":      {ReplayRequest{After: events[4].ID - 1, Through: events[4].ID}, []int{4}},
			"names":          {ReplayRequest{Filter: Filter{Names: []string{"hris_employees.updated", "ats_candidates.*"}}}, []int{4, 5}},
			"account":        {ReplayRequest{Filter: Filter{AccountID: "acc2"}}, []int{1, 5}},
			"record":         {ReplayRequest{Filter: Filter{RecordType: "employees", RecordID: "1"}}, []int{0, 4, 6}},
			"of one webhook": {ReplayRequest{WebhookID: w.ID, Filter: Filter{RecordID: "3"}}, []int{2}},
			"nothing":        {ReplayRequest{Filter: Filter{Names: []string{"ats_candidates.created"}}}, nil},
			"no dead":        {ReplayRequest{Dead: true}, nil},
		} {
			test.request.ProjectID = project
			before := r.accepted()
			dry := test.request
			dry.DryRun = true
			counted, err := f.webhooks.Replay(t.Context(), dry)
			if err != nil || len(counted) != 1 || counted[0].Events != int64(len(test.want)) || counted[0].State != ReplayDryRun {
				t.Errorf("%s: dry run %+v, %v", name, counted, err)
			}
			made, err := f.webhooks.Replay(t.Context(), test.request)
			if err != nil || made[0].Events != int64(len(test.want)) {
				t.Fatalf("%s: %+v, %v", name, made, err)
			}
			d.Refresh()
			if len(test.want) == 0 {
				if made[0].State != ReplayDone || made[0].ID != "" {
					t.Errorf("%s: %+v", name, made[0])
				}
				continue
			}
			eventually(t, name, func() bool { return f.replay(made[0].ID).State == ReplayDone })
			if got := f.replay(made[0].ID); got.Sent != int64(len(test.want)) || got.FinishedAt.IsZero() {
				t.Errorf("%s: %+v", name, got)
			}
			var got, want []string
			for _, p := range r.accepted()[len(before):] {
				got = append(got, p.uid)
			}
			for _, i := range test.want {
				want = append(want, events[i].UID)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		if n := f.number(`SELECT count(*) FROM retries`); n != 0 {
			t.Errorf("%d retries", n)
		}
	})
}

func (f *fixture) replay(id string) Replay {
	f.t.Helper()
	all, err := f.webhooks.Replays(f.t.Context(), project, "", 100)
	if err != nil {
		f.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(r Replay) bool { return r.ID == id })
	if i < 0 {
		f.t.Fatalf("replay %s is not listed", id)
	}
	return all[i]
}

func TestReplayedBodyHasItsOwnSentAt(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f, r, _, d := deliveredFixture(t, db)
		first := r.accepted()[0]
		eventually(t, "a later millisecond", func() bool { return time.Since(first.at) > 2*time.Millisecond })
		if _, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project}); err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		eventually(t, "replayed", func() bool { return len(r.accepted()) == 12 })
		i := slices.IndexFunc(r.accepted()[6:], func(p post) bool { return p.uid == first.uid })
		again := r.accepted()[6+i]
		cut := len(first.body) - len(`2023-11-01T15:09:22.978Z"}`)
		if string(first.body[:cut]) != string(again.body[:cut]) || string(first.body[cut:]) >= string(again.body[cut:]) {
			t.Errorf("first %s\nagain %s", first.body, again.body)
		}
	})
}

func TestReplayOfManyKeepsOrderBesideTheLog(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		f.create(r.URL)
		f.appendMany(1200, 30)
		d, _ := f.dispatch()
		r.waitAccepted(t, 1200)
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project})
		if err != nil {
			t.Fatal(err)
		}
		f.appendMany(300, 30)
		d.Refresh()
		d.Wake()
		eventually(t, "done", func() bool { return f.replay(made[0].ID).State == ReplayDone })
		posts := r.waitAccepted(t, 1500)
		f.checkOrder(posts)
		seen := map[string]bool{}
		again := slices.DeleteFunc(posts, func(p post) bool {
			known := seen[p.uid]
			seen[p.uid] = true
			return !known
		})
		if len(again) != 1200 {
			t.Errorf("%d replayed", len(again))
		}
		f.checkOrder(again)
	})
}

func TestReplayNeverRunsAheadOfTheCursor(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(http.ResponseWriter, post) int { return 500 })
		w := f.create(r.URL)
		f.appendMany(window+200, 60) // more than are in hand at a time
		f.dispatch()
		eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
		// The newest events alone are replayed, while the oldest are still owed.
		events := f.events()
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, After: events[window+99].ID})
		if err != nil || made[0].Events != 100 {
			t.Fatalf("%+v, %v", made, err)
		}
		r.set(nil)
		eventually(t, "done", func() bool { return f.replay(made[0].ID).State == ReplayDone })
		f.checkOrder(r.waitAccepted(t, window+200))
	})
}

func TestReplayedEventThatIsRefusedIsRetried(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f, r, _, d := deliveredFixture(t, db)
		refusals := 0
		r.set(func(_ http.ResponseWriter, p post) int {
			r.mu.Lock()
			defer r.mu.Unlock()
			if p.record == "1" && refusals < 2 {
				refusals++
				return 400
			}
			return 200
		})
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project})
		if err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		eventually(t, "replayed", func() bool { return len(r.accepted()) == 12 && f.number(`SELECT count(*) FROM retries`) == 0 })
		if got := f.replay(made[0].ID); got.State != ReplayDone || got.Sent != 6 {
			t.Errorf("replay %+v", got)
		}
		f.checkOrder(r.accepted()[6:])
	})
}

func TestReplayOfTheDead(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			if p.record == "fine" {
				return 200
			}
			return 400
		})
		w := f.create(r.URL)
		f.append("fine", "bad1", "bad2", "bad1")
		d, _ := f.dispatch()
		eventually(t, "three are dead", func() bool { return f.get(w.ID).Dead == 3 })
		r.set(nil)
		dry, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, Dead: true, DryRun: true, Filter: Filter{RecordID: "bad1"}})
		if err != nil || dry[0].Events != 2 {
			t.Errorf("dry run %+v, %v", dry, err)
		}
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, Dead: true})
		if err != nil || made[0].Events != 3 {
			t.Fatalf("%+v, %v", made, err)
		}
		d.Refresh()
		eventually(t, "nobody is dead", func() bool { return f.get(w.ID).Dead == 0 && f.replay(made[0].ID).State == ReplayDone })
		posts := r.accepted()
		if len(posts) != 4 {
			t.Errorf("%d accepted", len(posts))
		}
		f.checkOrder(posts)
	})
}

func TestReplayCanBeCancelled(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		f.create(r.URL)
		f.appendMany(300, 300)
		d, _ := f.dispatch()
		r.waitAccepted(t, 300)
		entered, release := make(chan struct{}, 1000), make(chan struct{})
		r.set(hangs("", entered, release))
		made, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project})
		if err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		<-entered
		got, err := f.webhooks.CancelReplay(t.Context(), project, made[0].ID)
		if err != nil || got.State != ReplayCancelled {
			t.Fatalf("%+v, %v", got, err)
		}
		d.Refresh()
		// What comes after it is not held up by what is left of it.
		next, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, Filter: Filter{RecordID: "r7"}})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the next is done", func() bool {
			select {
			case release <- struct{}{}: // one at a time
			default:
			}
			return f.replay(next[0].ID).State == ReplayDone
		})
		close(release)
		if n := len(r.all()); n > 300+150 {
			t.Errorf("%d posts: the cancelled replay went on", n)
		}
		if _, err := f.webhooks.CancelReplay(t.Context(), "other", made[0].ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("cancelled by another project: %v", err)
		}
	})
}
