package service_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

func post[T any](t *testing.T, r *servicetest.Rig, path string, body any) T {
	t.Helper()
	answer, err := client.Send[T](t.Context(), r.Admin(""), http.MethodPost, path, body)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	return answer
}

// consumer starts a webhook's endpoint that tells of each event it got.
func consumer(t *testing.T) (url string, got <-chan string) {
	t.Helper()
	ids := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ids <- r.Header.Get("webhook-id") }))
	t.Cleanup(server.Close)
	return server.URL, ids
}

func ready(r *servicetest.Rig) bool { return r.Call("GET /readyz", "", "").Status == http.StatusOK }

// A database that goes away turns readiness red and requests into 503; when it is back,
// everything goes on by itself and nothing is lost.
func TestDatabaseGoesAwayAndComesBack(t *testing.T) {
	location := migrationstest.Postgres(t)
	r := servicetest.Start(t, servicetest.Settings(location))
	endpoint, got := consumer(t)
	post[api.Webhook](t, r, "/v1/webhooks", api.NewWebhook{URL: endpoint, Events: []string{"*"}})
	provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
	account := post[api.Account](t, r, "/v1/accounts", provider.Account())
	<-got // account.created
	poll := "/v1/accounts/" + account.ID + "/streams/employees/poll?wait=true"
	post[api.PollResult](t, r, poll, nil)
	servicetest.Eventually(t, "the service is ready", func() bool { return ready(r) })

	database := database(t, location)
	administer(t, "ALTER DATABASE "+database+" WITH ALLOW_CONNECTIONS false")
	administer(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
	servicetest.Eventually(t, "the service is not ready", func() bool { return !ready(r) })
	if a := r.Call("GET /readyz", "", ""); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, `"location":"database"`) {
		t.Errorf("readiness: %d %s", a.Status, a.Body)
	}
	if a := r.Call("GET /healthz", "", ""); a.Status != http.StatusOK {
		t.Errorf("health: %d", a.Status)
	}
	if a := r.Call("GET /v1/accounts", servicetest.AdminKey, ""); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "database") {
		t.Errorf("a request: %d %s", a.Status, a.Body)
	}
	provider.Set("2", "Bob")
	administer(t, "ALTER DATABASE "+database+" WITH ALLOW_CONNECTIONS true")
	servicetest.Eventually(t, "the service is ready again", func() bool { return ready(r) })
	if result := post[api.PollResult](t, r, poll, nil); result.Created != 1 {
		t.Errorf("polled: %+v", result)
	}
	select {
	case <-got:
	case <-time.After(2 * time.Minute):
		t.Error("the event was not delivered")
	}
}

func database(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// administer runs a statement on the test server, outside of the test's database.
func administer(t *testing.T, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), os.Getenv(migrationstest.Variable))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// The end does not wait for a provider: the poll is given up, its stream given back, and
// the next start polls it.
func TestEndDuringAPoll(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		asked, end := make(chan struct{}, 10), make(chan struct{})
		provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			select {
			case <-end:
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`[{"id":"1"}]`))
			case <-r.Context().Done():
			}
		}))
		defer provider.Close()
		s := servicetest.Settings(location)
		r := servicetest.Start(t, s)
		post[api.Account](t, r, "/v1/accounts", api.NewAccount{Provider: "generic", BaseURL: provider.URL, Credentials: map[string]string{"employees_path": "/", "paging": "none"}})
		<-asked
		began := time.Now()
		if err := r.End(); err != nil || time.Since(began) > s.ShutdownTimeout/2 {
			t.Errorf("ended after %s: %v", time.Since(began), err)
		}
		close(end)
		r = servicetest.Start(t, s)
		servicetest.Eventually(t, "the stream is polled by the next start", func() bool {
			return strings.Contains(r.Call("GET /v1/streams", servicetest.AdminKey, "").Body, `"state":"ok"`)
		})
	})
}

// Events and attempts go when they are old, but no event that a live webhook has not got.
func TestRetention(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		s := servicetest.Settings(location)
		r := servicetest.Start(t, s)
		provider := servicetest.NewProvider(t, nil)
		post[api.Account](t, r, "/v1/accounts", provider.Account())
		down := closedPort(t)
		webhook := post[api.Webhook](t, r, "/v1/webhooks", api.NewWebhook{URL: "http://" + down, Events: []string{"*"}})
		post[api.Account](t, r, "/v1/accounts", provider.Account())
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		s.EventRetention = time.Microsecond
		r = servicetest.Start(t, s)
		count := func(r *servicetest.Rig) int {
			var page api.Page[api.Event]
			r.Call("GET /v1/events", servicetest.AdminKey, "").Decode(t, &page)
			return len(page.Items)
		}
		servicetest.Eventually(t, "what nobody waits for is gone", func() bool { return count(r) == 1 })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := r.Admin("").Do(ctx, http.MethodDelete, "/v1/webhooks/"+webhook.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		r = servicetest.Start(t, s)
		servicetest.Eventually(t, "the rest is gone without its webhook", func() bool { return count(r) == 0 })
	})
}
