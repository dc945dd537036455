package draft

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/synthook/synthook/providers"
)

// drafted is a way to authenticate in the making. A document can ask for several things
// together; each says what of the form it needs.
type drafted struct {
	name, title   string
	basic         string
	header, query []string
	token, note   string
	credentials   []string
}

// ways are those in which the operations of a draft, or else all of the document, let
// themselves be asked.
func (d *draft) ways() []drafted {
	schemes := d.at(d.root, "components", "securitySchemes")
	var ways []drafted
	for _, names := range d.requirements(schemes) {
		several := []drafted{{name: wordOf(strings.Join(names, "_"))}}
		for _, name := range names {
			several = d.with(several, name, d.object(schemes[name]))
		}
		for _, w := range several {
			same := func(other drafted) bool {
				return slices.Equal(slices.Sorted(slices.Values(other.credentials)), slices.Sorted(slices.Values(w.credentials)))
			}
			if len(w.credentials) > 0 && !slices.ContainsFunc(ways, same) {
				ways = append(ways, w)
			}
		}
	}
	return ways
}

// requirements are the schemes that are asked for together, once each.
func (d *draft) requirements(schemes map[string]any) [][]string {
	var all [][]string
	for _, r := range d.security {
		names := slices.Sorted(maps.Keys(d.object(r)))
		if len(names) > 0 && !slices.ContainsFunc(all, func(other []string) bool { return slices.Equal(other, names) }) {
			all = append(all, names)
		}
	}
	if all == nil {
		for _, name := range slices.Sorted(maps.Keys(schemes)) {
			all = append(all, []string{name})
		}
	}
	return all
}

// with adds a scheme to ways. Each flow of OAuth 2.0 that goes on without a person makes
// a way of its own.
func (d *draft) with(ways []drafted, name string, s map[string]any) []drafted {
	var all []drafted
	for _, w := range ways {
		w.header, w.query, w.credentials = slices.Clone(w.header), slices.Clone(w.query), slices.Clone(w.credentials)
		switch words(s, "type") {
		case "http":
			w.http(strings.ToLower(words(s, "scheme")))
		case "apiKey":
			w.key(d.keyName(name), s)
		case "oauth2":
			all = append(all, d.flows(w, d.at(s, "flows"))...)
			continue
		default:
			w.note = "# The document also asks for " + comment(name) + ", which this form doesn't know."
		}
		all = append(all, w)
	}
	return all
}

func (w *drafted) http(scheme string) {
	switch scheme {
	case "basic":
		w.basic = "basic: {username: \"${cred.username}\", password: \"${cred.password}\"}"
		w.credentials = append(w.credentials, "{name: username, title: User name}", "{name: password, title: Password, optional: true}")
		w.title = "User name and password"
	case "bearer":
		w.header = append(w.header, `Authorization: "Bearer ${cred.access_token}"`)
		w.credentials = append(w.credentials, "{name: access_token, title: Access token}")
		w.title = "Access token"
	}
}

// key shows a key in a header or the query.
func (w *drafted) key(credential string, s map[string]any) {
	in, parameter, description := words(s, "in"), words(s, "name"), words(s, "description")
	before := ""
	if strings.EqualFold(parameter, "Authorization") {
		if strings.Contains(strings.ToLower(description), "bearer") {
			before = "Bearer "
		} else {
			w.note = "# The document doesn't say what stands before the key: Bearer, or nothing."
		}
	}
	pair := fmt.Sprintf("%s: \"%s${cred.%s}\"", quoted(parameter), before, credential)
	switch in {
	case "header":
		w.header = append(w.header, pair)
	case "query":
		w.query = append(w.query, pair)
	default:
		w.note = "# The document also asks for a cookie, which this form doesn't know."
		return
	}
	w.credentials = append(w.credentials, fmt.Sprintf("{name: %s, title: API key, description: %q}", credential, parameter))
	w.title = "API key"
}

// keyName is what an account calls a key: api_key, where the document has one.
func (d *draft) keyName(scheme string) string {
	keys := 0
	schemes := d.at(d.root, "components", "securitySchemes")
	for name := range schemes {
		if words(d.object(schemes[name]), "type") == "apiKey" {
			keys++
		}
	}
	if keys == 1 {
		return "api_key"
	}
	return wordOf(scheme)
}

