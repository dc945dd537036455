package poller

import (
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Whoever watches is told of every poll with its outcome, and of every wish for silence
// once.
func TestPollsAreReported(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		var reports []Report
		silences := 0
		r.config.OnPoll = func(p Report) {
			mu.Lock()
			defer mu.Unlock()
			reports = append(reports, p)
		}
		r.config.OnSilence = func(string) {
			mu.Lock()
			defer mu.Unlock()
			silences++
		}
		r.poller = r.newPoller()
		r.people.staff(12)
		a := r.account(nil)
		began := time.Now().Add(-time.Minute)
		r.poll(a)
		r.poll(a)
		r.people.rename("3", "another")
		r.poll(a)
		r.people.setFault(answers(http.StatusServiceUnavailable))
		r.poll(a)
		r.people.setFault(answers(http.StatusTooManyRequests, "Retry-After", "3600"))
		r.poll(a)
		want := []string{"baseline", "unchanged", "changed", "failed", "throttled"}
		for i, p := range reports {
			if p.Provider != "generic" || p.RecordType != "employees" || p.AccountID != a.ID || p.Outcome != want[i] || p.StartedAt.Before(began) || p.StartedAt.After(time.Now().Add(time.Minute)) {
				t.Errorf("report %d: %+v, want %s", i, p, want[i])
			}
		}
		if len(reports) != len(want) || reports[2].Updated != 1 || reports[1].Requests != 2 {
			t.Errorf("reports: %+v", reports)
		}
		if silences != 1 {
			t.Errorf("%d silences", silences)
		}
	})
}

func TestSums(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.people.staff(40)
		first, second := r.account(nil), r.account(nil)
		r.poll(first)
		r.people.remove("1", "2")
		r.poll(first) // two are suspected
		r.poll(second)
		paused := r.account(nil)
		if _, err := r.accounts.Pause(ctx, DefaultProject, paused.ID); err != nil {
			t.Fatal(err)
		}
		hour := time.Now().Add(-time.Hour).UTC()
		for _, statement := range []string{
			`UPDATE streams SET last_complete_at = $1 WHERE account_id = $2`,
			`UPDATE streams SET next_poll_at = $1 WHERE account_id = $2`,
		} {
			for _, id := range []string{second.ID, paused.ID} {
				if _, err := r.db.ExecContext(ctx, statement, hour, id); err != nil {
					t.Fatal(err)
				}
			}
		}
		sums, err := r.streams.Sums(ctx)
		if err != nil || len(sums) != 1 {
			t.Fatal(err, sums)
		}
		s := sums[0]
		if s.Provider != "generic" || s.RecordType != "employees" || !maps.Equal(s.States, map[string]int{"ok": 2, "paused": 1}) {
			t.Errorf("streams: %+v", s)
		}
		if s.Records != 76 || s.Largest != 38 || s.Suspected != 2 || s.Quarantined != 0 {
			t.Errorf("records: %+v", s)
		}
		about := func(what string, got, want time.Duration) {
			t.Helper()
			if (got - want).Abs() > 5*time.Minute {
				t.Errorf("%s is %s, want about %s", what, got, want)
			}
		}
		about("age", s.Age, time.Hour)
		about("delay", s.Delay, time.Hour)
		for _, statement := range []string{
			`UPDATE accounts SET blocked_until = $1 WHERE id = $2`,
			`UPDATE streams SET last_complete_at = NULL WHERE last_complete_at < $1 AND account_id = $2`,
		} {
			if _, err := r.db.ExecContext(ctx, statement, time.Now().Add(time.Hour).UTC(), second.ID); err != nil {
				t.Fatal(err)
			}
		}
		if sums, err = r.streams.Sums(ctx); err != nil || sums[0].States["new"] != 1 {
			t.Fatal(err, sums)
		}
		about("age of what was never listed", sums[0].Age, 0)
		about("delay while the provider wants silence", sums[0].Delay, 0)
		accounts, err := r.accounts.Sums(ctx)
		if err != nil || len(accounts) != 2 || accounts[0] != (AccountSum{"generic", "active", 2, 1}) || accounts[1] != (AccountSum{"generic", "paused", 1, 0}) {
			t.Errorf("accounts: %v %+v", err, accounts)
		}
	})
}
