package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/dispatch"
)

// webhookPage is one webhook.
type webhookPage struct {
	frame.Frame
	Webhook  api.Webhook
	All      bool
	Groups   []eventGroup
	URL      string // as it was typed
	Replays  []api.Replay
	Attempts []dispatch.RecentAttempt // newest first
	Parked   []dispatch.Parked        // what it did not take
	Test     *api.WebhookTest         // in the answer to its form
	Secrets  secretsView
	Plan     *replayPlan
	Resync   resyncPlan
	Settings webhookSettings

	Reconcile   reconcilePlan
	RecordTypes []string // to choose from
	Open        string   // the form that was refused
	Wrong       form.Wrong
	Typed       map[string]string
}

const attemptsShown = 15

func (d *Dashboard) webhook(w http.ResponseWriter, r *http.Request) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	if r.FormValue("open") == "secret" {
		page.Open = "secret"
	}
	return d.show(w, r, "webhook", page)
}

func (d *Dashboard) webhookPage(w http.ResponseWriter, r *http.Request) (*webhookPage, error) {
	ctx, page := r.Context(), &webhookPage{Typed: map[string]string{}, Plan: &replayPlan{}}
	var err error
	if page.Webhook, err = client.Get[api.Webhook](ctx, d.API, client.Path("v1", "webhooks", r.PathValue("webhook"))); err != nil {
		return nil, err
	}
	page.Settings = settingsOf(page.Webhook.WebhookSettings)
	page.URL, page.All = page.Webhook.URL, slices.Contains(page.Webhook.Events, "*")
	if page.Groups, err = d.eventGroups(ctx, page.Webhook.Events); err != nil {
		return nil, err
	}
	for _, g := range page.Groups {
		for _, t := range g.Types {
			if _, recordType, ok := strings.Cut(t.Prefix, "_"); ok {
				page.RecordTypes = append(page.RecordTypes, recordType)
			}
		}
	}
	if page.Secrets, err = d.secretsOf(ctx, page.Webhook.ID); err != nil {
		return nil, err
	}
	replays, err := client.Get[api.Page[api.Replay]](ctx, d.API, "/v1/replays?limit=200")
	if err != nil {
		return nil, err
	}
	page.Frame = d.frameOf(w, r, "webhooks", "Webhook")
	for _, replay := range replays.Items {
		if replay.WebhookID == page.Webhook.ID && len(page.Replays) < 5 {
			page.Replays = append(page.Replays, replay)
			if replay.State == "running" {
				page.Refresh = 3
			}
		}
	}
	if page.Webhook.Backlog > 0 {
		page.Refresh = 5
	}
	if err := d.findParked(ctx, page); err != nil {
		return nil, err
	}
	page.Attempts, err = d.Config.Deliveries.Recent(ctx, page.Project, page.Webhook.ID, attemptsShown)
	return page, err
}

func (d *Dashboard) changeWebhook(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("webhook")
	here := frame.Path("webhooks", id)
	act := func(action, text string) error {
		return d.after(w, r, here, text, d.ask(r.Context(), http.MethodPost, append([]string{"webhooks", id}, strings.Split(action, "/")...)...))
	}
	switch r.PathValue("action") {
	case "enable":
		return act("enable", "Enabled: it goes on where it stood, and what it missed is delivered.")
	case "disable":
		return act("disable", "Disabled: nothing is sent until you enable it. It keeps its place in the log.")
	case "test":
		return d.testWebhook(w, r)
	case "edit":
		return d.updateWebhook(w, r)
	case "reveal":
		return d.revealSecret(w, r)
	case "rotate":
		return d.rotateSecret(w, r)
	case "verify":
		return d.verifySecret(w, r)
	case "activate":
		return d.activateSecret(w, r)
	case "retire":
		here = atSecrets(id)
		return act("secrets/retire", "Only the active secret is left: every other signs nothing any more, and is forgotten.")
	case "replay":
		return d.replay(w, r)
	case "resync":
		return d.resync(w, r)
	case "reconcile":
		return d.reconcile(w, r)
	case "delete":
		return d.deleteWebhook(w, r)
	}
	d.fail(w, r, http.StatusNotFound, "There is no such action.")
	return nil
}

// testWebhook sends a test event and shows what was answered. It changes nothing, so
// its answer is the page itself.
func (d *Dashboard) testWebhook(w http.ResponseWriter, r *http.Request) error {
	o, err := client.Send[api.WebhookTest](r.Context(), d.API, http.MethodPost, client.Path("v1", "webhooks", r.PathValue("webhook"), "test"), nil)
	if err != nil {
		return err
	}
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Test, page.Refresh = &o, 0
	return d.show(w, r, "webhook", page)
}

func (d *Dashboard) updateWebhook(w http.ResponseWriter, r *http.Request) error {
	id, url, events := r.PathValue("webhook"), strings.TrimSpace(r.PostFormValue("url")), chosenEvents(r)
	typed, chosen, wrong := readSettings(r)
	var err error
	if len(wrong) == 0 {
		_, err = client.Send[api.Webhook](r.Context(), d.API, http.MethodPatch, client.Path("v1", "webhooks", id), api.WebhookUpdate{URL: &url, Events: &events, WebhookSettings: chosen})
		wrong, _ = form.Refused(err)
	}
	if len(wrong) > 0 {
		page, err := d.webhookPage(w, r)
		if err != nil {
			return err
		}
		page.Open, page.Wrong, page.URL, page.All = "edit", chooseSome(wrong, events), url, slices.Contains(events, "*")
		page.Settings = typed
		if page.Groups, err = d.eventGroups(r.Context(), events); err != nil {
			return err
		}
		return d.again(w, r, "webhook", page)
	}
	return d.after(w, r, frame.Path("webhooks", id), "Saved.", err)
}

func (d *Dashboard) deleteWebhook(w http.ResponseWriter, r *http.Request) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	if typed := strings.TrimSpace(r.PostFormValue("confirm")); typed != "delete" {
		page.Open, page.Wrong, page.Typed["confirm"] = "delete", form.Wrong{"confirm": "type “delete” to delete it"}, typed
		return d.again(w, r, "webhook", page)
	}
	return d.after(w, r, "/webhooks", "Webhook deleted.", d.ask(r.Context(), http.MethodDelete, "webhooks", page.Webhook.ID))
}
