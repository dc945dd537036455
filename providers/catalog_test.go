package providers_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

// fixtures serves the files of one provider, laid out by URL path. A file's name goes on
// with the query parameters it stands for: employees,offset=2.json.
type fixtures struct {
	dir      string
	header   http.Header // what every request must carry
	requests []string
}

func (f *fixtures) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, _ := url.PathUnescape(strings.ReplaceAll(r.URL.RawQuery, "+", " "))
	f.requests = append(f.requests, r.Method+" "+r.URL.Path+"?"+query)
	for name := range f.header {
		if r.Header.Get(name) != f.header.Get(name) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	entries, _ := os.ReadDir(path.Join(f.dir, path.Dir(r.URL.Path)))
	best, most := "", -1
	for _, entry := range entries {
		words := strings.Split(strings.TrimSuffix(entry.Name(), ".json"), ",")
		fits := words[0] == path.Base(r.URL.Path) && !entry.IsDir()
		for _, word := range words[1:] {
			name, value, _ := strings.Cut(word, "=")
			fits = fits && r.URL.Query().Get(name) == value
		}
		if fits && len(words) > most {
			best, most = entry.Name(), len(words)
		}
	}
	body, err := os.ReadFile(path.Join(f.dir, path.Dir(r.URL.Path), best))
	if best == "" || err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(strings.ReplaceAll(string(body), "${HOST}", "http://"+r.Host)))
}

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

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Each connector, against answers of invented people in the provider's shapes: what it
// asks, and what it lists.
func TestConnectors(t *testing.T) {
	type stream struct{ requests, ids []string }
	for name, test := range map[string]struct {
		credentials []string
		header      http.Header
		streams     map[string]stream
	}{
		"bamboohr": {
			credentials: []string{"api_key", "k3y"},
			header:      http.Header{"Authorization": {basic("k3y", "x")}, "Accept": {"application/json"}},
			streams: map[string]stream{
				"employees": {[]string{
					"GET /v1/employees?page[limit]=50&sort=employeeId",
					"GET /v1/employees?page[after]=eyJuZXh0Ijo2fQ==&page[limit]=50&sort=employeeId",
				}, []string{"4", "5", "6"}},
				"employments": {[]string{"GET /v1/employees/all/tables/jobInfo?"}, []string{"4:38", "4:39", "5:38"}},
				"applications": {[]string{
					"GET /v1/applicant_tracking/applications?applicationStatus=ALL&jobStatusGroups=ALL&page=1&sortBy=created_date&sortOrder=ASC",
					"GET /v1/applicant_tracking/applications?applicationStatus=ALL&jobStatusGroups=ALL&page=2&sortBy=created_date&sortOrder=ASC",
				}, []string{"61", "62"}},
				"job_postings": {[]string{"GET /v1/applicant_tracking/jobs?statusGroups=ALL"}, []string{"22"}},
			},
		},
		"workable": {
			credentials: []string{"api_key", "k3y", "member_id", "1f3"},
			header:      http.Header{"Authorization": {"Bearer k3y"}},
			streams: map[string]stream{
				"candidates":   {[]string{"GET /spi/v3/candidates?limit=100", "GET /spi/v3/candidates?limit=100&since_id=27a3"}, []string{"27a1", "27a2", "27a3"}},
				"applications": {[]string{"GET /spi/v3/candidates?limit=100", "GET /spi/v3/candidates?limit=100&since_id=27a3"}, []string{"27a1", "27a2", "27a3"}},
				"interviews":   {[]string{"GET /spi/v3/events?limit=50", "GET /spi/v3/events?limit=50&since_id=10e1"}, []string{"10e0", "10e1"}},
				"job_postings": {[]string{"GET /spi/v3/jobs?limit=100"}, []string{"5b5c"}},
				"employees": {[]string{
					"GET /spi/v3/employees?limit=100&member_id=1f3&offset=0", "GET /spi/v3/employees?limit=100&member_id=1f3&offset=2",
				}, []string{"19f1", "19f2", "19f3"}},
			},
		},
		"stackone": {
			credentials: []string{"api_key", "k3y", "account_id", "a1"},
			header:      http.Header{"Authorization": {basic("k3y", "")}, "X-Account-Id": {"a1"}},
			streams: map[string]stream{
				"employees": {[]string{
					"GET /unified/hris/employees?page_size=25", "GET /unified/hris/employees?next=ZW1wLTI=&page_size=25",
				}, []string{"cxIQNDI", "cxIQNDM"}},
				"employments":  {[]string{"GET /unified/hris/employments?page_size=25"}, []string{"employments-1"}},
				"interviews":   {[]string{"GET /unified/ats/interviews?page_size=25"}, []string{"interviews-1"}},
				"applications": {[]string{"GET /unified/ats/applications?page_size=25"}, []string{"applications-1"}},
				"candidates":   {[]string{"GET /unified/ats/candidates?page_size=25"}, []string{"candidates-1"}},
				"job_postings": {[]string{"GET /unified/ats/job_postings?page_size=25"}, []string{"job_postings-1"}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := embedded(t, name)
			if c.Verified == "" || c.Title == "" {
				t.Error("a connector says what it is and against what it was proven")
			}
			if len(c.RecordTypes()) != len(test.streams) {
				t.Errorf("record types %v", c.RecordTypes())
			}
			for recordType, want := range test.streams {
				server := &fixtures{dir: "testdata/fixtures/" + name, header: test.header}
				client := open(t, c, server.ServeHTTP, credentials(test.credentials...), func(target *providers.Target, _ *providers.Options) { target.BaseURL = testHost })
				got := list(t.Context(), client, recordType)
				if got.err != nil {
					t.Error(got.err)
				}
				if diff := cmp.Diff(want, stream{server.requests, got.ids}, cmp.AllowUnexported(stream{})); diff != "" {
					t.Errorf("%s: %s", recordType, diff)
				}
				of, _ := c.Stream(recordType)
				if mine, ok := client.Stream(recordType); !ok || !cmp.Equal(of, mine) {
					t.Errorf("%s is told differently by connector and client", recordType)
				}
			}
			wrong := open(t, c, (&fixtures{header: http.Header{"Authorization": {"other"}}}).ServeHTTP, credentials(test.credentials...), func(target *providers.Target, _ *providers.Options) { target.BaseURL = testHost })
			wantKind(t, list(t.Context(), wrong, c.RecordTypes()[0]).err, providers.Auth, "401")
		})
	}
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
		"one answer": {[]string{}, "none", nil},
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
	positional, plain := c.Serves(providers.Target{}), providers.Target{BaseURL: testHost, Credentials: map[string]string{"candidates_path": "/c", "interviews_path": "/i"}}
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
	plain, paged := info(), info("paging", "page", "end", "empty")
	if plain.Positional || !paged.Positional {
		t.Error("positional doesn't follow the paging")
	}
	if plain.Version != paged.Version || plain.Version == info("id_path", "uid").Version || plain.Version == info("records_path", "data").Version {
		t.Error("the version doesn't follow the mapping")
	}
}
