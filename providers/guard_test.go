package providers_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"github.com/synthook/synthook/providers"
)

const (
	byCursor = "request:\n  get: /people\n  query:\n    cursor: ${page.cursor}\nrecords: {path: data, id: id}\npage: {kind: cursor, next: next}\n"
	byFlag   = "request:\n  get: /people\n  query:\n    page: ${page.number}\nrecords: {path: data, id: id}\npage: {kind: page, end: more is false, max_pages: 50}\n"
	byTotal  = "request:\n  get: /people\n  query:\n    offset: ${page.offset}\nrecords: {path: data, id: id}\npage: {kind: offset, end: total, total: total}\n"
	byURL    = "request: {get: /people}\nrecords: {path: data, id: id}\npage: {kind: url, next: next}\n"
	whole    = "request: {get: /people}\nrecords: {path: data, id: id}\npage: none\n"
)

// A listing that only looks complete is worse than none: records would seem deleted.
func TestLyingEnds(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		bodies []string
		kind   providers.Kind
		detail string
	}{
		"the cursor is repeated":           {byCursor, []string{`{"data":[{"id":1}],"next":"a"}`, `{"data":[{"id":2}],"next":"b"}`, `{"data":[{"id":3}],"next":"a"}`}, providers.Protocol, "page 3: the next page was read before"},
		"the cursor is an object":          {byCursor, []string{`{"data":[],"next":{"a":1}}`}, providers.Protocol, "neither a text nor a number"},
		"the URL is repeated":              {byURL, []string{`{"data":[{"id":1}],"next":"/people?p=2"}`, `{"data":[{"id":2}],"next":"http://provider.test/people?p=2"}`}, providers.Protocol, "read before"},
		"another host":                     {byURL, []string{`{"data":[],"next":"https://evil.test/people"}`}, providers.Refused, "another host"},
		"another port":                     {byURL, []string{`{"data":[],"next":"http://provider.test:8080/people"}`}, providers.Refused, "another host"},
		"another scheme":                   {byURL, []string{`{"data":[],"next":"https://provider.test/people"}`}, providers.Refused, "another host"},
		"another scheme, same port":        {byURL, []string{`{"data":[],"next":"https://provider.test:80/people"}`}, providers.Refused, "another host"},
		"another host without a scheme":    {byURL, []string{`{"data":[],"next":"//evil.test/people"}`}, providers.Refused, "another host"},
		"a user name in the URL":           {byURL, []string{`{"data":[],"next":"http://u@provider.test/people"}`}, providers.Refused, "another host"},
		"a URL that is none":               {byURL, []string{`{"data":[],"next":"http://[::1"}`}, providers.Protocol, "can't be parsed"},
		"pages without end":                {byFlag, nil, providers.Protocol, "no end after 50 pages"},
		"the page parameter is not heeded": {byFlag, []string{`{"data":[{"id":1},{"id":2}],"more":true}`}, providers.Protocol, "page 2: the page has the same records as the one before"},
		"the flag is missing":              {byFlag, []string{`{"data":[{"id":1}]}`}, providers.Protocol, "more is neither true nor false"},
		"the flag is a number":             {byFlag, []string{`{"data":[{"id":1}],"more":0}`}, providers.Protocol, "more is neither true nor false"},
		"the total is not reached":         {byTotal, []string{`{"data":[{"id":1}],"total":3}`, `{"data":[{"id":2}],"total":3}`, `{"data":[],"total":3}`}, providers.Protocol, "listing incomplete: provider says 3, got 2"},
		"a record came twice for another":  {byTotal, []string{`{"data":[{"id":1},{"id":2}],"total":3}`, `{"data":[{"id":2}],"total":3}`}, providers.Protocol, "listing incomplete: provider says 3, got 2"},
		"the total is missing":             {byTotal, []string{`{"data":[{"id":1}]}`}, providers.Protocol, "no total"},
		"the total is no number":           {byTotal, []string{`{"data":[{"id":1}],"total":"many"}`}, providers.Protocol, "total is a text, not a whole number"},
		"the total is negative":            {byTotal, []string{`{"data":[{"id":1}],"total":-1}`}, providers.Protocol, "total is a negative number, not how many there are"},
		"the total has a fraction":         {byTotal, []string{`{"data":[{"id":1}],"total":1.5}`}, providers.Protocol, "total is a number with a fraction, not a whole number"},
		"the total is a list":              {byTotal, []string{`{"data":[{"id":1}],"total":[1]}`}, providers.Protocol, "total is neither a text nor a number"},
		"more without a next page": {strings.Replace(byCursor, "next: next", "next: next, end: more is false", 1),
			[]string{`{"data":[{"id":1}],"more":true,"next":null}`}, providers.Protocol, "doesn't name the next page"},
		"no cursor before the total": {strings.Replace(byCursor, "next: next", "next: next, total: total", 1),
			[]string{`{"data":[{"id":1}],"total":2,"next":null}`}, providers.Protocol, "provider says 2, got 1"},
		"no records":           {whole, []string{`{"date":[]}`}, providers.Protocol, "no data: records.path is not where the records are"},
		"records are null":     {whole, []string{`{"data":null}`}, providers.Protocol, "data is null"},
		"records are a map":    {whole, []string{`{"data":{"1":{}}}`}, providers.Protocol, "data is not a list"},
		"a web page":           {whole, []string{"<!doctype html><p>Please sign in"}, providers.Protocol, "a web page or XML, not JSON"},
		"not JSON":             {whole, []string{`{"data":[{"id":1},]}`}, providers.Protocol, "not valid JSON"},
		"JSON, then something": {whole, []string{`{"data":[]} {}`}, providers.Protocol, "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			handler := answers(test.bodies...)
			if test.bodies == nil {
				n := 0
				handler = func(w http.ResponseWriter, _ *http.Request) {
					n++
					reply(w, object{"data": []object{{"id": n}}, "more": true})
				}
			}
			got := list(t.Context(), open(t, connector(t, employees(test.stream)), handler), "employees")
			wantKind(t, got.err, test.kind, test.detail)
		})
	}
}

