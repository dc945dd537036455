package providers_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/providers"
)

// memory is a provider without a network, so that time can be faked around it.
type memory struct{ http.Handler }

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	m.ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

const testHost = "http://provider.test"

// connector parses YAML that must be sound. A file that leaves out what is the same
// everywhere gets it here.
func connector(t *testing.T, yaml string) *providers.Connector {
	t.Helper()
	if !strings.Contains(yaml, "category:") {
		yaml = "name: test\ncategory: generic\nverified: invented\nbase_url: " + testHost + "\n" + yaml
	}
	if !strings.Contains(yaml, "\nauth:") {
		yaml += "\nauth: none\n"
	}
	c, problems := providers.Parse("test.yaml", []byte(yaml))
	for _, p := range problems {
		t.Error(p)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

// employees wraps the description of one list into a connector.
func employees(stream string) string {
	var b strings.Builder
	b.WriteString("streams:\n  employees:\n")
	for line := range strings.Lines(stream) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// open makes a client that talks to a handler in memory.
func open(t *testing.T, c *providers.Connector, handler http.HandlerFunc, options ...func(*providers.Target, *providers.Options)) *providers.Client {
	t.Helper()
	target := providers.Target{}
	o := providers.Options{HTTP: &http.Client{Transport: memory{handler}}, Backoff: []time.Duration{time.Millisecond, time.Millisecond}}
	for _, option := range options {
		option(&target, &o)
	}
	client, err := c.Open(target, o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func credentials(pairs ...string) func(*providers.Target, *providers.Options) {
	return func(target *providers.Target, _ *providers.Options) {
		target.Credentials = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			target.Credentials[pairs[i]] = pairs[i+1]
		}
	}
}

// listed is what came of a listing.
type listed struct {
	ids      []string
	raw      []string
	pages    int
	requests int
	err      error
}

func list(ctx context.Context, client *providers.Client, recordType string) listed {
	var l listed
	for page, err := range client.List(ctx, recordType, providers.ListOptions{}) {
		l.requests += page.Requests
		if err != nil {
			l.err = err
			continue
		}
		l.pages++
		for _, record := range page.Records {
			l.ids = append(l.ids, record.ID)
			l.raw = append(l.raw, string(record.Raw))
		}
	}
	return l
}

// wantKind checks that a listing failed in one way and for the reason that its text names.
func wantKind(t *testing.T, err error, kind providers.Kind, detail string) *providers.Error {
	t.Helper()
	e, ok := errors.AsType[*providers.Error](err)
	if !ok {
		t.Fatalf("got error %v, want one of kind %s", err, kind)
	}
	if e.Kind != kind || !strings.Contains(e.Error(), detail) {
		t.Fatalf("got %s error %q, want %s with %q", e.Kind, e, kind, detail)
	}
	return e
}

// answers replies with one body after the other, the last one for ever.
func answers(bodies ...string) http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(bodies[min(int(n.Add(1)), len(bodies))-1]))
	}
}

// decode reads a request's JSON.
func decode(t *testing.T, r *http.Request, to any) {
	t.Helper()
	if err := json.NewDecoder(r.Body).Decode(to); err != nil {
		t.Error(err)
	}
}

// jsonOf writes JSON in one way.
func jsonOf(t *testing.T, text string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(value)
	return string(again)
}

var someTime = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
