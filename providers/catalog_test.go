package providers_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

func embedded(t *testing.T, name string) *providers.Connector {
	t.Helper()
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	c, err := catalog.Connector(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStreamInfo(t *testing.T) {
	got, _ := embedded(t, "bamboohr").Stream("applications")
	got.Verified, got.Version = "", ""
	want := providers.StreamInfo{RecordType: "applications", EventPrefix: "ats_applications", Ignore: []string{"applicant.avatar"}, Positional: true, Confirms: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for connector, positional := range map[string]map[string]bool{
		"bamboohr": {"employees": false, "employments": false},
		"workable": {"employees": true, "candidates": false},
		"stackone": {"candidates": true},
	} {
		for recordType, want := range positional {
			if s, _ := embedded(t, connector).Stream(recordType); s.Positional != want {
				t.Errorf("%s %s: positional %v", connector, recordType, s.Positional)
			}
		}
	}
}

// The generic connector needs no file, only an account's settings.
func TestGeneric(t *testing.T) {
	c := embedded(t, "generic")
	for name, test := range map[string]struct {
		credentials []string
		dialect     string
		authorized  func(*http.Request) bool
	}{
		"one answer": {[]string{"paging", "none"}, "none", nil},
		"page until a flag, basic": {
			[]string{"paging", "page", "end", "complete is true", "records_path", "people", "username", "u", "password", "p"}, "page until a flag",
			func(r *http.Request) bool { u, p, _ := r.BasicAuth(); return u == "u" && p == "p" },
		},
		"page from 0 until the last page, in headers": {
			[]string{"paging", "page", "page_param", "p", "size_param", "per", "page_size", "3", "first_page", "0", "end", "last_page", "total_pages_path", "header:X-Total-Pages", "total_path", "header:X-Total"},
			"page from 0 until the last page, in headers", nil,
		},
		"offset until the total, key in the query": {
			[]string{"paging", "offset", "page_size", "3", "end", "total", "total_path", "d.total", "records_path", "other", "employees_records", "d.people", "key", "s3cret"}, "offset until the total",
			func(r *http.Request) bool { return r.URL.Query().Get("api_key") == "s3cret" },
		},
		"cursor, header": {
			[]string{"paging", "cursor", "cursor_param", "page[after]", "size_param", "page[limit]", "page_size", "3", "next_path", "meta.next", "total_path", "meta.total", "records_path", "data", "header", "X-Api-Key", "header_value", "s3cret"},
			"cursor in the query until there is none",
			func(r *http.Request) bool { return r.Header.Get("X-Api-Key") == "s3cret" },
		},
		"URL":         {[]string{"paging", "url", "next_path", "paging.next", "page_size", "3", "records_path", "people"}, "URL in the body", nil},
		"Link header": {[]string{"paging", "link", "size_param", "per_page", "page_size", "3"}, "Link header", nil},
	} {
		t.Run(name, func(t *testing.T) {
			ids := []string{"1", "x-2", "3", "x-4", "5", "6", "7"}
			client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
				if test.authorized != nil && !test.authorized(r) {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				if r.URL.Path == "/people" && r.URL.Query().Get("cursor") == "" && r.URL.Query().Get("since_id") == "" && r.URL.Query().Get("state") != "all" {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				dialects[test.dialect].page(w, r, ids, 3)
			}, credentials(append(test.credentials, "employees_path", "/people?state=all")...), func(target *providers.Target, _ *providers.Options) { target.BaseURL = testHost })
			if types := client.RecordTypes(); !slices.Equal(types, []string{"employees"}) {
				t.Errorf("serves %v", types)
			}
			got := list(t.Context(), client, "employees")
			if got.err != nil || !slices.Equal(got.ids, ids) {
				t.Fatalf("got %v: %v", got.ids, got.err)
			}
			if got := list(t.Context(), client, "candidates"); got.err == nil || len(got.ids) > 0 {
				t.Error("a list without a path was listed")
			}
		})
	}
	positional, plain := c.Serves(providers.Target{}), providers.Target{BaseURL: testHost, Credentials: map[string]string{"candidates_path": "/c", "interviews_path": "/i", "paging": "none"}}
	if len(positional) != 0 || !slices.Equal(c.Serves(plain), []string{"interviews", "candidates"}) {
		t.Errorf("serves %v and %v", positional, c.Serves(plain))
	}
}

// How an account reads its list decides its stream's facts.
func TestGenericStreamInfo(t *testing.T) {
	info := func(pairs ...string) providers.StreamInfo {
		client := open(t, embedded(t, "generic"), answers("[]"), credentials(append(pairs, "employees_path", "/people")...), func(target *providers.Target, _ *providers.Options) { target.BaseURL = testHost })
		s, _ := client.Stream("employees")
		return s
	}
	plain, paged := info("paging", "none"), info("paging", "page", "end", "empty")
	if plain.Positional || !paged.Positional {
		t.Error("positional doesn't follow the paging")
	}
	if plain.Version != paged.Version || plain.Version == info("paging", "none", "id_path", "uid").Version || plain.Version == info("paging", "none", "records_path", "data").Version {
		t.Error("the version doesn't follow the mapping")
	}
}
