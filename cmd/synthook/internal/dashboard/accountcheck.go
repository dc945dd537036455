package dashboard

import (
	"net/http"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// SecretsAreTypedAgain says that the form of the credentials lost a secret.
func (p *accountPage) SecretsAreTypedAgain() bool { return lostSecret(p.Credentials) }

// checkAccount asks the provider for one small page of each record type. What it says is
// kept nowhere, so the answer is the page itself.
func (d *Dashboard) checkAccount(w http.ResponseWriter, r *http.Request, id string) error {
	control := http.NewResponseController(w)
	// A provider that does not answer may take longer than the server's limits.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	found, err := client.Send[api.AccountCheck](r.Context(), d.API, http.MethodPost, client.Path("v1", "accounts", id, "check"), nil)
	if _, ok := form.Refused(err); ok {
		return d.after(w, r, frame.Path("accounts", id), "", err)
	}
	if err != nil {
		return err
	}
	page, err := d.accountPage(w, r)
	if err != nil {
		return err
	}
	page.Check, page.Refresh = &found, 0
	return d.show(w, r, "account", page)
}

// replaceCredentials changes the credentials that were typed, and the base URL; what was
// left as it is stays.
func (d *Dashboard) replaceCredentials(w http.ResponseWriter, r *http.Request, id string) error {
	page, err := d.accountPage(w, r)
	if err != nil {
		return err
	}
	var update api.AccountUpdate
	if given := readReplacement(r, page.Credentials); len(given) > 0 {
		update.Credentials = given
	}
	base := strings.TrimSpace(r.PostFormValue("base_url"))
	if r.PostForm.Has("base_url") && base != page.Account.BaseURL {
		update.BaseURL = &base
	}
	if update.Credentials == nil && update.BaseURL == nil {
		return d.done(w, r, frame.Path("accounts", id), frame.Notice{Text: "Nothing was typed that differs: the credentials are as they were."})
	}
	page.Unchecked = r.PostFormValue("unchecked") != ""
	account, err := client.Send[api.Account](r.Context(), d.API, http.MethodPatch, client.Path("v1", "accounts", id)+unchecked(page.Unchecked), update)
	if wrong, ok := form.Refused(err); ok {
		page.Open, page.Wrong, page.Unproven, page.Typed["base_url"] = "credentials", wrong, ofProvider(err), base
		page.Nothing = blameCredentials(wrong, page.Credentials)
		return d.again(w, r, "account", page)
	}
	if err != nil {
		return err
	}
	return d.done(w, r, frame.Path("accounts", id), notAll(account, "Credentials replaced. All its streams are polled with them now."))
}
