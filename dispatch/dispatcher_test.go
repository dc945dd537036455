package dispatch

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

func TestRequestsAreExactlyTheContract(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL + "/hooks/a%2Fb?token=a%20b&x=1;y")
		f.append("3223323715753018140")
		f.dispatch()
		p := r.waitAccepted(t, 1)[0]

		if p.query != "token=a%20b&x=1;y" {
			t.Errorf("query %q", p.query)
		}
		var names []string
		for name := range p.header {
			names = append(names, name)
		}
		slices.Sort(names)
		want := []string{"Content-Length", "Content-Type", "User-Agent", "Webhook-Id", "Webhook-Signature", "Webhook-Timestamp", "X-Stackone-Signature"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if got := p.header.Get("Content-Type") + " " + p.header.Get("User-Agent"); got != "application/json synthook/test" {
			t.Error(got)
		}
		e := f.events()[0]
		secret := w.Secret.Reveal()
		seconds, err := strconv.ParseInt(p.header.Get("webhook-timestamp"), 10, 64)
		if err != nil || time.Since(time.Unix(seconds, 0)) > time.Minute {
			t.Errorf("webhook-timestamp %q", p.header.Get("webhook-timestamp"))
		}
		if !Verify(secret, p.body, p.header.Get("x-stackone-signature")) {
			t.Error("x-stackone-signature is wrong")
		}
		if got := p.header.Get("webhook-signature"); got != StandardSignature([]string{secret}, e.UID, seconds, p.body) {
			t.Errorf("webhook-signature %q", got)
		}
		if p.uid != e.UID {
			t.Errorf("webhook-id %q, not %q", p.uid, e.UID)
		}
		sent := p.body[len(p.body)-len(`2023-11-01T15:09:22.978Z"}`) : len(p.body)-2]
		at, err := time.Parse(isoMillis, string(sent))
		if err != nil || time.Since(at) > time.Minute {
			t.Errorf("sent_at %s", sent)
		}
		body, err := Body(e, at)
		if err != nil || string(body) != string(p.body) {
			t.Errorf("body %s", p.body)
		}
	})
}

func (f *fixture) events() []Event {
	f.t.Helper()
	rows, err := f.db.QueryContext(f.t.Context(), `SELECT `+eventColumns+` FROM test_events ORDER BY id`)
	events, err := collect(rows, err, scanEvent)
	if err != nil {
		f.t.Fatal(err)
	}
	return events
}

func TestEachEventArrivesOnceAndInItsRecordsOrder(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		f.appendMany(1500, 40)
		d, _ := f.dispatch()
		for range 5 {
			f.appendMany(100, 7)
			d.Wake()
		}
		posts := r.waitAccepted(t, 2000)
		f.checkOrder(posts)
		if r.mostOpen > 16 {
			t.Errorf("%d attempts at a time", r.mostOpen)
		}
		last := f.events()[1999].ID
		eventually(t, "the cursor at the end of the log", func() bool {
			return f.number(`SELECT cursor_id FROM webhooks`) == last && f.number(`SELECT count(*) FROM attempts`) == 2000
		})
		if n := len(r.all()); n != 2000 {
			t.Errorf("%d posts", n)
		}
		if n := f.number(`SELECT count(*) FROM retries`); n != 0 {
			t.Errorf("%d retries", n)
		}
		if got := f.get(w.ID); got.Backlog != 0 || got.State != StateOK || got.LastSuccessAt.IsZero() {
			t.Errorf("webhook %+v", got)
		}
	})
}

func TestWebhookGetsWhatItSubscribesTo(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		f.create(r.URL, "ats_candidates.*", "hris_employees.deleted")
		f.exec(`INSERT INTO projects (id, name, hash_key, created_at) VALUES ('other', 'Other', $1, $2)`, []byte{1}, time.Now().UTC())
		f.appendNamed("hris_employees.updated", "1")
		f.appendNamed("hris_employees.deleted", "2")
		f.appendNamed("ats_candidates.created", "3")
		f.exec(`UPDATE test_events SET project_id = 'other' WHERE record_id = '3'`)
		f.appendNamed("ats_candidates.created", "4")
		f.appendNamed("account.created", "acc1")
		_, stop := f.dispatch()
		r.waitAccepted(t, 2)
		stop()
		var got []string
		for _, p := range r.all() {
			got = append(got, p.record)
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"2", "4"}, got); diff != "" {
			t.Error(diff)
		}
		// On leaving, the cursor has passed what is not for this webhook as well.
		if n := f.number(`SELECT cursor_id FROM webhooks`); n != f.events()[4].ID {
			t.Errorf("cursor %d", n)
		}
	})
}

