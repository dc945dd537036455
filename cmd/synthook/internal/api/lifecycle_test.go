package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// received is a POST that a webhook got.
type received struct{ body, signature, id string }

// receiver starts a consumer that takes everything.
func receiver(t *testing.T) (address string, got <-chan received) {
	t.Helper()
	requests := make(chan received, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- received{string(body), r.Header.Get("x-stackone-signature"), r.Header.Get("webhook-id")}
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// poll polls the account's employees now, after what was due by itself.
func poll(t *testing.T, c *client.Client, account string) api.PollResult {
	t.Helper()
	return post[api.PollResult](t, c, "/v1/accounts/"+account+"/streams/employees/poll?wait=true", nil)
}

// From a provider's change to a verified delivery, all through the API.
func TestFromAccountToDelivery(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		address, got := receiver(t)
		webhook := post[api.Webhook](t, c, "/v1/webhooks", api.NewWebhook{URL: address + "/hook?token=t", Events: []string{"hris_employees.*"}})
		if len(webhook.Secret) != 86 || webhook.StandardSecret != dispatch.StandardSecret(webhook.Secret) || webhook.State != "ok" || !webhook.Enabled {
			t.Errorf("created: %+v", webhook)
		}
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann", "2": "Bob", "3": "Cem"})
		account := post[api.Account](t, c, "/v1/accounts", provider.Account())
		if account.ProjectID != "default" || account.State != "active" || !slices.Equal(account.RecordTypes, []string{"employees"}) {
			t.Errorf("account: %+v", account)
		}
		if baseline := poll(t, c, account.ID); !baseline.Complete || baseline.Records != 3 || baseline.Events != 0 {
			t.Errorf("baseline: %+v", baseline)
		}
		provider.Set("2", "Bobby")
		provider.Set("4", "Dee")
		if changed := poll(t, c, account.ID); changed.Created != 1 || changed.Updated != 1 || changed.Events != 2 {
			t.Errorf("changed: %+v", changed)
		}
		events := get[api.Page[api.Event]](t, c, "/v1/events?order=asc&event=hris_employees.*").Items
		if len(events) != 2 || events[0].ID == "" || events[0].PollID == 0 || events[0].AccountID != account.ID {
			t.Fatalf("events: %+v", events)
		}
		for range 2 {
			d := <-got
			if !dispatch.Verify(webhook.Secret, []byte(d.body), d.signature) || !slices.ContainsFunc(events, func(e api.Event) bool { return e.ID == d.id }) {
				t.Errorf("delivered: %+v", d)
			}
		}
		servicetest.Eventually(t, "the delivery is on record", func() bool {
			e := get[api.Event](t, c, "/v1/events/"+events[0].ID)
			return len(e.Deliveries) == 1 && e.Deliveries[0].State == "delivered" && e.Deliveries[0].WebhookID == webhook.ID &&
				len(e.Deliveries[0].Attempts) == 1 && e.Deliveries[0].Attempts[0].Status == http.StatusOK
		})
		polls := get[api.Page[api.Poll]](t, c, "/v1/accounts/"+account.ID+"/streams/employees/polls").Items
		if len(polls) == 0 || polls[0].Updated != 1 || polls[0].ID != events[0].PollID {
			t.Errorf("polls: %+v", polls)
		}
		dry := post[api.ReplayResult](t, c, "/v1/replays", api.NewReplay{EventID: events[1].ID, DryRun: true})
		if dry.Events != 1 || !dry.DryRun || dry.Replays[0].State != "dry_run" || dry.Replays[0].ID != "" {
			t.Errorf("dry run: %+v", dry)
		}
		replay := post[api.ReplayResult](t, c, "/v1/replays", api.NewReplay{EventID: events[1].ID})
		if d := <-got; replay.Events != 1 || d.id != events[1].ID {
			t.Errorf("replayed %s by %+v, want %s", d.id, replay, events[1].ID)
		}
		servicetest.Eventually(t, "the replay is done", func() bool {
			list := get[api.Page[api.Replay]](t, c, "/v1/replays").Items
			return len(list) == 1 && list[0].ID == replay.Replays[0].ID && list[0].State == "done" && list[0].Sent == 1 && list[0].FinishedAt != nil
		})
	})
}

