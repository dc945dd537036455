package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// each runs a test against a running service on both databases.
func each(t *testing.T, test func(t *testing.T, r *servicetest.Rig)) {
	t.Helper()
	migrationstest.Each(t, func(t *testing.T, location string) {
		test(t, servicetest.Start(t, servicetest.Settings(location)))
	})
}

// send calls a route that has to succeed.
func send[T any](t *testing.T, c *client.Client, method, path string, body any) T {
	t.Helper()
	answer, err := client.Send[T](t.Context(), c, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

func get[T any](t *testing.T, c *client.Client, path string) T {
	t.Helper()
	return send[T](t, c, http.MethodGet, path, nil)
}

func post[T any](t *testing.T, c *client.Client, path string, body any) T {
	t.Helper()
	return send[T](t, c, http.MethodPost, path, body)
}

// problem is an answer that refuses.
type problem struct {
	Status      int
	Type, Title string
	Detail      string
	Errors      []struct{ Location, Message string }
}

// refused checks the shape that every refusal has.
func refused(t *testing.T, a servicetest.Answer, status int) problem {
	t.Helper()
	var p problem
	if a.Status != status || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("answered %d %s: %s\nwant %d", a.Status, a.Header.Get("Content-Type"), a.Body, status)
	}
	a.Decode(t, &p)
	if p.Status != status || p.Title == "" || p.Detail == "" {
		t.Errorf("problem details lack something: %s", a.Body)
	}
	return p
}

// routes are all there are, and who may call them.
var routes = map[string]string{
	"GET /healthz": "anyone", "GET /readyz": "anyone",
	"GET /v1/providers": "project", "GET /v1/providers/{name}": "project",
	"GET /v1/projects": "admin", "POST /v1/projects": "admin", "GET /v1/projects/{id}": "admin", "POST /v1/projects/{id}/rotate-key": "admin",
	"GET /v1/projects/{id}/api-keys": "admin", "POST /v1/projects/{id}/api-keys": "admin", "DELETE /v1/projects/{id}/api-keys/{key_id}": "admin",
	"GET /v1/accounts": "project", "POST /v1/accounts": "project",
	"GET /v1/accounts/{account_id}": "project", "PATCH /v1/accounts/{account_id}": "project", "DELETE /v1/accounts/{account_id}": "project",
	"POST /v1/accounts/{account_id}/check": "project", "POST /v1/accounts/{account_id}/pause": "project", "POST /v1/accounts/{account_id}/resume": "project",
	"GET /v1/streams": "project",
	"GET /v1/accounts/{account_id}/streams/{record_type}": "project", "PATCH /v1/accounts/{account_id}/streams/{record_type}": "project",
	"POST /v1/accounts/{account_id}/streams/{record_type}/poll": "project", "GET /v1/accounts/{account_id}/streams/{record_type}/polls": "project",
	"POST /v1/accounts/{account_id}/streams/{record_type}/approve": "project", "POST /v1/accounts/{account_id}/streams/{record_type}/reject": "project",
	"POST /v1/accounts/{account_id}/streams/{record_type}/doctor": "project", "GET /v1/accounts/{account_id}/streams/{record_type}/volatile-fields": "project",
	"GET /v1/tune":      "project",
	"GET /v1/schedules": "project", "PUT /v1/schedules/{record_type}": "project",
	"GET /v1/webhooks": "project", "POST /v1/webhooks": "project",
	"GET /v1/webhooks/{webhook_id}": "project", "PATCH /v1/webhooks/{webhook_id}": "project", "DELETE /v1/webhooks/{webhook_id}": "project",
	"POST /v1/webhooks/{webhook_id}/enable": "project", "POST /v1/webhooks/{webhook_id}/disable": "project", "POST /v1/webhooks/{webhook_id}/test": "project",
	"POST /v1/webhooks/{webhook_id}/secrets": "project", "POST /v1/webhooks/{webhook_id}/secrets/activate": "project",
	"GET /v1/webhooks/{webhook_id}/secrets": "project", "POST /v1/webhooks/{webhook_id}/secrets/verify": "project", "POST /v1/webhooks/{webhook_id}/secrets/retire": "project", "GET /v1/webhooks/{webhook_id}/secret": "admin",
	"GET /v1/events": "project", "GET /v1/events/{id}": "project",
	"GET /v1/audit":   "project",
	"GET /v1/replays": "project", "POST /v1/replays": "project", "GET /v1/replays/{id}": "project", "DELETE /v1/replays/{id}": "project",
	"POST /v1/resyncs": "project", "POST /v1/reconciliations": "project", "POST /v1/reconciliations/{id}/ids": "project", "POST /v1/reconciliations/{id}/start": "project",
}

// The OpenAPI document describes exactly the routes there are, in JSON and in YAML, and
// needs no key.
func TestDocument(t *testing.T) {
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	answer := r.Call("GET /openapi.json", "", "")
	var document struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Security    []map[string][]string
		}
	}
	answer.Decode(t, &document)
	if !strings.HasPrefix(document.OpenAPI, "3.1") || document.Info.Version != "test" {
		t.Errorf("OpenAPI %s of version %s", document.OpenAPI, document.Info.Version)
	}
	described := map[string]bool{}
	ids := map[string]bool{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			name := strings.ToUpper(method) + " " + path
			access, ok := routes[name]
			if !ok {
				t.Errorf("%s is described and not expected", name)
			}
			if described[name] = true; (len(operation.Security) > 0) != (access != "anyone") || operation.Summary == "" || ids[operation.OperationID] {
				t.Errorf("%s: %+v", name, operation)
			}
			ids[operation.OperationID] = true
		}
	}
	for name := range routes {
		if !described[name] {
			t.Errorf("%s is not described", name)
		}
	}
	if yaml := r.Call("GET /openapi.yaml", "", ""); yaml.Status != http.StatusOK || !strings.Contains(yaml.Body, "/v1/accounts/{account_id}") {
		t.Errorf("YAML: %d", yaml.Status)
	}
}

