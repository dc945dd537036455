package dispatch

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// atOnce is how many attempts are made before an endpoint is known to be down: all
// slots are filled, and two again.
const atOnce = 16 + failuresToOpen - 1

func TestEndpointThatIsDownIsProbedAndThenDrained(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(http.ResponseWriter, post) int { return 503 })
		w := f.create(r.URL)
		f.appendMany(1500, 50)
		_, stop := f.dispatch()
		eventually(t, "the webhook is down and was probed", func() bool {
			return f.get(w.ID).State == StateDown && len(r.all()) > atOnce+4
		})
		got := f.get(w.ID)
		if got.Retrying != 0 || got.Dead != 0 || got.Backlog != 1500 || got.LastError != "status 503" || got.FailingSince.IsZero() {
			t.Errorf("webhook %+v", got)
		}
		// Probes leave no rows behind, whatever their number.
		if n := f.number(`SELECT count(*) FROM attempts`); n > atOnce {
			t.Errorf("%d attempts on record", n)
		}
		stop()
		probed := len(r.all())
		for i, p := range r.all()[atOnce:probed] {
			if i > 0 && p.at.Sub(r.all()[atOnce+i-1].at) < 10*time.Millisecond {
				t.Errorf("probe %d came %s after the one before", i, p.at.Sub(r.all()[atOnce+i-1].at))
			}
		}
		// It is still known to be down after a restart.
		r.set(nil)
		f.exec(`UPDATE webhooks SET probe_at = $1`, time.Now().Add(300*time.Millisecond).UTC())
		before := time.Now()
		f.dispatch()
		posts := r.waitAccepted(t, 1500)
		f.checkOrder(posts)
		if wait := posts[0].at.Sub(before); wait < 250*time.Millisecond {
			t.Errorf("first post %s after the restart, before the probe was due", wait)
		}
		eventually(t, "everything is delivered", func() bool {
			got := f.get(w.ID)
			return got.State == StateOK && got.Backlog == 0 && got.Retrying == 0 && got.FailingSince.IsZero()
		})
	})
}

func TestEventAtWhichTheReceiverStumblesStopsNobody(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		// More of them than it takes to think that the endpoint is down, and they come first.
		r := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			if strings.HasPrefix(p.record, "bug") {
				return 500
			}
			return 200
		})
		w := f.create(r.URL)
		f.append("bug1", "bug2", "bug3", "bug4", "bug5")
		f.dispatch(func(c *Config) { c.Schedule = []time.Duration{0, time.Hour} })
		eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
		f.appendMany(200, 200)
		r.waitAccepted(t, 200)
		eventually(t, "only the others are retried", func() bool {
			got := f.get(w.ID)
			return got.State == StateOK && got.Retrying == 5 && got.Backlog == 0
		})
	})
}

func TestQuietWebhookRetriesOnSchedule(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		var attempts atomic.Int64
		r := newReceiver(t, func(http.ResponseWriter, post) int {
			if attempts.Add(1) < 4 {
				return 500
			}
			return 200
		})
		w := f.create(r.URL)
		f.append("alone")
		f.dispatch()
		r.waitAccepted(t, 1)
		eventually(t, "nothing left", func() bool { return f.get(w.ID).Retrying == 0 })
		if n := attempts.Load(); n != 4 {
			t.Errorf("%d attempts", n)
		}
	})
}

// A receiver that was not there yet gets its only event as soon as a probe finds it, not
// when the event's own schedule comes to it.
func TestOneEventFindsOutThatNobodyIsThere(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		late := newReceiver(t, nil)
		address := late.Listener.Addr().String()
		late.Close()
		w := f.create("http://" + address)
		f.append("a")
		f.dispatch(func(c *Config) { c.Schedule = []time.Duration{0, time.Millisecond, time.Hour} })
		eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		there := newReceiver(t, nil)
		front := &http.Server{Handler: there.Config.Handler}
		go func() { _ = front.Serve(listener) }()
		t.Cleanup(func() { _ = front.Close() })
		there.waitAccepted(t, 1)
	})
}

func TestEndpointMayAskForSilence(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(w http.ResponseWriter, _ post) int {
			w.Header().Set("Retry-After", "1")
			return 429
		})
		w := f.create(r.URL)
		f.append("a")
		f.dispatch()
		eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
		r.set(nil)
		posts := r.waitAccepted(t, 1)
		if wait := posts[0].at.Sub(r.all()[0].at); wait < 990*time.Millisecond {
			t.Errorf("came back after %s, asked for 1s", wait)
		}
		if n := len(r.all()); n != 2 {
			t.Errorf("%d posts", n)
		}
	})
}

func TestSlowAndDeadWebhooksHoldUpNobody(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		slow, dead, release := slowAndDead(t)
		fast := newReceiver(t, nil)
		for _, r := range []*receiver{slow, dead, fast} {
			f.create(r.URL)
		}
		f.appendMany(1000, 1000)
		f.dispatch(func(c *Config) { c.Timeout = time.Minute })
		fast.waitAccepted(t, 1000)
		if n := len(slow.all()); n != 0 {
			t.Fatalf("the slow one has answered %d times", n)
		}
		close(release)
		slow.waitAccepted(t, 1000)
		if slow.mostOpen != 16 {
			t.Errorf("%d attempts at a time at the slow one", slow.mostOpen)
		}
	})
}

