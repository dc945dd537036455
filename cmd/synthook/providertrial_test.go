package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tried runs provider try against a handler.
func tried(t *testing.T, connector string, handler http.HandlerFunc, args ...string) result {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	file := writeFile(t, "mine.yaml", connector)
	return synthook(t, nil, "", append([]string{"provider", "try", file, "--base-url", server.URL, "--allow-private-networks"}, args...)...)
}

const cursorConnector = `name: mine
category: hris
verified: this test
auth: none
streams:
  employees:
    request: {get: /people, query: {limit: "${page.size}", cursor: "${page.cursor}"}}
    records: {path: people, id: id, empty: missing}
    page: {kind: cursor, next: cursr, size: 2, max_size: 3}
    record: {get: "/people/${id}"}
`

func people(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/people/1" || r.URL.Path == "/people/3":
		_, _ = w.Write([]byte(`{"id":1}`))
	case r.URL.Path != "/people":
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Query().Get("cursor") == "":
		_, _ = w.Write([]byte(`{"people":[{"id":1,"name":"Ada Quill"},{"id":2}],"cursor":"s3cret","ada@example.com":1}`))
	default:
		_, _ = w.Write([]byte(`{"people":[{"id":3}]}`))
	}
}

// A connector that is wrong where nothing contradicts it is told so, without any value,
// and the exit status says it, too.
func TestProviderTryDoubts(t *testing.T) {
	for name, test := range map[string]struct{ from, to, want string }{
		"next": {"", "", `page 1 is as full as asked (2), and no answer has "cursr" (next)`},
		"path": {"path: people", "path: persons", `no record came, and no answer has "persons" (records.path)`},
		"none": {`{limit: "${page.size}", cursor: "${page.cursor}"}}`, "{}}", "doubt: the listing ends with page 1, and the answer says that there is more than the 2 that came: cursor has a value"},
	} {
		t.Run(name, func(t *testing.T) {
			connector := strings.Replace(cursorConnector, test.from, test.to, 1)
			if name == "none" {
				connector = strings.Replace(connector, "{kind: cursor, next: cursr, size: 2, max_size: 3}", "none", 1)
			}
			r := tried(t, connector, people)
			if r.status != exitFailed || !strings.Contains(r.stdout, test.want) || !strings.Contains(r.stderr, " of how the connector reads employees") || !strings.Contains(r.stdout, "see the doubts") {
				t.Errorf("status %d, %s%s", r.status, r.stdout, r.stderr)
			}
			if name != "none" && !strings.Contains(r.stdout, "; what it has there: *, cursor, people\n") {
				t.Errorf("the keys are not told, or too well:\n%s", r.stdout)
			}
			for _, private := range []string{"Quill", "ada@example.com", "s3cret"} {
				if strings.Contains(r.stdout+r.stderr, private) {
					t.Errorf("%q is shown:\n%s", private, r.stdout)
				}
			}
		})
	}
	sound := strings.Replace(cursorConnector, "cursr", "cursor", 1)
	r := tried(t, sound, people, "--json", "--pages", "3")
	if got := decode[trial](t, r); len(got.Doubts) != 0 || !got.Complete || got.PageSize != 2 {
		t.Errorf("%+v", got)
	}
}

// A page size that isn't asked for is told.
func TestProviderTryCutsPageSize(t *testing.T) {
	sound := strings.Replace(cursorConnector, "cursr", "cursor", 1)
	if r := tried(t, sound, people, "--page-size", "500"); r.status != exitOK || !strings.Contains(r.stdout, "asked for 3 records a page, not 500") {
		t.Errorf("%+v", r)
	}
	if r := tried(t, sound, people, "--page-size", "3"); strings.Contains(r.stdout, "asked for") {
		t.Errorf("%+v", r)
	}
}

