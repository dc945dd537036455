package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// What a consumer refuses is on the overview, with what it answered, and on the webhook's
// page, from where it is sent again; then everything is all right.
func TestRefusedDeliveriesAreTold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.consumer.set(func() { w.consumer.knows = []string{"another secret altogether"} })
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"account.created"}})
		account := w.connect(t, "Acme Ltd")
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		servicetest.Eventually(t, "the event is retried", func() bool { return w.webhook(t, hook.ID).Retrying == 1 })
		v.get("/")
		if v.expect(http.StatusOK, "1 thing needs attention", "Webhook "+w.consumer.URL+" did not take 1 event", "1 is sent again on the schedule of retries", "It answered 403.", "Does it verify with this webhook&#39;s secret",
			`<a href="/webhooks/`+hook.ID+`#undelivered">`, `<dd><a href="/webhooks">1</a> <small>1 retried</small></dd>`); strings.Contains(v.body, "Everything is all right") {
			t.Error("everything is said to be all right")
		}

		for _, page := range []string{"/", "/webhooks", "/webhooks/" + hook.ID} {
			v.get(page)
			v.expect(http.StatusOK, `<span class="badge warn">refusing</span>`)
		}
		v.expect(http.StatusOK, "<strong>The endpoint answered 403</strong> at the last attempt. It lets nobody in this way.", "next attempt <time")

		v.post("/webhooks/"+hook.ID+"/disable", nil)
		v.get("/")
		v.expect(http.StatusOK, "Everything is all right", "every webhook that is enabled took its events", "<small>1 retried</small>")
		v.post("/webhooks/"+hook.ID+"/enable", nil)

		event := newest(t, w.Rig)
		v.get("/webhooks/" + hook.ID)
		v.expect(http.StatusOK, "1 retried, the next first", ">retrying<", "status 403", "/events/"+event, "Retry now", account.ID)
		w.consumer.set(func() { w.consumer.knows = nil })
		v.post("/events/"+event+"/resend", url.Values{"webhook": {hook.ID}, "from": {"webhook"}})
		v.expect(http.StatusOK, "Sent again to 1 webhook", w.consumer.URL+"</h1>")
		servicetest.Eventually(t, "the event is delivered", func() bool { return w.webhook(t, hook.ID).Retrying == 0 })
		v.get("/")
		v.expect(http.StatusOK, "Everything is all right", "<dd>0</dd>")
		v.lacks("refusing")
	})
}

// What is often replayed is counted with one click.
func TestReplayPresets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"account.created"}})
		w.connect(t, "Acme Ltd")
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		for name, want := range map[string]string{
			"the last 24 hours": "<strong>1 event</strong> of the log matches.", "yesterday (UTC)": "<strong>0 events</strong> of the log match.",
			"what was given up": "<strong>0 events</strong> of the log match.",
		} {
			v.get("/webhooks/" + hook.ID)
			before, _, found := strings.Cut(v.body, `">`+name+`</a>`)
			if !found {
				t.Fatalf("no preset %q", name)
			}
			link := before[strings.LastIndex(before, `"/`)+1:]
			link, _, _ = strings.Cut(strings.ReplaceAll(link, "&amp;", "&"), "#")
			v.get(link)
			v.expect(http.StatusOK, want)
		}
	})
}