func TestAccountLife(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
		n := provider.Account()
		n.OriginOwnerID, n.SetupInformation = "customer-17", map[string]string{"region": "eu"}
		account := post[api.Account](t, c, "/v1/accounts", n)
		path := "/v1/accounts/" + account.ID
		if a := r.Call("GET "+path, servicetest.AdminKey, ""); strings.Contains(a.Body, "hunter2") || !strings.Contains(a.Body, `"region":"eu"`) {
			t.Errorf("shown: %s", a.Body)
		}
		owner, schedule := "customer-18", "30m"
		changed := send[api.Account](t, c, http.MethodPatch, path, api.AccountUpdate{OriginOwnerID: &owner, Schedule: &schedule})
		if changed.OriginOwnerID != owner || changed.Schedule != schedule || changed.BaseURL != provider.URL {
			t.Errorf("changed: %+v", changed)
		}
		stream := get[api.Stream](t, c, path+"/streams/employees")
		if stream.Schedule != "30m" || stream.ScheduleFrom != "account" {
			t.Errorf("stream: %+v", stream)
		}
		own, ignore := "2h", []string{"name"}
		stream = send[api.Stream](t, c, http.MethodPatch, path+"/streams/employees", api.StreamUpdate{Schedule: &own, IgnorePaths: &ignore})
		if stream.Schedule != "2h" || stream.ScheduleFrom != "stream" || !slices.Equal(stream.IgnorePaths, ignore) {
			t.Errorf("stream: %+v", stream)
		}
		if a := post[api.Account](t, c, path+"/pause", nil); a.State != "paused" {
			t.Errorf("paused: %+v", a)
		}
		if a := post[api.Account](t, c, path+"/resume", nil); a.State != "active" {
			t.Errorf("resumed: %+v", a)
		}
		send[any](t, c, http.MethodDelete, path, nil)
		refused(t, r.Call("GET "+path, servicetest.AdminKey, ""), http.StatusNotFound)
		var told []string
		for e, err := range client.List[api.Event](t.Context(), c, "/v1/events", url.Values{"order": {"asc"}}) {
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, e.Event)
			if e.RecordID != account.ID || !strings.Contains(string(e.Details), "generic") {
				t.Errorf("account event: %+v", e)
			}
		}
		if want := []string{"account.created", "account.updated", "account.deleted"}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

func TestSchedulesOfRecordTypes(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		n := servicetest.NewProvider(t, nil).Account()
		n.Schedule = ""
		account := post[api.Account](t, c, "/v1/accounts", n)
		set := send[api.RecordTypeSchedule](t, c, http.MethodPut, "/v1/schedules/employees", map[string]string{"schedule": "20m"})
		if list := get[api.Page[api.RecordTypeSchedule]](t, c, "/v1/schedules").Items; len(list) != 1 || list[0] != set {
			t.Errorf("listed %v, set %v", list, set)
		}
		if s := get[api.Stream](t, c, "/v1/accounts/"+account.ID+"/streams/employees"); s.Schedule != "20m" || s.ScheduleFrom != "record_type" {
			t.Errorf("stream: %+v", s)
		}
		send[api.RecordTypeSchedule](t, c, http.MethodPut, "/v1/schedules/employees", map[string]string{"schedule": ""})
		if list := get[api.Page[api.RecordTypeSchedule]](t, c, "/v1/schedules").Items; len(list) != 0 {
			t.Errorf("removed and listed: %v", list)
		}
	})
}

