package dashboard_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// A webhook's settings are set by its form; one that is refused keeps what was typed and
// changes nothing.
func TestWebhookSettings(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"*"}})
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		form := url.Values{
			"url": {w.consumer.URL + "/new"}, "events": {"hris_employees.updated"}, "providers": {"bamboohr\r\ngeneric"}, "fields": {"jobTitle"},
			"concurrency": {"4"}, "rate_limit": {"2.5"}, "unordered": {"1"},
		}
		bad := url.Values{}
		maps.Copy(bad, form)
		bad["concurrency"] = []string{"four"}
		v.post("/webhooks/"+hook.ID+"/edit", bad)
		v.expect(http.StatusUnprocessableEntity, "must be a whole number", "four", "/new", "jobTitle")
		bad["concurrency"], bad["events"] = []string{"4"}, nil
		v.post("/webhooks/"+hook.ID+"/edit", bad)
		v.expect(http.StatusUnprocessableEntity, "choose at least one event, or all", "/new", "jobTitle")
		if now := w.webhook(t, hook.ID); now.URL != hook.URL || now.Concurrency != nil && *now.Concurrency != 0 {
			t.Errorf("a refused form changed %+v", now)
		}
		v.post("/webhooks/"+hook.ID+"/edit", form)
		v.expect(http.StatusOK, "Saved.")
		now := w.webhook(t, hook.ID)
		if now.URL != form.Get("url") || !slices.Equal(now.Events, form["events"]) || !slices.Equal(*now.Providers, []string{"bamboohr", "generic"}) ||
			!slices.Equal(*now.Fields, []string{"jobTitle"}) || *now.Concurrency != 4 || *now.RateLimit != 2.5 || *now.Ordered {
			t.Errorf("the webhook is %+v", now)
		}
	})
}

func (w *world) webhook(t testing.TB, id string) api.Webhook {
	t.Helper()
	h, err := client.Get[api.Webhook](t.Context(), w.Admin(""), "/v1/webhooks/"+id)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A resync is counted first, and sends a created for every record that is known.
func TestResync(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.connect(t, "Acme Ltd")
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"hris_employees.*"}})
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.get("/webhooks/" + hook.ID + "/resync?record_type=employees&account_id=" + account.ID)
		v.expect(http.StatusOK, "<strong>40 records</strong> would be sent")
		if n := len(w.consumer.received()); n != 0 {
			t.Errorf("counting sent %d", n)
		}
		v.post("/webhooks/"+hook.ID+"/resync", url.Values{"record_type": {"employees"}, "account_id": {account.ID}})
		v.expect(http.StatusOK, "Resync begun: 40 records.")
		servicetest.Eventually(t, "all arrive", func() bool { return len(w.consumer.received()) == 40 })
		if first := string(w.consumer.received()[0].body); !strings.Contains(first, `"hris_employees.created"`) {
			t.Errorf("sent %s", first)
		}
	})
}

// What can't be undone wants its name typed.
func TestDeletions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.connect(t, "Acme Ltd")
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"*"}})
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.post("/accounts/"+account.ID+"/delete", url.Values{"confirm": {"acme"}})
		v.expect(http.StatusUnprocessableEntity, "type “Acme Ltd” to delete it")
		v.post("/webhooks/"+hook.ID+"/delete", url.Values{"confirm": {""}})
		v.expect(http.StatusUnprocessableEntity, "type “delete” to delete it")
		w.account(t, account.ID)
		w.webhook(t, hook.ID)
		v.post("/accounts/"+account.ID+"/delete", url.Values{"confirm": {"Acme Ltd"}})
		v.expect(http.StatusOK, "Account Acme Ltd deleted.")
		v.post("/webhooks/"+hook.ID+"/delete", url.Values{"confirm": {"delete"}})
		v.expect(http.StatusOK, "Webhook deleted.", "No webhook yet")
		v.get("/accounts/" + account.ID)
		v.expect(http.StatusNotFound)
	})
}

// Of several ways to authenticate, each has its fields, and exactly one is taken.
func TestWaysToAuthenticate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.get("/accounts/new/bamboohr")
		v.expect(http.StatusOK, "<legend>API key</legend>", "<legend>OAuth 2.0</legend>", "exactly one of them")
		form := url.Values{"credential.api_key": {w.key}, "credential.client_id": {"me"}, "base_url": {w.sample}, "record_types": {"employees"}, "baseline": {"silent"}}
		v.post("/accounts/new/bamboohr", form)
		v.expect(http.StatusUnprocessableEntity, "exactly one way to authenticate: API key (api_key), or OAuth 2.0 (client_id, client_secret, refresh_token)")
		form.Del("credential.client_id")
		v.post("/accounts/new/bamboohr", form)
		v.expect(http.StatusOK, "Account added")
		v.get("/accounts/new/workday_raas")
		if v.expect(http.StatusOK, "Add "); strings.Contains(v.body, "<fieldset class=\"way\">") {
			t.Error("one way is shown as several")
		}
	})
}

