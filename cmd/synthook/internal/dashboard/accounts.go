package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/poller"
)

// rowsShown is how many rows a page of a list has.
const rowsShown = 50

// accountsPage lists accounts.
type accountsPage struct {
	frame.Frame
	Text, Provider, State string // the filter
	Providers             []api.Provider
	Accounts              []accountRow
	Next                  string // URL of the next page
}

// Filtered says that not all accounts were asked for.
func (p *accountsPage) Filtered() bool { return p.Text+p.Provider+p.State != "" }

// accountRow is an account and how its streams are.
type accountRow struct {
	api.Account
	Title   string // of the provider
	Streams []streamRow
}

// Worst is the state of the account that most needs to be known.
func (a accountRow) Worst() string {
	if a.State != poller.StateActive {
		return a.State
	}
	for _, state := range []string{poller.StreamQuarantined, poller.StreamFailing, poller.StreamNew} {
		if slices.ContainsFunc(a.Streams, func(s streamRow) bool { return s.State == state }) {
			return state
		}
	}
	return "ok"
}

// Records are those of all streams.
func (a accountRow) Records() (n int64) {
	for _, s := range a.Streams {
		n += s.Records
	}
	return n
}

func (d *Dashboard) accounts(w http.ResponseWriter, r *http.Request) error {
	page := &accountsPage{
		Frame: d.frameOf(w, r, "accounts", "Accounts"),
		Text:  strings.TrimSpace(r.FormValue("q")), Provider: r.FormValue("provider"), State: r.FormValue("state"),
	}
	found, err := d.Config.Accounts.Find(r.Context(), page.Project, poller.AccountFilter{
		Text: page.Text, Provider: page.Provider, State: page.State, After: r.FormValue("after"), Limit: rowsShown + 1,
	})
	if err != nil {
		return err
	}
	if len(found) > rowsShown {
		found = found[:rowsShown]
		page.Next = with(r.URL, "after", found[rowsShown-1].ID)
	}
	if page.Providers, err = d.catalogue(r); err != nil {
		return err
	}
	titles := map[string]string{}
	for _, p := range page.Providers {
		titles[p.Name] = p.Title
	}
	var ids []string
	for _, a := range found {
		page.Accounts = append(page.Accounts, accountRow{Account: api.AccountOf(a), Title: cmp.Or(titles[a.Provider], a.Provider)})
		ids = append(ids, a.ID)
	}
	if len(ids) > 0 {
		streams, err := d.Config.Streams.Find(r.Context(), page.Project, poller.StreamFilter{AccountIDs: ids, Limit: 1 << 20})
		if err != nil {
			return err
		}
		for _, s := range streams {
			i := slices.Index(ids, s.AccountID)
			page.Accounts[i].Streams = append(page.Accounts[i].Streams, rowOf(s))
		}
	}
	return d.show(w, r, "accounts", page)
}

// catalogue is all connectors.
func (d *Dashboard) catalogue(r *http.Request) ([]api.Provider, error) {
	page, err := client.Get[api.Page[api.Provider]](r.Context(), d.API, "/v1/providers?limit=1000")
	return page.Items, err
}

// with is a URL of the same page with one parameter changed.
func with(u *url.URL, key, value string) string {
	q := u.Query()
	q.Set(key, value)
	return u.Path + "?" + q.Encode()
}

// providersPage is the catalogue: to look at, or to choose from.
type providersPage struct {
	frame.Frame
	Text      string
	Choose    bool // for a new account
	Providers []api.Provider
}

func (d *Dashboard) providers(w http.ResponseWriter, r *http.Request) error {
	return d.showProviders(w, r, &providersPage{Frame: d.frameOf(w, r, "providers", "Providers")})
}

func (d *Dashboard) chooseProvider(w http.ResponseWriter, r *http.Request) error {
	return d.showProviders(w, r, &providersPage{Frame: d.frameOf(w, r, "accounts", "Add account"), Choose: true})
}