// An empty page is an end only where the connector says so.
func TestEmptyPageIsNoEnd(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		bodies []string
	}{
		"flag":   {byFlag, []string{`{"data":[{"id":1}],"more":true}`, `{"data":[],"more":true}`, `{"data":[],"more":true}`, `{"data":[{"id":2}],"more":false}`}},
		"cursor": {byCursor, []string{`{"data":[],"next":"a"}`, `{"data":[{"id":1}],"next":"b"}`, `{"data":[],"next":"c"}`, `{"data":[{"id":2}]}`}},
		"offset": {strings.Replace(byTotal, "end: total, total: total", "end: more is false", 1), []string{`{"data":[{"id":1}],"more":true}`, `{"data":[],"more":true}`, `{"data":[{"id":2}],"more":false}`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := list(t.Context(), open(t, connector(t, employees(test.stream)), answers(test.bodies...)), "employees")
			if got.err != nil || len(got.ids) != 2 || got.pages != len(test.bodies) {
				t.Fatalf("got %v in %d pages: %v", got.ids, got.pages, got.err)
			}
		})
	}
}

// The total is that of the last page: records that come or go during the walk count on
// both sides.
func TestTotalMayChangeDuringTheWalk(t *testing.T) {
	stream := strings.Replace(byCursor, "next: next", "next: next, total: total", 1)
	got := list(t.Context(), open(t, connector(t, employees(stream)), answers(
		`{"data":[{"id":1},{"id":2}],"next":"a","total":3}`,
		`{"data":[{"id":3},{"id":4}],"next":null,"total":4}`,
	)), "employees")
	if got.err != nil || len(got.ids) != 4 {
		t.Fatalf("got %v, %v", got.ids, got.err)
	}
}

func TestDeclaredEmptyAnswers(t *testing.T) {
	for word, answer := range map[string]http.HandlerFunc{
		"null":       answers(`{"data":null}`),
		"missing":    answers(`{}`),
		"no_content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	} {
		t.Run(word, func(t *testing.T) {
			declared := strings.Replace(whole, "id: id", "id: id, empty: "+word, 1)
			if got := list(t.Context(), open(t, connector(t, employees(declared)), answer), "employees"); got.err != nil || got.pages != 1 {
				t.Errorf("declared: %d pages, %v", got.pages, got.err)
			}
			got := list(t.Context(), open(t, connector(t, employees(whole)), answer), "employees")
			wantKind(t, got.err, providers.Protocol, map[string]string{"null": "data is null", "missing": "no data", "no_content": "204"}[word])
		})
	}
}

// A provider can end its list with 204 after full pages.
func TestNoContentEndsAListing(t *testing.T) {
	stream := "request:\n  get: /\n  query:\n    $skip: ${page.offset}\nrecords: {path: data, id: id, empty: no_content}\npage: {kind: offset, end: empty}\n"
	n := 0
	got := list(t.Context(), open(t, connector(t, employees(stream)), func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 3 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		reply(w, object{"data": []object{{"id": n}}})
	}), "employees")
	if got.err != nil || len(got.ids) != 2 {
		t.Fatalf("got %v, %v", got.ids, got.err)
	}
}

