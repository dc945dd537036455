package metrics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/metrics"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

func send[T any](t *testing.T, r *servicetest.Rig, method, path string, body any) T {
	t.Helper()
	answer, err := client.Send[T](t.Context(), r.Admin(""), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// installation is a service at which everything has happened that is counted: polls of
// each kind, a wish for silence, deliveries, a refused one, a quarantine.
func installation(t *testing.T, location string) *servicetest.Rig {
	t.Helper()
	s := servicetest.Settings(location)
	s.MetricsListen = "127.0.0.1:0"
	r := servicetest.Start(t, s)
	var asked, delivered atomic.Int32
	provider := servicetest.NewProvider(t, map[string]string{"1": "Annabel Winterbottom", "2": "Bartholomew Quick"})
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		provider.ServeHTTP(w, request)
	}))
	t.Cleanup(busy.Close)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if delivered.Add(1) == 1 {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(endpoint.Close)
	send[api.Webhook](t, r, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: endpoint.URL, Events: []string{"*"}})
	n := provider.Account()
	n.BaseURL = busy.URL
	account := send[api.Account](t, r, http.MethodPost, "/v1/accounts", n)
	poll := func() {
		send[api.PollResult](t, r, http.MethodPost, "/v1/accounts/"+account.ID+"/streams/employees/poll?wait=true", nil)
	}
	servicetest.Eventually(t, "the baseline", func() bool {
		return send[api.Page[api.Stream]](t, r, http.MethodGet, "/v1/streams", nil).Items[0].LastCompleteAt != nil
	})
	provider.Set("3", "Cornelia Featherstone")
	poll()
	servicetest.Eventually(t, "the delivery", func() bool { return delivered.Load() >= 2 })
	provider.Clear()
	poll()
	return r
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("scraped %d %s: %v", answer.StatusCode, text, err)
	}
	return string(text)
}

// documentation names every metric as the code has it.
func documentation() *metrics.Metrics {
	return metrics.New(metrics.Options{State: func(context.Context) (metrics.State, error) { return metrics.State{}, nil }})
}

var metricName = regexp.MustCompile(`\bsynthook_[a-z0-9_]+`)

// What a live service shows is exactly what the documentation lists, its values are right,
// and the dashboard and the alert rules ask for nothing else.
func TestLiveScrape(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		r := installation(t, location)
		var text string
		servicetest.Eventually(t, "a scrape of everything", func() bool {
			text = scrape(t, "http://"+r.MetricsAddr()+"/metrics")
			return strings.Contains(text, `synthook_quarantined_records{provider="generic",record_type="employees"} 3`)
		})
		for _, line := range []string{
			`synthook_state_up 1`,
			`synthook_build_info{go_version="go`,
			`synthook_streams{provider="generic",record_type="employees",state="quarantined"} 1`,
			`synthook_accounts{provider="generic",state="active"} 1`,
			`synthook_webhooks{state="ok"} 1`,
			`synthook_webhook_backlog_events{webhook_id="wh_`,
			`synthook_polls_total{outcome="baseline",provider="generic",record_type="employees"} 1`,
			`synthook_polls_total{outcome="changed",provider="generic",record_type="employees"} 1`,
			`synthook_polls_total{outcome="quarantined",provider="generic",record_type="employees"}`,
			`synthook_poll_requests_total{provider="generic",record_type="employees"} `,
			`synthook_changes_total{action="created",provider="generic",record_type="employees"} 1`,
			`synthook_throttles_total{provider="generic"} 1`,
			`synthook_attempts_total{outcome="delivered"}`,
			`synthook_attempts_total{outcome="status_4xx"} 1`,
			`synthook_log_end 2`,
			`go_goroutines `,
			`process_open_fds `,
		} {
			if !strings.Contains(text, "\n"+line) {
				t.Errorf("the scrape lacks %s", line)
			}
		}
		for _, personal := range []string{"Annabel", "Winterbottom", "Cornelia", "hunter2", "127.0.0.1"} {
			if strings.Contains(text, personal) {
				t.Errorf("the scrape holds %q", personal)
			}
		}
		shown := map[string]bool{}
		for line := range strings.Lines(text) {
			if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
				name, _, _ = strings.Cut(name, " ")
				shown[name] = true
			}
		}
		listed := map[string]bool{}
		for _, m := range documentation().List() {
			if listed[m.Name] = true; !shown[m.Name] {
				t.Errorf("%s is listed and not shown", m.Name)
			}
		}
		for name := range shown {
			if strings.HasPrefix(name, "synthook_") && !listed[name] {
				t.Errorf("%s is shown and not listed", name)
			}
		}
		for _, file := range []string{"grafana-dashboard.json", "alerts.yaml"} {
			checkUse(t, file, shown)
		}
	})
}

