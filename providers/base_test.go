package providers_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
)

// A token's answer names the account's base URL: lists and records are asked there, with
// the connector's base path, and what is kept of the token holds it, too.
func TestTokenNamesTheBaseURL(t *testing.T) {
	const file = "base_path: /v2\nauth:\n  token: {post: 'http://auth.test/token', base_url: instance.url}\n  header: {A: '${token}'}\n"
	stream := employees(byURL + "record: {get: '/people/${id}'}\n")
	given, shown := 0, map[string]bool{}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if shown[r.Host+r.URL.Path] = true; r.Host == "auth.test" {
			given++
			reply(w, object{"access_token": "s3cret", "instance": object{"url": "http://tenant.test/"}})
			return
		}
		switch r.Host + r.URL.RequestURI() {
		case "tenant.test/v2/people":
			reply(w, object{"data": records([]string{"1"}), "next": "?p=2"})
		case "tenant.test/v2/people?p=2":
			reply(w, object{"data": records([]string{"2"})})
		case "tenant.test/v2/people/1":
			reply(w, object{"id": 1})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}
	store := providers.NewTokens()
	kept := func(_ *providers.Target, o *providers.Options) { o.Tokens = store }
	for range 2 { // the second client is another process's
		client := open(t, connector(t, file+stream), handler, kept)
		pages, ids, err := listWith(t.Context(), client, providers.ListOptions{})
		if err != nil || !slices.Equal(ids, []string{"1", "2"}) || given != 1 {
			t.Fatalf("%v with %d tokens: %v", ids, given, err)
		}
		if _, rest, err := listWith(t.Context(), client, providers.ListOptions{Resume: pages[0].Resume}); err != nil || !slices.Equal(rest, []string{"2"}) {
			t.Errorf("behind the first page: %v, %v", rest, err)
		}
		if there, err := client.Exists(t.Context(), "employees", "1"); !there || err != nil {
			t.Errorf("%v, %v", there, err)
		}
	}
	// A file without base_url forgets it, and one that has it anew asks for a token that has it.
	open(t, connector(t, strings.Replace(file, ", base_url: instance.url", "", 1)+stream), handler, kept).List(t.Context(), "employees", providers.ListOptions{})(func(providers.Page, error) bool { return true })
	if !shown["provider.test/v2/people"] {
		t.Errorf("asked %v", slices.Sorted(maps.Keys(shown)))
	}
	tokens, _ := store.Load(t.Context())
	delete(tokens, "base_url")
	_ = store.Save(t.Context(), tokens)
	if got := list(t.Context(), open(t, connector(t, file+stream), handler, kept), "employees"); got.err != nil || given != 2 {
		t.Errorf("with a token that was kept without its base URL: %d tokens, %v", given, got.err)
	}
}

// A base URL that comes with a token is one of the same scheme, or nothing is asked.
func TestBaseURLsThatAreNone(t *testing.T) {
	for _, address := range []any{nil, "", "tenant.test", "https://tenant.test", "http://me@tenant.test", "http://tenant.test/?a=b", "file:///etc"} {
		c := connector(t, "auth:\n  token: {post: 'http://auth.test/token', base_url: api}\n  header: {A: '${token}'}\n"+employees(whole))
		got := list(t.Context(), open(t, c, func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "auth.test" {
				t.Errorf("%v: asked %s", address, r.Host)
			}
			reply(w, object{"access_token": "t", "api": address})
		}), "employees")
		wantKind(t, got.err, providers.Protocol, "the provider's answer to the request for a token names no usable base URL at api")
	}
}