// Nobody gets in without a key, nobody but the admin where the admin is needed, and every
// refusal has the same form.
func TestAccess(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		key := post[api.APIKey](t, r.Admin(""), "/v1/projects/default/api-keys", api.NewAPIKey{Name: "test"}).Key
		fill := strings.NewReplacer("{", "", "}", "").Replace
		for pattern, access := range routes {
			route := fill(pattern)
			switch access {
			case "anyone":
				if a := r.Call(route, "", ""); a.Status != http.StatusOK {
					t.Errorf("%s without a key: %d %s", route, a.Status, a.Body)
				}
				continue
			case "admin":
				refused(t, r.Call(route, key, ""), http.StatusForbidden)
			}
			if a := r.Call(route, "", ""); a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: no WWW-Authenticate", route)
			}
			refused(t, r.Call(route, "", ""), http.StatusUnauthorized)
			refused(t, r.Call(route, "shk_wrong", ""), http.StatusUnauthorized)
			refused(t, r.Call(route, "", "", "Authorization: Basic "+key), http.StatusUnauthorized)
		}
		refused(t, r.Call("GET /v1/accounts", key, "", "X-Project-Id: other"), http.StatusForbidden)
		refused(t, r.Call("GET /v1/accounts", servicetest.AdminKey, "", "X-Project-Id: nowhere"), http.StatusNotFound)
		if a := r.Call("GET /v1/accounts", key, "", "X-Project-Id: default"); a.Status != http.StatusOK {
			t.Errorf("a project's key that names its project: %d", a.Status)
		}
		keys := get[api.Page[api.APIKey]](t, r.Admin(""), "/v1/projects/default/api-keys")
		if len(keys.Items) != 1 || keys.Items[0].Key != "" || !strings.HasPrefix(key, keys.Items[0].Prefix) {
			t.Errorf("listed keys: %+v", keys.Items)
		}
		send[any](t, r.Admin(""), http.MethodDelete, "/v1/projects/default/api-keys/"+keys.Items[0].ID, nil)
		refused(t, r.Call("GET /v1/accounts", key, ""), http.StatusUnauthorized)
	})
}

func TestNoSuchRoute(t *testing.T) {
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	refused(t, r.Call("GET /v1/nothing", servicetest.AdminKey, ""), http.StatusNotFound)
	a := r.Call("DELETE /v1/projects", servicetest.AdminKey, "")
	refused(t, a, http.StatusMethodNotAllowed)
	if allow := a.Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
		t.Errorf("Allow: %q", allow)
	}
	if a := r.Call("GET /", "", ""); a.Status != http.StatusOK || !strings.Contains(a.Body, "/openapi.json") {
		t.Errorf("the front door: %d %s", a.Status, a.Body)
	}
	if a := r.Call("GET /healthz", "", ""); a.Header.Get("X-Request-Id") == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", a.Header)
	}
}