func TestRefusedEventIsRetriedAndKeepsItsRecordsOrder(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		refusals := 0
		r := newReceiver(t, nil)
		var first string
		r.set(func(_ http.ResponseWriter, p post) int {
			r.mu.Lock()
			defer r.mu.Unlock()
			if first == "" && p.record == "stubborn" {
				first = p.uid
			}
			if p.uid == first && refusals < 3 {
				refusals++
				return 422
			}
			return 200
		})
		f.create(r.URL)
		f.append("stubborn", "a", "stubborn", "b", "stubborn")
		f.dispatch(func(c *Config) {
			c.Schedule = []time.Duration{0, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, time.Hour}
		})
		posts := r.waitAccepted(t, 5)
		f.checkOrder(posts)
		if n := len(r.all()); n != 8 {
			t.Errorf("%d posts, want 5 and 3 refusals", n)
		}
		if posts[0].record == "stubborn" || posts[1].record == "stubborn" {
			t.Error("the others waited for the refused event")
		}
		eventually(t, "no retries left", func() bool { return f.number(`SELECT count(*) FROM retries`) == 0 })
		attempts, err := f.webhooks.Attempts(t.Context(), project, f.events()[0].ID)
		if err != nil || len(attempts) != 4 || attempts[0].Status != 422 || attempts[0].Error != "status" || attempts[3].Status != 200 {
			t.Errorf("attempts %+v, %v", attempts, err)
		}
	})
}

func TestExhaustedEventIsDeadAndItsRecordGoesOn(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		ids := f.append("bad", "bad", "good")
		uid := f.events()[0].UID
		r.set(func(_ http.ResponseWriter, p post) int {
			if p.uid == uid {
				return 400
			}
			return 204
		})
		w := f.create(r.URL)
		f.dispatch()
		r.waitAccepted(t, 2)
		eventually(t, "the event is dead and nothing is retried", func() bool {
			got := f.get(w.ID)
			return got.Dead == 1 && got.Retrying == 0
		})
		if n := len(r.all()); n != 5+2 {
			t.Errorf("%d posts, want the 5 of the schedule and 2", n)
		}
		dead, err := f.webhooks.Dead(t.Context(), project, w.ID, 0, 10)
		if err != nil || len(dead) != 1 || dead[0].EventID != ids[0] || dead[0].LastError != "status 400" {
			t.Errorf("dead %+v, %v", dead, err)
		}
		parked, err := f.webhooks.Parked(t.Context(), project, w.ID, 10)
		if err != nil || len(parked) != 1 || parked[0].State != DeliveryDead || parked[0].Event.UID != uid || parked[0].Attempts != 5 || parked[0].LastError != "status 400" || !parked[0].NextAt.IsZero() {
			t.Errorf("parked %+v, %v", parked, err)
		}
		deliveries, err := f.webhooks.Deliveries(t.Context(), f.events()[0])
		if err != nil || len(deliveries) != 1 || deliveries[0].State != DeliveryDead || len(deliveries[0].Attempts) != 5 {
			t.Errorf("deliveries %+v, %v", deliveries, err)
		}
		deliveries, err = f.webhooks.Deliveries(t.Context(), f.events()[1])
		if err != nil || len(deliveries) != 1 || deliveries[0].State != DeliveryDone {
			t.Errorf("deliveries %+v, %v", deliveries, err)
		}
	})
}

func TestEventAppendedDuringAReadIsNotMissed(t *testing.T) {
	w := newWorker(New(embeddedFixture(t).config()), standing{})
	w.readLog(t.Context())
	w.poke() // after the end of the log was read, before the answer is there
	w.readLog(t.Context())
	(<-w.inbox)()
	if w.readLog(t.Context()); !w.log.reading {
		t.Error("the log is not read again")
	}
	(<-w.inbox)()
	if w.readLog(t.Context()); w.log.reading {
		t.Error("the log is read again and again")
	}
}

// embeddedFixture is a fixture on an embedded database, for what is the same on both.
func embeddedFixture(t *testing.T) *fixture {
	return newFixture(t, migrationstest.Open(t, migrationstest.SQLite(t)))
}

// A look at the retries that began before what came of one was written doesn't take it in
// hand once more.
func TestRetryIsNotTakenFromAnOldLook(t *testing.T) {
	f := embeddedFixture(t)
	f.append("a")
	w := newWorker(New(f.config()), standing{})
	w.pending = map[int64][]int64{7: {1}}
	w.parking, w.stale = true, map[int64]struct{}{}
	w.taken[1] = struct{}{}
	done := newBatch()
	done.parked[1] = retryRow{event: 1, key: 7, attempts: 2}
	w.written(done, nil)
	w.takeRetries([]retryRow{{event: 1, key: 7, attempts: 1}}, f.events())
	if w.queued() != 0 || w.dueAt.IsZero() {
		t.Errorf("%d queued, next look at %s", w.queued(), w.dueAt)
	}
}