// A refresh token that was replaced is kept even where the answer is else no good.
func TestRefreshTokensOutliveBadAnswers(t *testing.T) {
	store, latest, sound, over := providers.NewTokens(), "first", false, false
	c := connector(t, "credentials: [{name: first}]\nauth:\n  token: {post: /token, form: {r: '${token.refresh}'}, refresh: '${cred.first}', base_url: api}\n  header: {A: '${token}'}\n"+employees(whole))
	client := func() *providers.Client {
		return open(t, c, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path != "/token" && over:
				w.WriteHeader(http.StatusUnauthorized)
				return
			case r.URL.Path != "/token":
				reply(w, object{"data": records([]string{"1"})})
				return
			case r.FormValue("r") != latest:
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			latest += "x"
			answer := object{"access_token": "s3cret" + latest, "refresh_token": latest}
			if sound {
				answer["api"] = testHost
			}
			reply(w, answer)
		}, credentials("first", "first"), func(_ *providers.Target, o *providers.Options) { o.Tokens = store })
	}
	got := list(t.Context(), client(), "employees")
	wantKind(t, got.err, providers.Protocol, "no usable base URL")
	sound = true
	if got := list(t.Context(), client(), "employees"); got.err != nil {
		t.Error(got.err)
	}
	// Nor is a token taken for the base URL of another.
	sound, over = false, true
	_ = list(t.Context(), client(), "employees")
	over = false
	got = list(t.Context(), client(), "employees")
	wantKind(t, got.err, providers.Protocol, "no usable base URL")
}

// The connector's headers are those of every request to the API, and of none for a token.
func TestHeadersOfEveryRequest(t *testing.T) {
	c := connector(t, `credentials: [{name: version, optional: true}]
headers: {Version: '7', X-Own: 'connector', X-Version: '${cred.version}'}
auth:
  token: {post: /token}
  header: {A: '${token}'}
lists:
  parents: {request: {get: /parents}, records: {id: id}, page: none}
streams:
  employees:
    request: {get: /people, query: {since: '${since}'}}
    variants: [{query: {v: 1}}, {query: {v: 2}, headers: {X-Own: variant}}]
    records: {id: id}
    page: none
    since: {proven: true}
    record: {get: '/record/${id}'}
    detail: {get: '/detail/${id}'}
    deleted: {list: {request: {get: /deleted, query: {since: '${since}'}}, records: {id: id}, page: none}}
  interviews: {parent: {stream: parents}, request: {get: '/children/${parent}'}, records: {id: id}, page: none}
`)
	asked := map[string]string{}
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		asked[strings.Split(r.URL.Path, "/")[1]+r.URL.Query().Get("v")] = r.Header.Get("Version") + r.Header.Get("X-Own") + r.Header.Get("X-Version")
		switch {
		case r.URL.Path == "/token":
			reply(w, object{"access_token": "t"})
		case strings.Count(r.URL.Path, "/") == 2 && !strings.HasPrefix(r.URL.Path, "/children"):
			reply(w, object{"id": 1})
		default:
			reply(w, records([]string{"1"}))
		}
	})
	for _, recordType := range []string{"employees", "interviews"} {
		if got := list(t.Context(), client, recordType); got.err != nil {
			t.Error(got.err)
		}
	}
	if _, _, err := listWith(t.Context(), client, providers.ListOptions{Since: someTime}); err != nil {
		t.Error(err)
	}
	if _, err := client.Exists(t.Context(), "employees", "1"); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{"token": "", "people1": "7connector", "people2": "7variant", "record": "7connector", "detail": "7connector", "deleted": "7connector", "parents": "7connector", "children": "7connector"} {
		if got, ok := asked[path]; !ok || got != want {
			t.Errorf("%s was asked with %q, want %q (%v)", path, got, want, ok)
		}
	}
}

// Records of the catalogue are asked for in the version that their list is of.
func TestRecordsOfTheListsVersion(t *testing.T) {
	const version = "application/vnd.api+json"
	client := open(t, embedded(t, "pinpoint"), func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != version {
			t.Errorf("asked for %s", r.Header.Get("Accept"))
		}
		reply(w, object{"data": object{"id": "1"}})
	}, credentials("api_key", "k3y", "subdomain", "acme"))
	if there, err := client.Exists(t.Context(), "candidates", "1"); !there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
}
