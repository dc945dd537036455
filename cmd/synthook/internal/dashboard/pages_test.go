package dashboard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// lively fills a world with what every page can show, and returns the pages by name.
func (w *world) lively(t testing.TB, then func()) map[string]string {
	t.Helper()
	hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL + "/hooks?token=example", Events: []string{"*"}})
	down := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: "http://127.0.0.1:1/other", Events: []string{"hris_employees.*", "account.*"}})
	refusing := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL + "/refuses", Events: []string{"hris_employees.updated", "account.*"}})
	acme, initech := w.connect(t, "Acme Ltd"), w.connect(t, "Initech")
	held, broken, locked := w.quarantine(t), w.failing(t), w.connect(t, "Wayne Enterprises of the north, holding and subsidiaries").ID
	w.uncheckedKey(t, locked, "no-longer-valid")
	post[api.Account](t, w, "/v1/accounts/"+initech.ID+"/pause", nil)
	for range 30 {
		w.company.Step()
	}
	for _, recordType := range acme.RecordTypes {
		post[api.PollResult](t, w, "/v1/accounts/"+acme.ID+"/streams/"+recordType+"/poll?wait=true", nil)
	}
	post[api.Webhook](t, w, "/v1/webhooks/"+down.ID+"/secrets", api.SecretRotation{})
	handed := post[api.Replay](t, w, "/v1/reconciliations", api.NewReconciliation{WebhookID: hook.ID, AccountID: acme.ID, RecordType: "employees"})
	post[api.HandedIDs](t, w, "/v1/reconciliations/"+handed.ID+"/ids", strings.NewReader("1\n2\nformer\n"))
	post[api.Project](t, w, "/v1/projects", api.NewProject{ID: "acme-staging", Name: "Acme, staging"})
	post[api.APIKey](t, w, "/v1/projects/default/api-keys", api.NewAPIKey{Name: "continuous integration"})
	servicetest.Eventually(t, "the events are delivered", func() bool {
		page, err := client.Get[api.Page[api.Webhook]](t.Context(), w.Admin(""), "/v1/webhooks")
		return err == nil && w.account(t, locked).State == "needs_attention" && page.Items[0].Backlog == 0 && page.Items[1].LastError != "" && page.Items[2].Retrying > 3
	})
	if then != nil {
		then()
	}
	events, err := client.Get[api.Page[api.Event]](t.Context(), w.Admin(""), "/v1/events?event=hris_employees.*")
	if err != nil || len(events.Items) == 0 {
		t.Fatalf("events of employees: %d %v", len(events.Items), err)
	}
	polls, err := client.Get[api.Page[api.Poll]](t.Context(), w.Admin(""), "/v1/accounts/"+acme.ID+"/streams/employees/polls?limit=1")
	if err != nil || len(polls.Items) == 0 {
		t.Fatalf("polls of employees: %d %v", len(polls.Items), err)
	}
	return map[string]string{
		"poll": fmt.Sprintf("/accounts/%s/streams/employees/polls/%d", acme.ID, polls.Items[0].ID), "poll-missing": "/accounts/" + acme.ID + "/streams/employees/polls/999999",
		"overview": "/", "accounts": "/accounts", "account-add": "/accounts/new", "account-new": "/accounts/new/bamboohr", "account-generic": "/accounts/new/generic",
		"account": "/accounts/" + acme.ID, "account-paused": "/accounts/" + initech.ID, "account-failing": "/accounts/" + broken, "account-locked": "/accounts/" + locked,
		"streams": "/streams", "stream": "/accounts/" + acme.ID + "/streams/employees", "quarantine": "/accounts/" + held + "/streams/employees", "stream-failing": "/accounts/" + broken + "/streams/employees",
		"webhooks": "/webhooks", "webhook-new": "/webhooks/new", "webhook": "/webhooks/" + hook.ID, "webhook-down": "/webhooks/" + down.ID, "webhook-refusing": "/webhooks/" + refusing.ID,
		"replay": "/webhooks/" + hook.ID + "/replay?event=hris_employees.*", "reconcile": "/webhooks/" + hook.ID + "/reconcile/" + handed.ID, "resync": "/webhooks/" + hook.ID + "/resync?record_type=employees", "events": "/events", "events-none": "/events?record=nobody",
		"event": "/events/" + events.Items[0].ID, "providers": "/providers", "provider": "/providers/bamboohr", "settings": "/settings", "tune": "/tune?budget=200/h",
		"wrong": "/events?event=hris_employes.created", "missing": "/accounts/nobody",
	}
}
