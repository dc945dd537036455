package providers_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
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

// A stream that asks for much doesn't keep the account's others waiting.
func TestBudgetIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connector(t, "limits: {concurrency: 1}\nstreams:\n"+
			"  employees:\n    request: {get: /people, query: {page: '${page.number}'}}\n    records: {id: id}\n    page: {kind: page, end: empty}\n"+
			"  candidates:\n    request: {get: '/jobs/${parent}'}\n    records: {id: id}\n    page: none\n    parent: {stream: job_postings}\n"+
			"  job_postings:\n    request: {get: /jobs}\n    records: {id: id}\n    page: none\n")
		var ids []string
		for i := range 200 {
			ids = append(ids, strconv.Itoa(i))
		}
		begun := time.Now()
		client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			switch {
			case r.URL.Path == "/jobs":
				reply(w, records(ids))
			case r.URL.Path == "/people" && query(r, "page", 0) < 5:
				reply(w, records([]string{r.URL.Query().Get("page")}))
			default:
				reply(w, records(nil))
			}
		}, func(_ *providers.Target, o *providers.Options) {
			o.Budget = providers.NewBudget(providers.Limits{Concurrency: 1})
		})
		var streams sync.WaitGroup
		streams.Go(func() { list(t.Context(), client, "candidates") })
		streams.Go(func() {
			time.Sleep(5 * time.Second)
			if got := list(t.Context(), client, "employees"); got.err != nil || len(got.ids) != 4 {
				t.Error(got.ids, got.err)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("5 pages of one stream took %s beside 200 requests of another", took)
			}
		})
		streams.Wait()
	})
}

// A day's quota is a day's, whatever happens to the process in between.
func TestQuotaSurvivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connector(t, "limits: {quota: [{requests: 3, per: 24h}, {requests: 100, per: 1h}]}\n"+employees(whole))
		budget := providers.NewBudget(c.Limits())
		ask := func() error {
			return list(t.Context(), open(t, c, answers(`{"data":[]}`), func(_ *providers.Target, o *providers.Options) { o.Budget = budget }), "employees").err
		}
		restart := func() {
			state, err := json.Marshal(budget.State())
			if err != nil {
				t.Fatal(err)
			}
			var back providers.BudgetState
			if err := json.Unmarshal(state, &back); err != nil {
				t.Fatal(err)
			}
			budget = providers.NewBudget(c.Limits())
			budget.Restore(back)
		}
		begun := time.Now()
		for range 3 {
			if err := ask(); err != nil {
				t.Fatal(err)
			}
			restart()
			time.Sleep(time.Hour)
		}
		e := wantKind(t, ask(), providers.Throttled, "silence until")
		if !e.RetryAt.Equal(begun.Add(24 * time.Hour)) {
			t.Errorf("the window ends %s", e.RetryAt)
		}
		time.Sleep(time.Until(e.RetryAt))
		if err := ask(); err != nil {
			t.Errorf("on the next day: %v", err)
		}
	})
}
