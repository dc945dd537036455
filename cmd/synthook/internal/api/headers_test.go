package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// A creation that is repeated under its key makes nothing more and gives the first
// answer, secret included; every creation takes a key.
func TestIdempotencyKeys(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
		webhook := post[api.Webhook](t, c, "/v1/webhooks", api.NewWebhook{URL: provider.URL, Events: []string{"*"}})
		account := `{"provider":"generic","base_url":"` + provider.URL + `","credentials":{"employees_path":"/e","paging":"none","header_value":"Bearer hunter2hunter2"}}`
		for route, body := range map[string]string{
			"POST /v1/projects":                            `{"id":"acme","name":"Acme"}`,
			"POST /v1/projects/default/api-keys":           `{"name":"backend"}`,
			"POST /v1/accounts":                            account,
			"POST /v1/webhooks":                            `{"url":"` + provider.URL + `","events":["*"]}`,
			"POST /v1/webhooks/" + webhook.ID + "/secrets": `{}`,
			"POST /v1/replays":                             `{"webhook_id":"` + webhook.ID + `"}`,
		} {
			key := "Idempotency-Key: " + route
			first := r.Call(route, servicetest.AdminKey, body, key)
			again := r.Call(route, servicetest.AdminKey, " "+body+"\n", key)
			if first.Status >= 300 || first.Header.Get("Idempotency-Replayed") != "" {
				t.Errorf("%s: %d %s", route, first.Status, first.Body)
			}
			if again.Status != first.Status || again.Body != first.Body || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("ETag") != first.Header.Get("ETag") {
				t.Errorf("%s again: %d %s\nwas %d %s", route, again.Status, again.Body, first.Status, first.Body)
			}
			p := refused(t, r.Call("POST /v1/webhooks", servicetest.AdminKey, `{"url":"`+provider.URL+`/other","events":["*"]}`, key), http.StatusUnprocessableEntity)
			if p.Errors[0].Location != "header.Idempotency-Key" {
				t.Errorf("another request: %+v", p)
			}
		}
		if n := len(get[api.Page[api.Webhook]](t, c, "/v1/webhooks").Items); n != 2 {
			t.Errorf("%d webhooks", n)
		}
		made := map[string]int{}
		for _, change := range get[api.Page[api.Change]](t, c, "/v1/audit").Items {
			made[change.Action]++
		}
		if made["account created"] != 1 || made["webhook created"] != 2 {
			t.Errorf("the audit log has %v", made)
		}
		if n := len(get[api.Page[api.Account]](t, c, "/v1/accounts").Items); n != 1 {
			t.Errorf("%d accounts", n)
		}
		refused(t, r.Call("POST /v1/accounts", servicetest.AdminKey, account, "Idempotency-Key: "+strings.Repeat("k", 256)), http.StatusUnprocessableEntity)
		// A refusal is not kept: what was wrong can be put right under the same key.
		refused(t, r.Call("POST /v1/webhooks", servicetest.AdminKey, `{"url":"ftp://example.com","events":["*"]}`, "Idempotency-Key: k"), http.StatusUnprocessableEntity)
		if a := r.Call("POST /v1/webhooks", servicetest.AdminKey, `{"url":"`+provider.URL+`","events":["*"]}`, "Idempotency-Key: k"); a.Status != http.StatusCreated {
			t.Errorf("put right: %d %s", a.Status, a.Body)
		}
	})
}

// An update with If-Match is made on what was seen and on nothing else. Polls and
// deliveries don't change the tag; updates do.
func TestConditionalUpdates(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
		account := post[api.Account](t, c, "/v1/accounts", provider.Account())
		poll(t, c, account.ID)
		endpoint, got := receiver(t)
		webhook := post[api.Webhook](t, c, "/v1/webhooks", api.NewWebhook{URL: endpoint, Events: []string{"*"}})
		tag := func(path string) string {
			t.Helper()
			etag := r.Call("GET "+path, servicetest.AdminKey, "").Header.Get("ETag")
			if !strings.HasPrefix(etag, `"`) {
				t.Fatalf("GET %s: ETag %q", path, etag)
			}
			return etag
		}
		for path, bodies := range map[string][2]string{
			"/v1/accounts/" + account.ID:                        {`{"origin_owner_name":"One"}`, `{"origin_owner_name":"Two"}`},
			"/v1/accounts/" + account.ID + "/streams/employees": {`{"schedule":"2h"}`, `{"schedule":"3h"}`},
			"/v1/webhooks/" + webhook.ID:                        {`{"events":["account.*"]}`, `{"events":["hris_employees.*"]}`},
		} {
			seen := tag(path)
			changed := r.Call("PATCH "+path, servicetest.AdminKey, bodies[0], `If-Match: "another", `+seen)
			if changed.Status != http.StatusOK || changed.Header.Get("ETag") == seen || changed.Header.Get("ETag") != tag(path) {
				t.Errorf("PATCH %s: %d %s, ETag %s", path, changed.Status, changed.Body, changed.Header.Get("ETag"))
			}
			late := r.Call("PATCH "+path, servicetest.AdminKey, bodies[1], "If-Match: "+seen)
			refused(t, late, http.StatusPreconditionFailed)
			if late.Header.Get("ETag") != tag(path) || tag(path) != changed.Header.Get("ETag") {
				t.Errorf("PATCH %s too late: ETag %s", path, late.Header.Get("ETag"))
			}
			for _, condition := range []string{"If-Match: *", "If-Match: W/", "X-None: "} {
				if strings.HasSuffix(condition, "/") {
					condition += tag(path) // as a proxy that compresses has it
				}
				if a := r.Call("PATCH "+path, servicetest.AdminKey, bodies[1], condition); a.Status != http.StatusOK {
					t.Errorf("PATCH %s %s: %d", path, condition, a.Status)
				}
			}
		}
		refused(t, r.Call("PATCH /v1/accounts/nobody", servicetest.AdminKey, "{}", "If-Match: *"), http.StatusNotFound)

		stream, hook := "/v1/accounts/"+account.ID+"/streams/employees", "/v1/webhooks/"+webhook.ID
		before := [3]string{tag("/v1/accounts/" + account.ID), tag(stream), tag(hook)}
		provider.Set("2", "Bob")
		poll(t, c, account.ID)
		<-got
		servicetest.Eventually(t, "the delivery is written", func() bool { return get[api.Webhook](t, c, hook).LastSuccessAt != nil })
		if after := [3]string{tag("/v1/accounts/" + account.ID), tag(stream), tag(hook)}; after != before {
			t.Errorf("a poll and a delivery changed the tags: %v, %v", before, after)
		}
	})
}

// Of many updates that saw the same version, one is made.
func TestOneOfManyConditionalUpdatesIsMade(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		account := post[api.Account](t, r.Admin(""), "/v1/accounts", servicetest.NewProvider(t, nil).Account())
		path := "/v1/accounts/" + account.ID
		seen := r.Call("GET "+path, servicetest.AdminKey, "").Header.Get("ETag")
		var all sync.WaitGroup
		statuses := make([]int, 12)
		for i := range statuses {
			all.Go(func() {
				statuses[i] = r.Call("PATCH "+path, servicetest.AdminKey, fmt.Sprintf(`{"origin_owner_name":"owner %d"}`, i), "If-Match: "+seen).Status
			})
		}
		all.Wait()
		made := 0
		for _, status := range statuses {
			if status == http.StatusOK {
				made++
			} else if status != http.StatusPreconditionFailed {
				t.Errorf("answered %d", status)
			}
		}
		if made != 1 {
			t.Errorf("%d updates were made", made)
		}
	})
}
