package providers_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

// twoGrants authenticates with a key, with a client alone or with a client and a refresh
// token; region is every account's.
const twoGrants = `credentials:
  - {name: region, secret: false}
  - {name: key, title: API key}
  - {name: client_id, secret: false}
  - {name: client_secret, title: Client secret}
  - {name: refresh_token}
  - {name: scope, optional: true}
auth:
  - name: key
    title: API key
    basic: {username: '${cred.key}', password: '${cred.region}'}
  - name: client
    verified: seen
    token:
      post: /token
      form: {grant_type: client_credentials, client_id: '${cred.client_id}', client_secret: '${cred.client_secret}', scope: '${cred.scope}'}
    header: {Authorization: 'Bearer ${token}', X-Region: '${cred.region}'}
  - name: refresh
    token:
      post: /token
      form: {grant_type: refresh_token, client_id: '${cred.client_id}', client_secret: '${cred.client_secret}', refresh_token: '${token.refresh}'}
      refresh: ${cred.refresh_token}
    header: {Authorization: 'Bearer ${token}', X-Region: '${cred.region}'}
`

// An account uses the way whose credentials it has.
func TestWays(t *testing.T) {
	c := connector(t, twoGrants+employees(whole))
	want := []providers.Way{
		{Name: "key", Title: "API key", Verified: "invented", Credentials: []string{"key"}},
		{Name: "client", Title: "client", Verified: "seen", Credentials: []string{"client_id", "client_secret", "scope"}},
		{Name: "refresh", Title: "refresh", Verified: "invented", Credentials: []string{"client_id", "client_secret", "refresh_token"}},
	}
	if diff := cmp.Diff(want, c.Ways); diff != "" {
		t.Error(diff)
	}
	const unclear = "connector test: give the credentials of exactly one way to authenticate: API key (key), or client (client_id, client_secret), or refresh (client_id, client_secret, refresh_token)"
	for _, test := range []struct {
		given        string // names, with commas; each has its own name as its value
		grant, wrong string
	}{
		{given: "region,key", grant: "none"},
		{given: "region,client_id,client_secret", grant: "client_credentials"},
		{given: "region,client_id,client_secret,scope", grant: "client_credentials"},
		{given: "region,client_id,client_secret,refresh_token", grant: "refresh_token"},
		{given: "region", wrong: unclear},
		{given: "region,key,client_id,client_secret", wrong: unclear},
		{given: "region,client_id,client_secret,refresh_token,scope", wrong: unclear},
		{given: "region,client_id", wrong: unclear},
		{given: "region,client_id,refresh_token", wrong: "connector test: missing credential client_secret (Client secret)"},
		{given: "key", wrong: "connector test: missing credential region"},
	} {
		given := map[string]string{}
		for name := range strings.SplitSeq(test.given, ",") {
			given[name] = name
		}
		if err := c.Check(providers.Target{Credentials: given}); test.wrong != "" || err != nil {
			if err == nil || err.Error() != test.wrong {
				t.Errorf("%s: got %v, want %s", test.given, err, test.wrong)
			}
			continue
		}
		grant, shown := "none", ""
		client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				_ = r.ParseForm()
				grant = r.PostForm.Get("grant_type")
				_, _ = io.WriteString(w, `{"access_token": "t"}`)
				return
			}
			shown = r.Header.Get("Authorization")
			_, _ = io.WriteString(w, `{"data": []}`)
		}, func(target *providers.Target, _ *providers.Options) { target.Credentials = given })
		got := list(t.Context(), client, "employees")
		if got.err != nil || grant != test.grant || strings.HasPrefix(shown, "Basic ") != (grant == "none") {
			t.Errorf("%s: granted by %s, showing %s, want %s; %v", test.given, grant, shown, test.grant, got.err)
		}
	}
}

