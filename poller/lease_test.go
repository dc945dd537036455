package poller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// gate lets requests for a page wait until it is opened.
type gate struct {
	reached chan struct{}
	opened  chan struct{}
	once    sync.Once
}

func newGate() *gate { return &gate{reached: make(chan struct{}), opened: make(chan struct{})} }

func (g *gate) at(stop int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(page int, _ http.ResponseWriter, r *http.Request) bool {
		if page == stop {
			g.once.Do(func() { close(g.reached) })
			select {
			case <-g.opened:
			case <-r.Context().Done():
			}
		}
		return false
	}
}

// begin begins a poll, and returns when it is at the gate. finish opens that, and returns
// what came of the poll.
func (r *rig) begin(a Account, g *gate) (finish func() error) {
	r.t.Helper()
	c, err := r.poller.claimOne(r.t.Context(), r.stream(a).ID)
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.poller.poll(r.t.Context(), c)
		done <- err
	}()
	<-g.reached
	return func() error {
		close(g.opened)
		return <-done
	}
}

// expire makes a stream's lease run out: its holder is not heard of any more.
func (r *rig) expire(a Account) {
	r.t.Helper()
	if _, err := r.db.Exec(`UPDATE streams SET lease_until = $1 WHERE account_id = $2 AND lease_until IS NOT NULL`, time.Now().Add(-time.Second).UTC(), a.ID); err != nil {
		r.t.Fatal(err)
	}
}

// The first poller hangs in a page, is taken for dead, and comes back too late.
func TestLateCommitIsRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(nil)
		r.poll(a)
		var seen int64
		r.people.rename("3", "renamed")
		g := newGate()
		r.people.setFault(g.at(2))
		finish := r.begin(a, g)
		r.people.setFault(nil)
		r.expire(a)
		other := r.newPoller()
		if got, err := other.Poll(t.Context(), r.stream(a).ID); err != nil || got.Updated != 1 {
			t.Fatalf("%+v %v", got, err)
		}
		after := r.stream(a)
		if err := finish(); !errors.Is(err, errLeaseLost) {
			t.Errorf("the late poll: %v", err)
		}
		r.expect(a, &seen, "updated 3")
		if s := r.stream(a); s.Failures != 0 || s.Polls != after.Polls {
			t.Errorf("the late poll left traces: %+v", s)
		}
	})
}

func TestShutdownGivesStreamsBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		g := newGate()
		defer close(g.opened)
		r.people.setFault(g.at(2))
		a := r.account(nil)
		stop := running(t, r.poller)
		<-g.reached
		stop()
		r.people.setFault(nil)
		if s := r.stream(a); s.Failures != 0 || s.LastError != "" || s.Polls != 0 {
			t.Errorf("a poll that was cancelled counts: %+v", s)
		}
		claims, err := r.newPoller().claimDue(t.Context(), 10)
		if err != nil || len(claims) != 1 {
			t.Errorf("the stream is not due for others: %v %v", claims, err)
		}
	})
}

func TestManualPollWaitsForTheRunningOne(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(nil)
		r.poll(a)
		g := newGate()
		r.people.setFault(g.at(2))
		var first sync.WaitGroup
		first.Go(func() { r.poll(a) })
		<-g.reached
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := r.newPoller().Poll(ctx, r.stream(a).ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("two polls of a stream at once: %v", err)
		}
		r.people.rename("3", "renamed") // page 1 has been read
		close(g.opened)
		first.Wait()
		if got := r.poll(a); got.Updated != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestPollOfNoStream(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		if _, err := r.poller.Poll(t.Context(), 4711); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

// A poll that takes longer than its lease keeps it.
func TestLongPollKeepsItsLease(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.config.Lease = 400 * time.Millisecond
		r.people.staff(25)
		a := r.account(nil)
		g := newGate()
		r.people.setFault(g.at(2))
		p := r.newPoller()
		var first sync.WaitGroup
		first.Go(func() {
			if got, err := p.Poll(t.Context(), r.stream(a).ID); err != nil || !got.Complete {
				t.Errorf("%+v %v", got, err)
			}
		})
		<-g.reached
		until := func() (at time.Time) {
			if err := r.db.QueryRow(`SELECT lease_until FROM streams WHERE account_id = $1`, a.ID).Scan(&at); err != nil {
				t.Fatal(err)
			}
			return at
		}
		start := until()
		waitFor(t, "the lease renewed thrice", func() bool { return until().Sub(start) > r.config.Lease })
		close(g.opened)
		first.Wait()
	})
}

