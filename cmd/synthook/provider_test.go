package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

const ownConnector = `name: mine
title: My own
category: hris
verified: this test
base_url: https://hr.example.com
credentials:
  - {name: token, title: Token}
auth:
  header:
    Authorization: Bearer ${cred.token}
streams:
  employees:
    request:
      get: /people
      query: {page: "${page.number}"}
    records: {path: people, id: id}
    page: {kind: page, end: "more is false"}
`

func TestProviderListJSON(t *testing.T) {
	path := writeFile(t, "mine.yaml", ownConnector)
	r := synthook(t, []string{"SYNTHOOK_CONNECTORS=" + filepath.Dir(path)}, "", "provider", "list", "--json")
	list := decode[[]map[string]any](t, r)
	var names []string
	for _, p := range list {
		names = append(names, p["name"].(string))
		for _, key := range []string{"category", "record_types", "verified"} {
			if p[key] == nil {
				t.Errorf("%s has no %s", p["name"], key)
			}
		}
	}
	for _, name := range []string{"bamboohr", "generic", "mine", "stackone", "workable"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among %q", name, names)
		}
	}
}

// A broken file is told of and left out; the others work.
func TestProviderListLeavesBrokenOut(t *testing.T) {
	path := writeFile(t, "broken.yaml", "name: broken\n")
	r := synthook(t, nil, "", "provider", "list", "--connectors", filepath.Dir(path))
	if r.status != exitOK || !strings.Contains(r.stdout, "bamboohr") || !strings.Contains(r.stderr, "left out: "+path+":1:1: ") {
		t.Errorf("%+v", r)
	}
}

func TestProviderShow(t *testing.T) {
	path := writeFile(t, "mine.yaml", ownConnector)
	r := synthook(t, nil, "", "provider", "show", "mine", "--connectors", filepath.Dir(path))
	for _, want := range []string{"My own", "token  secret", "hris_employees.created"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
}

// Of several ways to authenticate, each is shown with its own credentials.
func TestProviderShowsWays(t *testing.T) {
	two := strings.Replace(ownConnector, "  - {name: token, title: Token}\n", "  - {name: token, title: Token}\n  - {name: user}\n  - {name: region, secret: false}\n", 1)
	two = strings.Replace(two, "auth:\n  header:\n    Authorization: Bearer ${cred.token}\n", "auth:\n  - {name: token, title: By token, header: {X-Token: '${cred.token}', X-Region: '${cred.region}'}}\n  - {name: user, verified: never, header: {X-User: '${cred.user}', X-Region: '${cred.region}'}}\n", 1)
	path := writeFile(t, "mine.yaml", two)
	r := synthook(t, nil, "", "provider", "show", "mine", "--connectors", filepath.Dir(path))
	var shown []string
	for line := range strings.Lines(r.stdout) {
		key, _, _ := strings.Cut(line, ":")
		if words := strings.Fields(line); slices.Contains([]string{"credential", "way", "verified"}, key) {
			shown = append(shown, key+" "+words[1])
		}
	}
	want := []string{"verified this", "credential region", "way token", "verified this", "credential token", "way user", "verified never", "credential user", "verified this"}
	if !slices.Equal(shown, want) {
		t.Errorf("%q, want %q in\n%s", shown, want, r.stdout)
	}
}

func TestProviderLint(t *testing.T) {
	sound := writeFile(t, "mine.yaml", ownConnector)
	if r := synthook(t, nil, "", "provider", "lint", sound); r.status != exitOK || r.stdout != "" || r.stderr != "no problems\n" {
		t.Errorf("%+v", r)
	}
	wrong := writeFile(t, "wrong.yaml", strings.Replace(strings.Replace(ownConnector, "category: hris", "category: hrs", 1), "records:", "recrods:", 1))
	r := synthook(t, nil, "", "provider", "lint", sound, wrong)
	if r.status != exitFailed || r.stderr != "synthook: 3 problems\n" {
		t.Errorf("status %d, %q", r.status, r.stderr)
	}
	for _, want := range []string{wrong + ":3:11: ", wrong + ":16:5: "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
	r = synthook(t, nil, "", "provider", "lint", wrong, "--json")
	var problems []lintProblem
	if err := json.Unmarshal([]byte(r.stdout), &problems); err != nil || len(problems) != 3 || problems[0].Line != 3 {
		t.Errorf("%v: %s", err, r.stdout)
	}
}

// hr is a provider of two pages; whoever has no token is refused.
func hr(t *testing.T) string {
	var reads atomic.Int32
	seen := func() string { return strconv.Itoa(int(reads.Add(1))) } // moves by itself
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer t0k3n":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Get("page") == "1":
			_, _ = w.Write([]byte(`{"people":[{"id":1,"name":"Ada Quill","tags":["x"],"seen":` + seen() + `,"boss":null},{"id":2,"name":"Bo Wren","mail":{"bo@example.com":true}}],"more":true}`))
		default:
			_, _ = w.Write([]byte(`{"people":[{"id":3,"name":"Cy Lark","boss":{"id":1}}],"more":false}`))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestProviderTry(t *testing.T) {
	args := []string{"provider", "try", writeFile(t, "mine.yaml", ownConnector), "--base-url", hr(t), "--credential", "token=t0k3n", "--allow-private-networks"}
	one := decode[trial](t, synthook(t, nil, "", append(args, "--pages", "1", "--json")...))
	if one.Pages != 1 || one.Records != 2 || one.IDs != 2 || one.Complete || one.RecordType != "employees" {
		t.Errorf("one page: %+v", one)
	}
	all := decode[trial](t, synthook(t, nil, "", append(args, "--pages", "0", "--json")...))
	if all.Pages != 2 || all.Records != 3 || !all.Complete || len(all.Requests) != 4 || all.Requests[0].Status != http.StatusOK {
		t.Errorf("all pages: %+v", all)
	}
	var shown []string
	for _, s := range all.Shape {
		shown = append(shown, s.Path+" "+strings.Join(s.Types, "|"))
	}
	want := []string{"boss null|object", "boss.id number", "id number", "mail object", "mail.* boolean", "name string", "seen number", "tags array", "tags[] string"}
	if !slices.Equal(shown, want) {
		t.Errorf("shape %q, want %q", shown, want)
	}
	if !slices.Equal(all.Volatile, []string{"seen"}) || len(all.Lacks) != 3 {
		t.Errorf("volatile %q, lacks %q", all.Volatile, all.Lacks)
	}
	for _, mode := range [][]string{nil, {"--json"}} {
		r := synthook(t, nil, "", append(args, mode...)...)
		if mode == nil && (!strings.Contains(r.stdout, "seen changed between two readings") || !strings.Contains(r.stdout, "the connector has no record: ")) {
			t.Errorf("not told:\n%s", r.stdout)
		}
		for _, private := range []string{"Quill", "Wren", "bo@example.com", "t0k3n"} {
			if strings.Contains(r.stdout+r.stderr, private) {
				t.Errorf("%q is shown:\n%s", private, r.stdout)
			}
		}
	}
}

// What a listing is refused for is told, with the shape of what came all the same.
func TestProviderTryShowsWhatIsRefused(t *testing.T) {
	connector := strings.Replace(strings.Replace(ownConnector, `query: {page: "${page.number}"}`, `query: {skip: "${page.offset}"}`, 1), `{kind: page, end: "more is false"}`, "{kind: offset, end: total, total: meta.total}", 1)
	for name, test := range map[string]struct {
		body, reason string
		ids          int
	}{
		"the total says less":     {`{"people":[{"id":1,"name":"Ada Quill"}],"meta":{"total":0}}`, "listing incomplete: provider says 0, got 1 (meta.total)", 1},
		"the total is a fraction": {`{"people":[{"id":1,"name":"Ada Quill"}],"meta":{"total":0.5}}`, "meta.total is a number with a fraction, not a whole number", 1},
		"there is no total":       {`{"people":[{"id":1,"name":"Ada Quill"}]}`, "the answer has no meta.total, so the end of the list can't be known", 1},
		"there is no id":          {`{"people":[{"key":1,"name":"Ada Quill"}],"meta":{"total":1}}`, "record 1 has no id", 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(test.body)) }))
			defer server.Close()
			args := []string{"provider", "try", writeFile(t, "mine.yaml", connector), "--base-url", server.URL, "--credential", "token=t", "--allow-private-networks", "--pages", "1"}
			r := synthook(t, nil, "", append(args, "--json")...)
			var got trial
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.status != exitFailed || got.Complete || got.Pages != 1 || got.Records != 1 || got.IDs != test.ids || len(got.Shape) != 2 || !strings.Contains(got.Error, test.reason) {
				t.Errorf("%v, status %d: %+v", err, r.status, got)
			}
			r = synthook(t, nil, "", args...)
			if !strings.Contains(r.stdout, test.reason) || !strings.Contains(r.stdout, "would believe nothing") || strings.Contains(r.stdout+r.stderr, "Quill") {
				t.Errorf("%s%s", r.stdout, r.stderr)
			}
		})
	}
}