func (d *Dashboard) showProviders(w http.ResponseWriter, r *http.Request, page *providersPage) error {
	page.Text = strings.TrimSpace(r.FormValue("q"))
	all, err := d.catalogue(r)
	if err != nil {
		return err
	}
	for _, p := range all {
		words := strings.ToLower(p.Name + " " + p.Title + " " + p.Category + " " + strings.Join(p.RecordTypes, " "))
		if strings.Contains(words, strings.ToLower(page.Text)) {
			page.Providers = append(page.Providers, p)
		}
	}
	return d.show(w, r, "providers", page)
}

// providerPage is one connector.
type providerPage struct {
	frame.Frame
	Provider api.Provider
}

func (d *Dashboard) provider(w http.ResponseWriter, r *http.Request) error {
	p, err := client.Get[api.Provider](r.Context(), d.API, client.Path("v1", "providers", r.PathValue("provider")))
	if err != nil {
		return err
	}
	return d.show(w, r, "provider", &providerPage{d.frameOf(w, r, "providers", p.Title), p})
}

// accountForm is a new account as it was typed.
type accountForm struct {
	frame.Frame
	Provider             api.Provider
	Credentials          []credentialField
	BaseURL              string
	OwnerID, OwnerName   string
	Schedule, Baseline   string
	PageSize             string
	RecordTypes          []string // chosen
	Wrong                form.Wrong
	SecretsAreTypedAgain bool
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
	page := &accountForm{Frame: d.frameOf(w, r, "accounts", "Add "+p.Title+" account"), Provider: p, Baseline: poller.BaselineSilent}
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
		account, err = client.Send[api.Account](r.Context(), d.API, http.MethodPost, "/v1/accounts", given)
		if err == nil {
			return d.done(w, r, frame.Path("accounts", account.ID), added(account))
		}
		wrong, ok := form.Refused(err)
		if !ok {
			return err
		}
		page.Wrong = wrong
	}
	page.blame()
	return d.again(w, r, "account-new", page)
}

// added tells of a new account, and of what the provider does not let it read.
func added(account api.Account) frame.Notice {
	text := "Account added. Its first listings have begun."
	for _, f := range account.Check {
		if f.Result != poller.CheckOK {
			return frame.Notice{Tone: "warn", Text: text + " Not so " + f.RecordType + ": " + f.Detail + "."}
		}
	}
	return frame.Notice{Tone: "ok", Text: text}
}

// read takes what was typed.
func (f *accountForm) read(r *http.Request) api.NewAccount {
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f.BaseURL, f.OwnerID, f.OwnerName = text("base_url"), text("origin_owner_id"), text("origin_owner_name")
	f.Schedule, f.Baseline, f.PageSize = text("schedule"), text("baseline"), text("page_size")
	f.RecordTypes = r.PostForm["record_types"]
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

// blame gives each credential what the refusal says of it, and keeps the rest for all.
func (f *accountForm) blame() {
	f.Wrong["credentials"] = blameCredentials(f.Wrong["credentials"], f.Credentials)
	f.SecretsAreTypedAgain = slices.ContainsFunc(f.Credentials, func(c credentialField) bool { return c.Secret })
}

// readCredentials takes the credentials that were typed, and keeps in the fields those
// that are no secret.
func readCredentials(r *http.Request, fields []credentialField) map[string]string {
	given := map[string]string{}
	for i := range fields {
		value := r.PostFormValue("credential." + fields[i].Name)
		if !fields[i].Secret {
			value = strings.TrimSpace(value)
			fields[i].Value = value
		}
		if value != "" {
			given[fields[i].Name] = value
		}
	}
	return given
}

// blameCredentials puts the parts of a message that name a credential beside its field,
// and returns the rest.
func blameCredentials(message string, fields []credentialField) string {
	if message == "" {
		return ""
	}
	_, list, found := strings.Cut(message, ": ")
	if !found || !strings.HasPrefix(message, "connector ") { // else it is what the provider said
		return message
	}
	var rest []string
parts:
	for part := range strings.SplitSeq(list, "; ") {
		for i := range fields {
			if slices.Contains(strings.FieldsFunc(part, func(r rune) bool { return r == ' ' || r == '"' }), fields[i].Name) {
				fields[i].Wrong = part
				continue parts
			}
		}
		rest = append(rest, part)
	}
	return strings.Join(rest, "; ")
}
