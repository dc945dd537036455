package dashboard_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/providers/sample"
)

// world is a service, a sample company to poll, a provider that can lose everything, and
// a consumer.
type world struct {
	*servicetest.Rig
	company  *sample.Company
	sample   string // URL of the company in BambooHR's words
	key      string // that opens it
	provider *servicetest.Provider
	consumer *consumer
}

func newWorld(t testing.TB, location string) *world {
	t.Helper()
	w := &world{Rig: servicetest.Start(t, servicetest.Settings(location)), consumer: newConsumer(t)}
	w.company = sample.New(sample.Config{Seed: 7, Rest: -1})
	server := sample.NewServer(w.company, sample.BambooHR, sample.Options{PageSize: 15})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	base, stop, err := server.Start(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); cancel() })
	w.sample, w.key = base, server.Credentials().Key
	records := map[string]string{}
	for i := range 40 {
		records[fmt.Sprint(1000+i)] = "Person " + fmt.Sprint(i)
	}
	w.provider = servicetest.NewProvider(t, records)
	return w
}

func post[T any](t testing.TB, w *world, path string, body any) T {
	t.Helper()
	answer, err := client.Send[T](t.Context(), w.Admin(""), http.MethodPost, path, body)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	return answer
}

// quarantine makes an account whose records are all gone, and returns its id.
func (w *world) quarantine(t testing.TB) string {
	t.Helper()
	account := w.provider.Account()
	account.OriginOwnerName = "Globex"
	id := post[api.Account](t, w, "/v1/accounts", account).ID
	poll := "/v1/accounts/" + id + "/streams/employees/poll?wait=true"
	if r := post[api.PollResult](t, w, poll, nil); r.Records != 40 {
		t.Fatalf("first poll: %+v", r)
	}
	w.provider.Clear()
	if r := post[api.PollResult](t, w, poll, nil); r.Quarantined != 40 {
		t.Fatalf("second poll: %+v", r)
	}
	return id
}

// failing makes an account that only its id names, whose polls fail with a long error.
func (w *world) failing(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	account := w.provider.Account()
	account.BaseURL = server.URL
	account.Credentials["employees_path"] = "/" + strings.Repeat("tenant-of-umbrella-", 4)
	id := post[api.Account](t, w, "/v1/accounts?check=false", account).ID
	servicetest.Eventually(t, "its poll fails", func() bool {
		s, err := client.Get[api.Stream](t.Context(), w.Admin(""), "/v1/accounts/"+id+"/streams/employees")
		return err == nil && s.LastError != ""
	})
	return id
}

// connect makes an account of the sample company, polled once.
func (w *world) connect(t testing.TB, owner string) api.Account {
	t.Helper()
	account := post[api.Account](t, w, "/v1/accounts", api.NewAccount{
		Provider: "bamboohr", BaseURL: w.sample, Credentials: map[string]string{"api_key": w.key},
		OriginOwnerName: owner, OriginOwnerID: strings.ToLower(strings.ReplaceAll(owner, " ", "-")),
	})
	for _, recordType := range account.RecordTypes {
		post[api.PollResult](t, w, "/v1/accounts/"+account.ID+"/streams/"+recordType+"/poll?wait=true", nil)
	}
	return account
}

// uncheckedKey gives an account a key that nobody has tried.
func (w *world) uncheckedKey(t testing.TB, id, key string) {
	t.Helper()
	change := api.AccountUpdate{Credentials: map[string]string{"api_key": key}}
	if err := w.Admin("").Do(t.Context(), http.MethodPatch, "/v1/accounts/"+id+"?check=false", change, nil); err != nil {
		t.Fatal(err)
	}
}

// consumer takes webhooks.
type consumer struct {
	URL  string
	mu   sync.Mutex
	got  []received
	fail bool

	knows []string // secrets that it verifies with; nil: it takes anything
	says  string   // what it answers to what it refuses
}

// set changes what the consumer does.
func (c *consumer) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// received is one request.
type received struct {
	signature string
	body      []byte
}

func newConsumer(t testing.TB) *consumer {
	t.Helper()
	c := &consumer{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path == "/refuses" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if c.fail {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if signature := r.Header.Get("x-stackone-signature"); c.knows != nil && !slices.ContainsFunc(c.knows, func(s string) bool { return dispatch.Verify(s, body, signature) }) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, c.says)
		return
	}
	c.got = append(c.got, received{r.Header.Get("x-stackone-signature"), body})
	w.WriteHeader(http.StatusNoContent)
}

// received are the requests so far.
func (c *consumer) received() []received {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]received{}, c.got...)
}