// New credentials replace the old ones, and end a need for attention; what is refused is
// told beside its field, without the secret.
func TestReplaceCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.connect(t, "Acme Ltd")
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.post("/accounts/"+account.ID+"/credentials", url.Values{"credential.api_key": {"no-longer-valid"}, "base_url": {w.sample}})
		if v.expect(http.StatusUnprocessableEntity, "does not accept the credentials (401)", "check api_key"); strings.Contains(v.body, "no-longer-valid") {
			t.Error("the secret is shown again")
		}
		w.uncheckedKey(t, account.ID, "no-longer-valid")
		servicetest.Eventually(t, "the account needs attention", func() bool { return w.account(t, account.ID).State == "needs_attention" })
		v.get("/")
		v.expect(http.StatusOK, "Account Acme Ltd is not polled")
		v.post("/accounts/"+account.ID+"/credentials", url.Values{"credential.api_key": {"typed\nwrong"}, "base_url": {w.sample}})
		if v.expect(http.StatusUnprocessableEntity, "Secrets have to be typed again", "holds a line break"); strings.Contains(v.body, "typed\nwrong") {
			t.Error("the secret is shown again")
		}
		v.post("/accounts/"+account.ID+"/credentials", url.Values{"credential.api_key": {w.key}, "base_url": {w.sample}})
		v.expect(http.StatusOK, "Credentials replaced.")
		if state := w.account(t, account.ID).State; state != "active" {
			t.Errorf("the account is %s", state)
		}
	})
}

// Both intervals of a proposal are set, and saving the first under Settings keeps the
// second, which goes when there is no first.
func TestIntervalsOfTwoSpeeds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		expect := func(want ...api.RecordTypeSchedule) {
			t.Helper()
			set, err := client.Get[api.Page[api.RecordTypeSchedule]](t.Context(), w.Admin(""), "/v1/schedules")
			if err != nil || !slices.Equal(set.Items, want) {
				t.Errorf("%+v %v, want %+v", set.Items, err, want)
			}
		}
		v.post("/tune", url.Values{"record_type": {"candidates", "employees"}, "schedule": {"6h", "2h"}, "incremental": {"5m", ""}})
		v.expect(http.StatusOK, "2 intervals set.")
		expect(api.RecordTypeSchedule{RecordType: "candidates", Schedule: "6h", IncrementalSchedule: "5m"}, api.RecordTypeSchedule{RecordType: "employees", Schedule: "2h"})
		v.get("/settings")
		v.expect(http.StatusOK, `name="incremental" value="5m"`)
		v.post("/settings/schedule", url.Values{"record_type": {"candidates"}, "schedule": {"8h"}, "incremental": {"5m"}})
		v.expect(http.StatusOK, "saved")
		expect(api.RecordTypeSchedule{RecordType: "candidates", Schedule: "8h", IncrementalSchedule: "5m"}, api.RecordTypeSchedule{RecordType: "employees", Schedule: "2h"})
		v.post("/settings/schedule", url.Values{"record_type": {"candidates"}, "schedule": {"8h"}, "incremental": {"often"}})
		v.expect(http.StatusUnprocessableEntity, `value="often" placeholder="none" aria-invalid="true"`, "expected an interval such as 15m")
		v.post("/settings/schedule", url.Values{"record_type": {"applications"}, "schedule": {"4h"}, "incremental": {"10m"}})
		v.expect(http.StatusOK, "saved")
		v.post("/settings/schedule", url.Values{"record_type": {"applications"}, "schedule": {""}, "incremental": {""}})
		v.expect(http.StatusOK, "Interval of applications saved.")
		v.post("/settings/schedule", url.Values{"record_type": {"candidates"}, "schedule": {""}, "incremental": {"5m"}})
		v.expect(http.StatusOK, "saved", "no polls for changes alone either")
		expect(api.RecordTypeSchedule{RecordType: "employees", Schedule: "2h"})
	})
}

// Where every stream has an interval of its own, nothing is proposed, and that is said.
func TestTuneOfFixedIntervals(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		post[api.Account](t, w, "/v1/accounts", w.provider.Account())
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.get("/tune")
		v.expect(http.StatusOK, "every stream has its own interval")
		v.lacks("→")
	})
}
