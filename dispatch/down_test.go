package dispatch

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// countingLog counts the events that are handed out.
type countingLog struct {
	tableLog
	events *atomic.Int64
}

func (l countingLog) Read(ctx context.Context, projectID string, f Filter, after, through int64, limit int) ([]Event, int64, error) {
	events, covered, err := l.tableLog.Read(ctx, projectID, f, after, through, limit)
	l.events.Add(int64(len(events)))
	return events, covered, err
}

// countWrites counts the rows that are written from now on; a lease's renewal is none of
// a delivery's.
func (f *fixture) countWrites() (written func() int64) {
	f.exec(`CREATE TABLE test_writes (n integer)`)
	if f.log.s.postgres {
		f.exec(`CREATE FUNCTION test_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO test_writes VALUES (1); RETURN NULL; END'`)
	}
	for _, on := range []string{
		"UPDATE OF cursor_id ON webhooks", "INSERT ON attempts", "DELETE ON attempts", "INSERT ON retries", "UPDATE ON retries", "DELETE ON retries",
		"UPDATE ON replays", "INSERT ON webhook_choices",
	} {
		trigger := `CREATE TRIGGER ` + strings.ReplaceAll(on, " ", "_") + ` AFTER ` + on + ` FOR EACH ROW `
		if f.log.s.postgres {
			f.exec(trigger + `EXECUTE FUNCTION test_write()`)
		} else {
			f.exec(trigger + `BEGIN INSERT INTO test_writes VALUES (1); END`)
		}
	}
	return func() int64 { return f.number(`SELECT count(*) FROM test_writes`) }
}

func TestDeadEndpointCostsNoRowAndNoMemory(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(http.ResponseWriter, post) int { return 500 })
		w := f.create(r.URL)
		const n = 10_000
		f.appendMany(n, 500)
		log := countingLog{f.log, new(atomic.Int64)}
		d, _ := f.dispatch(func(c *Config) {
			c.Log, c.ProbeFirst, c.ProbeLongest = log, 4*time.Millisecond, 4*time.Millisecond
		})
		probes := func(n int) {
			seen := len(r.all())
			eventually(t, "probes", func() bool { return len(r.all()) >= seen+n })
		}
		eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
		probes(20) // and what was found is written down
		written := f.countWrites()
		for range 5 {
			f.appendMany(10, 10)
			d.Wake()
			probes(10)
		}
		if rows := written(); rows != 0 {
			t.Errorf("%d rows written while the endpoint is down", rows)
		}
		// The dispatcher reads what is new once, whoever takes it.
		if held := log.events.Load(); held > window+50 {
			t.Errorf("%d events read while the endpoint is down", held)
		}
		if got := f.get(w.ID); got.State != StateDown || got.LastError != "status 500" || got.FailingSince.IsZero() || got.ProbeAt.IsZero() || got.Backlog != n+50 {
			t.Errorf("webhook %+v", got)
		}
		r.set(nil)
		posts := r.waitAccepted(t, n+50)
		f.checkOrder(posts)
		if len(posts) != n+50 {
			t.Errorf("%d accepted", len(posts))
		}
	})
}

func TestEndpointDrainsAtItsRate(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(http.ResponseWriter, post) int { return 500 })
		w := f.createWith(r.URL, SettingsUpdate{RateLimit: new(100.0)})
		f.appendMany(60, 60)
		f.dispatch()
		eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
		r.set(nil)
		posts := r.waitAccepted(t, 60)
		slices.SortFunc(posts, func(a, b post) int { return a.at.Compare(b.at) })
		if took := posts[59].at.Sub(posts[0].at); took < 400*time.Millisecond {
			t.Errorf("drained in %s", took)
		}
	})
}

func TestOperatorIsToldOfWhatWasDisabled(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		gone := newReceiver(t, func(http.ResponseWriter, post) int { return 410 })
		refusals := 0
		operator := newReceiver(t, nil)
		operator.set(func(http.ResponseWriter, post) int {
			operator.mu.Lock()
			defer operator.mu.Unlock()
			if refusals++; refusals <= 2 {
				return 503
			}
			return 200
		})
		w := f.create(gone.URL)
		f.append("a")
		config := func(c *Config) {
			c.NoticeURL, c.NoticeRetry = operator.URL+"/?token=x", 20*time.Millisecond
		}
		_, stop := f.dispatch(config)
		eventually(t, "refused once", func() bool { return len(operator.all()) > 0 })
		stop() // another process goes on with it
		f.dispatch(config)
		eventually(t, "told", func() bool {
			return len(operator.accepted()) > 0 && f.number(`SELECT count(*) FROM webhooks WHERE notice_at IS NOT NULL`) == 0
		})
		got := f.get(w.ID)
		for _, p := range operator.all() {
			want := `{"event":"webhook.disabled","project_id":"` + project + `","webhook_id":"` + w.ID + `","reason":"the endpoint answered 410 Gone","disabled_at":"` +
				got.DisabledAt.Format(isoMillis) + `","sent_at":"`
			if !strings.HasPrefix(string(p.body), want) || p.uid != operator.all()[0].uid || p.query != "token=x" {
				t.Errorf("told %s as %s", p.body, p.uid)
			}
			if !Verify(w.Secret.Reveal(), p.body, p.header.Get("x-stackone-signature")) ||
				p.header.Get("webhook-signature") != StandardSignature([]string{w.Secret.Reveal()}, p.uid, p.unix(t), p.body) {
				t.Error("a signature is wrong")
			}
			checkSpelling(t, p.body)
		}
		if n := len(operator.accepted()); n != 1 {
			t.Errorf("told %d times", n)
		}
		// What its owner disables is no news.
		other := f.create("https://example.com/", "account.created")
		if _, err := f.webhooks.Disable(t.Context(), project, other.ID); err != nil {
			t.Fatal(err)
		}
		if n := f.number(`SELECT count(*) FROM webhooks WHERE notice_at IS NOT NULL`); n != 0 {
			t.Errorf("%d notices owed", n)
		}
	})
}

func TestOneDeadAndOneSlowAmongManyHealthy(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		slow, dead, release := slowAndDead(t)
		healthy := newReceiver(t, nil)
		f.create(slow.URL)
		f.create(dead.URL)
		const webhooks, each = 98, 20
		for range webhooks {
			f.create(healthy.URL)
		}
		f.appendMany(each, each)
		f.dispatch(func(c *Config) {
			c.Lease, c.Timeout, c.ProbeFirst, c.ProbeLongest = time.Minute, time.Hour, time.Second, time.Minute
		})
		// All that the healthy ones get arrives while the slow one has not answered once.
		eventually(t, "the healthy ones have everything", func() bool { return len(healthy.accepted()) >= webhooks*each })
		if n := len(slow.all()); n != 0 {
			t.Errorf("the slow one has answered %d times", n)
		}
		if n := len(healthy.all()); n != webhooks*each {
			t.Errorf("%d posts", n)
		}
		close(release)
		slow.waitAccepted(t, each)
	})
}
