package dashboard

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/poller"
)

// accountPage is one account.
type accountPage struct {
	frame.Frame
	Account     api.Account
	Provider    api.Provider // without streams where it left the catalogue
	Streams     []streamRow
	Credentials []credentialField
	Records     int64
	Mark        string            // what of the streams is shown
	Open        string            // the form that was refused
	Wrong       form.Wrong        // in the open form
	Typed       map[string]string // in the open form
	Nothing     string            // is listed, in the form of the credentials
	Unchecked   bool              // ticked there: the provider is not asked first
	Unproven    bool              // the provider was asked about them, and refused
	Check       *api.AccountCheck // in the answer to its form
}

// Label is what the account is called by.
func (p *accountPage) Label() string { return nameOf(p.Account.OriginOwnerName, p.Account.ID) }

// Value is what a field shows: what was typed, or what holds.
func (p *accountPage) Value(name string) string {
	if typed, ok := p.Typed[name]; ok {
		return typed
	}
	switch a := p.Account; name {
	case "origin_owner_name":
		return a.OriginOwnerName
	case "origin_owner_id":
		return a.OriginOwnerID
	case "origin_username":
		return a.OriginUsername
	case "schedule":
		return a.Schedule
	case "page_size":
		return strconv.Itoa(a.PageSize)
	case "base_url":
		return a.BaseURL
	}
	return ""
}

func (d *Dashboard) account(w http.ResponseWriter, r *http.Request) error {
	page, err := d.accountPage(w, r)
	if err != nil {
		return err
	}
	return d.show(w, r, "account", page)
}

func (d *Dashboard) accountPage(w http.ResponseWriter, r *http.Request) (*accountPage, error) {
	ctx, page := r.Context(), &accountPage{Typed: map[string]string{}}
	// The streams are read first: an account that is newer than they are is no
	// contradiction, for their states follow its own, and what they show is watched.
	found, err := d.Config.Streams.Find(ctx, sessionOf(r).Project, poller.StreamFilter{AccountIDs: []string{r.PathValue("account")}, Limit: 1 << 20})
	if err != nil {
		return nil, err
	}
	if page.Account, err = client.Get[api.Account](ctx, d.API, client.Path("v1", "accounts", r.PathValue("account"))); err != nil {
		return nil, err
	}
	page.Frame = d.frameOf(w, r, "accounts", page.Label())
	page.Provider, err = client.Get[api.Provider](ctx, d.API, client.Path("v1", "providers", page.Account.Provider))
	if err != nil {
		page.Provider = api.Provider{Name: page.Account.Provider, Title: page.Account.Provider}
	}
	has, err := d.Config.Accounts.CredentialNames(ctx, page.Project, page.Account.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range page.Provider.Credentials {
		f := credentialField{ProviderCredential: c, Present: slices.Contains(has, c.Name)}
		if !c.Secret {
			f.Value = page.Account.SetupInformation[c.Name]
		}
		page.Credentials = append(page.Credentials, f)
	}
	for _, s := range found {
		row := rowOf(s)
		page.Streams = append(page.Streams, row.of(page.Account))
		page.Records += s.Records
	}
	page.follow()
	return page, nil
}

// follow says when the page is to be looked at again.
func (p *accountPage) follow() {
	var busy bool
	if p.Mark, busy = markOf(p.Streams); busy {
		p.Refresh = 2
	}
}

func (d *Dashboard) changeAccount(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("account")
	here := frame.Path("accounts", id)
	switch r.PathValue("action") {
	case "pause":
		return d.after(w, r, here, "Paused: none of its streams is polled until you resume it.", d.ask(r.Context(), http.MethodPost, "accounts", id, "pause"))
	case "resume":
		return d.after(w, r, here, "Resumed: its streams are polled now.", d.ask(r.Context(), http.MethodPost, "accounts", id, "resume"))
	case "poll":
		return d.pollAccount(w, r, id)
	case "check":
		return d.checkAccount(w, r, id)
	case "credentials":
		return d.replaceCredentials(w, r, id)
	case "settings":
		return d.updateAccount(w, r, id)
	case "delete":
		return d.deleteAccount(w, r, id)
	}
	d.fail(w, r, http.StatusNotFound, "There is no such action.")
	return nil
}

// after ends an action that has no form to come back to.
func (d *Dashboard) after(w http.ResponseWriter, r *http.Request, to, text string, err error) error {
	if wrong, ok := form.Refused(err); ok {
		for _, message := range wrong {
			return d.done(w, r, to, frame.Notice{Tone: "bad", Text: frame.Sentence(message)})
		}
	}
	if err != nil {
		return err
	}
	return d.done(w, r, to, frame.Notice{Tone: "ok", Text: text})
}

func (d *Dashboard) pollAccount(w http.ResponseWriter, r *http.Request, id string) error {
	account, err := client.Get[api.Account](r.Context(), d.API, client.Path("v1", "accounts", id))
	if err != nil {
		return err
	}
	for _, recordType := range account.RecordTypes {
		if err := d.ask(r.Context(), http.MethodPost, "accounts", id, "streams", recordType, "poll"); err != nil {
			return err
		}
	}
	return d.done(w, r, frame.Path("accounts", id), frame.Notice{Tone: "ok", Text: "A poll of all its streams is requested."})
}

func (d *Dashboard) updateAccount(w http.ResponseWriter, r *http.Request, id string) error {
	typed := map[string]string{}
	text := func(name string) *string {
		value := strings.TrimSpace(r.PostFormValue(name))
		typed[name] = value
		return &value
	}
	update := api.AccountUpdate{
		OriginOwnerID: text("origin_owner_id"), OriginOwnerName: text("origin_owner_name"), OriginUsername: text("origin_username"),
		Schedule: text("schedule"), Baseline: text("baseline"),
	}
	size, ok := form.Whole(*text("page_size"))
	wrong := form.Wrong{"page_size": "must be a whole number"}
	var err error
	if ok {
		update.PageSize = &size
		err = d.API.Do(r.Context(), http.MethodPatch, client.Path("v1", "accounts", id), update, nil)
		wrong, ok = form.Refused(err)
		ok = !ok
	}
	if !ok {
		page, err := d.accountPage(w, r)
		if err != nil {
			return err
		}
		page.Open, page.Wrong, page.Typed = "settings", wrong, typed
		return d.again(w, r, "account", page)
	}
	return d.after(w, r, frame.Path("accounts", id), "Saved.", err)
}

func (d *Dashboard) deleteAccount(w http.ResponseWriter, r *http.Request, id string) error {
	page, err := d.accountPage(w, r)
	if err != nil {
		return err
	}
	if typed := strings.TrimSpace(r.PostFormValue("confirm")); typed != page.Label() {
		page.Open, page.Wrong, page.Typed["confirm"] = "delete", form.Wrong{"confirm": "type “" + page.Label() + "” to delete it"}, typed
		return d.again(w, r, "account", page)
	}
	return d.after(w, r, "/accounts", "Account "+page.Label()+" deleted.", d.ask(r.Context(), http.MethodDelete, "accounts", id))
}
