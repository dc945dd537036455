package dispatch

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// createWith makes a webhook that gets everything, from the log's start.
func (f *fixture) createWith(url string, u SettingsUpdate) Webhook {
	f.t.Helper()
	w, err := f.webhooks.Create(f.t.Context(), NewWebhook{ProjectID: project, URL: url, Events: []string{"*"}, FromStart: true, Settings: u})
	if err != nil {
		f.t.Fatalf("create webhook: %v", err)
	}
	return w
}

func TestWebhookIsNarrowed(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		f.appendNamed("hris_employees.created", "new")
		f.appendNamed("hris_employees.updated", "title", "manager", "both", "unknown")
		f.appendNamed("hris_employees.deleted", "gone")
		f.append("elsewhere", "other")
		for record, fields := range map[string]string{"title": "title", "manager": "manager", "both": "title manager", "new": "title", "elsewhere": "manager", "other": "manager"} {
			f.exec(`UPDATE test_events SET fields = $1 WHERE record_id = $2`, fields, record)
		}
		f.exec(`UPDATE test_events SET provider = 'bamboohr'`)
		f.exec(`UPDATE test_events SET provider = 'workable', account_id = 'acc2' WHERE record_id = 'elsewhere'`)
		f.exec(`UPDATE test_events SET account_id = 'acc3' WHERE record_id = 'other'`)
		events := f.events()
		for name, test := range map[string]struct {
			settings SettingsUpdate
			want     []string
		}{
			"by account":  {SettingsUpdate{Accounts: &[]string{"acc2", "acc3"}}, []string{"elsewhere", "other"}},
			"by provider": {SettingsUpdate{Providers: &[]string{"workable"}}, []string{"elsewhere"}},
			"by field": {SettingsUpdate{Fields: &[]string{"manager", "department"}},
				[]string{"both", "elsewhere", "gone", "manager", "new", "other", "unknown"}},
			"by all of them": {SettingsUpdate{Fields: &[]string{"manager"}, Accounts: &[]string{"acc1"}, Providers: &[]string{"bamboohr"}},
				[]string{"both", "gone", "manager", "new", "unknown"}},
		} {
			r := newReceiver(t, nil)
			w := f.createWith(r.URL, test.settings)
			if w.Backlog != int64(len(test.want)) {
				t.Errorf("%s: backlog %d", name, w.Backlog)
			}
			_, stop := f.dispatch()
			eventually(t, name, func() bool {
				return f.number(`SELECT cursor_id FROM webhooks WHERE id = $1`, w.ID) == events[len(events)-1].ID
			})
			stop()
			var got []string
			for _, p := range r.all() {
				got = append(got, p.record)
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if _, err := f.webhooks.Disable(t.Context(), project, w.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSettingsAreKeptAndChecked(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		w := f.create("https://example.com/")
		if diff := cmp.Diff(DefaultSettings(), w.Settings); diff != "" {
			t.Error(diff)
		}
		u := SettingsUpdate{Concurrency: new(3), RateLimit: new(2.5), Ordered: new(false), KeepAnswers: new(true), Fields: &[]string{"b", "a", "b"}}
		want := Settings{Concurrency: 3, RateLimit: 2.5, LogAttempts: true, KeepAnswers: true, Narrowing: Narrowing{Fields: []string{"a", "b"}}}
		if _, err := f.webhooks.Update(t.Context(), project, w.ID, WebhookUpdate{Settings: u}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.get(w.ID).Settings); diff != "" {
			t.Error(diff)
		}
		for field, u := range map[string]SettingsUpdate{
			"concurrency":  {Concurrency: new(MostConcurrency + 1)},
			"rate_limit":   {RateLimit: new(math.NaN())},
			"accounts":     {Accounts: &[]string{"a", ""}},
			"keep_answers": {LogAttempts: new(false)},
		} {
			var invalid *InvalidError
			if _, err := f.webhooks.Update(t.Context(), project, w.ID, WebhookUpdate{Settings: u}); !errors.As(err, &invalid) || invalid.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if diff := cmp.Diff(want, f.get(w.ID).Settings); diff != "" {
			t.Errorf("a refused update changed something: %s", diff)
		}
	})
}

func TestConcurrencyIsTheWebhooksOwn(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		entered, release := make(chan struct{}, 100), make(chan struct{})
		r := newReceiver(t, hangs("", entered, release))
		f.createWith(r.URL, SettingsUpdate{Concurrency: new(40)})
		f.appendMany(100, 100)
		f.dispatch(func(c *Config) { c.Timeout = time.Minute })
		for range 40 {
			<-entered
		}
		close(release)
		r.waitAccepted(t, 100)
		if r.mostOpen != 40 {
			t.Errorf("%d attempts at a time", r.mostOpen)
		}
	})
}

func TestRateIsNotExceeded(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		f.createWith(r.URL, SettingsUpdate{RateLimit: new(40.0)})
		f.appendMany(24, 24)
		f.dispatch()
		posts := r.waitAccepted(t, 24)
		slices.SortFunc(posts, func(a, b post) int { return a.at.Compare(b.at) })
		// 4 at once, then one each 25 ms.
		if took := posts[23].at.Sub(posts[0].at); took < 450*time.Millisecond {
			t.Errorf("24 deliveries in %s", took)
		}
	})
}

