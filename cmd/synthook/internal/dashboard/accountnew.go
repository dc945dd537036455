package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/poller"
)

// accountForm is a new account as it was typed.
type accountForm struct {
	frame.Frame
	Provider           api.Provider
	Credentials        []credentialField
	BaseURL            string
	OwnerID, OwnerName string
	Schedule, Baseline string
	PageSize           string
	RecordTypes        []string // chosen
	Wrong              form.Wrong
	Nothing            string // is listed, and what to do about it
	Unchecked          bool   // ticked: the provider is not asked first
	Unproven           bool   // the provider was asked, and refused
}

// Chosen says whether a record type is ticked.
func (f *accountForm) Chosen(recordType string) bool {
	return slices.Contains(f.RecordTypes, recordType)
}

func (d *Dashboard) newAccount(w http.ResponseWriter, r *http.Request) error {
	page, err := d.accountForm(w, r)
	if err != nil {
		return err
	}
	page.RecordTypes = page.Provider.RecordTypes
	return d.show(w, r, "account-new", page)
}

func (d *Dashboard) accountForm(w http.ResponseWriter, r *http.Request) (*accountForm, error) {
	p, err := client.Get[api.Provider](r.Context(), d.API, client.Path("v1", "providers", r.PathValue("provider")))
	if err != nil {
		return nil, err
	}
	page := &accountForm{Frame: d.frameOf(w, r, "accounts", "Add an account: "+p.Title), Provider: p, Baseline: poller.BaselineSilent}
	for _, c := range p.Credentials {
		page.Credentials = append(page.Credentials, credentialField{ProviderCredential: c})
	}
	return page, nil
}

func (d *Dashboard) createAccount(w http.ResponseWriter, r *http.Request) error {
	page, err := d.accountForm(w, r)
	if err != nil {
		return err
	}
	given := page.read(r)
	if page.Wrong == nil {
		var account api.Account
		account, err = client.Send[api.Account](r.Context(), d.API, http.MethodPost, "/v1/accounts"+unchecked(page.Unchecked), given)
		if err == nil {
			return d.done(w, r, frame.Path("accounts", account.ID), added(account))
		}
		page.Unproven = ofProvider(err)
		wrong, ok := form.Refused(err)
		if !ok {
			return err
		}
		page.Wrong = wrong
	}
	page.Nothing = blameCredentials(page.Wrong, page.Credentials)
	return d.again(w, r, "account-new", page)
}

// unchecked is a query of a request that may be made without asking the provider first.
func unchecked(yes bool) string {
	if yes {
		return "?check=false"
	}
	return ""
}

// SecretsAreTypedAgain says that the form lost a secret.
func (f *accountForm) SecretsAreTypedAgain() bool { return lostSecret(f.Credentials) }

func lostSecret(fields []credentialField) bool {
	return slices.ContainsFunc(fields, func(c credentialField) bool { return c.Again })
}

// added tells of a new account, and of what the provider does not let it read.
func added(account api.Account) frame.Notice {
	return notAll(account, "Account added. Its first listings have begun.")
}

// notAll adds to a text what the provider, which was asked, does not let the account read.
func notAll(account api.Account, text string) frame.Notice {
	for _, f := range account.Check {
		if f.Result != poller.CheckOK {
			return frame.Notice{Tone: "warn", Text: text + " Not so " + frame.Words(f.RecordType) + ": " + frame.Sentence(f.Detail)}
		}
	}
	return frame.Notice{Tone: "ok", Text: text}
}

// read takes what was typed.
func (f *accountForm) read(r *http.Request) api.NewAccount {
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f.BaseURL, f.OwnerID, f.OwnerName = text("base_url"), text("origin_owner_id"), text("origin_owner_name")
	f.Schedule, f.Baseline, f.PageSize = text("schedule"), text("baseline"), text("page_size")
	f.RecordTypes, f.Unchecked = r.PostForm["record_types"], text("unchecked") != ""
	n := api.NewAccount{
		Provider: f.Provider.Name, BaseURL: f.BaseURL, Credentials: readCredentials(r, f.Credentials),
		OriginOwnerID: f.OwnerID, OriginOwnerName: f.OwnerName, Schedule: f.Schedule, Baseline: f.Baseline,
	}
	if len(f.RecordTypes) < len(f.Provider.RecordTypes) {
		n.RecordTypes = f.RecordTypes // all of them are those that the account's credentials allow for
	}
	if len(f.RecordTypes) == 0 {
		f.Wrong = form.Wrong{"record_types": "choose at least one"}
	}
	var ok bool
	if n.PageSize, ok = form.Whole(f.PageSize); !ok {
		f.Wrong = form.Wrong{"page_size": "must be a whole number"}
	}
	return n
}
