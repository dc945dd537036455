package dashboard

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
)

// credentialField is an input for a credential.
type credentialField struct {
	api.ProviderCredential
	Value   string // what was typed, or what the account has; never a secret
	Wrong   string
	Again   bool // a secret that was typed into a form that was refused: it is not kept
	Present bool // a secret that the account has
	Remove  bool // it is ticked to go
}

// Removable says that the account can do without a secret that it has.
func (f credentialField) Removable() bool { return f.Present && f.Optional }

// credentialGroup are fields that belong together.
type credentialGroup struct {
	Title  string // "": the first, of what every account gives
	Fold   bool   // its fields may be left out, and are shown when they are asked for
	Open   bool
	InUse  bool   // the account authenticates with some of them
	Wrong  string // with no field alone
	Fields []credentialField
}

const furtherFields = "Further credentials and settings of the connector"

// grouped puts first what every account gives, then what it may leave out, by what it is
// for, and then the credentials of each way to authenticate.
func grouped(p api.Provider, fields []credentialField) []credentialGroup {
	groups := []credentialGroup{{}}
	var ways []credentialGroup
	add := func(to *[]credentialGroup, g credentialGroup, f credentialField) {
		i := slices.IndexFunc(*to, func(other credentialGroup) bool { return other.Title == g.Title })
		if i < 0 {
			i, *to = len(*to), append(*to, g)
		}
		(*to)[i].Fields = append((*to)[i].Fields, f)
		(*to)[i].Open = (*to)[i].Open || f.Wrong != "" || f.Again || f.Present || f.Value != ""
		(*to)[i].InUse = (*to)[i].InUse || f.Present
	}
	for _, f := range fields {
		var titles []string
		for _, w := range p.Ways {
			if slices.Contains(w.Credentials, f.Name) {
				titles = append(titles, w.Title)
			}
		}
		switch {
		case len(titles) > 0:
			add(&ways, credentialGroup{Title: strings.Join(titles, " or ")}, f)
		case !f.Optional:
			add(&groups, credentialGroup{}, f)
		case f.Group != "":
			add(&groups, credentialGroup{Title: f.Group, Fold: true}, f)
		default:
			add(&groups, credentialGroup{Title: furtherFields, Fold: true}, f)
		}
	}
	// What comes first is not to be looked for.
	if len(groups) > 1 && (groups[1].Fields[0].Group != "" || len(groups[0].Fields) == 0) {
		groups[1].Open = true
	}
	return append(groups, ways...)
}

// Groups are the form's credentials as they are shown.
func (f *accountForm) Groups() []credentialGroup {
	return withNothing(grouped(f.Provider, f.Credentials), f.Nothing)
}

// Groups are the form's credentials as they are shown.
func (p *accountPage) Groups() []credentialGroup {
	return withNothing(grouped(p.Provider, p.Credentials), p.Nothing)
}

// withNothing says above the fields of lists that none of them was given.
func withNothing(groups []credentialGroup, message string) []credentialGroup {
	i := slices.IndexFunc(groups, func(g credentialGroup) bool {
		return slices.ContainsFunc(g.Fields, func(f credentialField) bool { return strings.Contains(message, f.Name) })
	})
	if i >= 0 {
		groups[i].Wrong, groups[i].Open = message, true
	}
	return groups
}

// Groups are the connector's credentials as they are shown.
func (p *providerPage) Groups() []credentialGroup {
	var fields []credentialField
	for _, c := range p.Provider.Credentials {
		fields = append(fields, credentialField{ProviderCredential: c})
	}
	return grouped(p.Provider, fields)
}

// readCredentials takes the credentials that were typed, and keeps in the fields those
// that are no secret.
func readCredentials(r *http.Request, fields []credentialField) map[string]string {
	given := map[string]string{}
	for i := range fields {
		f := &fields[i]
		value := r.PostFormValue("credential." + f.Name)
		if f.Again = f.Secret && value != ""; !f.Secret {
			value = strings.TrimSpace(value)
			f.Value = value
		}
		if value != "" {
			given[f.Name] = value
		}
	}
	return given
}

// readReplacement takes what is to change of the credentials that an account has: a secret
// that was typed or ticked to go, and whatever else differs from what was shown.
func readReplacement(r *http.Request, fields []credentialField) map[string]string {
	given := map[string]string{}
	for i := range fields {
		f := &fields[i]
		name := "credential." + f.Name
		value := r.PostFormValue(name)
		if f.Secret {
			f.Again = value != ""
			f.Remove = !f.Again && f.Removable() && r.PostFormValue("remove."+f.Name) != ""
			if f.Again || f.Remove {
				given[f.Name] = value
			}
			continue
		}
		if value = strings.TrimSpace(value); r.PostForm.Has(name) && value != f.Value {
			given[f.Name], f.Value = value, value
		}
	}
	return given
}

// ofProvider says that a refusal is what the provider answered: the account can be written
// all the same.
func ofProvider(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && strings.HasPrefix(e.Type, api.AccountProblem)
}

var namedCredential = regexp.MustCompile(`credential "?([a-z0-9_]+)`)

// nothingToList begins what is said where none of a connector's lists is given.
const nothingToList = "nothing to list: "

// blameCredentials puts what a refusal says of one credential, or of the base URL, beside
// its field. What it says of none is left for the form as a whole; that there is nothing
// to list is returned by itself.
func blameCredentials(wrong form.Wrong, fields []credentialField) (nothing string) {
	_, list, found := strings.Cut(wrong["credentials"], ": ")
	if !found || !strings.HasPrefix(wrong["credentials"], "connector ") {
		return "" // it is what the provider said
	}
	var rest []string
	for part := range strings.SplitSeq(list, "; ") {
		name := ""
		if match := namedCredential.FindStringSubmatch(part); match != nil {
			name = match[1]
		}
		i := slices.IndexFunc(fields, func(f credentialField) bool { return f.Name == name })
		switch {
		case i >= 0:
			fields[i].Wrong = part
		case strings.HasPrefix(part, nothingToList):
			nothing = part
		case strings.HasPrefix(part, "the base URL "):
			wrong["base_url"] = part
		default:
			rest = append(rest, part)
		}
	}
	wrong["credentials"] = strings.Join(rest, "; ")
	return nothing
}
