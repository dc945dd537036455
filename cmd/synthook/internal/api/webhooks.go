package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/synthook/synthook/dispatch"
)

// WebhookPath is in the path of what belongs to a webhook.
type WebhookPath struct {
	WebhookID string `path:"webhook_id"`
}

func (a *API) webhookRoutes() {
	serve(a, route{pattern: "GET /v1/webhooks", access: forProject, summary: "List the webhooks"},
		func(ctx context.Context, in *Listing) (Page[Webhook], error) {
			found, err := a.Webhooks.List(ctx, projectOf(ctx), in.Cursor, in.Limit+1)
			return pageOf(found, in.Limit, showWebhook, func(w dispatch.Webhook) string { return w.ID }), err
		})
	create(a, route{pattern: "POST /v1/webhooks", access: forProject, summary: "Register a webhook; the answer holds its secret", status: http.StatusCreated},
		func(ctx context.Context, in *struct{ Body NewWebhook }) (Webhook, error) {
			n := in.Body
			webhook := dispatch.NewWebhook{
				ProjectID: projectOf(ctx), URL: n.URL, Events: n.Events, Secret: n.Secret, Settings: dispatch.SettingsUpdate(n.WebhookSettings),
			}
			if err := a.begin(ctx, &webhook, n.From); err != nil {
				return Webhook{}, err
			}
			return webhookOr(a.Webhooks.Create(ctx, webhook))
		})
	serve(a, route{pattern: "GET /v1/webhooks/{webhook_id}", access: forProject, summary: "Show a webhook"},
		func(ctx context.Context, in *WebhookPath) (Webhook, error) {
			return webhookOr(a.Webhooks.Get(ctx, projectOf(ctx), in.WebhookID))
		})
	type change struct {
		WebhookPath
		Body WebhookUpdate
	}
	update(a, route{pattern: "PATCH /v1/webhooks/{webhook_id}", access: forProject, summary: "Change a webhook: what is present, the rest stays"},
		func(ctx context.Context, in *change) (Webhook, error) {
			return webhookOr(a.Webhooks.Get(ctx, projectOf(ctx), in.WebhookID))
		},
		func(ctx context.Context, in *change) (Webhook, error) {
			u := dispatch.WebhookUpdate{URL: in.Body.URL, Settings: dispatch.SettingsUpdate(in.Body.WebhookSettings)}
			if in.Body.Events != nil {
				u.Events = orEmpty(*in.Body.Events)
			}
			return webhookOr(a.Webhooks.Update(ctx, projectOf(ctx), in.WebhookID, u))
		})
	do(a, route{pattern: "DELETE /v1/webhooks/{webhook_id}", access: forProject, summary: "Delete a webhook; can't be undone"},
		func(ctx context.Context, in *WebhookPath) error {
			return a.Webhooks.Delete(ctx, projectOf(ctx), in.WebhookID)
		})
	serve(a, route{pattern: "POST /v1/webhooks/{webhook_id}/enable", access: forProject, summary: "Send to a webhook (again), from where it stood"},
		func(ctx context.Context, in *WebhookPath) (Webhook, error) {
			return webhookOr(a.Webhooks.Enable(ctx, projectOf(ctx), in.WebhookID))
		})
	serve(a, route{pattern: "POST /v1/webhooks/{webhook_id}/disable", access: forProject, summary: "Stop sending to a webhook"},
		func(ctx context.Context, in *WebhookPath) (Webhook, error) {
			return webhookOr(a.Webhooks.Disable(ctx, projectOf(ctx), in.WebhookID))
		})
	serve(a, route{pattern: "POST /v1/webhooks/{webhook_id}/test", access: forProject, quiet: true, summary: "Send a test event now, once"},
		func(ctx context.Context, in *WebhookPath) (WebhookTest, error) {
			o, err := a.Webhooks.Test(ctx, projectOf(ctx), in.WebhookID)
			return showTest(o), err
		})
}

func showTest(o dispatch.TestOutcome) WebhookTest {
	return WebhookTest{Delivered: o.Delivered, Status: o.Status, DurationMS: o.Duration.Milliseconds(), Error: o.Error, Answer: o.Answer}
}

// begin says where in the log a new webhook begins.
func (a *API) begin(ctx context.Context, n *dispatch.NewWebhook, from string) (err error) {
	switch {
	case from == "" || from == "now":
	case from == "start":
		n.FromStart = true
	case strings.HasPrefix(from, "evt_"):
		n.FromID, err = a.sequenceOf(ctx, "body.from", from)
	default:
		if n.FromTime, err = time.Parse(time.RFC3339, from); err != nil {
			err = invalid("body.from", "expected now, start, a time such as 2026-11-22T00:00:00Z, or the id of an event")
		}
	}
	return err
}

func webhookOr(w dispatch.Webhook, err error) (Webhook, error) { return showWebhook(w), err }

func showWebhook(w dispatch.Webhook) Webhook {
	shown := Webhook{
		ID: w.ID, ProjectID: w.ProjectID, URL: w.URL, Events: orEmpty(w.Events), WebhookSettings: showSettings(w.Settings),
		Enabled: w.Enabled, DisabledReason: w.DisabledReason, DisabledAt: optional(w.DisabledAt), State: string(w.State), LastError: w.LastError,
		FailingSince: optional(w.FailingSince), ProbeAt: optional(w.ProbeAt), LastSuccessAt: optional(w.LastSuccessAt),
		Backlog: w.Backlog, Retrying: w.Retrying, Dead: w.Dead, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
	}
	if secret := w.Secret.Reveal(); secret != "" {
		shown.Secret, shown.StandardSecret = secret, dispatch.StandardSecret(secret)
	}
	return shown
}

func showSettings(s dispatch.Settings) WebhookSettings {
	accounts, providers, fields := orEmpty(s.Accounts), orEmpty(s.Providers), orEmpty(s.Fields)
	return WebhookSettings{
		Concurrency: &s.Concurrency, RateLimit: &s.RateLimit, Ordered: &s.Ordered, LogAttempts: &s.LogAttempts, KeepAnswers: &s.KeepAnswers,
		Accounts: &accounts, Providers: &providers, Fields: &fields,
	}
}