// What a person decides while a poll is under way must not be undone by its end.
func TestDecisionRevokesThePollUnderWay(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		gone := halve(r)
		r.poll(a)
		g := newGate()
		r.people.setFault(g.at(2))
		finish := r.begin(a, g)
		if err := r.streams.Approve(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		if err := finish(); !errors.Is(err, errLeaseLost) {
			t.Errorf("the revoked poll: %v", err)
		}
		r.poll(a)
		var seen int64
		r.expect(a, &seen, deleted(gone)...)
	})
}

// The answer to old credentials says nothing about the new ones.
func TestNewCredentialsRevokeThePollUnderWay(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(5)
		a := r.account(nil)
		g := newGate()
		r.people.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
			if req.Header.Get("Authorization") == "Bearer token-two" {
				return false
			}
			g.at(1)(page, w, req)
			return answers(401)(page, w, req)
		})
		finish := r.begin(a, g)
		credentials := map[string]string{"header_value": "Bearer token-two"} // the others stay
		if _, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: credentials}); err != nil {
			t.Fatal(err)
		}
		_ = finish() // it comes to nothing
		if got, err := r.accounts.Get(t.Context(), DefaultProject, a.ID); err != nil || got.State != StateActive {
			t.Errorf("%+v %v", got, err)
		}
		if s := r.stream(a); s.Failures != 0 {
			t.Errorf("%+v", s)
		}
		if got := r.poll(a); !got.Complete {
			t.Errorf("%+v", got)
		}
	})
}

// A poll asked for while one is under way is not swallowed by that one's end.
func TestRequestDuringAPollIsKept(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(nil)
		r.poll(a)
		g := newGate()
		r.people.setFault(g.at(2))
		var first sync.WaitGroup
		first.Go(func() { r.poll(a) })
		<-g.reached
		if err := r.streams.RequestPoll(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		close(g.opened)
		first.Wait()
		if s := r.stream(a); s.NextPollAt.After(time.Now().Add(time.Second)) {
			t.Errorf("next poll at %s", s.NextPollAt)
		}
	})
}

func TestAccountDeletedDuringAPoll(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(func(n *NewAccount) { n.Baseline = BaselineEmit })
		g := newGate()
		r.people.setFault(g.at(2))
		finish := r.begin(a, g)
		if err := r.accounts.Delete(t.Context(), DefaultProject, a.ID); err != nil {
			t.Fatal(err)
		}
		_ = finish() // it comes to nothing
		var seen int64
		r.expect(a, &seen)
	})
}

// Two processes on one PostgreSQL: every stream is polled, none by both.
func TestPollersShareTheWork(t *testing.T) {
	onPostgres(t, sharesTheWork)
}

