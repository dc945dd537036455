package poller

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations/migrationstest"
)

// later lets the time pass until whatever the account waits for is due.
func (r *rig) later(a Account) {
	r.t.Helper()
	for _, change := range []string{
		`UPDATE accounts SET next_check_at = ` + r.poller.now + ` WHERE id = $1 AND next_check_at IS NOT NULL`,
		`UPDATE streams SET next_poll_at = ` + r.poller.now + ` WHERE account_id = $1`,
	} {
		if _, err := r.db.ExecContext(r.t.Context(), change, a.ID); err != nil {
			r.t.Fatal(err)
		}
	}
}

// pollDue polls what is due, and expects so many claims.
func (r *rig) pollDue(want int) {
	r.t.Helper()
	claims, err := r.poller.claimDue(r.t.Context(), 10)
	if err != nil || len(claims) != want {
		r.t.Fatalf("%d are due, want %d (%v)", len(claims), want, err)
	}
	for _, c := range claims {
		if _, err := r.poller.poll(r.t.Context(), c); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) state(a Account) Account {
	r.t.Helper()
	got, err := r.accounts.Get(r.t.Context(), DefaultProject, a.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// wantCheck expects that the account is asked again in about so long.
func (r *rig) wantCheck(a Account, in time.Duration) {
	r.t.Helper()
	got := r.state(a)
	if wait := time.Until(got.NextCheckAt); got.State != StateNeedsAttention || wait < in-time.Minute || wait > in+time.Minute {
		r.t.Errorf("%s, asked again in %s, want %s", got.State, wait, in)
	}
}

// An account whose credentials are refused is asked again, ever less often, with one small
// request; when they are taken again it goes on, and nobody had to say so.
func TestAccountRecovers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(func(n *NewAccount) { n.RecordTypes, n.Schedule = []string{"employees", "candidates"}, "5m" })
		r.people.setFault(at("", 401, `{"message":"The API key of Ada is expired"}`))
		r.pollDue(2)
		r.wantCheck(a, 15*time.Minute) // two polls were under way, and both were refused
		if got := r.state(a); !strings.Contains(got.StateReason, `(401) (the provider says: "the api key of … is expired")`) {
			t.Error(got.StateReason)
		}
		for i, want := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour} {
			r.pollDue(0)
			r.poller = r.newPoller() // a restart changes nothing
			r.later(a)
			if i == 2 { // that nobody answers is no new reason, and no end of the old one
				r.people.setFault(answers(503))
			}
			before := r.people.requested()
			r.pollDue(1)
			if n := r.people.requested() - before; n != 1 {
				t.Errorf("asked %d times", n)
			}
			r.wantCheck(a, want)
			if got := r.state(a); !strings.Contains(got.StateReason, "401") {
				t.Error(got.StateReason)
			}
		}
		var sizes []string
		r.people.setFault(func(_ int, _ http.ResponseWriter, req *http.Request) bool {
			sizes = append(sizes, req.URL.Query().Get("limit"))
			return false
		})
		r.later(a)
		r.pollDue(1)
		if got := r.state(a); got.State != StateActive || got.StateReason != "" || !got.NextCheckAt.IsZero() || !got.UpdatedAt.Equal(a.UpdatedAt) {
			t.Errorf("%+v", got)
		}
		if s := r.stream(a); s.State != StreamOK || s.Records != 30 || !strings.HasPrefix(strings.Join(sizes, " "), "1 10 10 10") {
			t.Errorf("%+v after pages of %v", s, sizes)
		}
		r.pollDue(1) // the other stream
		if n := len(r.accountEvents(a.ID)); n != 1 {
			t.Errorf("%d events of the account", n)
		}
		r.people.setFault(answers(401))
		r.later(a)
		r.pollDue(2)
		r.wantCheck(a, 15*time.Minute)
	})
}

// However many processes there are, one asks.
func TestOneProcessAsksAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.account(func(n *NewAccount) { n.RecordTypes = []string{"employees", "candidates"} })
		r.people.setFault(answers(401))
		r.pollDue(2)
		r.later(a)
		if err := r.streams.RequestPoll(t.Context(), DefaultProject, a.ID, "candidates"); err != nil {
			t.Fatal(err)
		}
		claims := 0
		for range 3 {
			got, err := r.newPoller().claimDue(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			claims += len(got)
		}
		if claims != 1 {
			t.Errorf("%d claims of an account that is to be asked once", claims)
		}
	})
}

// Two processes that run find together that the cause is gone.
func TestAccountRecoversUnderTwoProcesses(t *testing.T) {
	onPostgres(t, func(t *testing.T, location string) {
		r := newRig(t, migrationstest.Open(t, location).DB)
		r.people.staff(3)
		a := r.account(func(n *NewAccount) { n.RecordTypes = []string{"employees", "candidates"} })
		r.people.setFault(answers(401))
		r.pollDue(2)
		r.people.setFault(nil)
		r.later(a)
		running(t, r.newPoller())
		running(t, r.newPoller())
		waitFor(t, "both streams polled", func() bool {
			streams, err := r.streams.List(t.Context(), DefaultProject, StreamQuery{AccountID: a.ID, Limit: 10})
			return err == nil && streams[0].State == StreamOK && streams[1].State == StreamOK
		})
	})
}

// Who replaces credentials while the old ones are asked for again has the last word.
func TestCredentialsReplacedWhileAskedAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		r.people.setFault(answers(401))
		r.pollDue(1)
		r.later(a)
		claims, err := r.poller.claimDue(t.Context(), 1)
		if err != nil || len(claims) != 1 {
			t.Fatal(claims, err)
		}
		credentials := map[string]string{"employees_path": "/people", "records_path": "items", "paging": "page", "page_size": "10", "end": "has_more is false", "header_value": "Bearer token-two"}
		r.people.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
			if req.Header.Get("Authorization") == "Bearer token-two" {
				return false
			}
			r.people.setFault(nil)
			if _, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: credentials}); err != nil {
				t.Error(err)
			}
			return answers(401)(page, w, req)
		})
		if _, err := r.poller.poll(t.Context(), claims[0]); !errors.Is(err, errLeaseLost) {
			t.Errorf("%v", err)
		}
		if got := r.state(a); got.State != StateActive || got.StateReason != "" {
			t.Errorf("%+v", got)
		}
		r.pollDue(1)
		if s := r.stream(a); s.State != StreamOK {
			t.Errorf("%+v", s)
		}
	})
}

// A poll by hand asks, too, and ends the need for attention.
func TestPollByHandRecovers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		r.people.setFault(answers(401))
		r.poll(a)
		if got := r.poll(a); got.Complete || r.state(a).State != StateNeedsAttention {
			t.Errorf("%+v", got)
		}
		r.people.setFault(nil)
		if got := r.poll(a); !got.Complete || r.state(a).State != StateActive {
			t.Errorf("%+v %+v", got, r.state(a))
		}
	})
}

func TestRecheckGrowsAndNeverBeatsTheSchedule(t *testing.T) {
	for _, test := range []struct {
		before         int
		interval, want time.Duration
	}{
		{0, time.Minute, 15 * time.Minute}, {1, time.Minute, 30 * time.Minute}, {4, time.Minute, 4 * time.Hour}, {5, time.Minute, 6 * time.Hour}, {1000, time.Minute, 6 * time.Hour},
		{0, time.Hour, time.Hour}, {9, 24 * time.Hour, 24 * time.Hour},
	} {
		if got := recheck(test.before, test.interval); got != test.want {
			t.Errorf("after %d: %s, want %s", test.before, got, test.want)
		}
	}
}
