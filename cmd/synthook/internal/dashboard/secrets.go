package dashboard

import (
	"context"
	"net/http"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// secretsView is a webhook's secrets, and where their rotation stands.
type secretsView struct {
	All               []api.WebhookSecret
	Waiting, Retiring bool                    // there is one
	Verified          *api.SecretVerification // in the answer to its form
	Wrong             form.Wrong
	Overlap           string // as it was typed
}

// Proved says that the consumer was just found to know the secret that waits.
func (v secretsView) Proved() bool { return v.Verified != nil && v.Verified.Verified }

// atSecrets is where a webhook's page is open at its secrets.
func atSecrets(webhook string) string { return frame.Path("webhooks", webhook) + "?open=secret#secret" }

func (d *Dashboard) secretsOf(ctx context.Context, webhook string) (v secretsView, err error) {
	found, err := client.Get[api.Page[api.WebhookSecret]](ctx, d.API, client.Path("v1", "webhooks", webhook, "secrets"))
	v.All = found.Items
	for _, s := range found.Items {
		v.Waiting = v.Waiting || s.State == "waiting"
		v.Retiring = v.Retiring || s.State == "retiring"
	}
	return v, err
}

// revealSecret shows the active secret to the admin, who may see it any time.
func (d *Dashboard) revealSecret(w http.ResponseWriter, r *http.Request) error {
	found, err := client.Get[api.Webhook](r.Context(), d.API, client.Path("v1", "webhooks", r.PathValue("webhook"), "secret"))
	if err != nil {
		return err
	}
	return d.done(w, r, frame.Path("webhooks", found.ID), secretNotice("This is the secret that signs now.", found))
}

// rotateSecret makes a secret that waits, or one that signs at once.
func (d *Dashboard) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	now := r.PostFormValue("when") == "now"
	rotation := api.SecretRotation{Activate: now, Secret: strings.TrimSpace(r.PostFormValue("secret"))}
	if now {
		rotation.Overlap = form.Text(r, "overlap")
	}
	made, err := client.Send[api.Webhook](r.Context(), d.API, http.MethodPost, client.Path("v1", "webhooks", r.PathValue("webhook"), "secrets"), rotation)
	if wrong, ok := form.Refused(err); ok {
		return d.secretsAgain(w, r, wrong, rotation.Overlap)
	}
	if err != nil {
		return err
	}
	text := "This is the new secret. The old one goes on signing x-stackone-signature until you switch; webhook-signature is made with both. Teach it to your consumer, then verify."
	if now {
		text = "This is the new secret; it signs from now on. The old one stays valid in webhook-signature for the overlap."
	}
	return d.done(w, r, frame.Path("webhooks", made.ID), secretNotice(text, made))
}

// verifySecret finds out whether the consumer knows the secret that waits. It changes
// nothing, so its answer is the page itself.
func (d *Dashboard) verifySecret(w http.ResponseWriter, r *http.Request) error {
	found, err := client.Send[api.SecretVerification](r.Context(), d.API, http.MethodPost, client.Path("v1", "webhooks", r.PathValue("webhook"), "secrets", "verify"), nil)
	if wrong, ok := form.Refused(err); ok {
		return d.secretsAgain(w, r, wrong, "")
	}
	if err != nil {
		return err
	}
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Refresh, page.Secrets.Verified = "secret", 0, &found
	return d.show(w, r, "webhook", page)
}

// activateSecret makes the secret that waits the active one.
func (d *Dashboard) activateSecret(w http.ResponseWriter, r *http.Request) error {
	overlap := form.Text(r, "overlap")
	_, err := client.Send[api.Webhook](r.Context(), d.API, http.MethodPost,
		client.Path("v1", "webhooks", r.PathValue("webhook"), "secrets", "activate"), api.SecretActivation{Overlap: overlap})
	if wrong, ok := form.Refused(err); ok {
		return d.secretsAgain(w, r, wrong, overlap)
	}
	return d.after(w, r, atSecrets(r.PathValue("webhook")), "The new secret signs from now on. The old one stays valid in webhook-signature until its overlap is over, or you drop it.", err)
}

func (d *Dashboard) secretsAgain(w http.ResponseWriter, r *http.Request, wrong form.Wrong, overlap string) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Secrets.Wrong, page.Secrets.Overlap = "secret", wrong, overlap
	return d.again(w, r, "webhook", page)
}
