package api

import (
	"context"
	"net/http"
	"time"

	"github.com/synthook/synthook/dispatch"
)

func (a *API) secretRoutes() {
	serve(a, route{pattern: "GET /v1/webhooks/{webhook_id}/secret", access: forAdmin, summary: "Show a webhook with its active secret"},
		func(ctx context.Context, in *WebhookPath) (Webhook, error) {
			w, err := a.Webhooks.Get(ctx, projectOf(ctx), in.WebhookID)
			if err == nil {
				w.Secret, err = a.Webhooks.Secret(ctx, projectOf(ctx), in.WebhookID)
			}
			return webhookOr(w, err)
		})
	create(a, route{pattern: "POST /v1/webhooks/{webhook_id}/secrets", access: forProject, summary: "Add a secret; the answer holds it", status: http.StatusCreated},
		func(ctx context.Context, in *struct {
			WebhookPath
			Body SecretRotation
		}) (Webhook, error) {
			overlap, err := parseOverlap(in.Body.Overlap)
			if err != nil {
				return Webhook{}, err
			}
			return webhookOr(a.Webhooks.RotateSecret(ctx, projectOf(ctx), in.WebhookID,
				dispatch.SecretRotation{Secret: in.Body.Secret, Activate: in.Body.Activate, Overlap: overlap}))
		})
	serve(a, route{pattern: "POST /v1/webhooks/{webhook_id}/secrets/activate", access: forProject, summary: "Make the added secret the active one"},
		func(ctx context.Context, in *struct {
			WebhookPath
			Body *SecretActivation
		}) (Webhook, error) {
			var overlap time.Duration
			if in.Body != nil {
				var err error
				if overlap, err = parseOverlap(in.Body.Overlap); err != nil {
					return Webhook{}, err
				}
			}
			return webhookOr(a.Webhooks.ActivateSecret(ctx, projectOf(ctx), in.WebhookID, overlap))
		})
}

// longestOverlap keeps a secret that may have leaked from staying valid by a slip.
const longestOverlap = 30 * 24 * time.Hour

// parseOverlap returns 0 for the default.
func parseOverlap(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	overlap, err := time.ParseDuration(text)
	if err != nil || overlap <= 0 || overlap > longestOverlap {
		return 0, invalid("body.overlap", "expected a duration such as 24h, at most 720h")
	}
	return overlap, nil
}
