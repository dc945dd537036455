package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
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