func TestProviderSchemaAndInit(t *testing.T) {
	if r := synthook(t, nil, "", "provider", "schema"); r.status != exitOK || !json.Valid([]byte(r.stdout)) || !strings.Contains(r.stdout, `"credentials"`) {
		t.Errorf("%+v", r)
	}
	document := writeFile(t, "api.yaml", "openapi: 3.1.0\ninfo: {title: Acme, version: v1}\nservers: [{url: https://api.acme.example}]\npaths:\n  /employees:\n    get:\n      responses:\n        '200': {content: {application/json: {schema: {type: array, items: {properties: {id: {type: string}}}}}}}\n")
	draft := synthook(t, nil, "", "provider", "init", "acme", "--openapi", document)
	if r := synthook(t, nil, "", "provider", "lint", writeFile(t, "acme.yaml", draft.stdout)); draft.status != exitOK || r.status != exitOK {
		t.Errorf("%+v, then %+v", draft, r)
	}
	for _, args := range [][]string{{"acme"}, {"acme", "--openapi", document + ".none"}, {"Acme", "--openapi", document}} {
		if r := synthook(t, nil, "", append([]string{"provider", "init"}, args...)...); r.status != exitUsage || r.stdout != "" {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestProviderTryRefusals(t *testing.T) {
	file, url := writeFile(t, "mine.yaml", ownConnector), hr(t)
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"private address":    {[]string{file, "--base-url", url, "--credential", "token=t0k3n"}, exitFailed, "--allow-private-networks"},
		"wrong credential":   {[]string{file, "--base-url", url, "--credential", "token=no", "--allow-private-networks"}, exitFailed, "401"},
		"no credential":      {[]string{file, "--base-url", url}, exitUsage, "missing credential token"},
		"unknown credential": {[]string{file, "--credential", "token=x", "--credential", "tokn=x"}, exitUsage, `did you mean "token"?`},
		"no such stream":     {[]string{file, "--credential", "token=x", "--record-type", "employes"}, exitUsage, "did you mean employees?"},
		"broken file":        {[]string{writeFile(t, "broken.yaml", "name: [")}, exitUsage, "broken.yaml:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			r := synthook(t, nil, "", append([]string{"provider", "try"}, c.args...)...)
			if r.status != c.status || !strings.Contains(r.stderr, c.want) {
				t.Errorf("status %d, %q", r.status, r.stderr)
			}
		})
	}
}