// What is wrong with a request is told with its place, without what was sent.
func TestInvalidRequests(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
		account := post[api.Account](t, r.Admin(""), "/v1/accounts", provider.Account())
		stream := "/v1/accounts/" + account.ID + "/streams/employees"
		for _, c := range []struct {
			route, body       string
			status            int
			location, message string
		}{
			{"POST /v1/webhooks", `{"url":"ftp://example.com","events":["*"]}`, 422, "body.url", "http"},
			{"POST /v1/webhooks", `{"url":"http://169.254.169.254/","events":["*"]}`, 422, "body.url", "refused because the address 169.254.169.254"},
			{"POST /v1/webhooks", `{"url":"http://127.0.0.1/","events":["hris_employes.created"]}`, 422, "body.events", `did you mean "hris_employees.created"?`},
			{"POST /v1/webhooks", `{"url":"http://127.0.0.1/","events":[]}`, 422, "body.events", ""},
			{"POST /v1/webhooks", `{"events":["*"]}`, 422, "body", "url"},
			{"POST /v1/webhooks", `{"url":"http://127.0.0.1/","events":["*"],"colour":"red"}`, 422, "body.colour", ""},
			{"POST /v1/webhooks", `{"url":`, 400, "body", ""},
			{"POST /v1/webhooks", ``, 400, "", ""},
			{"POST /v1/accounts", `{"provider":"bambohr"}`, 422, "body.provider", `did you mean "bamboohr"?`},
			{"POST /v1/accounts", `{"provider":"bamboohr","credentials":{"company":"acme","api_kye":"hunter2hunter2"}}`, 422, "body.credentials", "api_key"},
			{"POST /v1/accounts", `{"provider":"generic","base_url":"http://metadata","credentials":"hunter2hunter2"}`, 422, "body.credentials", ""},
			{"POST /v1/accounts", `{"provider":"generic","base_url":"http://10.0.0.1.nip","credentials":{"employees_path":"/x","paging":"none"},"schedule":"every day"}`, 422, "", ""},
			{"PATCH /v1/accounts/" + account.ID, `{"schedule":"1ms"}`, 422, "body.schedule", "1s"},
			{"PATCH /v1/accounts/" + account.ID, `{"base_url":"http://169.254.169.254/"}`, 422, "body.base_url", "refused because"},
			{"PATCH " + stream, `{"schedule":"0 0 31 2 *"}`, 422, "body.schedule", "no such date"},
			{"PATCH " + stream, `{"baseline":"loud"}`, 422, "body.baseline", ""},
			{"POST " + stream + "/approve", ``, 409, "", ""},
			{"POST " + stream + "/reject", ``, 409, "", ""},
			{"PUT /v1/schedules/employees", `{"schedule":"61 * * * *"}`, 422, "body.schedule", ""},
			{"PUT /v1/schedules/employees", `{"record_type":"candidates","schedule":"1h"}`, 422, "body.record_type", "differs"},
			{"GET /v1/accounts?limit=1001", ``, 422, "query.limit", ""},
			{"GET /v1/accounts?limti=5", ``, 422, "query.limti", "unknown"},
			{"GET /v1/streams?cursor=x", ``, 422, "query.cursor", ""},
			{"GET /v1/events?wait=soon&order=asc", ``, 422, "query.wait", "30s"},
			{"GET /v1/events?wait=1s", ``, 422, "query.wait", "order=asc"},
			{"GET /v1/events?since=yesterday", ``, 422, "query.since", ""},
			{"GET /v1/events?event=hris_employes.created", ``, 422, "query.event", `did you mean "hris_employees.created"?`},
			{"POST /v1/replays", `{"events":["nothing.created"]}`, 422, "body.events", ""},
			{"POST /v1/replays", `{"event_id":"evt_nothing"}`, 422, "body.event_id", "no such event"},
			{"POST /v1/replays", `{"webhook_id":"wh_nothing"}`, 404, "", ""},
			{"POST /v1/projects", `{"name":""}`, 422, "body.name", ""},
			{"POST /v1/projects", `{"id":"default","name":"again"}`, 422, "body.id", "exists"},
			{"POST /v1/webhooks", `{"url":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "", ""},
			{"GET /v1/accounts/nobody", ``, 404, "", ""},
			{"GET /v1/accounts/" + account.ID + "/streams/candidates", ``, 404, "", ""},
			{"GET /v1/webhooks/nobody", ``, 404, "", ""},
			{"GET /v1/events/evt_nothing", ``, 404, "", ""},
			{"GET /v1/providers/bambohr", ``, 404, "", ""},
			{"DELETE /v1/replays/rp_nothing", ``, 404, "", ""},
			{"GET /v1/projects/nowhere", ``, 404, "", ""},
			{"POST /v1/projects/nowhere/api-keys", `{"name":"k"}`, 404, "", ""},
		} {
			a := r.Call(c.route, servicetest.AdminKey, c.body)
			p := refused(t, a, c.status)
			if strings.Contains(a.Body, "hunter2hunter2") {
				t.Errorf("%s: the answer repeats a credential: %s", c.route, a.Body)
			}
			found := c.location == "" && c.message == ""
			for _, e := range p.Errors {
				found = found || strings.HasPrefix(e.Location, c.location) && strings.Contains(e.Message, c.message)
			}
			if !found {
				t.Errorf("%s %.100s\nanswered %s\nwant %s: %s", c.route, c.body, a.Body, c.location, c.message)
			}
		}
		if strings.Contains(r.Log.String(), "request failed") || strings.Contains(r.Log.String(), "hunter2hunter2") {
			t.Error("the log has what it should not have")
		}
	})
}

// One project sees and changes nothing of another.
func TestProjectsAreApart(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		keys := map[string]string{}
		for _, id := range []string{"acme", "globex"} {
			post[api.Project](t, r.Admin(""), "/v1/projects", api.NewProject{ID: id, Name: id})
			keys[id] = post[api.APIKey](t, r.Admin(""), "/v1/projects/"+id+"/api-keys", api.NewAPIKey{Name: "test"}).Key
		}
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
		acme := client.New(r.URL(), keys["acme"], "")
		account := post[api.Account](t, acme, "/v1/accounts", provider.Account())
		webhook := post[api.Webhook](t, acme, "/v1/webhooks", api.NewWebhook{URL: provider.URL, Events: []string{"*"}, From: "start"})
		event := get[api.Page[api.Event]](t, acme, "/v1/events").Items[0]
		replay := post[api.ReplayResult](t, acme, "/v1/replays", api.NewReplay{WebhookID: webhook.ID}).Replays[0]
		send[any](t, acme, http.MethodPut, "/v1/schedules/employees", map[string]string{"schedule": "2h"})

		stream := "/v1/accounts/" + account.ID + "/streams/employees"
		for _, route := range []string{
			"GET /v1/accounts/" + account.ID, "PATCH /v1/accounts/" + account.ID + " {}", "DELETE /v1/accounts/" + account.ID,
			"POST /v1/accounts/" + account.ID + "/pause", "POST /v1/accounts/" + account.ID + "/resume",
			"GET " + stream, "PATCH " + stream + " {}", "POST " + stream + "/poll", "POST " + stream + "/poll?wait=true", "GET " + stream + "/polls",
			"POST " + stream + "/approve", "POST " + stream + "/reject",
			"GET /v1/webhooks/" + webhook.ID, "PATCH /v1/webhooks/" + webhook.ID + " {}", "DELETE /v1/webhooks/" + webhook.ID,
			"POST /v1/webhooks/" + webhook.ID + "/enable", "POST /v1/webhooks/" + webhook.ID + "/disable", "POST /v1/webhooks/" + webhook.ID + "/test",
			"POST /v1/webhooks/" + webhook.ID + "/secrets {}", "POST /v1/webhooks/" + webhook.ID + "/secrets/activate",
			"GET /v1/events/" + event.ID, "DELETE /v1/replays/" + replay.ID,
			`POST /v1/replays {"webhook_id":"` + webhook.ID + `"}`,
		} {
			method, rest, _ := strings.Cut(route, " ")
			path, body, _ := strings.Cut(rest, " ")
			refused(t, r.Call(method+" "+path, keys["globex"], body), http.StatusNotFound)
		}
		refused(t, r.Call("POST /v1/replays", keys["globex"], `{"event_id":"`+event.ID+`"}`), http.StatusUnprocessableEntity)
		refused(t, r.Call("GET /v1/webhooks/"+webhook.ID+"/secret", servicetest.AdminKey, "", "X-Project-Id: globex"), http.StatusNotFound)
		for _, path := range []string{"/v1/accounts", "/v1/streams", "/v1/streams?account_id=" + account.ID, "/v1/webhooks", "/v1/events", "/v1/events?account_id=" + account.ID, "/v1/replays", "/v1/schedules"} {
			if a := r.Call("GET "+path, keys["globex"], ""); a.Body != `{"items":[]}`+"\n" {
				t.Errorf("GET %s shows another project's: %s", path, a.Body)
			}
			var page api.Page[json.RawMessage]
			if r.Call("GET "+path, keys["acme"], "").Decode(t, &page); len(page.Items) == 0 {
				t.Errorf("GET %s is empty for its own project", path)
			}
		}
		if got := get[api.Account](t, acme, "/v1/accounts/"+account.ID); got.State != "active" {
			t.Errorf("the account is %s", got.State)
		}
	})
}
