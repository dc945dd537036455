package contract

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// A whole story, told by the real client to the real service through a proxy that
// refuses whatever the document does not describe, in requests and in answers. It leaves
// no operation out.
func TestConformance(t *testing.T) {
	t.Parallel()
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	p := startPrism(t, r)
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(endpoint.Close)

	tenants(p)
	webhook := subscribe(p, endpoint.URL)
	account, provider := connect(p)
	pollAndDecide(p, account, provider)
	readEvents(p)
	replay(p, webhook)
	resync(p, webhook, account, provider)
	conditions(p, account, endpoint.URL)
	leave(p, account, webhook)

	all := operations(t, r)
	served(t, r, all)
	for operation, called := range all {
		if !called {
			t.Errorf("%s was not tried: add it to the story", operation)
		}
	}
}

func tenants(p *proxy) {
	ask[api.Health](p, http.MethodGet, "/healthz", nil)
	servicetest.Eventually(p.t, "the service is ready", func() bool { return p.rig.Call("GET /readyz", "", "").Status == http.StatusOK })
	ask[api.Health](p, http.MethodGet, "/readyz", nil)
	list[api.Provider](p, "/v1/providers")
	ask[api.Provider](p, http.MethodGet, "/v1/providers/bamboohr", nil)
	project := ask[api.Project](p, http.MethodPost, "/v1/projects", api.NewProject{ID: "acme", Name: "Acme"})
	ask[api.Project](p, http.MethodGet, "/v1/projects/"+project.ID, nil)
	list[api.Project](p, "/v1/projects")
	ask[api.KeyRotation](p, http.MethodPost, "/v1/projects/"+project.ID+"/rotate-key", nil)
	key := ask[api.APIKey](p, http.MethodPost, "/v1/projects/acme/api-keys", api.NewAPIKey{Name: "backend"})
	list[api.APIKey](p, "/v1/projects/acme/api-keys")
	ask[any](p, http.MethodDelete, "/v1/projects/acme/api-keys/"+key.ID, nil)
	p.call(http.StatusNotFound, http.MethodDelete, "/v1/projects/acme/api-keys/"+key.ID, nil)
	p.call(http.StatusUnauthorized, http.MethodGet, "/v1/accounts", nil, "Authorization: Bearer wrong")
}

func subscribe(p *proxy, url string) api.Webhook {
	webhook := ask[api.Webhook](p, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: url, Events: []string{"*"}})
	path := "/v1/webhooks/" + webhook.ID
	ask[api.Webhook](p, http.MethodGet, path, nil)
	list[api.Webhook](p, "/v1/webhooks")
	events := []string{"hris_employees.*", "account.*"}
	ask[api.Webhook](p, http.MethodPatch, path, api.WebhookUpdate{Events: &events})
	ask[api.WebhookTest](p, http.MethodPost, path+"/test", nil)
	ask[api.Webhook](p, http.MethodPost, path+"/secrets", api.SecretRotation{})
	list[api.WebhookSecret](p, path+"/secrets")
	ask[api.SecretVerification](p, http.MethodPost, path+"/secrets/verify", nil)
	ask[api.Webhook](p, http.MethodPost, path+"/secrets/activate", api.SecretActivation{Overlap: "1h"})
	ask[api.Webhook](p, http.MethodPost, path+"/secrets/retire", nil)
	ask[api.Webhook](p, http.MethodGet, path+"/secret", nil)
	ask[api.Webhook](p, http.MethodPost, path+"/disable", nil)
	ask[api.Webhook](p, http.MethodPost, path+"/enable", nil)
	p.call(http.StatusUnprocessableEntity, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: "ftp://example.com", Events: []string{"*"}})
	p.call(http.StatusUnprocessableEntity, http.MethodPost, path+"/secrets/activate", api.SecretActivation{})
	p.call(http.StatusNotFound, http.MethodGet, "/v1/webhooks/nobody", nil)
	return webhook
}

