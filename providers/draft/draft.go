// Package draft writes a connector file after a provider's published OpenAPI document, for
// somebody to finish: what lists there are, how they page, where their records and ids are,
// how one authenticates. It asks nobody anything and reads nothing but the document.
package draft

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/synthook/synthook/providers"
)

// likely are the last words of paths at which record types are found, the likeliest first.
var likely = []struct {
	recordType string
	words      []string
}{
	{"employees", []string{"employees", "people", "workers", "persons", "individuals", "teammembers", "profiles", "staff"}},
	{"employments", []string{"employments", "contracts", "jobroles"}},
	{"candidates", []string{"candidates", "applicants", "prospects", "opportunities"}},
	{"applications", []string{"applications", "jobapplications", "candidateapplications"}},
	{"interviews", []string{"interviews", "scheduledinterviews", "interviewevents"}},
	{"job_postings", []string{"jobpostings", "postings", "jobposts", "jobs", "jobopenings", "jobrequisitions", "positions", "vacancies", "offers"}},
}

// draft is a connector file in the making.
type draft struct {
	*openAPI
	paths       map[string]any
	names       map[string]string // path of a drafted list → name of its stream or helper list
	lists       []string          // helper lists
	credentials []string
	security    []any    // what the drafted lists ask for
	headers     []string // that they need
}

// FromOpenAPI writes a connector file after a provider's OpenAPI 3 document. It is a beginning:
// what the document doesn't tell stands in comments, and it has to be tried. Where no list
// is found, the rest is drafted all the same.
func FromOpenAPI(name string, document []byte) (string, error) {
	if !providers.IsName(name) {
		return "", fmt.Errorf("%q can't be a connector's name: small letters, digits, - and _", name)
	}
	o, err := readOpenAPI(document)
	if err != nil {
		return "", err
	}
	d := &draft{openAPI: o, paths: o.at(o.root, "paths"), names: map[string]string{}}
	if len(d.paths) == 0 {
		return "", fmt.Errorf("read OpenAPI document: it has no paths")
	}
	streams := d.streams()
	base, auth := d.base(), d.auth()
	info := o.at(o.root, "info")
	parts := []string{
		"# Drafted from the provider's OpenAPI document. Check every line: the document may not be the API.\n",
		fmt.Sprintf("name: %s\ntitle: %q\ncategory: %s\n", name, words(info, "title"), category(streams)),
		fmt.Sprintf("verified: %q\n", "drafted from the provider's OpenAPI document "+words(info, "version")+", never tried"),
		base,
		section("credentials:", indent(d.credentials, "  - ")),
		auth,
		section("headers:", indent(d.headers, "  ")),
		"# limits: {requests: 10, per: 1s} # what the provider's documentation says of rate limits\n",
		section("lists:", strings.Join(d.lists, "")),
		streams,
	}
	return strings.Join(parts, ""), nil
}

// section is a key of the file with what is below it, where there is any.
func section(key, below string) string {
	if below == "" {
		return ""
	}
	return key + "\n" + below
}

// streams writes a stream for each record type that the document seems to have. Lists that
// are one for all are preferred to those below another.
func (d *draft) streams() string {
	written := map[string]string{}
	for _, nested := range []bool{false, true} {
		for _, l := range likely {
			if written[l.recordType] != "" {
				continue
			}
			for _, e := range d.endpoints(l.words) {
				if len(e.holes) > 0 != nested {
					continue
				}
				if s := d.list(e, l.recordType, true); s != "" {
					written[l.recordType] = s
					break
				}
			}
		}
	}
	if len(written) == 0 {
		return "# No list of employees, employments, candidates, applications, interviews or job postings was\n" +
			"# found: a GET, or a POST to …/search or …/list, whose answer has an array of objects. Write them:\n" +
			"#  employees:\n#    request: {get: /path, query: {limit: \"${page.size}\", cursor: \"${page.cursor}\"}}\n" +
			"#    records: {path: data, id: id}\n#    page: {kind: cursor, next: meta.next, size: 100}\nstreams: {}\n"
	}
	var text strings.Builder
	for _, l := range likely {
		text.WriteString(section("  "+l.recordType+":", written[l.recordType]))
	}
	return "streams:\n" + text.String()
}

func category(streams string) string {
	if strings.Contains(streams, "\n  employees:\n") {
		return "hris"
	}
	return "ats"
}

// server is the document's base URL; "" where it has none that is whole.
func (d *draft) server() string {
	for _, s := range listOf(d.root, "servers") {
		address := strings.TrimRight(words(d.object(s), "url"), "/")
		if strings.Contains(address, "://") {
			return address
		}
	}
	return ""
}

var hole = regexp.MustCompile(`\{([^}]*)\}`)

// base writes the base URL, with a credential for what the document leaves open in it.
func (d *draft) base() string {
	const none = "# base_url: https://… # the document names none that is the same for all accounts\n"
	address := d.server()
	if address == "" {
		for _, s := range listOf(d.root, "servers") {
			if path := strings.TrimRight(words(d.object(s), "url"), "/"); strings.HasPrefix(path, "/") && !strings.Contains(path, "{") {
				return none + "base_path: " + path + "\n"
			}
		}
		return none
	}
	var named []string
	address = hole.ReplaceAllStringFunc(address, func(s string) string {
		named = append(named, wordOf(s[1:len(s)-1]))
		return "${cred." + named[len(named)-1] + "}"
	})
	if _, err := providers.ParseBaseURL(hole.ReplaceAllString(strings.ReplaceAll(address, "$", ""), "x")); err != nil {
		return none
	}
	for _, name := range named {
		d.credential(fmt.Sprintf("{name: %s, title: %q, description: Part of the address., secret: false}", name, name))
	}
	return "base_url: " + address + "\n"
}

// credential declares one, once.
func (d *draft) credential(c string) {
	name, _, _ := strings.Cut(c, ",")
	if !slices.ContainsFunc(d.credentials, func(other string) bool { return strings.HasPrefix(other, name+",") }) {
		d.credentials = append(d.credentials, c)
	}
}

// relative resolves an address against the document's base URL.
func (d *draft) relative(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if base, wrong := url.Parse(d.server()); err == nil && wrong == nil && base.Host != "" {
		u = base.ResolveReference(u)
	}
	return u, err
}
