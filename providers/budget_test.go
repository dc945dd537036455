package providers_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
)

// Streams of one account share its rate and its places.
func TestBudgetIsSharedByStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connector(t, "limits: {requests: 10, per: 10s, burst: 4, concurrency: 2}\n"+employees(whole))
		var mu sync.Mutex
		var at []time.Time
		running, most := 0, 0
		handler := func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			at = append(at, time.Now())
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(300 * time.Millisecond)
			mu.Lock()
			running--
			mu.Unlock()
			reply(w, object{"data": []object{}})
		}
		budget := providers.NewBudget(c.Limits())
		var streams sync.WaitGroup
		for range 12 {
			client := open(t, c, handler, func(_ *providers.Target, o *providers.Options) { o.Budget = budget })
			streams.Go(func() {
				if got := list(t.Context(), client, "employees"); got.err != nil {
					t.Error(got.err)
				}
			})
		}
		streams.Wait()
		if most != 2 {
			t.Errorf("%d requests at a time, want 2", most)
		}
		slices.SortFunc(at, time.Time.Compare)
		for i := range at {
			within := 0
			for _, later := range at[i:] {
				if later.Sub(at[i]) < 5*time.Second {
					within++
				}
			}
			if within > 4+5 {
				t.Errorf("%d requests within 5 s: burst 4 and 1 a second are allowed", within)
			}
		}
		if took := at[len(at)-1].Sub(at[0]); took < 7*time.Second || took > 10*time.Second {
			t.Errorf("12 requests took %s", took)
		}
	})
}

// One stream's 429 silences the account's other streams too.
func TestBlockHoldsForAllStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := providers.NewBudget(providers.Limits{})
		until := time.Now().Add(40 * time.Second)
		budget.BlockUntil(until)
		budget.BlockUntil(until.Add(-30 * time.Second)) // an earlier end changes nothing
		client := open(t, connector(t, employees(whole)), answers(`{"data":[]}`), func(_ *providers.Target, o *providers.Options) { o.Budget = budget })
		var streams sync.WaitGroup
		for range 6 {
			streams.Go(func() {
				if got := list(t.Context(), client, "employees"); got.err != nil || time.Now().Before(until) {
					t.Errorf("listed %s early: %v", time.Until(until), got.err)
				}
			})
		}
		streams.Wait()
	})
}