// Where the list is fine and only the record's request is refused, that is what is said.
func TestProviderTryTellsWhatFailed(t *testing.T) {
	sound := strings.Replace(cursorConnector, "cursr", "cursor", 1)
	r := tried(t, sound, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/people/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		people(w, r)
	}, "--pages", "3")
	if r.status != exitFailed || !strings.Contains(r.stdout, "3 records with 3 ids on 2 pages; the listing's end was seen; only the record request failed: look up employees: ") {
		t.Errorf("status %d, %s", r.status, r.stdout)
	}
}

// Of a nested list it is told how many parents' lists were read, and which requests were
// dropped because enough pages were there.
func TestProviderTryCountsParents(t *testing.T) {
	nested := `name: mine
category: hris
verified: this test
auth: none
limits: {concurrency: 2}
lists:
  companies: {request: {get: /companies}, records: {id: id}, page: none}
streams:
  employees:
    parent: {stream: companies}
    request: {get: "/companies/${parent}/people"}
    records: {id: id}
    page: none
`
	r := tried(t, nested, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/companies":
			_, _ = w.Write([]byte(`[{"id":1},{"id":2},{"id":3}]`))
		case "/companies/1/people":
			_, _ = w.Write([]byte(`[{"id":1}]`))
		default:
			<-r.Context().Done() // until it is dropped
		}
	}, "--pages", "1")
	if r.status != exitOK || !strings.Contains(r.stdout, "the lists of 1 of 3 companies were read to their end") || !strings.Contains(r.stdout, "not read (--pages 1)") || strings.Contains(r.stdout, "none") {
		t.Errorf("status %d, %s%s", r.status, r.stdout, r.stderr)
	}
}

const rotating = `name: mine
category: hris
verified: this test
credentials:
  - {name: refresh_token}
auth:
  token:
    post: https://id.example.com/token
    form: {grant_type: refresh_token, refresh_token: "${token.refresh}"}
    refresh: ${cred.refresh_token}
  header: {Authorization: "Bearer ${token}"}
streams:
  employees:
    request: {get: /people}
    records: {id: id}
    page: none
`

// A refresh token that is good once isn't spent unless that is said, and the next one is
// in its file before it is used.
func TestProviderTryKeepsRefreshToken(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "token")
	var mu sync.Mutex
	good, asked, stored := 1, 0, ""
	provider := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path != "/token":
			data, _ := os.ReadFile(kept)
			stored = string(data)
			_, _ = w.Write([]byte(`[{"id":1}]`))
		case r.FormValue("refresh_token") != "rt-"+strconv.Itoa(good):
			w.WriteHeader(http.StatusBadRequest)
		default:
			asked, good = asked+1, good+1
			_, _ = w.Write([]byte(`{"access_token":"at","refresh_token":"rt-` + strconv.Itoa(good) + `"}`))
		}
	}
	server := httptest.NewServer(http.HandlerFunc(provider))
	defer server.Close()
	token := "--token-url=" + server.URL + "/token"
	r := tried(t, rotating, provider, "--credential", "refresh_token=rt-1", token)
	if r.status != exitUsage || asked != 0 || !strings.Contains(r.stderr, "--save-refresh-token FILE") {
		t.Fatalf("%d asked, %+v", asked, r)
	}
	nowhere := filepath.Join(kept, "none", "token")
	if r := tried(t, rotating, provider, "--credential", "refresh_token=rt-1", token, "--save-refresh-token", nowhere); r.status != exitUsage || asked != 0 {
		t.Fatalf("%d asked, %+v", asked, r)
	}
	r = tried(t, rotating, provider, "--credential", "refresh_token=rt-1", token, "--save-refresh-token", kept)
	about, err := os.Stat(kept)
	if r.status != exitOK || stored != "rt-2\n" || err != nil || about.Mode() != 0o600 || strings.Contains(r.stdout+r.stderr, "rt-2") {
		t.Fatalf("%q, %v, %v, %+v", stored, err, about, r)
	}
	if r = tried(t, rotating, provider, "--credential-file", "refresh_token="+kept, token, "--save-refresh-token", kept); r.status != exitOK || stored != "rt-3\n" {
		t.Errorf("%q, %+v", stored, r)
	}
	if r = tried(t, rotating, provider, "--credential", "refresh_token=rt-3", token, "--spend-refresh-token"); r.status != exitOK || !strings.Contains(r.stderr, "most likely spent") || stored != "rt-3\n" {
		t.Errorf("%q, %+v", stored, r)
	}
	if files, _ := os.ReadDir(filepath.Dir(kept)); len(files) != 1 {
		t.Errorf("%v are left", files)
	}
	if r = tried(t, cursorConnector, people, "--save-refresh-token", kept); r.status != exitUsage || !strings.Contains(r.stderr, "no use") {
		t.Errorf("%+v", r)
	}
	if r = tried(t, cursorConnector, people, token); r.status != exitUsage || !strings.Contains(r.stderr, "asks for no token") {
		t.Errorf("%+v", r)
	}
}

