package dashboard_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// each runs a test against a world on both databases.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	migrationstest.Each(t, func(t *testing.T, location string) { test(t, newWorld(t, location)) })
}

// expect checks what the visitor sees.
func (v *visitor) expect(status int, texts ...string) {
	v.t.Helper()
	if v.status != status {
		v.t.Errorf("answered %d, want %d:\n%s", v.status, status, v.body)
	}
	for _, text := range texts {
		if !strings.Contains(v.body, text) {
			v.t.Errorf("the page does not say %q:\n%s", text, v.body)
		}
	}
}

// Nobody sees a page without a login, and where they wanted to go is where they come to.
func TestLoginIsNeeded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := newVisitor(t, w.Rig)
		for _, path := range []string{"/", "/accounts", "/live", "/settings", "/webhooks/wh_1", "/events?event=*"} {
			v.get(path)
			v.expect(http.StatusOK, "<h1>Log in</h1>")
		}
		if !strings.Contains(v.body, `name="next" value="/events?event=*"`) {
			t.Errorf("forgot where to go:\n%s", v.body)
		}
		v.post("/login", url.Values{"key": {"a-wrong-key"}, "next": {"/settings"}})
		v.expect(http.StatusUnauthorized, "neither the admin key nor an API key", `value="/settings"`)
		if strings.Contains(v.body, "a-wrong-key") {
			t.Errorf("the key is shown again:\n%s", v.body)
		}
		v.post("/login", url.Values{"key": {servicetest.AdminKey}, "next": {"//example.com/"}})
		v.expect(http.StatusOK, "<h1>Overview</h1>")
		v.post("/logout", nil)
		v.get("/settings")
		v.expect(http.StatusOK, "<h1>Log in</h1>")
	})
}

// A session ends with its key, and a copy of its cookie with the log-out.
func TestSessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		key := post[api.APIKey](t, w, "/v1/projects/default/api-keys", api.NewAPIKey{Name: "short-lived"})
		v := newVisitor(t, w.Rig)
		v.login(key.Key)
		v.get("/accounts")
		v.expect(http.StatusOK, "<h1>Accounts</h1>")
		if err := w.Admin("").Do(t.Context(), http.MethodDelete, "/v1/projects/default/api-keys/"+key.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		v.get("/accounts")
		v.expect(http.StatusOK, "<h1>Log in</h1>")

		v.login(servicetest.AdminKey)
		at, err := url.Parse(w.URL())
		if err != nil {
			t.Fatal(err)
		}
		copied := v.client.Jar.Cookies(at)
		v.post("/logout", nil)
		thief := newVisitor(t, w.Rig)
		thief.client.Jar.SetCookies(at, copied)
		thief.get("/accounts")
		thief.expect(http.StatusOK, "<h1>Log in</h1>")
	})
}

// The key of a project opens that project alone, and what only the admin may do is
// neither offered nor done.
func TestProjectsAreApart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		post[api.Project](t, w, "/v1/projects", api.NewProject{ID: "other", Name: "Other"})
		key := post[api.APIKey](t, w, "/v1/projects/other/api-keys", api.NewAPIKey{Name: "theirs"}).Key
		account := w.quarantine(t)
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"*"}})
		event := w.events(t)[0].ID

		v := newVisitor(t, w.Rig)
		v.login(key)
		for _, path := range []string{"/accounts/" + account, "/accounts/" + account + "/streams/employees", "/webhooks/" + hook.ID, "/events/" + event} {
			v.get(path)
			v.expect(http.StatusNotFound)
		}
		for _, path := range []string{"/accounts/" + account + "/pause", "/accounts/" + account + "/streams/employees/approve", "/webhooks/" + hook.ID + "/disable", "/events/" + event + "/resend"} {
			v.post(path, nil)
			v.expect(http.StatusNotFound)
		}
		for _, path := range []string{"/", "/accounts", "/streams", "/webhooks", "/events", "/settings"} {
			v.get(path)
			v.expect(http.StatusOK)
			for _, theirs := range []string{account, hook.ID, event, "Globex", "Effective configuration", "Name of a new key"} {
				if strings.Contains(v.body, theirs) {
					t.Errorf("%s shows %q", path, theirs)
				}
			}
		}
		v.post("/project", url.Values{"project": {"default"}})
		v.expect(http.StatusForbidden)
		v.post("/settings/keys", url.Values{"name": {"another"}})
		v.expect(http.StatusForbidden)

		admin := newVisitor(t, w.Rig)
		admin.login(servicetest.AdminKey)
		admin.get("/accounts")
		admin.expect(http.StatusOK, "Globex")
		admin.post("/project", url.Values{"project": {"other"}})
		admin.get("/accounts")
		if admin.expect(http.StatusOK); strings.Contains(admin.body, "Globex") {
			t.Error("the admin looks at one project and sees another")
		}
	})
}

