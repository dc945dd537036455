package dashboard

import (
	"net/http"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

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
