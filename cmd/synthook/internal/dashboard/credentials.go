package dashboard

import (
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// credentialField is an input for a credential.
type credentialField struct {
	api.ProviderCredential
	Value string // what was typed; never a secret
	Wrong string
}

// credentialGroup are fields that belong together.
type credentialGroup struct {
	Title  string // of the ways to authenticate that use them; "": every account gives them
	Fields []credentialField
}

// grouped puts what every account gives first, then the credentials of each way.
func grouped(p api.Provider, fields []credentialField) []credentialGroup {
	groups := []credentialGroup{{}}
	for _, f := range fields {
		var ways []string
		for _, w := range p.Ways {
			if slices.Contains(w.Credentials, f.Name) {
				ways = append(ways, w.Title)
			}
		}
		title := strings.Join(ways, " or ")
		i := slices.IndexFunc(groups, func(g credentialGroup) bool { return g.Title == title })
		if i < 0 {
			i = len(groups)
			groups = append(groups, credentialGroup{Title: title})
		}
		groups[i].Fields = append(groups[i].Fields, f)
	}
	return groups
}

// Groups are the form's credentials as they are shown.
func (f *accountForm) Groups() []credentialGroup { return grouped(f.Provider, f.Credentials) }

// Groups are the form's credentials as they are shown.
func (p *accountPage) Groups() []credentialGroup { return grouped(p.Provider, p.Credentials) }

// Groups are the connector's credentials as they are shown.
func (p *providerPage) Groups() []credentialGroup {
	var fields []credentialField
	for _, c := range p.Provider.Credentials {
		fields = append(fields, credentialField{ProviderCredential: c})
	}
	return grouped(p.Provider, fields)
}
