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

func (a *API) rotationRoutes() {
	serve(a, route{pattern: "GET /v1/webhooks/{webhook_id}/secrets", access: forProject, summary: "List a webhook's secrets and where they stand, without their texts"},
		func(ctx context.Context, in *struct {
			WebhookPath
			Listing
		}) (Page[WebhookSecret], error) {
			// A few: always one page.
			found, err := a.Webhooks.Secrets(ctx, projectOf(ctx), in.WebhookID)
			return pageOf(found, len(found), func(s dispatch.SecretStanding) WebhookSecret {
				return WebhookSecret{ID: s.ID, State: string(s.State), CreatedAt: s.CreatedAt, ExpiresAt: optional(s.ExpiresAt)}
			}, nil), err
		})
	serve(a, route{pattern: "POST /v1/webhooks/{webhook_id}/secrets/verify", access: forProject, summary: "Find out by test events whether the consumer knows the added secret"},
		func(ctx context.Context, in *WebhookPath) (SecretVerification, error) {
			v, err := a.Webhooks.VerifySecret(ctx, projectOf(ctx), in.WebhookID)
			return SecretVerification{
				Verified: v.Waiting.Delivered && !v.Wrong.Delivered, AcceptsAnything: v.Wrong.Delivered,
				Waiting: showTest(v.Waiting), Active: showTest(v.Active), Wrong: showTest(v.Wrong),
			}, err
		})
	serve(a, route{pattern: "POST /v1/webhooks/{webhook_id}/secrets/retire", access: forProject, summary: "Forget every secret but the active one now"},
		func(ctx context.Context, in *WebhookPath) (Webhook, error) {
			return webhookOr(a.Webhooks.RetireSecrets(ctx, projectOf(ctx), in.WebhookID))
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
