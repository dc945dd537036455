package providers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
)

// onceThen answers once with a status and headers made at that moment, then well.
func onceThen(status int, headers func(now time.Time) map[string]string) http.HandlerFunc {
	done := false
	return func(w http.ResponseWriter, _ *http.Request) {
		if !done {
			done = true
			for name, value := range headers(time.Now()) {
				w.Header().Set(name, value)
			}
			if status != http.StatusOK {
				w.WriteHeader(status)
				return
			}
		}
		reply(w, object{"data": []object{{"id": 1}}})
	}
}

const limited = "errors: {throttle: [406]}\nlimits:\n  remaining: X-RateLimit-Remaining\n  reset: [X-Reset, X-RateLimit-Reset]\n"

// However a provider says how long it wants silence, a listing waits that long and goes on.
func TestThrottlingSlowsAListing(t *testing.T) {
	header := func(name, format string, value func(now time.Time) any) func(time.Time) map[string]string {
		return func(now time.Time) map[string]string { return map[string]string{name: fmt.Sprintf(format, value(now))} }
	}
	in := func(d time.Duration, layout string) func(time.Time) any {
		return func(now time.Time) any { return now.Add(d).UTC().Format(layout) }
	}
	nothing := func(time.Time) map[string]string { return nil }
	for name, test := range map[string]struct {
		status      int
		headers     func(time.Time) map[string]string
		least, most time.Duration
	}{
		"Retry-After in seconds":      {429, header("Retry-After", "%d", func(time.Time) any { return 7 }), 7 * time.Second, 7 * time.Second},
		"Retry-After with a fraction": {429, header("Retry-After", "%s", func(time.Time) any { return "0.5" }), 500 * time.Millisecond, 500 * time.Millisecond},
		"Retry-After as a date":       {429, header("Retry-After", "%s", in(9*time.Second, http.TimeFormat)), 8 * time.Second, 9 * time.Second},
		"Retry-After in the past":     {429, header("Retry-After", "%s", in(-time.Hour, http.TimeFormat)), 0, 0},
		"reset in epoch seconds":      {429, header("X-Rate-Limit-Reset", "%d", func(now time.Time) any { return now.Unix() + 12 }), 11 * time.Second, 12 * time.Second},
		"reset in epoch milliseconds": {429, header("X-Rate-Limit-Reset", "%d", func(now time.Time) any { return now.UnixMilli() + 12_000 }), 11 * time.Second, 12 * time.Second},
		"reset in seconds left":       {429, header("X-RateLimit-Reset", "%d", func(time.Time) any { return 30 }), 30 * time.Second, 30 * time.Second},
		"reset as a date with a zone": {429, header("X-RateLimit-Reset", "%s", func(now time.Time) any {
			return now.Add(20 * time.Second).In(time.FixedZone("", -7*3600)).Format("2006-01-02 15:04:05 -0700")
		}), 19 * time.Second, 20 * time.Second},
		"reset in a header of its own":       {429, header("X-Reset", "%d", func(time.Time) any { return 30 }), 30 * time.Second, 30 * time.Second},
		"reset as RFC 3339":                  {429, header("X-RateLimit-Reset", "%s", in(20*time.Second, time.RFC3339)), 19 * time.Second, 20 * time.Second},
		"nothing said":                       {429, nothing, 500 * time.Millisecond, time.Second},
		"nonsense said":                      {429, header("Retry-After", "%s", func(time.Time) any { return "soon" }), 500 * time.Millisecond, time.Second},
		"503 with Retry-After":               {503, header("Retry-After", "%d", func(time.Time) any { return 7 }), 7 * time.Second, 7 * time.Second},
		"406, which this one throttles with": {406, header("Retry-After", "%d", func(time.Time) any { return 7 }), 7 * time.Second, 7 * time.Second},
		"our clock is an hour behind": {429, func(now time.Time) map[string]string {
			return map[string]string{"Date": now.Add(time.Hour).UTC().Format(http.TimeFormat), "Retry-After": now.Add(time.Hour + 10*time.Second).UTC().Format(http.TimeFormat)}
		}, 10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := open(t, connector(t, limited+employees(whole)), onceThen(test.status, test.headers))
				begun := time.Now()
				got := list(t.Context(), client, "employees")
				if took := time.Since(begun); got.err != nil || got.requests != 2 || took < test.least || took > test.most {
					t.Fatalf("%d requests took %s, want %s to %s (%v)", got.requests, took, test.least, test.most, got.err)
				}
			})
		})
	}
}