func connect(p *proxy) (api.Account, *servicetest.Provider) {
	provider := servicetest.NewProvider(p.t, map[string]string{"1": "Ann", "2": "Bob"})
	n := provider.Account()
	n.OriginOwnerID, n.OriginOwnerName, n.SetupInformation = "customer-17", "Acme", map[string]string{"region": "eu"}
	account := ask[api.Account](p, http.MethodPost, "/v1/accounts", n)
	path := "/v1/accounts/" + account.ID
	ask[api.Account](p, http.MethodGet, path, nil)
	list[api.Account](p, "/v1/accounts")
	name := "Acme Corporation"
	ask[api.Account](p, http.MethodPatch, path, api.AccountUpdate{OriginOwnerName: &name})
	if found := ask[api.AccountCheck](p, http.MethodPost, path+"/check", nil); !found.OK || found.State != "active" {
		p.t.Errorf("checked: %+v", found)
	}
	ask[api.Account](p, http.MethodPost, path+"/pause", nil)
	ask[api.Account](p, http.MethodPost, path+"/resume", nil)
	p.call(http.StatusUnprocessableEntity, http.MethodPost, "/v1/accounts", api.NewAccount{Provider: "bambohr"})
	n.Credentials["records_path"] = "nowhere"
	p.call(http.StatusUnprocessableEntity, http.MethodPost, "/v1/accounts", n)
	unchecked := ask[api.Account](p, http.MethodPost, "/v1/accounts?check=false", n)
	ask[any](p, http.MethodDelete, "/v1/accounts/"+unchecked.ID, nil)
	p.call(http.StatusNotFound, http.MethodGet, "/v1/accounts/nobody", nil)
	return account, provider
}

func pollAndDecide(p *proxy, account api.Account, provider *servicetest.Provider) {
	stream := "/v1/accounts/" + account.ID + "/streams/employees"
	poll := func() api.PollResult { return ask[api.PollResult](p, http.MethodPost, stream+"/poll?wait=true", nil) }
	poll()
	provider.Set("3", "Cleo")
	if found := poll(); found.Created != 1 {
		p.t.Errorf("polled: %+v", found)
	}
	list[api.Stream](p, "/v1/streams")
	ask[api.Page[api.Stream]](p, http.MethodGet, "/v1/streams?account_id="+account.ID, nil)
	list[api.Poll](p, stream+"/polls")
	schedule, percent := "2h", 20
	ask[api.Stream](p, http.MethodPatch, stream, api.StreamUpdate{Schedule: &schedule, QuarantineThreshold: &percent})
	ask[api.Diagnosis](p, http.MethodPost, stream+"/doctor", nil)
	ask[api.Page[api.VolatileField]](p, http.MethodGet, stream+"/volatile-fields?limit=10", nil)
	ask[api.RecordTypeSchedule](p, http.MethodPut, "/v1/schedules/employees", api.RecordTypeSchedule{RecordType: "employees", Schedule: "3h"})
	list[api.RecordTypeSchedule](p, "/v1/schedules")
	ask[api.Tuning](p, http.MethodGet, "/v1/tune?budget=100%2Fh&per_stream=true", nil)
	p.call(http.StatusUnprocessableEntity, http.MethodGet, "/v1/tune?budget=much", nil)
	p.call(http.StatusConflict, http.MethodPost, stream+"/approve", nil)
	provider.Clear()
	poll()
	if s := ask[api.Stream](p, http.MethodGet, stream, nil); s.Quarantine == nil {
		p.t.Errorf("not quarantined: %+v", s)
	}
	ask[api.Stream](p, http.MethodPost, stream+"/reject", nil)
	poll()
	ask[api.Stream](p, http.MethodPost, stream+"/approve", nil)
	p.call(http.StatusAccepted, http.MethodPost, stream+"/poll", nil)
	p.call(http.StatusNotFound, http.MethodGet, "/v1/accounts/"+account.ID+"/streams/candidates", nil)
	servicetest.Eventually(p.t, "what was approved is deleted", func() bool {
		return len(ask[api.Page[api.Event]](p, http.MethodGet, "/v1/events?event=hris_employees.deleted", nil).Items) == 3
	})
}

func readEvents(p *proxy) {
	events := list[api.Event](p, "/v1/events")
	ask[api.Page[api.Event]](p, http.MethodGet, "/v1/events?order=asc&event=hris_employees.created&event=account.*", nil)
	since := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	ask[api.Page[api.Event]](p, http.MethodGet, "/v1/events?record_type=employees&since="+since+"&order=asc&wait=1s", nil)
	servicetest.Eventually(p.t, "a delivery with its attempt", func() bool {
		shown := ask[api.Event](p, http.MethodGet, "/v1/events/"+events[0].ID, nil)
		return len(shown.Deliveries) == 1 && len(shown.Deliveries[0].Attempts) == 1
	})
	p.call(http.StatusNotFound, http.MethodGet, "/v1/events/evt_nothing", nil)
}