func TestWhatSpeaksOfTheEndpointStopsItsCursor(t *testing.T) {
	redirected := newReceiver(t, nil)
	for name, answer := range map[string]func(w http.ResponseWriter, p post) int{
		"redirect 302": func(w http.ResponseWriter, _ post) int { w.Header().Set("Location", redirected.URL); return 302 },
		"status 500":   func(http.ResponseWriter, post) int { return 500 },
		"status 425":   func(http.ResponseWriter, post) int { return 425 },
		"cut":          func(http.ResponseWriter, post) int { panic(http.ErrAbortHandler) },
		"timeout":      func(_ http.ResponseWriter, p post) int { <-p.ctx.Done(); return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
				f := newFixture(t, db)
				r := newReceiver(t, answer)
				w := f.create(r.URL)
				f.appendMany(20, 20)
				f.dispatch(func(c *Config) {
					if name == "timeout" {
						c.Timeout = 50 * time.Millisecond
					}
				})
				eventually(t, "down", func() bool { return f.get(w.ID).State == StateDown })
				if got := f.get(w.ID); got.LastError != name || got.Retrying > 0 {
					t.Errorf("webhook %+v", got)
				}
				r.set(nil)
				r.waitAccepted(t, 20)
			})
		})
	}
	if n := len(redirected.all()); n > 0 {
		t.Errorf("%d redirects followed", n)
	}
}

func TestAnswersDontMatter(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(w http.ResponseWriter, p post) int {
			switch p.record {
			case "cut": // fewer bytes than announced
				w.Header().Set("Content-Length", "100")
				_, _ = fmt.Fprint(w, "half")
			case "hang": // no end
				w.WriteHeader(202)
				w.(http.Flusher).Flush()
				<-p.ctx.Done()
			case "long":
				_, _ = fmt.Fprint(w, strings.Repeat("x", 1<<20))
			}
			return 0
		})
		f.create(r.URL)
		f.append("cut", "hang", "long")
		f.dispatch(func(c *Config) { c.Timeout = 200 * time.Millisecond })
		eventually(t, "three successes", func() bool { return f.number(`SELECT count(*) FROM attempts WHERE error = ''`) == 3 })
		if n := f.number(`SELECT max(response_bytes) FROM attempts`); n != answerLimit {
			t.Errorf("%d bytes of an answer read", n)
		}
	})
}

func TestGoneDisablesAtOnce(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(http.ResponseWriter, post) int { return 410 })
		w := f.create(r.URL)
		f.append("a", "b")
		f.dispatch()
		eventually(t, "disabled", func() bool { return f.get(w.ID).State == StateDisabled })
		if got := f.get(w.ID); !strings.Contains(got.DisabledReason, "410") {
			t.Errorf("reason %q", got.DisabledReason)
		}
		// Enabled again, it gets what it missed.
		r.set(nil)
		if _, err := f.webhooks.Enable(t.Context(), project, w.ID); err != nil {
			t.Fatal(err)
		}
		r.waitAccepted(t, 2)
	})
}

func TestDaysOfNothingButFailuresDisable(t *testing.T) {
	for name, status := range map[string]int{"down": 500, "refusing": 404} {
		t.Run(name, func(t *testing.T) {
			migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
				f := newFixture(t, db)
				r := newReceiver(t, func(http.ResponseWriter, post) int { return status })
				w := f.create(r.URL)
				f.appendMany(40, 40)
				f.dispatch(func(c *Config) {
					c.ProbeFirst, c.ProbeLongest, c.DisableAfter = time.Millisecond, time.Millisecond, time.Millisecond
				})
				eventually(t, "disabled", func() bool { return f.get(w.ID).State == StateDisabled })
				if got := f.get(w.ID); !strings.Contains(got.DisabledReason, fmt.Sprint("status ", status)) {
					t.Errorf("reason %q", got.DisabledReason)
				}
			})
		})
	}
}

func TestBreakerTellsTheEndpointFromTheEvent(t *testing.T) {
	now := time.Now()
	bad := outcome{status: 500, class: classStatus}
	b := breaker{first: 5 * time.Second, longest: 5 * time.Minute}
	for range 10 {
		b.fail(now, 1, bad, false)
	}
	if b.down() {
		t.Fatal("one event took the endpoint down")
	}
	b.fail(now, 2, bad, false)
	b.refuse(now)
	b.fail(now, 3, bad, false)
	b.fail(now, 4, bad, false)
	if b.down() {
		t.Fatal("it had answered in between")
	}
	b.fail(now, 5, bad, false)
	if !b.down() || b.failingSince != now {
		t.Fatal("three events in a row don't take it down")
	}
	failures := b.failures
	b.fail(now, 6, bad, false)
	if b.failures != failures {
		t.Error("what was in flight counts as a probe")
	}
	for _, want := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		want *= time.Second
		if got := b.probeAt.Sub(now); got < want*9/10 || got > want*11/10 {
			t.Errorf("next probe after %s, want about %s", got, want)
		}
		b.fail(now, 7, bad, true)
	}
	// A restart goes on where it was.
	c := breaker{first: b.first, longest: b.longest}
	c.restore(b.failures, b.failingSince, b.probeAt)
	c.fail(now, 7, bad, true)
	if got := c.probeAt.Sub(now); !c.down() || got < 4*time.Minute {
		t.Errorf("after a restart: probe after %s", got)
	}
	b.succeed()
	if b.down() || b.failures != 0 || !b.failingSince.IsZero() {
		t.Errorf("after a success: %+v", b)
	}
}
