package dashboard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// What a user does first, in a real browser: once as browsers are, once with scripts off.
func TestJourney(t *testing.T) {
	for _, c := range []struct {
		name     string
		scripts  bool
		location func(testing.TB) string
	}{
		{"with scripts", true, migrationstest.Postgres},
		{"without scripts", false, migrationstest.SQLite},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.location(t))
			b := newBrowser(t, w.URL())
			b.scripts = c.scripts
			b.do("switch scripts", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
				_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !c.scripts})
				return err
			}))
			b.journey(w)
		})
	}
}

func (b *browser) journey(w *world) {
	b.t.Helper()
	b.open("/accounts")
	b.see("Log in")
	b.fill("key", "not the key of it")
	b.press("Log in")
	b.see("neither the admin key nor an API key")
	b.fill("key", servicetest.AdminKey)
	b.press("Log in")
	b.see("No account yet")

	b.addAccount(w)
	secret := b.addWebhook(w)
	b.testEvent(w, secret)
	b.interval()
	b.follow()
	b.decide(w)
	b.replay(w)
	b.rotate(w, secret)

	b.open("/settings")
	b.see("webhook secret created")
	b.press("Log out")
	b.see("Log in")
	b.open("/webhooks")
	b.see("Log in")
}

// addAccount connects the sample company and watches its first polls.
func (b *browser) addAccount(w *world) {
	b.t.Helper()
	b.press("Add account")
	b.press("BambooHR")
	b.fill("base_url", w.sample)
	b.fill("origin_owner_name", "Acme Ltd")
	b.fill("schedule", "often")
	b.press("Add account")
	b.see("Secrets have to be typed again")
	b.see("expected an interval such as 15m")
	if kept := get(b, "read the owner", chromedp.Value(chromedp.CSS(`#origin_owner_name`))); kept != "Acme Ltd" {
		b.t.Errorf("the form kept %q", kept)
	}
	b.fill("schedule", "")
	b.press("Add account")
	b.see("give the credentials of exactly one way to authenticate")
	b.fill("credential.api_key", w.key)
	b.press("Add account")
	b.see("Account added")
	b.see("employees ok")
	b.see("job postings ok")
}

// addWebhook makes one for all events and returns its secret.
func (b *browser) addWebhook(w *world) string {
	b.t.Helper()
	b.press("Webhooks")
	b.press("Add webhook")
	b.fill("url", "http://user@"+strings.TrimPrefix(w.consumer.URL, "http://"))
	b.press("Add webhook")
	b.see("holds a user name or password")
	b.fill("url", w.consumer.URL+"/hooks")
	b.press("Add webhook")
	b.see("Webhook added")
	return b.value("notice-secret")
}

// testEvent sends one and sees it verified.
func (b *browser) testEvent(w *world, secret string) {
	b.t.Helper()
	b.press("Send test event")
	b.see("The test event was taken. The endpoint answered 204")
	got := w.consumer.received()
	if last := got[len(got)-1]; !dispatch.Verify(secret, last.body, last.signature) {
		b.t.Errorf("the test event %s is signed %s: not with the secret that was shown", last.body, last.signature)
	}
}

// interval changes that of one record type.
func (b *browser) interval() {
	b.t.Helper()
	b.press("Accounts")
	b.press("Acme Ltd")
	b.fill("interval-employees", "1ms")
	b.press("Save the interval of employees")
	b.see("polls more often than the shortest interval")
	b.fill("interval-employees", "15m")
	b.press("Save the interval of employees")
	b.see("Interval of employees saved: 15m")
	b.see("set here")
	streams, err := client.Get[api.Page[api.Stream]](b.t.Context(), b.admin, "/v1/streams")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range streams.Items {
		if want := map[bool]string{true: "15m", false: "1h"}[s.RecordType == "employees"]; s.Schedule != want {
			b.t.Errorf("%s: every %s, want %s", s.RecordType, s.Schedule, want)
		}
	}
}

// follow watches a poll, page by page.
func (b *browser) follow() {
	b.t.Helper()
	provider := newPagedProvider(b.t, 5)
	account, err := client.Send[api.Account](b.t.Context(), b.admin, "POST", "/v1/accounts", provider.account())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, page := range []string{"/accounts/" + account.ID, "/accounts/" + account.ID + "/streams/employees"} {
		provider.give(2)
		b.open(page)
		if b.scripts {
			get(b, "mark the page", chromedp.Evaluate[bool](`window.loadedOnce = true`))
		}
		b.see("2 pages, 20 of 50 records")
		provider.give(1)
		b.see("3 pages, 30 of 50 records")
		provider.give(2)
		b.see("nothing new")
		if b.scripts && !get(b, "look for the mark", chromedp.Evaluate[bool](`window.loadedOnce === true`)) {
			b.t.Error("the page was loaded again to show how far the poll is")
		}
		b.press("Poll now")
		b.see("is requested")
	}
	provider.give(5)
	b.see("nothing new")
}

// decide finds a quarantine on the overview, looks at its evidence and approves it.
func (b *browser) decide(w *world) {
	b.t.Helper()
	w.quarantine(b.t)
	b.open("/")
	b.press("Employees of Globex: 40 missing records held")
	b.see("The listing is empty, 40 records were known")
	b.press("Approve: they are gone")
	b.see("Approved.")
	b.see("40 events")
}

// replay counts first, then sends again what the quarantine told.
func (b *browser) replay(w *world) {
	b.t.Helper()
	servicetest.Eventually(b.t, "the deletions are delivered", func() bool { return deletions(w) == 40 })
	b.press("Webhooks")
	b.press(w.consumer.URL + "/hooks")
	b.press("Replay events")
	b.fill("event", "hris_employees.deleted")
	b.press("Count first")
	b.see("40 events of the log match")
	b.press("Replay 40 events")
	b.see("Replay begun: 40 events")
	b.see("40 of 40")
	servicetest.Eventually(b.t, "the deletions are delivered again", func() bool { return deletions(w) == 80 })
}

func deletions(w *world) (n int) {
	for _, r := range w.consumer.received() {
		if strings.Contains(string(r.body), `"hris_employees.deleted"`) {
			n++
		}
	}
	return n
}

// rotate makes a new secret that signs at once.
func (b *browser) rotate(w *world, old string) {
	b.t.Helper()
	b.press("Signing secret")
	b.do("choose", chromedp.Click(chromedp.CSS(`input[name="when"][value="now"]`)))
	b.press("Rotate secret")
	b.see("it signs from now on")
	secret := b.value("notice-secret")
	b.press("Send test event")
	b.see("The test event was taken")
	got := w.consumer.received()
	if last := got[len(got)-1]; secret == old || !dispatch.Verify(secret, last.body, last.signature) {
		b.t.Errorf("rotated %s… to %s…: the test event is signed %s", old[:6], secret[:6], last.signature)
	}
	if s := fmt.Sprint(w.Log); strings.Contains(s, secret) || strings.Contains(s, w.key) {
		b.t.Error("the log holds a secret")
	}
}
