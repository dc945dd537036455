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
	Providers []providerRow
}

// providerRow is a connector, and by what it is found beside what is shown of it.
type providerRow struct {
	api.Provider
	Words string
}

// genericWords are what people look for who have an API that no connector is for.
const genericWords = "custom generic other own my api http rest json internal self-made"

// matches says that all words of a text stand in a row.
func (p providerRow) matches(text string) bool {
	all := strings.ToLower(strings.Join(append([]string{p.Title, p.Category, p.Words}, p.RecordTypes...), " "))
	all += " " + strings.ReplaceAll(all, "_", " ")
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
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
		row := providerRow{Provider: p, Words: p.Name}
		if p.Category == "generic" {
			row.Words += " " + genericWords
		}
		if row.matches(page.Text) {
			page.Providers = append(page.Providers, row)
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