// An empty listing is quarantined; approving it deletes, and the request for a poll is
// carried out by the scheduler.
func TestQuarantine(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann", "2": "Bob"})
		account := post[api.Account](t, c, "/v1/accounts", provider.Account())
		stream := "/v1/accounts/" + account.ID + "/streams/employees"
		poll(t, c, account.ID)
		provider.Clear()
		if a := r.Call("POST "+stream+"/poll", servicetest.AdminKey, ""); a.Status != http.StatusAccepted {
			t.Errorf("request for a poll: %d %s", a.Status, a.Body)
		}
		servicetest.Eventually(t, "the empty listing is quarantined", func() bool {
			s := get[api.Stream](t, c, stream)
			return s.State == "quarantined" && s.Quarantine.Missing == 2 && len(s.Quarantine.Sample) == 2
		})
		percent, listings := 20, 500
		if s := send[api.Stream](t, c, http.MethodPatch, stream, api.StreamUpdate{QuarantineThreshold: &percent, ReleaseAfter: &listings}); s.QuarantineThreshold != 20 || s.ReleaseAfter != 500 || s.State != "quarantined" {
			t.Errorf("the rules of its quarantine: %+v", s)
		}
		if s := post[api.Stream](t, c, stream+"/reject", nil); s.Quarantine != nil {
			t.Errorf("rejected: %+v", s.Quarantine)
		}
		servicetest.Eventually(t, "it is quarantined again", func() bool { return get[api.Stream](t, c, stream).State == "quarantined" })
		post[api.Stream](t, c, stream+"/approve", nil)
		servicetest.Eventually(t, "both are deleted", func() bool {
			return len(get[api.Page[api.Event]](t, c, "/v1/events?event=hris_employees.deleted").Items) == 2
		})
	})
}

func TestWebhookLife(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		address, got := receiver(t)
		webhook := post[api.Webhook](t, c, "/v1/webhooks", api.NewWebhook{URL: address, Events: []string{"ats_candidates.created"}, Secret: "a-secret-of-the-users-own-that-is-long-enough"})
		path := "/v1/webhooks/" + webhook.ID
		if w := get[api.Webhook](t, c, path); w.Secret != "" || w.URL != address {
			t.Errorf("shown: %+v", w)
		}
		if w := get[api.Webhook](t, c, path+"/secret"); w.Secret != webhook.Secret || w.StandardSecret == "" {
			t.Errorf("shown to the admin: %+v", w)
		}
		if test := post[api.WebhookTest](t, c, path+"/test", nil); !test.Delivered || test.Status != http.StatusOK {
			t.Errorf("test: %+v", test)
		}
		if d := <-got; !strings.Contains(d.body, `"event":"ats_candidates.created"`) || !dispatch.Verify(webhook.Secret, []byte(d.body), d.signature) {
			t.Errorf("test event: %+v", d)
		}
		rotated := post[api.Webhook](t, c, path+"/secrets", api.SecretRotation{})
		if w := get[api.Webhook](t, c, path+"/secret"); rotated.Secret == "" || w.Secret != webhook.Secret {
			t.Error("the new secret is active before it was activated")
		}
		post[api.Webhook](t, c, path+"/secrets/activate", api.SecretActivation{Overlap: "1h"})
		if w := get[api.Webhook](t, c, path+"/secret"); w.Secret != rotated.Secret {
			t.Error("the new secret is not active")
		}
		refused(t, r.Call("POST "+path+"/secrets/activate", servicetest.AdminKey, ""), http.StatusUnprocessableEntity)
		refused(t, r.Call("POST "+path+"/secrets", servicetest.AdminKey, `{"overlap":"1 day"}`), http.StatusUnprocessableEntity)

		events := []string{"*"}
		if w := send[api.Webhook](t, c, http.MethodPatch, path, api.WebhookUpdate{Events: &events}); !slices.Equal(w.Events, events) || w.URL != address {
			t.Errorf("changed: %+v", w)
		}
		if w := post[api.Webhook](t, c, path+"/disable", nil); w.Enabled || w.State != "disabled" || w.DisabledReason == "" {
			t.Errorf("disabled: %+v", w)
		}
		post[api.Account](t, c, "/v1/accounts", servicetest.NewProvider(t, nil).Account())
		if w := post[api.Webhook](t, c, path+"/enable", nil); !w.Enabled || w.DisabledReason != "" {
			t.Errorf("enabled: %+v", w)
		}
		if d := <-got; !strings.Contains(d.body, `"event":"account.created"`) {
			t.Errorf("what was missed while disabled: %+v", d)
		}
		send[any](t, c, http.MethodDelete, path, nil)
		refused(t, r.Call("GET "+path, servicetest.AdminKey, ""), http.StatusNotFound)
	})
}

