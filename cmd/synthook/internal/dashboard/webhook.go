package dashboard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
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
	Test     *api.WebhookTest         // in the answer to its form
	Revealed bool
	Plan     *replayPlan
	Resync   resyncPlan
	Settings webhookSettings
	Open     string // the form that was refused
	Wrong    Wrong
	Typed    map[string]string
}

// replayPlan is a replay that was counted and not begun.
type replayPlan struct {
	api.NewReplay
	Since, Until string // as they were typed
	Event, Field string
	Rate         string
	Events       int64
	Counted      bool
	Wrong        Wrong
}

const attemptsShown = 15

func (d *Dashboard) webhook(w http.ResponseWriter, r *http.Request) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
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
	page.Attempts, err = d.Config.Deliveries.Recent(ctx, page.Project, page.Webhook.ID, attemptsShown)
	return page, err
}

func (d *Dashboard) changeWebhook(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("webhook")
	here := frame.Path("webhooks", id)
	act := func(action, text string) error {
		return d.after(w, r, here, text, d.ask(r.Context(), http.MethodPost, "webhooks", id, action))
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
	case "activate":
		return act("secrets/activate", "The new secret signs from now on. The old one stays valid for a day.")
	case "replay":
		return d.replay(w, r)
	case "resync":
		return d.resync(w, r)
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
		wrong, _ = wrongOf(err)
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

// revealSecret shows the active secret to the admin, who may see it any time.
func (d *Dashboard) revealSecret(w http.ResponseWriter, r *http.Request) error {
	found, err := client.Get[api.Webhook](r.Context(), d.API, client.Path("v1", "webhooks", r.PathValue("webhook"), "secret"))
	if err != nil {
		return err
	}
	return d.done(w, r, frame.Path("webhooks", found.ID), secretNotice("This is the secret that signs now.", found))
}

func (d *Dashboard) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("webhook")
	now := r.PostFormValue("when") == "now"
	rotation := api.SecretRotation{Activate: now, Secret: strings.TrimSpace(r.PostFormValue("secret"))}
	if now {
		rotation.Overlap = strings.TrimSpace(r.PostFormValue("overlap"))
	}
	made, err := client.Send[api.Webhook](r.Context(), d.API, http.MethodPost, client.Path("v1", "webhooks", id, "secrets"), rotation)
	if wrong, ok := wrongOf(err); ok {
		page, err := d.webhookPage(w, r)
		if err != nil {
			return err
		}
		page.Open, page.Wrong, page.Typed["overlap"] = "rotate", wrong, rotation.Overlap
		return d.again(w, r, "webhook", page)
	}
	if err != nil {
		return err
	}
	text := "This is the new secret. The old one goes on signing x-stackone-signature until you activate this one; webhook-signature is made with both."
	if now {
		text = "This is the new secret; it signs from now on. The old one stays valid in webhook-signature for the overlap."
	}
	return d.done(w, r, frame.Path("webhooks", id), secretNotice(text, made))
}

func (d *Dashboard) deleteWebhook(w http.ResponseWriter, r *http.Request) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	if typed := strings.TrimSpace(r.PostFormValue("confirm")); typed != "delete" {
		page.Open, page.Wrong, page.Typed["confirm"] = "delete", Wrong{"confirm": "type “delete” to delete it"}, typed
		return d.again(w, r, "webhook", page)
	}
	return d.after(w, r, "/webhooks", "Webhook deleted.", d.ask(r.Context(), http.MethodDelete, "webhooks", page.Webhook.ID))
}

// planReplay counts what a replay would send.
func (d *Dashboard) planReplay(w http.ResponseWriter, r *http.Request) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Plan = "replay", readPlan(r, page.Webhook.ID)
	if len(page.Plan.Wrong) == 0 {
		page.Plan.DryRun = true
		result, err := client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/replays", page.Plan.NewReplay)
		if wrong, ok := wrongOf(err); ok {
			page.Plan.Wrong = wrong
		} else if err != nil {
			return err
		}
		page.Plan.Events, page.Plan.Counted = result.Events, len(page.Plan.Wrong) == 0
	}
	if len(page.Plan.Wrong) > 0 {
		return d.again(w, r, "webhook", page)
	}
	return d.show(w, r, "webhook", page)
}

// readPlan reads what a replay should cover, from a query or a form.
func readPlan(r *http.Request, webhook string) *replayPlan {
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	p := &replayPlan{Since: text("since"), Until: text("until"), Event: text("event"), Wrong: Wrong{}}
	p.NewReplay = api.NewReplay{WebhookID: webhook, AccountID: text("account_id"), RecordType: text("record_type"), RecordID: text("record_id"), Dead: text("dead") != "", Missed: text("missed") != ""}
	p.Field, p.Rate = text("field"), text("rate_limit")
	if p.Field != "" {
		p.NewReplay.Fields = splitLines(p.Field)
	}
	var ok bool
	if p.NewReplay.RateLimit, ok = number(p.Rate); !ok {
		p.Wrong["rate_limit"] = "must be a number"
	}
	if p.Event != "" {
		p.NewReplay.Events = splitLines(p.Event)
	}
	for name, to := range map[string]**time.Time{"since": &p.NewReplay.Since, "until": &p.NewReplay.Until} {
		t, err := parseTime(text(name))
		if err != nil {
			p.Wrong[name] = err.Error()
		} else if !t.IsZero() {
			*to = &t
		}
	}
	return p
}

// parseTime reads a time in UTC as an input of a browser writes it, or RFC 3339; "": the
// zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly, "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("expected a time in UTC such as 2026-01-31T15:04")
}

func (d *Dashboard) replay(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("webhook")
	plan := readPlan(r, id)
	var result api.ReplayResult
	err := error(nil)
	if len(plan.Wrong) == 0 {
		result, err = client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/replays", plan.NewReplay)
		if wrong, ok := wrongOf(err); ok {
			plan.Wrong, err = wrong, nil
		}
	}
	if err != nil {
		return err
	}
	if len(plan.Wrong) > 0 {
		page, err := d.webhookPage(w, r)
		if err != nil {
			return err
		}
		page.Open, page.Plan = "replay", plan
		return d.again(w, r, "webhook", page)
	}
	notice := frame.Notice{Tone: "ok", Text: "Replay begun: " + frame.Plural(result.Events, "event") + "."}
	if result.Events == 0 {
		notice = frame.Notice{Tone: "warn", Text: "Nothing to replay: no event of the log matches."}
	}
	return d.done(w, r, frame.Path("webhooks", id), notice)
}

func (d *Dashboard) cancelReplay(w http.ResponseWriter, r *http.Request) error {
	replay, err := client.Send[api.Replay](r.Context(), d.API, http.MethodDelete, client.Path("v1", "replays", r.PathValue("replay")), nil)
	return d.after(w, r, frame.Path("webhooks", replay.WebhookID), "Replay cancelled. What it sent stays sent.", err)
}
