package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

var shownSecret = regexp.MustCompile(`<code id="notice-secret"[^>]*>([^<]+)</code>`)

// secret is the one that the page shows now.
func (v *visitor) secret() string {
	v.t.Helper()
	found := shownSecret.FindStringSubmatch(v.body)
	if found == nil {
		v.t.Fatalf("no secret is shown:\n%s", v.body)
	}
	return found[1]
}

// A rotation goes on step by step: a new secret waits, is verified with a consumer that
// knows it or does not, takes over, and the old one is dropped.
func TestVerifiedRotation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"*"}})
		here := "/webhooks/" + hook.ID
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.get(here)
		if v.expect(http.StatusOK, "Rotate secret", ">active<"); strings.Contains(v.body, ">waiting<") || strings.Contains(v.body, "Let the new secret sign") {
			t.Error("a secret waits that was not made")
		}
		v.post(here+"/rotate", url.Values{"when": {"later"}})
		added := v.secret()
		v.expect(http.StatusOK, ">active<", ">waiting<", "Verify the new secret", "Let the new secret sign", "Forget the new secret")

		v.post(here+"/verify", nil)
		v.expect(http.StatusOK, "Nothing is proved: it accepts any signature")
		w.consumer.set(func() { w.consumer.knows = []string{hook.Secret} })
		v.post(here+"/verify", nil)
		v.expect(http.StatusOK, "The consumer does not know the new secret yet", `btn primary">Verify the new secret`, `btn">Let the new secret sign`, "Rotate secret” makes another one")
		w.consumer.set(func() { w.consumer.knows = []string{hook.Secret, added} })
		v.post(here+"/verify", nil)
		v.expect(http.StatusOK, "Verified: the consumer knows the new secret", `btn">Verify the new secret`, `btn primary">Let the new secret sign`)

		v.post(here+"/activate", url.Values{"overlap": {"a while"}})
		v.expect(http.StatusUnprocessableEntity, "expected a duration such as 24h", `value="a while"`)
		v.post(here+"/activate", url.Values{"overlap": {"2h"}})
		v.expect(http.StatusOK, "The new secret signs from now on", ">retiring<", "until", "Forget the old secret now", `id="secret" open`)
		w.consumer.set(func() { w.consumer.knows = []string{added} })
		v.post(here+"/test", nil)
		v.expect(http.StatusOK, "The test event was taken")

		v.post(here+"/retire", nil)
		if v.expect(http.StatusOK, "Only the active secret is left", `id="secret" open`); strings.Contains(v.body, ">retiring<") {
			t.Error("the old secret is still there")
		}
	})
}

// A test event shows what the consumer says, and what its refusal means.
func TestTestEventShowsTheAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.consumer.set(func() {
			w.consumer.knows, w.consumer.says = []string{"another secret altogether"}, "signature <does> not match"
		})
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"*"}})
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.post("/webhooks/"+hook.ID+"/test", nil)
		v.expect(http.StatusOK, "The test event was not taken:", "the endpoint answered 403", "Does it verify with this webhook&#39;s secret", "signature &lt;does&gt; not match")
	})
}

// Where a webhook keeps answers, they are shown with its attempts and with the event.
func TestKeptAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.consumer.set(func() { w.consumer.knows, w.consumer.says = []string{"another secret altogether"}, "no column for it" })
		keep := true
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"account.*"}, WebhookSettings: api.WebhookSettings{KeepAnswers: &keep}})
		post[api.Account](t, w, "/v1/accounts", w.provider.Account())
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		servicetest.Eventually(t, "the attempt is shown", func() bool {
			v.get("/webhooks/" + hook.ID)
			return strings.Contains(v.body, "no column for it")
		})
		v.expect(http.StatusOK, `<summary><span class="bad">403 (status)</span></summary>`)
		v.get("/events/" + newest(t, w.Rig))
		v.expect(http.StatusOK, "no column for it", "It lets nobody in this way.")
	})
}
