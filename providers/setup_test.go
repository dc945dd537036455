package providers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
)

// All that is wrong with an account is told in one error, without any value.
func TestCheck(t *testing.T) {
	const secret = "hunter2"
	for name, test := range map[string]struct {
		connector string
		target    providers.Target
		want      string // "": all is well
	}{
		"complete":                 {"bamboohr", providers.Target{Credentials: map[string]string{"api_key": secret, "company": "acme"}}, ""},
		"nothing":                  {"bamboohr", providers.Target{}, "connector bamboohr: give the credentials of exactly one way to authenticate: API key (api_key), or OAuth 2.0 (client_id, client_secret, refresh_token); missing credential company (Company subdomain)"},
		"own base URL":             {"bamboohr", providers.Target{BaseURL: "http://127.0.0.1:4202", Credentials: map[string]string{"api_key": secret}}, ""},
		"mistyped":                 {"bamboohr", providers.Target{Credentials: map[string]string{"apikey": secret, "company": "acme"}}, `connector bamboohr: give the credentials of exactly one way to authenticate: API key (api_key), or OAuth 2.0 (client_id, client_secret, refresh_token); unknown credential "apikey": did you mean "api_key"?`},
		"unknown":                  {"stackone", providers.Target{Credentials: map[string]string{"api_key": secret, "account_id": "1", "zzzzzzzz": "x"}}, `connector stackone: unknown credential "zzzzzzzz"; known: api_key, account_id`},
		"line break":               {"bamboohr", providers.Target{Credentials: map[string]string{"api_key": secret + "\n", "company": "acme"}}, "connector bamboohr: credential api_key holds a line break or another control character"},
		"company moves the host":   {"workable", providers.Target{Credentials: map[string]string{"api_key": secret, "subdomain": "evil.test/"}}, "connector workable: credential subdomain becomes part of the provider's address and may hold letters, digits, dots and dashes only"},
		"company with a user":      {"workable", providers.Target{Credentials: map[string]string{"api_key": secret, "subdomain": "a@evil"}}, "connector workable: credential subdomain becomes part of the provider's address and may hold letters, digits, dots and dashes only"},
		"base URL is none":         {"stackone", providers.Target{BaseURL: "api.stackone.com", Credentials: map[string]string{"api_key": secret, "account_id": "1"}}, "connector stackone: the base URL can't be parsed: expected something like https://api.example.com"},
		"base URL of another kind": {"stackone", providers.Target{BaseURL: "file://etc/passwd", Credentials: map[string]string{"api_key": secret, "account_id": "1"}}, "connector stackone: the base URL must begin with https:// or http://"},
		"base URL with a user":     {"stackone", providers.Target{BaseURL: "https://" + secret + "@x.test", Credentials: map[string]string{"api_key": secret, "account_id": "1"}}, "connector stackone: the base URL holds a user name: credentials are given as credentials"},
		"base URL with a query":    {"stackone", providers.Target{BaseURL: "https://x.test/?key=" + secret, Credentials: map[string]string{"api_key": secret, "account_id": "1"}}, "connector stackone: the base URL has a query or a fragment: it ends with a path"},
		"page size":                {"stackone", providers.Target{PageSize: -1, Credentials: map[string]string{"api_key": secret, "account_id": "1"}}, "connector stackone: the page size is negative"},
		"generic without address":  {"generic", providers.Target{Credentials: map[string]string{"employees_path": "/p", "paging": "none"}}, "connector generic: the base URL is missing, and the connector has none of its own"},
		"generic without a list":   {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"paging": "none"}}, "connector generic: nothing to list: give at least one of employees_path, employments_path, interviews_path, applications_path, candidates_path, job_postings_path"},
		"generic without paging":   {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p"}}, "connector generic: missing credential paging (Paging)"},
		"generic, wrong paging":    {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p", "paging": "curser"}}, `connector generic: unknown paging "curser": did you mean "cursor"? (credential paging)`},
		"generic, no next":         {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p", "paging": "cursor"}}, `connector generic: paging "cursor" needs next: where the answer names the next page (credential next_path)`},
		"generic, no end":          {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p", "paging": "offset"}}, `connector generic: paging "offset" needs end, the signal of the last page: total, empty, short, "PATH is false" or "PATH is true" (credential end)`},
		"generic, wrong number":    {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p", "paging": "none", "page_size": "many"}}, "connector generic: a whole number from 1 to 100000 is expected (credential page_size)"},
		"generic, wrong path":      {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p", "paging": "none", "id_path": "a..b"}}, `connector generic: path "a..b" has an empty part (credential id_path)`},
		"generic, wrong header":    {"generic", providers.Target{BaseURL: testHost, Credentials: map[string]string{"employees_path": "/p", "paging": "none", "header": "X Key"}}, `connector generic: "X Key" can't be a header's name (credential header)`},
	} {
		t.Run(name, func(t *testing.T) {
			c := embedded(t, test.connector)
			err := c.Check(test.target)
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error tells a secret")
			}
			if _, openErr := c.Open(test.target, providers.Options{}); (openErr == nil) != (err == nil) {
				t.Errorf("Check says %v, Open %v", err, openErr)
			}
		})
	}
}

// An account's base URL may be given with or without the connector's base path.
func TestBaseURL(t *testing.T) {
	for _, test := range []struct{ connector, base, want string }{
		{"bamboohr", "", "https://api.bamboohr.com/api/gateway.php/acme/v1/employees"},
		{"bamboohr", "http://127.0.0.1:4202", "http://127.0.0.1:4202/v1/employees"},
		{"bamboohr", "http://127.0.0.1:4202/v1", "http://127.0.0.1:4202/v1/employees"},
		{"bamboohr", "http://127.0.0.1:4202/v1/", "http://127.0.0.1:4202/v1/employees"},
		{"bamboohr", "https://acme.bamboohr.com/api", "https://acme.bamboohr.com/api/v1/employees"},
		{"workable", "", "https://acme.workable.com/spi/v3/employees"},
		{"workable", "http://127.0.0.1:4203/spi/v3", "http://127.0.0.1:4203/spi/v3/employees"},
		{"workable", "http://127.0.0.1:4203/", "http://127.0.0.1:4203/spi/v3/employees"},
		{"stackone", "", "https://api.stackone.com/unified/hris/employees"},
		{"stackone", "https://proxy.test/stackone", "https://proxy.test/stackone/unified/hris/employees"},
	} {
		c := embedded(t, test.connector)
		all := map[string]string{"api_key": "k", "company": "acme", "subdomain": "acme", "account_id": "1"}
		given := map[string]string{}
		for _, credential := range c.Credentials {
			if value, ok := all[credential.Name]; ok {
				given[credential.Name] = value
			}
		}
		asked := ""
		client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
			w.WriteHeader(http.StatusNotFound)
		}, func(target *providers.Target, _ *providers.Options) {
			*target = providers.Target{BaseURL: test.base, Credentials: given}
		})
		wantKind(t, list(t.Context(), client, "employees").err, providers.NotFound, "")
		if asked != test.want {
			t.Errorf("%s at %q asks %s, want %s", test.connector, test.base, asked, test.want)
		}
	}
}

// A value can't leave the place that the connector gives it.
func TestValuesStayInTheirPlace(t *testing.T) {
	c := connector(t, "credentials:\n  - name: company\n"+employees("request: {get: '/c/${cred.company}/people'}\nrecords: {id: id}\npage: none\n"))
	asked := ""
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath() + "?" + r.URL.RawQuery
		reply(w, records(nil))
	}, credentials("company", "../a/b?c=d#e"))
	if got := list(t.Context(), client, "employees"); got.err != nil || asked != "/c/..%2Fa%2Fb%3Fc=d%23e/people?" {
		t.Errorf("asked %s: %v", asked, got.err)
	}
	generic := open(t, embedded(t, "generic"), func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		if r.URL.Host != "provider.test" {
			t.Errorf("asked %s", r.URL)
		}
	}, credentials("employees_path", "//evil.test/people", "candidates_path", "@evil.test/", "interviews_path", "https://evil.test/", "paging", "none"), func(target *providers.Target, _ *providers.Options) { target.BaseURL = testHost })
	for _, recordType := range generic.RecordTypes() {
		list(t.Context(), generic, recordType)
	}
}

// A final slash of the base URL makes no difference, where it is used and where it is shown.
func TestBaseURLWithASlash(t *testing.T) {
	c := connector(t, "name: test\ncategory: generic\nverified: invented\nbase_url: "+testHost+"/\nbase_path: /v1\n"+employees("request: {get: /p}\nrecords: {id: id}\npage: none\n"))
	asked := ""
	got := list(t.Context(), open(t, c, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		_, _ = w.Write([]byte("[]"))
	}), "employees")
	if got.err != nil || asked != "/v1/p" || c.BaseURL != testHost+"/v1" {
		t.Errorf("%v, asked %s, shown %s", got.err, asked, c.BaseURL)
	}
}
