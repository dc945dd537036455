package poller

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// brokenAt answers one page with a status, the others as they are.
func brokenAt(broken, status int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(page int, w http.ResponseWriter, r *http.Request) bool {
		return page == broken && answers(status)(page, w, r)
	}
}

func TestFailureChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		r.people.remove("1")
		r.poll(a)
		before := r.stream(a)
		var seen int64
		r.people.remove("2")
		r.people.rename("3", "renamed")
		r.people.setFault(brokenAt(3, 503))
		for n := 1; n <= 3; n++ {
			got := r.poll(a)
			if got.Complete || got.Error == "" || got.Records+got.Created+got.Updated+got.Deleted+got.Suspected+got.Quarantined+got.Events != 0 {
				t.Fatalf("attempt %d: %+v", n, got)
			}
			s := r.stream(a)
			if s.State != StreamFailing || s.Failures != n || s.LastError != got.Error || s.Suspected != 1 || !s.LastCompleteAt.Equal(before.LastCompleteAt) {
				t.Fatalf("attempt %d: %+v", n, s)
			}
			wait := time.Until(s.NextPollAt)
			if nominal := firstRetry << (n - 1); wait < nominal/2 || wait > 2*nominal {
				t.Errorf("attempt %d: next in %s", n, wait)
			}
		}
		r.expect(a, &seen)
		r.people.setFault(nil)
		r.poll(a)
		r.expect(a, &seen, "deleted 1", "updated 3")
		if s := r.stream(a); s.Failures != 0 || s.LastError != "" || s.State != StreamOK {
			t.Errorf("%+v", s)
		}
		polls, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 3)
		if err != nil || len(polls) != 3 || !polls[0].Complete || polls[1].Complete || polls[1].Error == "" {
			t.Errorf("%+v %v", polls, err)
		}
	})
}

func TestFirstListingFailsHalfWay(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.people.setFault(brokenAt(2, 500))
		r.poll(a)
		if s := r.stream(a); s.State != StreamFailing || s.Records != 0 {
			t.Errorf("%+v", s)
		}
		r.people.setFault(nil)
		if got := r.poll(a); got.Records != 30 || got.Events != 0 {
			t.Errorf("what failed became part of the baseline: %+v", got)
		}
	})
}

func TestRefusedCredentialsStopTheAccount(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(func(n *NewAccount) { n.RecordTypes = []string{"employees", "candidates"} })
		r.poll(a)
		r.people.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
			return req.Header.Get("Authorization") != "Bearer token-two" && answers(401)(page, w, req)
		})
		requests := r.people.requested()
		if got := r.poll(a); got.Error == "" {
			t.Fatalf("%+v", got)
		}
		if n := r.people.requested() - requests; n != 1 {
			t.Errorf("refused credentials were tried %d times", n)
		}
		got, err := r.accounts.Get(t.Context(), DefaultProject, a.ID)
		if err != nil || got.State != StateNeedsAttention || !strings.Contains(got.StateReason, "401") {
			t.Fatalf("%+v %v", got, err)
		}
		if s := r.stream(a); s.State != StreamNeedsAttention {
			t.Errorf("%+v", s)
		}
		if err := r.streams.RequestPoll(t.Context(), DefaultProject, a.ID, "candidates"); err != nil {
			t.Fatal(err)
		}
		if claims, err := r.poller.claimDue(t.Context(), 10); err != nil || len(claims) != 0 {
			t.Errorf("streams of such an account are polled: %v %v", claims, err)
		}
		credentials := map[string]string{"employees_path": "/people", "candidates_path": "/people", "records_path": "items",
			"paging": "page", "page_size": "10", "end": "has_more is false", "header_value": "Bearer token-two"}
		got, err = r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: credentials})
		if err != nil || got.State != StateActive || got.StateReason != "" {
			t.Fatalf("%+v %v", got, err)
		}
		stop := running(t, r.poller)
		waitFor(t, "all streams of the account polled again", func() bool {
			streams, err := r.streams.List(t.Context(), DefaultProject, StreamQuery{AccountID: a.ID, Limit: 10})
			return err == nil && len(streams) == 2 && streams[0].State == StreamOK && streams[1].State == StreamOK
		})
		stop()
	})
}

func TestThrottlingSlowsAPoll(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		throttled := false
		r.people.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
			if page == 2 && !throttled {
				throttled = true
				return answers(429, "Retry-After", "1")(page, w, req)
			}
			return false
		})
		got := r.poll(a)
		if !got.Complete || got.Records != 30 || got.Requests != 7 || got.DurationMS < 900 {
			t.Errorf("%+v", got)
		}
		if s := r.stream(a); s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A silence longer than a poll waits outlives poll and process.
func TestLongSilenceIsKept(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		a := r.account(nil)
		r.poll(a)
		r.people.setFault(answers(429, "Retry-After", "7200"))
		if got := r.poll(a); got.Complete || got.Error == "" {
			t.Fatalf("%+v", got)
		}
		s := r.stream(a)
		if wait := time.Until(s.NextPollAt); s.Failures != 0 || wait < 119*time.Minute || wait > 121*time.Minute {
			t.Errorf("next in %s: %+v", wait, s)
		}
		account, err := r.accounts.Get(t.Context(), DefaultProject, a.ID)
		if wait := time.Until(account.BlockedUntil); err != nil || wait < 119*time.Minute || wait > 121*time.Minute || account.State != StateActive {
			t.Errorf("blocked for %s: %+v %v", wait, account, err)
		}
		requests := r.people.requested()
		if err := r.streams.RequestPoll(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		restarted := r.newPoller()
		if claims, err := restarted.claimDue(t.Context(), 10); err != nil || len(claims) != 0 {
			t.Errorf("a blocked account is polled: %v %v", claims, err)
		}
		if got, err := restarted.Poll(t.Context(), s.ID); err != nil || got.Complete {
			t.Errorf("%+v %v", got, err)
		}
		if n := r.people.requested() - requests; n != 0 {
			t.Errorf("the provider was asked %d times within its silence", n)
		}
	})
}

func TestBackoff(t *testing.T) {
	for range 200 {
		for n, nominal := range map[int]time.Duration{1: firstRetry, 2: 2 * firstRetry, 5: 16 * firstRetry, 8: time.Hour, 1000: time.Hour} {
			if got := backoff(n, time.Hour); got < nominal*3/4 || got > min(nominal*5/4, time.Hour) {
				t.Fatalf("after %d failures: %s", n, got)
			}
		}
		if got := backoff(1, 2*time.Second); got > 2*time.Second || got < time.Second {
			t.Fatalf("later than the interval of 2 s: %s", got)
		}
	}
}

func TestCrookedAnswerFails(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		r.poll(a)
		const secret = "marker-of-a-body"
		r.people.setFault(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"items":[{"id":"1","name":"` + secret + `",]}`))
			return true
		})
		got := r.poll(a)
		if got.Complete || got.Error == "" || strings.Contains(got.Error, secret) {
			t.Errorf("%+v", got)
		}
	})
}
