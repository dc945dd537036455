package dispatch

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// eachPostgres is migrationstest.EachMigrated for what SQLite, which belongs to one
// process, doesn't have.
func eachPostgres(t *testing.T, test func(t *testing.T, db *migrations.DB)) {
	t.Helper()
	migrationstest.Each(t, func(t *testing.T, location string) {
		if strings.HasPrefix(location, "postgres") {
			test(t, migrationstest.Open(t, location))
		}
	})
}

func (f *fixture) holders() map[string]int {
	f.t.Helper()
	rows, err := f.db.QueryContext(f.t.Context(), `SELECT lease_owner FROM webhooks WHERE lease_until > now()`)
	owners, err := collect(rows, err, func(rows *sql.Rows) (owner string, err error) { return owner, rows.Scan(&owner) })
	if err != nil {
		f.t.Fatal(err)
	}
	held := map[string]int{}
	for _, o := range owners {
		held[o]++
	}
	return held
}

func TestDispatchersShareWebhooks(t *testing.T) {
	eachPostgres(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		for range 6 {
			f.create(r.URL)
		}
		_, stopA := f.dispatch(func(c *Config) { c.Owner = "a" })
		eventually(t, "a holds all", func() bool { return f.holders()["a"] == 6 })
		f.dispatch(func(c *Config) { c.Owner = "b" })
		for range 20 {
			f.appendMany(20, 5)
		}
		eventually(t, "b got its half", func() bool { h := f.holders(); return h["a"] == 3 && h["b"] == 3 })
		f.appendMany(50, 5)
		eventually(t, "each webhook got everything", func() bool { return len(r.accepted()) >= 6*450 })
		stopA()
		f.appendMany(50, 5)
		eventually(t, "b holds all", func() bool { return f.holders()["b"] == 6 })
		eventually(t, "each webhook got everything", func() bool { return len(r.accepted()) >= 6*500 })
		// A webhook is handed over with nothing in flight: nobody gets anything twice.
		eventually(t, "all is on record", func() bool { return f.number(`SELECT count(*) FROM attempts`) >= 6*500 })
		if n := len(r.all()); n != 6*500 {
			t.Errorf("%d posts", n)
		}
	})
}