// What only one way uses in an address is not asked of the others.
func TestWaysWithTheirOwnAddress(t *testing.T) {
	c := embedded(t, "bamboohr")
	for _, test := range []struct {
		credentials map[string]string
		ok          bool
	}{
		{map[string]string{"api_key": "k"}, true},
		{map[string]string{"client_id": "i", "client_secret": "s", "refresh_token": "r"}, false},
		{map[string]string{"client_id": "i", "client_secret": "s", "refresh_token": "r", "company": "acme"}, true},
	} {
		err := c.Check(providers.Target{BaseURL: testHost, Credentials: test.credentials})
		if (err == nil) != test.ok || err != nil && !strings.HasSuffix(err.Error(), "missing credential company (Company subdomain)") {
			t.Errorf("%v: %v", test.credentials, err)
		}
	}
}

func TestWayProblems(t *testing.T) {
	const credentials = "credentials:\n  - name: a\n  - name: b\n  - {name: c, optional: true}\n"
	for auth, want := range map[string]string{
		"[]": "write none",
		"[{header: {A: '${cred.a}'}}, {name: x, header: {A: '${cred.b}'}}]":                          `the key "name" is missing`,
		"[{name: X, header: {A: '${cred.a}'}}, {name: y, header: {A: '${cred.b}'}}]":                 `"X" can't be a way's name`,
		"[{name: x, header: {A: '${cred.a}'}}, {name: x, header: {A: '${cred.b}'}}]":                 `called "x" already`,
		"[{name: x, header: {A: '${cred.a}'}}, {name: y, header: {B: '${cred.a}'}}]":                 "the ways x and y can't be told apart",
		"[{name: x, header: {A: '${cred.a}'}}, {name: y, header: {A: '${cred.a}', C: '${cred.c}'}}]": "the ways x and y can't be told apart",
		"[{name: x, header: {A: '${cred.a}'}}, {name: y, header: {B: '${cred.d}'}}]":                 "unknown substitution ${cred.d}",
		"[{name: x, header: {A: '${cred.a}'}}, {name: y, token: {post: token}}]":                     "begins with /, or https://",
		"{name: x, header: {A: '${cred.a}'}}":                                                        `unknown key "name"`,
	} {
		_, problems := providers.Parse("x.yaml", []byte("name: x\ncategory: ats\nverified: no\nbase_url: "+testHost+"\n"+credentials+"auth: "+auth+"\n"+employees(whole)))
		if !slices.ContainsFunc(problems, func(p providers.Problem) bool { return strings.Contains(p.Message, want) }) {
			t.Errorf("%s: want %q, got %v", auth, want, problems)
		}
	}
}

// What is given takes the place of its namesake; another way's credentials end the former's.
func TestReplaceCredentials(t *testing.T) {
	c := connector(t, twoGrants+employees(whole))
	values := func(pairs ...string) map[string]string {
		all := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	byKey := values("region", "eu", "key", "old")
	byClient := values("region", "eu", "client_id", "c", "client_secret", "s", "scope", "read")
	for name, test := range map[string]struct{ had, given, want map[string]string }{
		"a new key":            {byKey, values("key", "new"), values("region", "eu", "key", "new")},
		"another region":       {byKey, values("region", "us"), values("region", "us", "key", "old")},
		"an optional one less": {byClient, values("scope", ""), values("region", "eu", "client_id", "c", "client_secret", "s")},
		"from key to client":   {byKey, values("client_id", "c", "client_secret", "s"), values("region", "eu", "client_id", "c", "client_secret", "s")},
		"from client to key":   {byClient, values("key", "new"), values("region", "eu", "key", "new")},
		"a grant of a user":    {byClient, values("refresh_token", "r"), values("region", "eu", "client_id", "c", "client_secret", "s", "refresh_token", "r")},
		"a client's secret":    {byClient, values("client_secret", "t"), values("region", "eu", "client_id", "c", "client_secret", "t", "scope", "read")},
		"of two ways at once":  {byKey, values("key", "new", "scope", "x"), values("region", "eu", "key", "new", "scope", "x")},
	} {
		if diff := cmp.Diff(test.want, c.Replace(test.had, test.given)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