// flows are the ways that OAuth 2.0 gives.
func (d *draft) flows(w drafted, flows map[string]any) []drafted {
	const client = `client_id: "${cred.client_id}", client_secret: "${cred.client_secret}"`
	credentials := append(slices.Clone(w.credentials), "{name: client_id, title: Client id, secret: false}", "{name: client_secret, title: Client secret}")
	var ways []drafted
	add := func(flow, name, title, form, refresh string, more ...string) {
		address := d.tokenURL(d.at(flows, flow))
		if address == "" {
			return
		}
		one := w
		one.name, one.title = name, title
		if one.note == "" && refresh != "" {
			one.note = "# An access token that doesn't end needs no more than header: {Authorization: \"Bearer ${cred.access_token}\"}"
		}
		one.token = "token:\n  post: " + address + "\n  form: {" + form + ", " + client + "}" + refresh
		if d.server() == "" {
			one.token += "\n  # base_url: … # where the answer names the account's own, if it does"
		}
		one.header = append(slices.Clone(w.header), `Authorization: "Bearer ${token}"`)
		one.credentials = append(slices.Clone(credentials), more...)
		ways = append(ways, one)
	}
	add("clientCredentials", "client", "OAuth 2.0 client credentials", "grant_type: client_credentials", "")
	add("authorizationCode", "refresh_token", "OAuth 2.0 refresh token", `grant_type: refresh_token, refresh_token: "${token.refresh}"`, "\n  refresh: ${cred.refresh_token}",
		"{name: refresh_token, title: Refresh token, description: From the authorization of a person.}")
	if ways == nil {
		w.note = "# The document names OAuth 2.0, and no address for tokens: an access token has to be given."
		w.http("bearer")
		return []drafted{w}
	}
	return ways
}

// tokenURL is where a flow gives tokens: a path below the base URL, or an address.
func (d *draft) tokenURL(flow map[string]any) string {
	address := words(flow, "tokenUrl")
	if refresh := words(flow, "refreshUrl"); refresh != "" {
		address = refresh
	}
	u, err := d.relative(address)
	if err != nil || address == "" {
		return ""
	}
	if base, err := url.Parse(d.server()); err == nil && u.Host != "" {
		if u.Scheme == base.Scheme && strings.EqualFold(u.Host, base.Host) && u.RawQuery == "" && strings.HasPrefix(u.Path, base.Path+"/") {
			return strings.TrimPrefix(u.Path, base.Path) // an account's own base URL moves it, too
		}
		address = u.String()
	}
	if _, err := providers.ParseBaseURL(address); err != nil && !strings.HasPrefix(address, "/") {
		return ""
	}
	return address
}

// auth writes the ways, and notes the credentials that they need.
func (d *draft) auth() string {
	ways := d.ways()
	if ways == nil {
		ways = d.tokenPath()
	}
	for _, w := range ways {
		for _, c := range w.credentials {
			d.credential(c)
		}
	}
	switch len(ways) {
	case 0:
		return "auth: none # the document names no way that this form knows\n"
	case 1:
		return indent([]string{ways[0].note}, "") + "auth:\n" + indent(ways[0].lines(), "  ")
	}
	var text strings.Builder
	text.WriteString("# An account uses the way that it gives the credentials for.\nauth:\n")
	for i, w := range ways {
		name := w.name
		if slices.ContainsFunc(ways[:i], func(other drafted) bool { return other.name == name }) {
			name = fmt.Sprintf("%s_%d", name, i+1)
		}
		lines := append([]string{"name: " + name, fmt.Sprintf("title: %q", w.title)}, w.lines()...)
		text.WriteString(indent([]string{w.note}, "  ") + "  - " + strings.TrimPrefix(indent(lines, "    "), "    "))
	}
	return text.String()
}

// tokenPath is the way of a document that names none, and has a path that gives tokens.
func (d *draft) tokenPath() []drafted {
	for _, path := range slices.Sorted(maps.Keys(d.paths)) {
		operation := d.at(d.paths[path], "post")
		last := path[strings.LastIndexByte(path, '/')+1:]
		if operation == nil || strings.Contains(path, "{") || squeeze(last) != "token" && squeeze(last) != "oauthtoken" {
			continue
		}
		ways := d.flows(drafted{note: "# The document names no way to authenticate, but has this path for tokens."},
			map[string]any{"clientCredentials": map[string]any{"tokenUrl": strings.TrimRight(d.server(), "/") + path}})
		return ways
	}
	return nil
}

// lines are the keys of a way.
func (w *drafted) lines() []string {
	var lines []string
	for _, part := range []string{w.token, w.basic} {
		if part != "" {
			lines = append(lines, part)
		}
	}
	if len(w.header) > 0 {
		lines = append(lines, "header: {"+strings.Join(w.header, ", ")+"}")
	}
	if len(w.query) > 0 {
		lines = append(lines, "query: {"+strings.Join(w.query, ", ")+"}")
	}
	return lines
}
