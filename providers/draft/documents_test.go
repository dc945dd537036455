package draft_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/draft"
)

// answering is an operation whose answer has a schema.
func answering(schema, more string) string {
	return `{"responses": {"200": {"content": {"application/json": {"schema": ` + schema + `}}}}` + more + `}`
}

// listing is the schema of an answer with some people at a key.
func listing(key, fields string) string {
	return fmt.Sprintf(`{"properties": {%q: {"type": "array", "items": {"properties": {%s}}}}}`, key, fields)
}

// drafted drafts a document of some paths, and reads the draft.
func drafted(t *testing.T, paths, more string) (string, *providers.Connector) {
	t.Helper()
	text, err := draft.FromOpenAPI("acme", []byte(`{"openapi": "3.1.0", "info": {"title": "Acme"}, "servers": [{"url": "http://provider.test/v1"}], "paths": {`+paths+`}`+more+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return text, read(t, text)
}

// What a document means is found by what it tells, not by the alphabet.
func TestFindsItsWay(t *testing.T) {
	const id = `"id": {"type": "string"}`
	const offset = `, "parameters": [{"name": "Offset", "in": "query", "schema": {"type": "integer"}}]`
	links := func(more string) string {
		return `{"properties": {"items": {"type": "array", "items": {"properties": {` + id + `}}}, ` + more + `"links": {"properties": {"next": {"type": ["string", "null"], "format": "uri"}}}}}`
	}
	for name, test := range map[string]struct{ paths, want, not string }{
		"what is deprecated is no list": {
			`"/employees": {"get": ` + answering(listing("a", id), `, "deprecated": true`) + `}, "/hr/people": {"get": ` + answering(listing("a", id), "") + `}`,
			"get: /hr/people", "/employees"},
		"errors are no records": {
			`"/employees": {"get": ` + answering(`{"properties": {"errors": {"type": "array", "items": {"properties": {"code": {}, "id": {}}}}, "team": {"type": "array", "items": {"properties": {`+id+`}}}}}`, "") + `}`,
			"records: {path: team, id: id}", "errors"},
		"the list's name comes before other arrays": {
			`"/employees": {"get": ` + answering(`{"properties": {"departments": {"type": "array", "items": {"properties": {`+id+`}}}, "employees": {"type": "array", "items": {"properties": {`+id+`}}}}}`, "") + `}`,
			"records: {path: employees, id: id}", ""},
		"arrays in a record are not the list": {
			`"/workers": {"get": ` + answering(`{"properties": {"workerId": {"type": "string"}, "phones": {"type": "array", "items": {"properties": {"phoneId": {}, "kind": {}}}}}}`, "") + `}`,
			"records: {id: workerId} # the document shows one record here and not the list", "phones"},
		"the id is what the path of one calls it": {
			`"/employees": {"get": ` + answering(listing("a", `"badge": {"type": "string"}, "bossId": {"type": "string"}`), "") + `}, "/employees/{badge}": {"get": ` + answering("{}", "") + `}`,
			"id: badge}\n", ""},
		"the id is called by the record": {
			`"/candidates": {"get": ` + answering(listing("items", `"agencyId": {"type": "string"}, "candidateId": {"type": "integer"}`), "") + `}`,
			"id: candidateId}\n", ""},
		"the id is what is required": {
			`"/employees": {"get": ` + answering(`{"type": "array", "items": {"required": ["name", "personRef_id"], "properties": {"aId": {"type": "string"}, "name": {"type": "string"}, "personRef_id": {"type": "string"}}}}`, "") + `}`,
			"id: personRef_id}\n", ""},
		"what may be the id is told": {
			`"/employees": {"get": ` + answering(listing("a", `"bossId": {"type": "string"}, "cardId": {"type": "string"}`), "") + `}`,
			"id: bossId} # the document doesn't say which of its fields is the id: bossId, cardId", ""},
		"a record asked for by something else": {
			`"/jobs": {"get": ` + answering(listing("a", id+`, "slug": {"type": "string"}`), "") + `}, "/jobs/{slug}": {"get": ` + answering("{}", "") + `}`,
			`# record: {get: "/jobs/${id}"} # the document asks for it by slug, and the id is id`, ""},
		"an offset is no cursor, and a URL is none": {
			`"/employees": {"get": ` + answering(links(`"totalCount": {"type": "integer"}, `), offset) + `}`,
			"page: {kind: offset, end: total, total: totalCount}", "cursor"},
		"an offset is no cursor, whatever next is": {
			`"/employees": {"get": ` + answering(`{"properties": {"total": {"type": "integer"}, "next": {"type": "string"}, "data": {"type": "array", "items": {"properties": {`+id+`}}}}}`, offset) + `}`,
			"page: {kind: offset, end: total, total: total}", ""},
		"a URL without a total is followed": {
			`"/employees": {"get": ` + answering(links(""), offset) + `}`,
			"page: {kind: url, next: links.next}", "Offset"},
		"an offset that is a text can be a cursor": {
			`"/employees": {"get": ` + answering(`{"properties": {"data": {"type": "array", "items": {"properties": {`+id+`}}}, "next": {"type": "string"}}}`, `, "parameters": [{"name": "offset", "in": "query", "schema": {"type": "string"}}]`) + `}`,
			"offset: ${page.cursor}", ""},
		"pages that begin with none": {
			`"/employees": {"get": ` + answering(listing("data", id), `, "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer", "default": 0}}]`) + `}`,
			"page: {kind: page, start: 0, end: empty}", ""},
		"a header that every request needs": {
			`"/employees": {"get": ` + answering(listing("data", id), `, "parameters": [{"name": "Acme-Version", "in": "header", "required": true, "schema": {"enum": ["2026-01-01"]}}]`) + `}`,
			"headers:\n  Acme-Version: \"2026-01-01\"\n", ""},
		"a schema of itself": {
			`"/employees": {"get": ` + answering(`{"$ref": "#/paths/~1employees/get/x"}`, `, "x": {"allOf": [{"$ref": "#/paths/~1employees/get/x"}], "properties": {"data": {"type": "array", "items": {"$ref": "#/paths/~1employees/get/x"}}, "boss": {"$ref": "#/paths/~1employees/get/x"}}}`) + `}`,
			"records: {path: data, ", ""},
		"a helper list is called by no record type's name": {
			`"/candidates": {"get": ` + answering(listing("data", id), "") + `}, "/old/candidates": {"get": ` + answering(listing("data", id), "") + `}, "/old/candidates/{id}/interviews": {"get": ` + answering(listing("data", id), "") + `}`,
			"parent: {stream: candidates_list}", ""},
		"names that are more than a line": {
			`"/employees\nx: y": {"get": ` + answering(listing("data", id), "") + `}, "/hr/employees": {"get": ` + answering(listing("data", `"ad\nd: eId": {"type": "string"}, "bId": {"type": "string"}`), "") + `}`,
			"# the document doesn't say which of its fields is the id: ad d: eId, bId\n", ""},
		"two lists that need one header": {
			`"/employees": {"get": ` + answering(listing("data", id), `, "parameters": [{"name": "V", "in": "header", "required": true, "schema": {"default": 1}}]`) + `}, "/jobs": {"get": ` + answering(listing("data", id), `, "parameters": [{"name": "V", "in": "header", "required": true, "schema": {"default": 2}}]`) + `}`,
			"headers:\n  V: \"1\"\n", ""},
		"no list at all": {
			`"/pets": {"get": ` + answering(listing("data", id), "") + `}`, "streams: {}", "employees:\n    "},
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := drafted(t, test.paths, "")
			if !strings.Contains(text, test.want) || test.not != "" && strings.Contains(text, test.not) {
				t.Errorf("want %q, and not %q, in\n%s", test.want, test.not, text)
			}
		})
	}
}