// Else the next dispatcher would wait for leases that nobody knows of.
func TestClaimUnderWayAtTheEndIsHandedBack(t *testing.T) {
	eachPostgres(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		f.create(newReceiver(t, nil).URL)
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		f.exec(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(27270); RETURN NEW; END $$`)
		f.exec(`CREATE TRIGGER wait BEFORE UPDATE ON webhooks FOR EACH ROW EXECUTE FUNCTION wait()`)
		if _, err := tx.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(27270)`); err != nil {
			t.Fatal(err)
		}
		running, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = New(f.config()).Run(running)
		}()
		eventually(t, "a claim waits", func() bool {
			return f.number(`SELECT count(*) FROM pg_locks WHERE NOT granted AND objid = 27270 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 1
		})
		end()
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		<-ended
		if fence, held := f.number(`SELECT fence FROM webhooks`), f.number(`SELECT count(*) FROM webhooks WHERE lease_until > now()`); fence != 1 || held != 0 {
			t.Errorf("fence %d, %d held; want the claim made and handed back", fence, held)
		}
	})
}

func TestLeaseOfADeadDispatcherRunsOut(t *testing.T) {
	eachPostgres(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		f.create(r.URL)
		f.append("a")
		f.exec(`UPDATE webhooks SET lease_owner = 'dead', fence = 7, lease_until = now() + interval '500 milliseconds'`)
		start := time.Now()
		f.dispatch()
		p := r.waitAccepted(t, 1)[0]
		if wait := p.at.Sub(start); wait < 400*time.Millisecond {
			t.Errorf("delivered after %s, while another held the lease", wait)
		}
		if n := f.number(`SELECT fence FROM webhooks`); n != 8 {
			t.Errorf("fence %d", n)
		}
	})
}

func TestWorkerWritesNothingWithoutItsLease(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		w := f.create("http://127.0.0.1:1/")
		s := newStore(f.db)
		leases, err := s.claim(t.Context(), "first", time.Nanosecond, 10)
		if err != nil || len(leases) != 1 {
			t.Fatalf("claimed %v, %v", leases, err)
		}
		f.exec(`UPDATE webhooks SET lease_until = NULL`)
		if _, err := s.claim(t.Context(), "second", time.Minute, 10); err != nil {
			t.Fatal(err)
		}
		b := newBatch()
		b.cursor = 99
		b.attempts = []attemptRow{{event: 1}}
		if err := s.write(t.Context(), leases[0], b); err != errLeaseLost {
			t.Errorf("write under an old lease: %v", err)
		}
		if err := s.release(t.Context(), leases[0]); err != nil {
			t.Fatal(err)
		}
		if n := f.number(`SELECT count(*) FROM webhooks WHERE id = $1 AND lease_owner = 'second' AND cursor_id = 0`, w.ID); n != 1 {
			t.Error("an old lease changed the webhook")
		}
		if n := f.number(`SELECT count(*) FROM attempts`); n != 0 {
			t.Errorf("%d attempts written", n)
		}
	})
}

func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		entered, release := make(chan struct{}, 100), make(chan struct{})
		r := newReceiver(t, hangs("", entered, release))
		f.create(r.URL)
		f.appendMany(40, 40)
		_, stop := f.dispatch(func(c *Config) { c.Lease, c.Timeout = time.Minute, time.Minute })
		for range 16 {
			<-entered
		}
		var stopping sync.WaitGroup
		stopping.Go(stop)
		close(release)
		stopping.Wait()
		n := len(r.all())
		if n < 16 {
			t.Errorf("%d posts, want at least the 16 in flight", n)
		}
		if got := f.number(`SELECT count(*) FROM attempts`); got != int64(n) {
			t.Errorf("%d attempts on record of %d", got, n)
		}
		if got := f.number(`SELECT count(*) FROM webhooks WHERE lease_until IS NULL AND cursor_id = (SELECT min(id) + $1 FROM test_events)`, n-1); got != 1 {
			t.Error("lease not handed back, or cursor not written")
		}
	})
}

func TestShutdownGivesUpOnWhatHangs(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		entered, release := make(chan struct{}, 100), make(chan struct{})
		r := newReceiver(t, hangs("hangs", entered, release))
		t.Cleanup(func() { close(release) })
		f.create(r.URL)
		f.append("hangs", "a", "b")
		_, stop := f.dispatch(func(c *Config) { c.Drain, c.Timeout = 50*time.Millisecond, time.Hour })
		<-entered
		r.waitAccepted(t, 2)
		stop()
		// The next one sends again what hung, and only that.
		r.set(nil)
		f.dispatch()
		eventually(t, "the cursor at the end", func() bool {
			return f.number(`SELECT cursor_id - (SELECT max(id) FROM test_events) FROM webhooks`) == 0
		})
		if n := len(r.accepted()); n != 3 {
			t.Errorf("%d events accepted", n)
		}
	})
}

func TestConnectionsToTheDatabaseMayDie(t *testing.T) {
	eachPostgres(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		f.appendMany(3000, 30)
		f.dispatch()
		for n := 500; n < 3000; n += 500 {
			r.waitAccepted(t, n)
			_, _ = f.db.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()`)
		}
		f.checkOrder(r.waitAccepted(t, 3000))
		eventually(t, "all is on record", func() bool { return f.get(w.ID).Backlog == 0 })
	})
}

// TestKilledProcessLosesNothing kills a process that delivers, again and again, while
// events are appended and the receiver refuses some of them.
func TestKilledProcessLosesNothing(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		var posts atomic.Int64
		r := newReceiver(t, func(http.ResponseWriter, post) int {
			switch n := posts.Add(1); {
			case n%97 == 0:
				return 400
			case n%31 == 0:
				return 500
			}
			return 200
		})
		const rounds, each = 6, 300
		db, err := migrations.Open(t.Context(), location)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := migrations.Up(t.Context(), db.DB); err != nil {
			t.Fatal(err)
		}
		newFixture(t, db).create(r.URL)
		for round := range rounds {
			openFixture(t, db).appendMany(each, 20)
			// A SQLite file belongs to one process.
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before := posts.Load()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDispatchUntilKilled$")
			child.Env = append(os.Environ(), "DISPATCH_TEST_LOCATION="+location)
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "some posts", func() bool { return posts.Load() >= before+int64(40+round*23) })
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = child.Wait()
			if db, err = migrations.Open(t.Context(), location); err != nil {
				t.Fatal(err)
			}
		}
		defer func() { _ = db.Close() }()
		f := openFixture(t, db)
		f.dispatch()
		accepted := r.waitAccepted(t, rounds*each)
		f.checkOrder(accepted)
		if n := len(accepted) - rounds*each; n > rounds*(window+16) {
			t.Errorf("%d duplicates", n)
		}
		eventually(t, "nothing left", func() bool {
			return f.number(`SELECT count(*) FROM retries`) == 0 && f.number(`SELECT cursor_id - (SELECT max(id) FROM test_events) FROM webhooks`) == 0
		})
	})
}

// TestDispatchUntilKilled is the process that TestKilledProcessLosesNothing kills.
func TestDispatchUntilKilled(t *testing.T) {
	location := os.Getenv("DISPATCH_TEST_LOCATION")
	if location == "" {
		return
	}
	db, err := migrations.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	config := openFixture(t, db).config()
	config.Lease = 300 * time.Millisecond
	t.Fatal(fmt.Sprint("ended by itself: ", New(config).Run(context.Background())))
}