func (w *world) events(t testing.TB) []api.Event {
	t.Helper()
	page, err := client.Get[api.Page[api.Event]](t.Context(), w.Admin(""), "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// Another site can't make a browser change anything, and nothing changes on GET.
func TestRequestsOfOtherSites(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.connect(t, "Acme Ltd")
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		at, err := url.Parse(w.URL())
		if err != nil {
			t.Fatal(err)
		}
		var cookies []string
		for _, c := range v.client.Jar.Cookies(at) {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		cookie := "Cookie: " + strings.Join(cookies, "; ")
		for _, foreign := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://example.com"} {
			if a := w.Call("POST /accounts/"+account.ID+"/pause", "", "", cookie, foreign); a.Status != http.StatusForbidden {
				t.Errorf("%s: %d", foreign, a.Status)
			}
		}
		v.get("/accounts/" + account.ID + "/pause")
		v.expect(http.StatusNotFound)
		if state := w.account(t, account.ID).State; state != "active" {
			t.Errorf("the account is %s", state)
		}
		v.post("/accounts/"+account.ID+"/pause", nil)
		v.expect(http.StatusOK, "Paused: none of its streams is polled")
		if state := w.account(t, account.ID).State; state != "paused" {
			t.Errorf("the account is %s", state)
		}
	})
}

func (w *world) account(t testing.TB, id string) api.Account {
	t.Helper()
	a, err := client.Get[api.Account](t.Context(), w.Admin(""), "/v1/accounts/"+id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Who guesses keys is slowed down, and a good key does not help while they are.
func TestLoginsAreLimited(t *testing.T) {
	w := newWorld(t, migrationstest.SQLite(t))
	v := newVisitor(t, w.Rig)
	for range 10 {
		v.post("/login", url.Values{"key": {"a guess"}})
		v.expect(http.StatusUnauthorized)
	}
	v.post("/login", url.Values{"key": {servicetest.AdminKey}})
	v.expect(http.StatusTooManyRequests, "Too many tries")
	if v.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if log := w.Log.String(); strings.Contains(log, "a guess") || !strings.Contains(log, "login refused") {
		t.Error("the log holds a guessed key, or does not tell of refused logins")
	}
}

// Cookies can't be read by scripts or set by others; pages load nothing from elsewhere.
func TestHeaders(t *testing.T) {
	w := newWorld(t, migrationstest.SQLite(t))
	for _, c := range []struct {
		name, proto string
		secure      bool
	}{{"synthook=", "http", false}, {"__Host-synthook=", "https", true}} {
		form := url.Values{"key": {servicetest.AdminKey}}.Encode()
		noFollow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/login", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-Proto", c.proto)
		answer, err := noFollow.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		cookie := answer.Header.Get("Set-Cookie")
		wanted := []string{c.name, "HttpOnly", "SameSite=Lax", "Path=/"}
		if c.secure {
			wanted = append(wanted, "Secure")
		}
		for _, part := range wanted {
			if !strings.Contains(cookie, part) {
				t.Errorf("over %s: cookie %q lacks %s", c.proto, cookie, part)
			}
		}
	}
	a := w.Call("GET /login", "", "")
	policy := a.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("policy %q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", a.Header)
	}
	for _, inline := range []string{"<style", " style=", "onclick", "<script>"} {
		if strings.Contains(a.Body, inline) {
			t.Errorf("the page has %s", inline)
		}
	}
}

// Every change is in the audit log: who, what, on which, and by which way.
func TestChangesAreRemembered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		key := post[api.APIKey](t, w, "/v1/projects/default/api-keys", api.NewAPIKey{Name: "reader"})
		v := newVisitor(t, w.Rig)
		v.login(key.Key)
		v.post("/webhooks/new", url.Values{"url": {w.consumer.URL}, "events": {"hris_employees.created", "account.created"}, "from": {"now"}})
		v.expect(http.StatusOK, "Webhook added")
		changes, err := client.Get[api.Page[api.Change]](t.Context(), w.Admin(""), "/v1/audit")
		if err != nil {
			t.Fatal(err)
		}
		hooks, err := client.Get[api.Page[api.Webhook]](t.Context(), w.Admin(""), "/v1/webhooks")
		if err != nil || len(hooks.Items) != 1 || !slices.Equal(hooks.Items[0].Events, []string{"hris_employees.created", "account.created"}) {
			t.Fatalf("webhooks: %+v %v", hooks.Items, err)
		}
		who := "API key reader (" + key.Prefix + "…)"
		want := []api.Change{
			{Actor: who, Via: "dashboard", Action: "webhook created", Target: hooks.Items[0].ID},
			{Actor: who, Via: "dashboard", Action: "logged in"},
			{Actor: "admin key", Via: "api", Action: "api-key created", Target: "default " + key.ID},
		}
		for i, c := range changes.Items {
			changes.Items[i].At = want[0].At
			if c.At.IsZero() {
				t.Error("a change without a time")
			}
		}
		if !slices.Equal(changes.Items, want) {
			t.Errorf("audit log:\n%+v\nwant\n%+v", changes.Items, want)
		}
		v.post("/webhooks/"+hooks.Items[0].ID+"/test", nil)
		v.get("/webhooks/" + hooks.Items[0].ID + "/replay")
		if again, err := client.Get[api.Page[api.Change]](t.Context(), w.Admin(""), "/v1/audit"); err != nil || len(again.Items) != len(want) {
			t.Errorf("what changes nothing is in the audit log: %+v %v", again.Items, err)
		}
	})
}
