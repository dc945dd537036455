package trace_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/cmd/synthook/internal/trace"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/poller"
)

// collector takes OTLP as the specification has it.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	texts []string
	spans []received
	away  bool
}

type received struct {
	TraceID, SpanID, Name string
	StartTimeUnixNano     string
	EndTimeUnixNano       string
	Kind                  int
	Status                struct{ Code int }
	Attributes            []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
}

func (r received) get(key string) string {
	for _, a := range r.Attributes {
		if a.Key == key {
			return a.Value.StringValue + a.Value.IntValue
		}
	}
	return ""
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent struct {
			ResourceSpans []struct {
				Resource   struct{ Attributes []struct{ Key string } }
				ScopeSpans []struct{ Spans []received }
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &sent) != nil || sent.ResourceSpans[0].Resource.Attributes[0].Key != "service.name" {
			t.Errorf("%s %s: %s", r.URL.Path, r.Header.Get("Content-Type"), body)
		}
		c.texts = append(c.texts, string(body))
		for _, s := range sent.ResourceSpans[0].ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) named(name string) (found []received) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// A collector is told of polls and deliveries, with their outcomes and without a word
// of a record.
func TestPollsAndDeliveriesAreTraced(t *testing.T) {
	c := newCollector(t)
	s := servicetest.Settings(migrationstest.SQLite(t))
	s.OTLPEndpoint = c.URL + "/"
	r := servicetest.Start(t, s)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(endpoint.Close)
	post := func(path string, body any) (answer map[string]any) {
		t.Helper()
		answer, err := client.Send[map[string]any](t.Context(), r.Admin(""), http.MethodPost, path, body)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	webhook := post("/v1/webhooks", api.NewWebhook{URL: endpoint.URL, Events: []string{"*"}})["id"]
	provider := servicetest.NewProvider(t, map[string]string{"1": "Annabel Winterbottom"})
	account := post("/v1/accounts", provider.Account())["id"]
	servicetest.Eventually(t, "a poll and a refused delivery", func() bool {
		return len(c.named("poll employees")) >= 1 && len(c.named("deliver account.created")) >= 1
	})
	poll, attempt := c.named("poll employees")[0], c.named("deliver account.created")[0]
	if poll.get("synthook.account_id") != account || poll.get("synthook.outcome") != "baseline" || poll.get("synthook.records") != "1" || poll.Status.Code != 0 {
		t.Errorf("poll: %+v", poll)
	}
	if attempt.get("synthook.webhook_id") != webhook || attempt.get("http.response.status_code") != "400" || attempt.get("error.type") != "status" || attempt.Status.Code != 2 {
		t.Errorf("attempt: %+v", attempt)
	}
	for _, span := range []received{poll, attempt} {
		trace, err := hex.DecodeString(span.TraceID)
		start, startErr := strconv.ParseInt(span.StartTimeUnixNano, 10, 64)
		end, endErr := strconv.ParseInt(span.EndTimeUnixNano, 10, 64)
		if err != nil || startErr != nil || endErr != nil || len(trace) != 16 || len(span.SpanID) != 16 || end < start || time.Since(time.Unix(0, start)).Abs() > time.Hour || span.Kind != 3 {
			t.Errorf("span: %+v", span)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, word := range []string{"Annabel", "hunter2", "127.0.0.1"} {
		if strings.Contains(strings.Join(c.texts, ""), word) {
			t.Errorf("a trace holds %q", word)
		}
	}
}

// A collector that is away costs nothing but traces: nobody waits, the log says so once,
// and what was queued last comes when it is back. Attempts of one event are one trace.
func TestCollectorGoesAway(t *testing.T) {
	c := newCollector(t)
	c.away = true
	log := &servicetest.Log{}
	e := trace.New(c.URL, "1", zerolog.New(log))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for range 10_000 {
		e.Poll(poller.Report{RecordType: "employees"})
	}
	servicetest.Eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "answered 503") })
	c.mu.Lock()
	c.away = false
	c.mu.Unlock()
	servicetest.Eventually(t, "spans come", func() bool { return len(c.named("poll employees")) > 1000 })
	for range 2 {
		e.Attempt(dispatch.Report{EventUID: "evt_1", EventName: "account.created"})
	}
	cancel()
	running.Wait()
	attempts := c.named("deliver account.created")
	if len(attempts) != 2 || attempts[0].TraceID != attempts[1].TraceID || attempts[0].SpanID == attempts[1].SpanID {
		t.Errorf("at the end: %+v", attempts)
	}
	if n := strings.Count(log.String(), "not sent"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}
