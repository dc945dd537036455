package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

var (
	cursorNames = []string{"cursor", "after", "pagetoken", "pageafter", "nexttoken", "startingafter", "next", "offset"}
	sizeNames   = []string{"limit", "perpage", "pagesize", "pagelimit", "count", "size", "take"}
	sinceNames  = []string{"updatedafter", "updatedsince", "modifiedafter", "modifiedsince", "filterupdatedafter", "updatedat", "changedsince"}
	moreNames   = []string{"hasmore", "more", "moredataavailable", "hasnext", "hasnextpage"}
	totalNames  = []string{"total", "totalcount", "totalrecords", "totalelements", "totalitems"}
	nextNames   = []string{"nextcursor", "nextpagetoken", "nextpage", "next", "nexturl", "nextlink", "cursor", "after", "endcursor", "nexttoken"}
)

// Draft writes a connector file after a provider's OpenAPI 3 document. It is a beginning:
// what the document doesn't tell stands in comments, and it has to be tried.
func Draft(name string, document []byte) (string, error) {
	if !connectorName.MatchString(name) {
		return "", fmt.Errorf("%q can't be a connector's name: small letters, digits, - and _", name)
	}
	o, err := readOpenAPI(document)
	if err != nil {
		return "", err
	}
	var streams strings.Builder
	paths := o.at(o.root, "paths")
	for _, l := range likely {
		for _, path := range listPaths(paths, l.words) {
			if s := o.draftStream(paths, path); s != "" {
				streams.WriteString("  " + l.recordType + ":\n" + s)
				break
			}
		}
	}
	if streams.Len() == 0 {
		return "", fmt.Errorf("no list of employees, employments, candidates, applications, interviews or job postings is in the document: a list is a GET without {…} in its path, whose answer has an array of objects")
	}
	info := o.at(o.root, "info")
	d := fmt.Sprintf("# Drafted from the provider's OpenAPI document. Check every line: the document may not be the API.\nname: %s\ntitle: %q\ncategory: %s\nverified: %q\n",
		name, words(info, "title"), category(streams.String()), "drafted from the provider's OpenAPI document "+words(info, "version")+", never tried")
	return d + o.draftBase() + o.draftAuth() + "# limits: {requests: 10, per: 1s} # what the provider's documentation says of rate limits\nstreams:\n" + streams.String(), nil
}

func category(streams string) string {
	if strings.Contains(streams, "  employees:\n") {
		return "hris"
	}
	return "ats"
}

// listPaths are the paths that end with one of some words, the likeliest and shortest first.
func listPaths(paths map[string]any, of []string) []string {
	var found []string
	for _, word := range of {
		var some []string
		for path := range paths {
			if squeeze(strings.TrimRight(path, "/")[strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1:]) == word && !strings.Contains(path, "{") {
				some = append(some, path)
			}
		}
		slices.SortFunc(some, func(a, b string) int {
			return strings.Compare(fmt.Sprintf("%4d%s", len(a), a), fmt.Sprintf("%4d%s", len(b), b))
		})
		found = append(found, some...)
	}
	return found
}

func (o *openAPI) draftBase() string {
	servers, _ := o.root["servers"].([]any)
	if len(servers) > 0 {
		if url := strings.TrimRight(words(o.object(servers[0]), "url"), "/"); !strings.Contains(url, "{") {
			if _, err := parseBase(url); err == nil {
				return "base_url: " + url + "\n"
			}
		}
	}
	return "# base_url: https://… # the document names none that is the same for all accounts\n"
}

func (o *openAPI) draftAuth() string {
	schemes := o.at(o.root, "components", "securitySchemes")
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		s := o.object(schemes[name])
		where := words(s, "name")
		switch kind := words(s, "type") + " " + strings.ToLower(words(s, "scheme")) + words(s, "in"); kind {
		case "http basic":
			return "credentials:\n  - {name: username, title: User name}\n  - {name: password, title: Password, optional: true}\nauth:\n  basic: {username: \"${cred.username}\", password: \"${cred.password}\"}\n"
		case "http bearer":
			return "credentials:\n  - {name: token, title: Access token}\nauth:\n  header: {Authorization: \"Bearer ${cred.token}\"}\n"
		case "apiKey header":
			return fmt.Sprintf("credentials:\n  - {name: api_key, title: API key}\nauth:\n  header: {%q: \"${cred.api_key}\"}\n", where)
		case "apiKey query":
			return fmt.Sprintf("credentials:\n  - {name: api_key, title: API key}\nauth:\n  query: {%q: \"${cred.api_key}\"}\n", where)
		}
		if address := words(o.at(s, "flows", "clientCredentials"), "tokenUrl"); strings.HasPrefix(address, "https://") {
			return "credentials:\n  - {name: client_id, title: Client id, secret: false}\n  - {name: client_secret, title: Client secret}\nauth:\n  token:\n    post: " + address +
				"\n    form: {grant_type: client_credentials, client_id: \"${cred.client_id}\", client_secret: \"${cred.client_secret}\"}\n  header: {Authorization: \"Bearer ${token}\"}\n"
		}
	}
	return "auth: none # the document names no way that this form knows\n"
}

