package dispatch

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

func TestURLsThatAreRefused(t *testing.T) {
	m := &Webhooks{config: WebhooksConfig{Check: func(_ context.Context, url string) error {
		if strings.Contains(url, "inward") {
			return errors.New("points inward")
		}
		return nil
	}}}
	for url, reason := range map[string]string{
		"":                                           "must begin",
		"example.com/hook":                           "must begin",
		"ftp://example.com/":                         "must begin",
		"javascript:alert(1)":                        "must begin",
		"HTTPS://example.com/":                       "normal form",
		"https:///hook":                              "no host",
		"https://:8080/":                             "no host",
		"https://user:secret@example.com/":           "user name",
		"https://example.com/#part":                  "fragment",
		"https://example.com/#":                      "fragment",
		"https://example.com/a b":                    "percent-encode",
		"https://example.com/?q=a b":                 "percent-encode",
		"https://exämple.com/":                       "punycode",
		"https://example.com/\r\nX: y":               "percent-encode",
		"https://example.com/%zz":                    "not a URL",
		"https://example.com:99999/":                 "port",
		"https://example.com:0/":                     "port",
		"https://example.com/a|b":                    "normal form",
		"https://[::1/":                              "not a URL",
		"https://inward.example.com/":                "points inward",
		"https://e.com/" + strings.Repeat("x", 2048): "longer",
	} {
		var invalid *InvalidError
		if err := m.checkURL(t.Context(), url); !errors.As(err, &invalid) || invalid.Field != "url" || !strings.Contains(invalid.Message, reason) {
			t.Errorf("%q: %v, want something with %q", url, err, reason)
		}
	}
	for _, url := range []string{
		"https://example.com", "http://example.com:3333/hook?token=a%20b&x=1;y", "https://[2001:db8::1]:443/", "https://example.com/a%2Fb", "https://example.com/?", "https://EXAMPLE.com/",
	} {
		if err := m.checkURL(t.Context(), url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestEventNamesAreChecked(t *testing.T) {
	got, err := checkNames("events", []string{"*", "hris_employees.*", "hris_employees.created", "*"}, eventNames)
	if diff := cmp.Diff([]string{"*", "hris_employees.*", "hris_employees.created"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for name, nearest := range map[string]string{
		"hris_employee.created": `"hris_employees.created"`, "hris_employes.*": `"hris_employees.*"`, "acount.created": `"account.created"`, "ats_candidates*": `"ats_candidates.*"`, "": "not an event",
	} {
		if _, err := checkNames("events", []string{name}, eventNames); err == nil || !strings.Contains(err.Error(), nearest) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWebhooksAreManaged(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		ctx, m := t.Context(), f.webhooks
		f.append("before")
		w, err := m.Create(ctx, NewWebhook{ProjectID: project, URL: "https://example.com/", Events: []string{"hris_employees.*"}})
		if err != nil || len(w.Secret.Reveal()) != 86 || w.State != StateOK || w.Backlog != 0 || w.CreatedAt.IsZero() {
			t.Fatalf("created %+v, %v", w, err)
		}
		all := f.create("https://example.com/all")
		f.append("after")
		if w := f.get(w.ID); w.Backlog != 1 || w.Secret != "" {
			t.Errorf("from now on: %+v", w)
		}
		if w := f.get(all.ID); w.Backlog != 2 {
			t.Errorf("from the start: %+v", w)
		}
		page, err := m.List(ctx, project, w.ID, 10)
		if err != nil || len(page) != 1 || page[0].ID != all.ID {
			t.Errorf("second page %+v, %v", page, err)
		}
		if secret, err := m.Secret(ctx, project, w.ID); err != nil || secret != w.Secret {
			t.Errorf("secret: %v", err)
		}
		if n := f.number(`SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1 AND secret = $2`, w.ID, []byte(w.Secret.Reveal())); n != 0 {
			t.Error("the secret stands in the database")
		}
		url := "https://example.org/"
		w, err = m.Update(ctx, project, w.ID, WebhookUpdate{URL: &url, Events: []string{"ats_candidates.*"}})
		if err != nil || w.URL != url || w.Events[0] != "ats_candidates.*" || w.Backlog != 0 {
			t.Errorf("updated %+v, %v", w, err)
		}
		if w, err = m.Disable(ctx, project, w.ID); err != nil || w.State != StateDisabled {
			t.Errorf("disabled %+v, %v", w, err)
		}
		if _, err = m.Replay(ctx, ReplayRequest{ProjectID: project, WebhookID: w.ID}); err == nil || !strings.Contains(err.Error(), "enable it first") {
			t.Errorf("replay to a disabled webhook: %v", err)
		}
		if w, err = m.Enable(ctx, project, w.ID); err != nil || w.State != StateOK || w.DisabledReason != "" {
			t.Errorf("enabled %+v, %v", w, err)
		}
		if err := m.Delete(ctx, project, w.ID); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"get":     second(m.Get(ctx, project, w.ID)),
			"foreign": second(m.Get(ctx, "other", all.ID)),
			"update":  second(m.Update(ctx, "other", all.ID, WebhookUpdate{URL: &url})),
			"disable": second(m.Disable(ctx, "other", all.ID)),
			"enable":  second(m.Enable(ctx, "other", all.ID)),
			"delete":  m.Delete(ctx, "other", all.ID),
			"rotate":  second(m.RotateSecret(ctx, "other", all.ID, SecretRotation{})),
			"secret":  second(m.Secret(ctx, "other", all.ID)),
			"test":    second(m.Test(ctx, "other", all.ID)),
			"dead":    second(m.Dead(ctx, "other", all.ID, 0, 1)),
			"parked":  second(m.Parked(ctx, "other", all.ID, 1)),
			"replay":  second(m.Replay(ctx, ReplayRequest{ProjectID: "other", WebhookID: all.ID})),
		} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for field, n := range map[string]NewWebhook{
			"url":    {URL: "x", Events: []string{"*"}},
			"events": {URL: url},
			"secret": {URL: url, Events: []string{"*"}, Secret: "short"},
		} {
			n.ProjectID = project
			var invalid *InvalidError
			if _, err := m.Create(ctx, n); !errors.As(err, &invalid) || invalid.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

func (p post) unix(t *testing.T) int64 {
	t.Helper()
	seconds, err := strconv.ParseInt(p.header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		t.Error(err)
	}
	return seconds
}

func second[T any](_ T, err error) error { return err }

func TestSecretIsRotatedWithOverlap(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		ctx := t.Context()
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		old := w.Secret.Reveal()
		d, _ := f.dispatch()
		sent := 0
		// check sends an event and tells which secrets signed it.
		check := func(step, active string, all ...string) {
			t.Helper()
			d.Refresh()
			var p post
			eventually(t, step, func() bool {
				sent++
				f.append("x")
				d.Wake()
				posts := r.waitAccepted(t, sent)
				p = posts[len(posts)-1]
				return Verify(active, p.body, p.header.Get("x-stackone-signature")) && len(strings.Fields(p.header.Get("webhook-signature"))) == len(all)
			})
			for _, secret := range all {
				want := StandardSignature([]string{secret}, p.uid, p.unix(t), p.body)
				if !strings.Contains(p.header.Get("webhook-signature"), want) {
					t.Errorf("%s: webhook-signature lacks a secret", step)
				}
			}
		}
		check("at first", old, old)
		w, err := f.webhooks.RotateSecret(ctx, project, w.ID, SecretRotation{})
		if err != nil {
			t.Fatal(err)
		}
		fresh := w.Secret.Reveal()
		check("both valid, the old one active", old, old, fresh)
		f.checkSecrets(w.ID, SecretActive, SecretWaiting)
		if _, err := f.webhooks.ActivateSecret(ctx, project, w.ID, time.Hour); err != nil {
			t.Fatal(err)
		}
		check("the new one active", fresh, fresh, old)
		f.checkSecrets(w.ID, SecretRetiring, SecretActive)
		f.exec(`UPDATE webhook_secrets SET expires_at = $1 WHERE NOT active`, time.Now().Add(-time.Second).UTC())
		f.exec(`UPDATE webhooks SET updated_at = $1`, time.Now().UTC())
		check("the old one expired", fresh, fresh)
		if _, err := f.webhooks.ActivateSecret(ctx, project, w.ID, 0); err == nil {
			t.Error("activated though none waits")
		}
		const own = "a-secret-of-my-own"
		if _, err := f.webhooks.RotateSecret(ctx, project, w.ID, SecretRotation{Secret: own, Activate: true, Overlap: time.Hour}); err != nil {
			t.Fatal(err)
		}
		check("rotated at once", own, own, fresh)
		if n := f.number(`SELECT count(*) FROM webhook_secrets`); n != 2 {
			t.Errorf("%d secrets kept", n)
		}
		if _, err := f.webhooks.RetireSecrets(ctx, project, w.ID); err != nil {
			t.Fatal(err)
		}
		check("the old one retired", own, own)
		f.checkSecrets(w.ID, SecretActive)
	})
}

func (f *fixture) checkSecrets(webhook string, want ...SecretState) {
	f.t.Helper()
	secrets, err := f.webhooks.Secrets(f.t.Context(), project, webhook)
	var got []SecretState
	for _, s := range secrets {
		got = append(got, s.State)
		if s.ExpiresAt.IsZero() != (s.State != SecretRetiring) {
			f.t.Errorf("expires: %+v", s)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		f.t.Error(diff, err)
	}
}

func TestConsumerThatKnowsTheNewSecretIsTold(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		var known atomic.Value
		known.Store([]string{})
		r := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			for _, secret := range known.Load().([]string) {
				both := secret == "any" || Verify(secret, p.body, p.header.Get("x-stackone-signature")) &&
					p.header.Get("webhook-signature") == StandardSignature([]string{secret}, p.uid, p.unix(t), p.body)
				if both {
					return 200
				}
			}
			return 401
		})
		w := f.create(r.URL)
		if _, err := f.webhooks.VerifySecret(t.Context(), project, w.ID); err == nil {
			t.Error("verified though none waits")
		}
		rotated, err := f.webhooks.RotateSecret(t.Context(), project, w.ID, SecretRotation{})
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			known                  []string
			waiting, active, wrong bool
		}{
			{[]string{w.Secret.Reveal()}, false, true, false},
			{[]string{w.Secret.Reveal(), rotated.Secret.Reveal()}, true, true, false},
			{[]string{rotated.Secret.Reveal()}, true, false, false},
			{[]string{"any"}, true, true, true},
		} {
			known.Store(test.known)
			v, err := f.webhooks.VerifySecret(t.Context(), project, w.ID)
			if err != nil || v.Waiting.Delivered != test.waiting || v.Active.Delivered != test.active || v.Wrong.Delivered != test.wrong {
				t.Errorf("%+v, %v", v, err)
			}
		}
	})
}

func TestTestEventIsSentOnceAndNotKept(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL, "ats_candidates.*", "account.*")
		got, err := f.webhooks.Test(t.Context(), project, w.ID)
		if err != nil || !got.Delivered || got.Status != 200 || got.Error != "" {
			t.Fatalf("%+v, %v", got, err)
		}
		p := r.all()[0]
		if p.name != "ats_candidates.created" || p.record != testID || !Verify(w.Secret.Reveal(), p.body, p.header.Get("x-stackone-signature")) {
			t.Errorf("sent %s", p.body)
		}
		checkSpelling(t, p.body)
		r.set(func(http.ResponseWriter, post) int { return 404 })
		if got, err := f.webhooks.Test(t.Context(), project, w.ID); err != nil || got.Delivered || got.Status != 404 || got.Error != "status" {
			t.Errorf("%+v, %v", got, err)
		}
		r.Close()
		if got, err := f.webhooks.Test(t.Context(), project, w.ID); err != nil || got.Delivered || got.Status != 0 || got.Error != "connect" {
			t.Errorf("%+v, %v", got, err)
		}
		account := f.create("http://127.0.0.1:1/", "account.created")
		if e := testEvent(project, f.webhooks.firstName(account.Events)); e.RecordType != "account" || e.RecordID != e.AccountID {
			t.Errorf("account event %+v", e)
		}
		if n := f.number(`SELECT count(*) FROM attempts`); n != 0 {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestDeliveriesTellWhereAnEventIs(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			if p.record == "bad" {
				return 400
			}
			return 200
		})
		f.append("bad", "bad", "good")
		w := f.create(r.URL)
		f.create(r.URL, "ats_candidates.*")
		f.dispatch(func(c *Config) { c.Schedule = []time.Duration{0, time.Hour} })
		eventually(t, "two parked", func() bool { return f.get(w.ID).Retrying == 2 })
		f.exec(`INSERT INTO webhooks (id, project_id, url, events, cursor_id, enabled, created_at, updated_at)
			SELECT 'zz', project_id, url, events, 0, false, created_at, updated_at FROM webhooks WHERE id = $1`, w.ID)
		var got []DeliveryState
		for _, e := range f.events() {
			deliveries, err := f.webhooks.Deliveries(t.Context(), e)
			if err != nil || len(deliveries) != 1 || deliveries[0].WebhookID != w.ID {
				t.Fatalf("%+v, %v", deliveries, err)
			}
			got = append(got, deliveries[0].State)
			if next := deliveries[0].NextAt; deliveries[0].State == DeliveryRetrying && (time.Until(next) < 50*time.Minute || time.Until(next) > 70*time.Minute) {
				t.Errorf("next attempt %s", next)
			}
		}
		if diff := cmp.Diff([]DeliveryState{DeliveryRetrying, DeliveryWaiting, DeliveryDone}, got); diff != "" {
			t.Error(diff)
		}
		// The log is needed from before the oldest parked event on.
		if n, err := f.webhooks.Needed(t.Context()); err != nil || n != f.events()[0].ID-1 {
			t.Errorf("needed %d, %v", n, err)
		}
		// Attempts go by age.
		f.exec(`UPDATE attempts SET attempted_at = $1 WHERE event_id = $2`, time.Now().Add(-time.Hour).UTC(), f.events()[0].ID)
		if n, err := f.webhooks.PurgeAttempts(t.Context(), time.Now().Add(-time.Minute)); err != nil || n != 1 {
			t.Errorf("purged %d, %v", n, err)
		}
	})
}