// https:// where http:// answers is told as what it is.
func TestProviderTryNamesTheWrongScheme(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(people))
	defer server.Close()
	r := tried(t, rotating, people, "--credential", "refresh_token=x", "--spend-refresh-token", "--token-url", "https"+strings.TrimPrefix(server.URL, "http"))
	if r.status != exitFailed || !strings.Contains(r.stderr, "the provider answers https:// without TLS") {
		t.Errorf("%+v", r)
	}
}

// Files and folders are taken wherever one is meant.
func TestProviderFilesAndFolders(t *testing.T) {
	file := writeFile(t, "mine.yaml", ownConnector)
	if r := synthook(t, nil, "", "provider", "show", file); r.status != exitOK || !strings.Contains(r.stdout, "My own") {
		t.Errorf("show: %+v", r)
	}
	if r := synthook(t, nil, "", "provider", "lint", filepath.Dir(file)); r.status != exitOK || r.stderr != "no problems\n" {
		t.Errorf("lint: %+v", r)
	}
	twin := filepath.Join(filepath.Dir(file), "twin.yml")
	if err := os.WriteFile(twin, []byte(ownConnector), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := synthook(t, nil, "", "provider", "lint", filepath.Dir(file)); r.status != exitFailed || !strings.Contains(r.stdout, twin+":1:7: another file describes the connector") {
		t.Errorf("lint: %+v", r)
	}
	if r := synthook(t, nil, "", "provider", "lint", t.TempDir()); r.status != exitUsage || !strings.Contains(r.stderr, "there is no *.yaml or *.yml") {
		t.Errorf("lint: %+v", r)
	}
}

// A file that was put into the folder of a service that runs is no reason to be puzzled.
func TestServiceTellsWhenConnectorsAreRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	i := install(t, "--connectors", folder)
	if err := os.WriteFile(filepath.Join(folder, "mine.yaml"), []byte(ownConnector), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := i.run("account", "add", "--provider", "mine", "--credential", "token=x"); r.status != exitUsage || !strings.Contains(r.stderr, `unknown provider "mine"`) || !strings.Contains(r.stderr, "restart it") {
		t.Errorf("%+v", r)
	}
}

// What * stands for is told where it is shown.
func TestEventListTellsWhatHasNoName(t *testing.T) {
	for fields, told := range map[string]bool{`"*"`: true, `"name"`: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"items":[{"id":"evt_1","event":"hris_employees.updated","changed_fields":[` + fields + `]}]}`))
		}))
		r := synthook(t, nil, "", "event", "list", "--server", server.URL, "--api-key", "k")
		server.Close()
		if r.status != exitOK || !strings.Contains(r.stdout, "evt_1") || strings.Contains(r.stderr, "CHANGED *: ") != told {
			t.Errorf("%s: %+v", fields, r)
		}
	}
}