// Every listing can be walked page by page and comes to its end, each item once.
func TestPages(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, nil)
		var accounts []string
		for i := range 5 {
			accounts = append(accounts, post[api.Account](t, c, "/v1/accounts", provider.Account()).ID)
			post[api.Webhook](t, c, "/v1/webhooks", api.NewWebhook{URL: provider.URL, Events: []string{"*"}})
			post[api.Project](t, c, "/v1/projects", api.NewProject{Name: fmt.Sprint("project ", i)})
			post[api.APIKey](t, c, "/v1/projects/default/api-keys", api.NewAPIKey{Name: "k"})
		}
		slices.Sort(accounts)
		walk := func(path string, id func(item map[string]any) string) []string {
			var ids []string
			for item, err := range client.List[map[string]any](t.Context(), c, path, url.Values{"limit": {"2"}}) {
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				ids = append(ids, id(item))
			}
			sorted := slices.Clone(ids)
			slices.Sort(sorted)
			if len(slices.Compact(sorted)) != len(ids) {
				t.Errorf("%s: an item came twice: %v", path, ids)
			}
			return ids
		}
		byID := func(item map[string]any) string { return item["id"].(string) }
		if ids := walk("/v1/accounts", byID); !slices.Equal(ids, accounts) {
			t.Errorf("accounts: %v, want %v", ids, accounts)
		}
		for path, want := range map[string]int{"/v1/webhooks": 5, "/v1/projects": 6, "/v1/projects/default/api-keys": 5, "/v1/providers": len(get[api.Page[api.Provider]](t, c, "/v1/providers").Items), "/v1/events": 5} {
			if ids := walk(path, func(item map[string]any) string { return fmt.Sprint(item["id"], item["name"]) }); len(ids) != want {
				t.Errorf("%s: %v, want %d", path, ids, want)
			}
		}
		if streams := walk("/v1/streams", func(item map[string]any) string { return item["account_id"].(string) }); len(streams) != 5 {
			t.Errorf("streams: %v", streams)
		}
		newest := walk("/v1/events", byID)
		slices.Reverse(newest)
		var oldest []string
		for e, err := range client.List[api.Event](t.Context(), c, "/v1/events", url.Values{"limit": {"2"}, "order": {"asc"}}) {
			if err != nil {
				t.Fatal(err)
			}
			oldest = append(oldest, e.ID)
		}
		if !slices.Equal(newest, oldest) {
			t.Errorf("oldest first %v, newest first reversed %v", oldest, newest)
		}
	})
}

// Who waits for events is told as soon as there is one.
func TestWaitForEvents(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, nil)
		post[api.Account](t, c, "/v1/accounts", provider.Account())
		first := get[api.Page[api.Event]](t, c, "/v1/events?order=asc&wait=60s").Items
		if len(first) != 1 {
			t.Fatalf("what is there already is answered at once: %v", first)
		}
		after := fmt.Sprintf("/v1/events?order=asc&wait=60s&after=%d", first[0].Sequence)
		answers := make(chan api.Page[api.Event])
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() { // joined by the answer
			page, err := client.Get[api.Page[api.Event]](ctx, c, after)
			if err != nil {
				t.Error(err)
			}
			answers <- page
		}()
		account := post[api.Account](t, c, "/v1/accounts", provider.Account())
		if page := <-answers; len(page.Items) != 1 || page.Items[0].AccountID != account.ID {
			t.Fatalf("waited for %+v", page.Items)
		} else {
			after = fmt.Sprintf("/v1/events?order=asc&wait=60s&after=%d", page.Items[0].Sequence)
		}
		if page := get[api.Page[api.Event]](t, c, strings.Replace(after, "60s", "50ms", 1)); len(page.Items) != 0 {
			t.Errorf("nothing came, and yet: %+v", page.Items)
		}
	})
}

func TestProviders(t *testing.T) {
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	p := get[api.Provider](t, r.Admin(""), "/v1/providers/bamboohr")
	if p.Category != "hris" || p.Title != "BambooHR" || len(p.Credentials) == 0 || len(p.Streams) != len(p.RecordTypes) ||
		!slices.Contains(p.Streams[0].Events, "hris_employees.updated") {
		t.Errorf("%+v", p)
	}
}