// A POST that searches is a list, with its place and size in the body.
func TestDraftOfASearch(t *testing.T) {
	_, c := drafted(t, `
 "/team-members": {"post": `+answering(`{"properties": {"id": {"type": "string"}}}`, "")+`},
 "/team-members/{id}": {"get": `+answering(`{"properties": {"id": {"type": "string"}}}`, "")+`},
 "/team-members/search": {"post": `+answering(`{"properties": {"cursor": {"type": "string"}, "team_members": {"type": "array", "items": {"properties": {"id": {"type": "string"}}}}}}`,
		`, "requestBody": {"content": {"application/json": {"schema": {"properties": {"limit": {"type": "integer", "maximum": 2}, "cursor": {"type": "string"}, "query": {"type": "object"}}}}}}`)+`},
 "/candidate.list": {"post": `+answering(listing("results", `"id": {"type": "string"}`), "")+`}`, "")
	client := answers{
		`POST /v1/team-members/search {"limit":2}`:              `{"team_members": [{"id": 1}, {"id": 2}], "cursor": "c"}`,
		`POST /v1/team-members/search {"cursor":"c","limit":2}`: `{"team_members": [{"id": 3}]}`,
		"POST /v1/candidate.list {}":                            `{"results": [{"id": 7}]}`,
		"GET /v1/team-members/3":                                `{"id": 3}`,
	}.open(t, c, nil)
	checkList(t, client, "employees", "1", "2", "3")
	checkList(t, client, "candidates", "7")
	checkExists(t, client, "employees", "3")
}