func TestWithoutOrderNothingWaitsForARetry(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		f.append("x", "x", "x")
		first := f.events()[0].UID
		r.set(func(_ http.ResponseWriter, p post) int {
			if p.uid == first {
				return 400
			}
			return 200
		})
		w := f.createWith(r.URL, SettingsUpdate{Ordered: new(false)})
		d, _ := f.dispatch(func(c *Config) { c.Schedule = []time.Duration{0, time.Hour} })
		r.waitAccepted(t, 2)
		eventually(t, "the first is retried", func() bool { got := f.get(w.ID); return got.Retrying == 1 && got.Backlog == 0 })
		parked, err := f.webhooks.Parked(t.Context(), project, w.ID, 10)
		if err != nil || len(parked) != 1 || parked[0].State != DeliveryRetrying || parked[0].Event.UID != first || parked[0].LastError != "status 400" || time.Until(parked[0].NextAt) < time.Minute {
			t.Errorf("parked %+v, %v", parked, err)
		}
		// And it can be replayed like any other.
		r.set(nil)
		if _, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, Through: f.events()[0].ID}); err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		eventually(t, "nothing is retried", func() bool { return f.get(w.ID).Retrying == 0 })
		if n := len(r.accepted()); n != 3 {
			t.Errorf("%d accepted", n)
		}
	})
}

// Without a log of attempts, the next worker still knows what was delivered although an
// older event holds up the cursor.
func TestNothingIsSentTwiceWithoutAttempts(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		entered, release := make(chan struct{}, 100), make(chan struct{})
		r := newReceiver(t, hangs("hangs", entered, release))
		t.Cleanup(func() { close(release) })
		f.createWith(r.URL, SettingsUpdate{LogAttempts: new(false)})
		f.append("hangs", "a", "b")
		for round := range 3 { // each finds what the ones before it have left, and adds to it
			_, stop := f.dispatch(func(c *Config) { c.Drain, c.Timeout = 50*time.Millisecond, time.Hour })
			<-entered
			r.waitAccepted(t, 2+round)
			stop()
			f.append(fmt.Sprint("c", round))
			if n := len(r.accepted()); n != 2+round {
				t.Errorf("round %d: %d accepted", round, n)
			}
		}
		r.set(nil)
		f.dispatch()
		eventually(t, "the cursor at the end", func() bool {
			return f.number(`SELECT cursor_id - (SELECT max(id) FROM test_events) FROM webhooks`) == 0
		})
		if n := len(r.accepted()); n != 6 {
			t.Errorf("%d accepted", n)
		}
		if n := f.number(`SELECT count(*) FROM attempts`) + f.number(`SELECT max(length(settled)) FROM webhooks`); n != 0 {
			t.Errorf("%d left behind", n)
		}
	})
}

func TestAnswersAreKeptWhereTheWebhookWantsThem(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(w http.ResponseWriter, p post) int {
			_, _ = w.Write([]byte("no such \x00column\xff " + strings.Repeat("é", 1000)))
			return 0
		})
		f.createWith(r.URL, SettingsUpdate{KeepAnswers: new(true)})
		f.create(r.URL)
		f.append("a")
		f.dispatch()
		eventually(t, "two attempts", func() bool { return f.number(`SELECT count(*) FROM attempts`) == 2 })
		attempts, err := f.webhooks.Attempts(t.Context(), project, f.events()[0].ID)
		if err != nil || len(attempts) != 2 {
			t.Fatalf("%+v, %v", attempts, err)
		}
		var kept []string
		for _, a := range attempts {
			if a.ResponseBytes != 2000+17 {
				t.Errorf("%d bytes answered", a.ResponseBytes)
			}
			if a.Answer != "" {
				kept = append(kept, a.Answer)
			}
		}
		if len(kept) != 1 || !strings.HasPrefix(kept[0], "no such column éé") || len(kept[0]) > KeptAnswer || len(kept[0]) < KeptAnswer-4 {
			t.Errorf("kept %q", kept)
		}
	})
}