// When nothing is left of the window, the next request waits for the next window.
func TestRemainingZeroBlocksTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connector(t, limited+employees(whole))
		var blocks []time.Time
		budget := providers.NewBudget(c.Limits())
		budget.OnBlock = func(until time.Time) { blocks = append(blocks, until) }
		client := open(t, c, onceThen(http.StatusOK, func(now time.Time) map[string]string {
			return map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "8"}
		}), func(_ *providers.Target, o *providers.Options) { o.Budget = budget })
		begun := time.Now()
		first := list(t.Context(), client, "employees")
		if took := time.Since(begun); first.err != nil || took != 0 {
			t.Fatalf("the first listing took %s: %v", took, first.err)
		}
		if len(blocks) != 1 || !budget.Blocked().Equal(begun.Add(8*time.Second)) {
			t.Fatalf("blocked at %v until %s", blocks, budget.Blocked())
		}
		second := list(t.Context(), client, "employees")
		if took := time.Since(begun); second.err != nil || took != 8*time.Second {
			t.Fatalf("the second listing began after %s: %v", took, second.err)
		}
	})
}

// A silence longer than the bound ends the listing at once and says until when.
func TestLongSilenceEndsTheListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		client := open(t, connector(t, employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		begun := time.Now()
		got := list(t.Context(), client, "employees")
		e := wantKind(t, got.err, providers.Throttled, "ask for silence until")
		if !e.RetryAt.Equal(begun.Add(time.Hour)) || e.Status != 429 || time.Since(begun) != 0 {
			t.Fatalf("retry at %s with %d after %s", e.RetryAt, e.Status, time.Since(begun))
		}
		// The account keeps the silence: other streams, however many, don't even ask.
		for range 10 {
			wantKind(t, list(t.Context(), client, "employees").err, providers.Throttled, "")
		}
		if requests != 1 {
			t.Errorf("%d requests", requests)
		}
	})
}

// A provider that throttles for ever is given up after the bound, however short each wait.
func TestEndlessThrottlingEnds(t *testing.T) {
	for name, header := range map[string]string{"with Retry-After": "1", "without": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := open(t, connector(t, employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(http.StatusTooManyRequests)
				}, func(_ *providers.Target, o *providers.Options) { o.MaxWait = 5 * time.Minute })
				begun := time.Now()
				got := list(t.Context(), client, "employees")
				wantKind(t, got.err, providers.Throttled, "")
				if took := time.Since(begun); took < 4*time.Minute || took > 5*time.Minute {
					t.Errorf("gave up after %s", took)
				}
			})
		})
	}
}

// A nonsense header can't silence an account for years.
func TestSilenceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := open(t, connector(t, employees(whole)), onceThen(429, func(time.Time) map[string]string {
			return map[string]string{"Retry-After": "99999999"}
		}))
		e := wantKind(t, list(t.Context(), client, "employees").err, providers.Throttled, "")
		if wait := time.Until(e.RetryAt); wait != 24*time.Hour {
			t.Errorf("silent for %s", wait)
		}
	})
}