func TestStatusesAreSorted(t *testing.T) {
	for status, test := range map[int]struct {
		kind     providers.Kind
		detail   string
		requests int
	}{
		400: {providers.Protocol, "refuses the request (400)", 1},
		401: {providers.Auth, "does not accept the credentials (401)", 1},
		403: {providers.Auth, "may not read this list (403)", 1},
		404: {providers.NotFound, "knows no such list (404)", 1},
		408: {providers.Transient, "answers 408", 3},
		410: {providers.NotFound, "knows no such list (410)", 1},
		422: {providers.Protocol, "refuses the request (422)", 1},
		500: {providers.Transient, "answers 500", 3},
		502: {providers.Transient, "answers 502", 3},
		503: {providers.Transient, "answers 503", 3},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			got := list(t.Context(), open(t, connector(t, employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"error":"Ada Lovelace"}`)
			}), "employees")
			e := wantKind(t, got.err, test.kind, test.detail)
			if e.Status != status || e.RecordType != "employees" || e.Page != 1 || got.requests != test.requests {
				t.Errorf("got %+v after %d requests", e, got.requests)
			}
		})
	}
}

// A redirect would carry the credentials along.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	got := list(t.Context(), open(t, connector(t, employees(whole)), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/people?token=secret", http.StatusFound)
	}), "employees")
	e := wantKind(t, got.err, providers.Protocol, "redirects (302) to "+elsewhere.URL)
	if strings.Contains(e.Error(), "secret") {
		t.Error(e)
	}
}

func TestRefusedAddress(t *testing.T) {
	guarded := func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("dial: %w", ssrf.ErrProhibitedIP) }
	client := open(t, connector(t, employees(whole)), nil, func(_ *providers.Target, o *providers.Options) {
		o.HTTP = &http.Client{Transport: transport(guarded)}
	})
	got := list(t.Context(), client, "employees")
	if wantKind(t, got.err, providers.Refused, "not allowed"); got.requests != 1 {
		t.Errorf("%d requests", got.requests)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever goes wrong, neither what an answer holds nor what a request carries is told.
func TestErrorsTellNothingPrivate(t *testing.T) {
	private := []string{"Ada", "Lovelace", "s3cr3t", "1815"}
	bodies := []string{
		`{"data":[{"name":"Ada Lovelace"}]}`, `{"data":[{"id":{"Ada":1815}}]}`, `{"data":"Ada Lovelace"}`, `{"Ada":"Lovelace"`, `{"data":[],}Ada`,
		`<html>Ada Lovelace 1815`, `{"data":[],"next":"https://Lovelace.test/Ada?1815"}`, `{"data":[],"next":["Ada"]}`, `{"data":[],"next":"http://Ada[1815"}`, ``,
	}
	c := connector(t, "credentials:\n  - name: key\nauth:\n  basic:\n    username: ${cred.key}\n  query:\n    key: ${cred.key}\n"+employees(strings.Replace(byURL, "get: /people", "get: '/${cred.key}/people'", 1)))
	check := func(text string) {
		t.Helper()
		for _, word := range private {
			if strings.Contains(text, word) {
				t.Errorf("%q tells %q", text, word)
			}
		}
	}
	run := func(transport http.RoundTripper) {
		t.Helper()
		client := open(t, c, nil, credentials("key", "s3cr3t"), func(_ *providers.Target, o *providers.Options) {
			o.HTTP = &http.Client{Transport: transport}
			o.Trace = func(e providers.Exchange) { check(e.URL) }
		})
		got := list(t.Context(), client, "employees")
		if got.err == nil {
			t.Fatal("no error")
		}
		check(got.err.Error())
	}
	for _, body := range bodies {
		run(memory{answers(body)})
	}
	for _, status := range []int{302, 400, 401, 404, 500} {
		run(memory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/Ada?Lovelace")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "Ada Lovelace")
		})})
	}
	run(transport(func(r *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("1815: Ada Lovelace")}
	}))
}

func TestTraceShowsTheConnectorsOwnWordsOnly(t *testing.T) {
	c := connector(t, "credentials:\n  - name: key\n  - {name: member, secret: false}\nauth:\n  query:\n    key: ${cred.key}\n"+
		employees("request:\n  get: '/${cred.key}/people'\n  query:\n    state: all of them\n    member: ${cred.member}\n    cursor: ${page.cursor}\n    limit: ${page.size}\nrecords: {path: data, id: id}\npage: {kind: cursor, next: next, size: 7}\n"))
	var shown []string
	client := open(t, c, answers(`{"data":[],"next":"jane"}`, `{"data":[]}`), credentials("key", "sec/ret", "member", "m1"), func(_ *providers.Target, o *providers.Options) {
		o.Trace = func(e providers.Exchange) { shown = append(shown, fmt.Sprintln(e.Method, e.URL, e.Status, e.Bytes)) }
	})
	list(t.Context(), client, "employees")
	want := "GET http://provider.test/***/people?key=***&limit=7&member=***&state=all of them 200 25\n" +
		"GET http://provider.test/***/people?cursor=***&key=***&limit=7&member=***&state=all of them 200 11\n"
	if got := strings.Join(shown, ""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Breaking off, and panicking, leave nothing behind and wait for what is under way.
func TestListingEndsWithItsCaller(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query(r, "cursor", 0) > 0 {
			<-r.Context().Done() // the prefetched page never comes
			return
		}
		reply(w, object{"data": []object{{"id": 1}}, "next": 1})
	}))
	defer server.Close()
	client, err := connector(t, employees(byCursor)).Open(providers.Target{BaseURL: server.URL}, providers.Options{HTTP: &http.Client{Transport: &http.Transport{}}})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for range client.List(t.Context(), "employees", providers.ListOptions{}) {
		break
	}
	func() {
		defer func() { _ = recover() }()
		for range client.List(t.Context(), "employees", providers.ListOptions{}) {
			panic("caller")
		}
	}()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}