// checkUse finds every metric that a file of deploy asks for in a scrape.
func checkUse(t *testing.T, file string, shown map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/" + file)
	if err != nil {
		t.Fatal(err)
	}
	names := metricName.FindAllString(string(text), -1)
	if len(names) < 10 {
		t.Errorf("%s asks for only %q", file, names)
	}
	for _, name := range names {
		whole := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !shown[name] && !shown[whole] {
			t.Errorf("%s asks for %s, which no scrape has", file, name)
		}
	}
}

func TestDashboardIsWellFormed(t *testing.T) {
	text, err := os.ReadFile("../../../../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	taken := map[string]string{}
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 || p.Targets[0].Expr == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: %+v", p.Title, p)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				place := fmt.Sprint(p.GridPos.X+x, p.GridPos.Y+y)
				if other, ok := taken[place]; ok {
					t.Fatalf("panels %q and %q overlap", p.Title, other)
				}
				taken[place] = p.Title
			}
		}
	}
	if len(dashboard.Panels) < 15 {
		t.Errorf("only %d panels", len(dashboard.Panels))
	}
}

func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := documentation().Markdown(); !strings.Contains(string(text), want) {
		t.Errorf("docs/metrics.md does not have the table\n%s", want)
	}
	alerts, err := os.ReadFile("../../../../deploy/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(alerts), -1) {
		if !strings.Contains(string(text), "`"+alert[1]+"`") {
			t.Errorf("docs/metrics.md does not explain the alert %s", alert[1])
		}
	}
}

// On the API's port the metrics are the admin's; on their own address there is nothing
// beside them.
func TestWhoMayScrape(t *testing.T) {
	s := servicetest.Settings(migrationstest.SQLite(t))
	s.MetricsListen = "127.0.0.1:0"
	r := servicetest.Start(t, s)
	key := send[api.APIKey](t, r, http.MethodPost, "/v1/projects/default/api-keys", api.NewAPIKey{Name: "test"}).Key
	for _, wrong := range []string{"", "wrong", key} {
		if a := r.Call("GET /metrics", wrong, ""); a.Status != http.StatusUnauthorized || strings.Contains(a.Body, "synthook_") || a.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("with the key %q: %d %s", wrong, a.Status, a.Body)
		}
	}
	if a := r.Call("GET /metrics", servicetest.AdminKey, ""); a.Status != http.StatusOK || !strings.Contains(a.Body, "synthook_state_up 1") {
		t.Errorf("with the admin key: %d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/", "/v1/accounts", "/openapi.json", "/debug/pprof/"} {
		answer, err := http.Get("http://" + r.MetricsAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s at the metrics' address: %d", path, answer.StatusCode)
		}
	}
	quiet := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	if quiet.MetricsAddr() != "" {
		t.Errorf("metrics are served at %s though nobody asked", quiet.MetricsAddr())
	}
	if a := r.Call("GET /readyz", "", ""); !strings.Contains(a.Body, `"name":"metrics","ok":true`) {
		t.Errorf("readiness does not know of the metrics: %s", a.Body)
	}
}