// 503 is a limit only with Retry-After, or where the connector says so.
func TestFaultsAreTriedAgain(t *testing.T) {
	good := `{"data":[{"id":1}]}`
	for name, fault := range map[string]http.HandlerFunc{
		"500":               func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"503":               func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"cut JSON":          func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(good[:len(good)-3])) },
		"cut inside a text": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"data":[{"id":"a`)) },
		"nothing":           func(http.ResponseWriter, *http.Request) {},
		"cut body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(good))
			panic(http.ErrAbortHandler)
		},
		"cut chunked body": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(good))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"cut connection":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no answer in time": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		for _, times := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ×", times), func(t *testing.T) {
				n := 0
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n++; n <= times {
						fault(w, r)
						return
					}
					_, _ = w.Write([]byte(good))
				}))
				defer server.Close()
				client, err := connector(t, employees(whole)).Open(providers.Target{BaseURL: server.URL}, providers.Options{
					HTTP:    &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, // net/http itself retries a kept connection
					Backoff: []time.Duration{time.Millisecond, time.Millisecond}, Timeout: 200 * time.Millisecond,
				})
				if err != nil {
					t.Fatal(err)
				}
				got := list(t.Context(), client, "employees")
				if times < 3 {
					if got.err != nil || got.requests != times+1 {
						t.Fatalf("%d requests: %v", got.requests, got.err)
					}
				} else if wantKind(t, got.err, providers.Transient, ""); got.requests != 3 || got.pages != 0 {
					t.Fatalf("%d requests, %d pages", got.requests, got.pages)
				}
			})
		}
	}
}

func TestBackoffGrowsAndIsJittered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		client := open(t, connector(t, employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
			at = append(at, time.Now())
			w.WriteHeader(http.StatusBadGateway)
		}, func(_ *providers.Target, o *providers.Options) { o.Backoff = nil })
		wantKind(t, list(t.Context(), client, "employees").err, providers.Transient, "502")
		for i, want := range []time.Duration{500 * time.Millisecond, 2 * time.Second, 8 * time.Second} {
			if wait := at[i+1].Sub(at[i]); wait < want/2 || wait > want {
				t.Errorf("try %d came after %s, want %s to %s", i+2, wait, want/2, want)
			}
		}
		if len(at) != 4 {
			t.Errorf("%d tries", len(at))
		}
	})
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	client, err := connector(t, employees(whole)).Open(providers.Target{BaseURL: server.URL}, providers.Options{Backoff: []time.Duration{}})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, list(t.Context(), client, "employees").err, providers.Transient, "refuses connections")
}

func TestAnswerIsCapped(t *testing.T) {
	chunk := strings.Repeat(" ", 1<<20)
	client := open(t, connector(t, employees(whole)), nil, func(_ *providers.Target, o *providers.Options) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 80 {
				if _, err := w.Write([]byte(chunk)); err != nil {
					return
				}
			}
		}))
		t.Cleanup(server.Close)
		o.HTTP = server.Client()
		o.HTTP.Transport = via{server.URL, o.HTTP.Transport}
	})
	got := list(t.Context(), client, "employees")
	wantKind(t, got.err, providers.Protocol, "larger than 64 MiB")
}

// via sends every request to one server.
type via struct {
	url   string
	inner http.RoundTripper
}

func (v via) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(v.url, "http://")
	return v.inner.RoundTrip(r)
}

// The context ends a listing wherever it is: in a body, in a wait, between pages.
func TestContextEndsAListing(t *testing.T) {
	t.Run("slow body", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"data":[`))
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done()
		}))
		defer server.Close()
		client, err := connector(t, employees(whole)).Open(providers.Target{BaseURL: server.URL}, providers.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := list(ctx, client, "employees"); !errors.Is(got.err, context.Canceled) || got.requests > 1 {
			t.Errorf("%d requests: %v", got.requests, got.err)
		}
	})
	t.Run("waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			client := open(t, connector(t, employees(whole)), onceThen(429, func(time.Time) map[string]string {
				return map[string]string{"Retry-After": "60"}
			}))
			begun := time.Now()
			if got := list(ctx, client, "employees"); !errors.Is(got.err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
				t.Errorf("after %s: %v", time.Since(begun), got.err)
			}
		})
	})
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := list(ctx, open(t, connector(t, employees(whole)), answers(`{"data":[]}`)), "employees"); !errors.Is(got.err, context.Canceled) {
			t.Error(got.err)
		}
	})
}