// draftStream writes one list; "" where the operation is none.
func (o *openAPI) draftStream(paths map[string]any, path string) string {
	item := o.object(paths[path])
	operation := o.at(item, "get")
	schema, answer := o.answer(operation)
	at, element, ok := o.records(schema, 3)
	if !ok {
		return ""
	}
	parameters := o.parameters(item, operation)
	query, page := o.draftPage(parameters, schema, answer)
	since := ""
	if name := parameter(parameters, sinceNames); name != "" {
		query = append(query, fmt.Sprintf("%q: ${since}", name))
		since = "    since: {proven: false} # true when it is known to find every change\n"
	}
	s := "    request:\n      get: " + path + "\n"
	if len(query) > 0 {
		s += "      query:\n        " + strings.Join(query, "\n        ") + "\n"
	}
	s += "      # The widest filter belongs here: what is not listed looks deleted." + o.filters(parameters) + "\n"
	id := o.property(element, []string{"id", "uuid", "guid", "key"}, nil)
	note := ""
	if id == "" {
		id, note = "id", " # the document names no id"
	}
	if at != "" {
		at = fmt.Sprintf("path: %q, ", at)
	}
	s += fmt.Sprintf("    records: {%sid: %q}%s\n    page: %s\n%s", at, id, note, page, since)
	if one := o.onePath(paths, path); one != "" {
		s += fmt.Sprintf("    record: {get: %q}\n", one)
	}
	return s
}

// filters names the parameters that may hide records.
func (o *openAPI) filters(parameters map[string]map[string]any) string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if s := squeeze(name); strings.Contains(s, "status") || strings.Contains(s, "state") || strings.Contains(s, "include") || strings.Contains(s, "active") {
			found = append(found, name)
		}
	}
	if found == nil {
		return ""
	}
	return " See: " + strings.Join(found, ", ")
}

// onePath is the path of one record of a list.
func (o *openAPI) onePath(paths map[string]any, list string) string {
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		rest, below := strings.CutPrefix(path, strings.TrimRight(list, "/")+"/{")
		if rest = strings.TrimRight(rest, "/"); below && strings.HasSuffix(rest, "}") && !strings.Contains(rest, "/") && o.at(paths[path], "get") != nil {
			return strings.TrimRight(list, "/") + "/${id}"
		}
	}
	return ""
}

func parameter(parameters map[string]map[string]any, names []string) string {
	for _, name := range names {
		for _, own := range slices.Sorted(maps.Keys(parameters)) {
			if squeeze(own) == name {
				return own
			}
		}
	}
	return ""
}

// draftPage writes how a list is paged, and the parameters that it needs.
func (o *openAPI) draftPage(parameters map[string]map[string]any, schema, answer map[string]any) (query []string, page string) {
	size := ""
	if name := parameter(parameters, sizeNames); name != "" {
		query = append(query, fmt.Sprintf("%q: ${page.size}", name))
		size = ", size: 50 # the document names no largest size"
		if most, ok := o.at(parameters[name], "schema")["maximum"]; ok {
			size = fmt.Sprintf(", size: %v", most)
		}
	}
	kind, end := "", ""
	more := o.property(schema, moreNames, nil)
	total := o.property(schema, totalNames, nil)
	next := o.property(schema, nextNames, func(s map[string]any) bool { return words(s, "type") != "boolean" && words(s, "type") != "integer" })
	switch {
	case more != "":
		end = fmt.Sprintf(", end: %q", more+" is false")
	case total != "":
		end = fmt.Sprintf(", end: total, total: %q", total)
	default:
		end = ", end: empty"
	}
	cursor, number, offset := parameter(parameters, cursorNames), parameter(parameters, []string{"page", "pagenumber"}), parameter(parameters, []string{"offset", "skip", "start", "startat"})
	switch {
	case o.at(answer, "headers", "Link") != nil:
		kind = "link"
		end = ""
	case cursor != "" && next != "":
		query = append(query, fmt.Sprintf("%q: ${page.cursor}", cursor))
		kind, end = "cursor", fmt.Sprintf(", next: %q", next)
	case number != "":
		query = append(query, fmt.Sprintf("%q: ${page.number}", number))
		kind = "page"
	case offset != "":
		query = append(query, fmt.Sprintf("%q: ${page.offset}", offset))
		kind = "offset"
	case next != "":
		kind, end = "url", fmt.Sprintf(", next: %q", next)
	default:
		return nil, "none # the document names no paging"
	}
	size, note, _ := strings.Cut(size, " #")
	page = "{kind: " + kind + size + end + "}"
	if note != "" {
		page += " #" + note
	}
	return query, page
}