func sharesTheWork(t *testing.T, location string) {
	db := migrationstest.Open(t, location)
	r := newRig(t, db.DB)
	r.config.Concurrency = 4
	r.people.staff(5)
	const accounts = 30
	for range accounts {
		r.account(func(n *NewAccount) { n.RecordTypes = []string{"employees", "candidates"}; n.Baseline = BaselineEmit })
	}
	first, second := r.newPoller(), r.newPoller()
	stops := []func(){running(t, first), running(t, second)}
	waitFor(t, "all streams polled", func() bool {
		var left int
		err := db.QueryRow(`SELECT count(*) FROM streams WHERE last_poll_at IS NULL`).Scan(&left)
		return err == nil && left == 0
	})
	for _, stop := range stops {
		stop()
	}
	var polls, events, leased int
	if err := db.QueryRow(`SELECT (SELECT sum(polls) FROM streams), (SELECT coalesce(sum(size), 0) FROM event_chunks WHERE record_type <> 'account'),
		(SELECT count(*) FROM streams WHERE lease_until IS NOT NULL)`).Scan(&polls, &events, &leased); err != nil {
		t.Fatal(err)
	}
	if polls != 2*accounts || events != 2*accounts*5 || leased != 0 {
		t.Errorf("%d polls, %d events, %d leases left", polls, events, leased)
	}
	if n := strings.Count(r.log.String(), `"message":"poll"`); n != 2*accounts {
		t.Errorf("%d lines for %d polls", n, 2*accounts)
	}
}

// One account with many streams must not take every slot.
func TestAccountHasItsShare(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		connect := func(types ...string) Account {
			return r.account(func(n *NewAccount) {
				n.RecordTypes = types
				for _, recordType := range []string{"employees", "employments", "interviews", "applications", "candidates", "job_postings"} {
					n.Credentials[recordType+"_path"] = "/people"
				}
			})
		}
		big := connect("employees", "employments", "interviews", "applications", "candidates", "job_postings")
		small := connect("employees", "candidates")
		count := func(claims []*claim) map[string]int {
			n := map[string]int{}
			for _, c := range claims {
				n[c.account.id]++
			}
			return n
		}
		claims, err := r.poller.claimDue(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if n := count(claims); n[big.ID] != 2 || n[small.ID] != 2 {
			t.Errorf("claimed at once: %v", n)
		}
		again, err := r.newPoller().claimDue(t.Context(), 10)
		if err != nil || len(again) != 0 {
			t.Errorf("another process claims beyond the share: %v %v", count(again), err)
		}
		for _, c := range claims {
			if err := r.poller.release(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		one, err := r.poller.claimDue(t.Context(), 1)
		if err != nil || len(one) != 1 {
			t.Errorf("limit 1: %v %v", count(one), err)
		}
	})
}

// A database that goes away for a while stops nothing for good.
func TestRunSurvivesTheDatabase(t *testing.T) {
	onPostgres(t, survivesTheDatabase)
}

func survivesTheDatabase(t *testing.T, location string) {
	migrationstest.Open(t, location)
	proxy := newProxy(t, location)
	db, err := migrations.Open(t.Context(), proxy.location)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := newRig(t, db.DB)
	r.people.staff(5)
	a := r.account(func(n *NewAccount) { n.Schedule = "1s" })
	running(t, r.poller)
	// What follows looks at the database on another way.
	direct := newRig(t, migrationstest.Open(t, location).DB)
	waitFor(t, "a first poll", func() bool { return direct.stream(a).Polls > 0 })
	proxy.cut()
	waitFor(t, "the outage noticed", func() bool { return strings.Contains(r.log.String(), "due streams not claimed") })
	proxy.restore()
	r.people.add(person{id: "6", name: "new"})
	var seen int64
	waitFor(t, "the change told after the outage", func() bool {
		return fmt.Sprint(direct.told(a, &seen)) == "[created 6]"
	})
	waitFor(t, "the stream well again", func() bool { return direct.stream(a).State == StreamOK })
}

// A SQLite database is one process's alone: when that is killed, the next one does not
// wait for its leases.
func TestEmbeddedDatabaseHasNoOrphans(t *testing.T) {
	r := newRig(t, migrationstest.Open(t, migrationstest.SQLite(t)).DB)
	r.config.Lease = time.Hour
	r.people.staff(3)
	a := r.account(nil)
	if _, err := r.newPoller().claimOne(t.Context(), r.stream(a).ID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.newPoller().Run(ctx) })
	defer running.Wait()
	defer cancel()
	waitFor(t, "a poll of what the killed process held", func() bool { return r.stream(a).Polls == 1 })
}