func replay(p *proxy, webhook api.Webhook) {
	counted := ask[api.ReplayResult](p, http.MethodPost, "/v1/replays", api.NewReplay{WebhookID: webhook.ID, DryRun: true})
	made := ask[api.ReplayResult](p, http.MethodPost, "/v1/replays", api.NewReplay{WebhookID: webhook.ID, Events: []string{"hris_employees.*"}})
	if counted.Events == 0 || len(made.Replays) != 1 {
		p.t.Fatalf("replays: %+v, %+v", counted, made)
	}
	list[api.Replay](p, "/v1/replays")
	ask[api.Replay](p, http.MethodGet, "/v1/replays/"+made.Replays[0].ID, nil)
	ask[api.Replay](p, http.MethodDelete, "/v1/replays/"+made.Replays[0].ID, nil)
	p.call(http.StatusNotFound, http.MethodPost, "/v1/replays", api.NewReplay{WebhookID: "nobody"})
	p.call(http.StatusNotFound, http.MethodDelete, "/v1/replays/nobody", nil)
}

func resync(p *proxy, webhook api.Webhook, account api.Account, provider *servicetest.Provider) {
	provider.Set("9", "Dora")
	ask[api.PollResult](p, http.MethodPost, "/v1/accounts/"+account.ID+"/streams/employees/poll?wait=true", nil)
	sent := ask[api.ReplayResult](p, http.MethodPost, "/v1/resyncs", api.NewResync{WebhookID: webhook.ID, RecordType: "employees"})
	if len(sent.Replays) != 1 {
		p.t.Errorf("resync: %+v", sent)
	}
	p.call(http.StatusNotFound, http.MethodPost, "/v1/resyncs", api.NewResync{WebhookID: webhook.ID, RecordType: "candidates"})
	begun := ask[api.Replay](p, http.MethodPost, "/v1/reconciliations", api.NewReconciliation{WebhookID: webhook.ID, AccountID: account.ID, RecordType: "employees"})
	path := "/v1/reconciliations/" + begun.ID
	p.send(http.StatusOK, http.MethodPost, path+"/ids", "text/plain", strings.NewReader("8\n9\n"))
	found := ask[api.Reconciliation](p, http.MethodPost, path+"/start", api.ReconciliationStart{DryRun: true})
	if found.Deleted != 1 || found.Created != 0 {
		p.t.Errorf("reconciled: %+v", found)
	}
}

// conditions are what headers ask for.
func conditions(p *proxy, account api.Account, url string) {
	n, key := api.NewWebhook{URL: url, Events: []string{"account.*"}}, "Idempotency-Key: 7f9c2ba4"
	p.call(http.StatusCreated, http.MethodPost, "/v1/webhooks", n, key)
	if again := p.call(http.StatusCreated, http.MethodPost, "/v1/webhooks", n, key); again.Get("Idempotency-Replayed") != "true" {
		p.t.Error("the creation was repeated")
	}
	n.Events = []string{"*"}
	p.call(http.StatusUnprocessableEntity, http.MethodPost, "/v1/webhooks", n, key)
	path, name := "/v1/accounts/"+account.ID, "Acme"
	tag := p.call(http.StatusOK, http.MethodGet, path, nil).Get("ETag")
	p.call(http.StatusOK, http.MethodPatch, path, api.AccountUpdate{OriginUsername: &name}, "If-Match: "+tag)
	p.call(http.StatusPreconditionFailed, http.MethodPatch, path, api.AccountUpdate{OriginUsername: &name}, "If-Match: "+tag)
	p.call(http.StatusOK, http.MethodGet, "/v1/webhooks", nil, "X-Project-Id: acme")
}

func leave(p *proxy, account api.Account, webhook api.Webhook) {
	ask[any](p, http.MethodDelete, "/v1/accounts/"+account.ID, nil)
	ask[any](p, http.MethodDelete, "/v1/webhooks/"+webhook.ID, nil)
	p.call(http.StatusNotFound, http.MethodDelete, "/v1/accounts/"+account.ID, nil)
	list[api.Change](p, "/v1/audit")
}