// A list below another is asked for each of its parents; what no list gives, each account
// does.
func TestDraftOfNestedLists(t *testing.T) {
	const one = `"companyId": {"type": "string"}`
	text, c := drafted(t, `
 "/orgs/{org}/companies": {"get": `+answering(listing("content", one), "")+`},
 "/orgs/{org}/companies/{companyId}": {"get": `+answering("{}", "")+`},
 "/orgs/{org}/companies/{companyId}/workers": {"get": `+answering(listing("content", `"workerId": {"type": "string"}`), "")+`},
 "/orgs/{org}/companies/{companyId}/workers/{workerId}/contracts": {"get": `+answering(listing("content", `"id": {"type": "string"}`), "")+`},
 "/workers/{workerId}": {"get": `+answering("{}", "")+`}`, "")
	if !slices.Equal(c.RecordTypes(), []string{"employees"}) {
		t.Errorf("record types %v in\n%s", c.RecordTypes(), text)
	}
	client := answers{
		"GET /v1/orgs/acme/companies":           `{"content": [{"companyId": "a"}, {"companyId": "b"}]}`,
		"GET /v1/orgs/acme/companies/a/workers": `{"content": [{"workerId": 1}]}`,
		"GET /v1/orgs/acme/companies/b/workers": `{"content": [{"workerId": 2}]}`,
		"GET /v1/workers/2":                     `{"workerId": 2}`,
	}.open(t, c, map[string]string{"org": "acme"})
	checkList(t, client, "employees", "1", "2")
	checkExists(t, client, "employees", "2")
}

// The ways to authenticate are those of the lists, each with its credentials.
func TestDraftOfAuthentication(t *testing.T) {
	const schemes = `, "components": {"securitySchemes": {
 "app": {"type": "apiKey", "in": "header", "name": "X-App"}, "query": {"type": "apiKey", "in": "query", "name": "key"},
 "raw": {"type": "apiKey", "in": "header", "name": "Authorization"}, "said": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Bearer, then the key"},
 "basic": {"type": "http", "scheme": "basic"}, "bearer": {"type": "http", "scheme": "Bearer"}, "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
 "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/v1/token"}, "authorizationCode": {"tokenUrl": "https://id.acme.test/token", "refreshUrl": "https://id.acme.test/refresh"}}},
 "code": {"type": "oauth2", "flows": {"authorizationCode": {"tokenUrl": "http://provider.test/v1/oauth/token"}}},
 "implicit": {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://id.acme.test"}}}}}`
	for security, want := range map[string]string{
		`[{"app": []}]`:                 `header: {X-App: "${cred.app}"}`,
		`[{"app": [], "query": []}]`:    "header: {X-App: \"${cred.app}\"}\n  query: {key: \"${cred.query}\"}",
		`[{"raw": []}]`:                 `header: {Authorization: "${cred.raw}"}`,
		`[{"said": []}]`:                `header: {Authorization: "Bearer ${cred.said}"}`,
		`[{"bearer": []}]`:              `header: {Authorization: "Bearer ${cred.access_token}"}`,
		`[{"implicit": []}]`:            `header: {Authorization: "Bearer ${cred.access_token}"}`,
		`[{"cookie": []}]`:              "auth: none",
		`[{"code": []}]`:                "post: /oauth/token\n    form: {grant_type: refresh_token, refresh_token: \"${token.refresh}\"",
		`[{"basic": []}, {"app": []}]`:  "- name: basic\n    title: \"User name and password\"\n    basic: {username: \"${cred.username}\", password: \"${cred.password}\"}\n  - name: app\n",
		`[{"oauth": []}, {}]`:           "- name: client\n    title: \"OAuth 2.0 client credentials\"\n    token:\n      post: /token\n",
		`[{"oauth": ["read"]}]`:         "- name: refresh_token\n    title: \"OAuth 2.0 refresh token\"\n    token:\n      post: https://id.acme.test/refresh\n",
		`[{"oauth": []}, {"code": []}]`: "refresh: ${cred.refresh_token}",
	} {
		text, _ := drafted(t, `"/employees": {"get": `+answering(listing("data", `"id": {"type": "string"}`), `, "security": `+security)+`}`, schemes)
		if !strings.Contains(text, want) {
			t.Errorf("%s: want %q in\n%s", security, want, text)
		}
	}
	// A document that names none may have a path for tokens.
	text, c := drafted(t, `"/auth/v2/token": {"post": {}}, "/employees": {"get": `+answering(listing("data", `"id": {"type": "string"}`), "")+`}`, "")
	if !strings.Contains(text, "post: /auth/v2/token\n    form: {grant_type: client_credentials,") || len(c.Credentials) != 2 {
		t.Error(text)
	}
}

// A base URL that an account completes, and one that only has a path.
func TestDraftOfBaseURLs(t *testing.T) {
	const list = `{"openapi": "3.0.0", "servers": [{"url": %q}], "paths": {"/employees": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {"properties": {"id": {"type": "string"}}}}}}}}}}}}`
	for url, want := range map[string]string{
		"https://{company}.acme.test/v1/": "\nbase_url: https://${cred.company}.acme.test/v1\ncredentials:\n  - {name: company,",
		"/v2":                             "\nbase_path: /v2\n",
		"{anywhere}":                      "\n# base_url:",
	} {
		text, err := draft.FromOpenAPI("acme", fmt.Appendf(nil, list, url))
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: want %q in\n%s%v", url, want, text, err)
		}
		if c, problems := providers.Parse("acme.yaml", []byte(text)); c == nil {
			t.Errorf("%s: %v", url, problems)
		}
	}
}
