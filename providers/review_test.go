package providers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/emulator"
)

func reviewed(r *providers.Review) func(*providers.Target, *providers.Options) {
	return func(_ *providers.Target, o *providers.Options) { o.Review = r }
}

const asked = "request: {get: /p, query: {limit: \"${page.size}\", c: \"${page.cursor}\"}}\n"

// What a listing takes as it is, and what often means that the connector misreads it.
func TestDoubts(t *testing.T) {
	cursor := asked + "records: {path: data, id: id, empty: missing}\npage: {kind: cursor, size: 2, next: nxt}\n"
	none := "request: {get: /p}\nrecords: {path: data, id: id}\npage: none\n"
	for name, test := range map[string]struct {
		stream string
		bodies []string
		want   string // of the doubts with their keys; "": none
	}{
		"full page, no cursor":            {cursor, []string{`{"data":[{"id":1},{"id":2}],"cursr":"x"}`}, `page 1 is as full as asked (2), and no answer has "nxt" (next)|[cursr data]`},
		"full page, cursor null":          {cursor, []string{`{"data":[{"id":1},{"id":2}],"nxt":null,"total":9}`}, ""},
		"full last page":                  {cursor, []string{`{"data":[{"id":1},{"id":2}],"nxt":"x"}`, `{"data":[{"id":3},{"id":4}]}`}, ""},
		"short page, no cursor":           {cursor, []string{`{"data":[{"id":1}],"meta":{"count":1}}`}, ""},
		"short page, another cursor":      {cursor, []string{`{"data":[{"id":1}],"page":{"next_cursor":"s3cret"}}`}, "the listing ends with page 1, and the answer says that there is more than the 1 that came: page.next_cursor has a value|[]"},
		"no records and no list":          {cursor, []string{`{"rows":[{"id":1}],"ok":true}`}, `no record came, and no answer has "data" (records.path)|[ok rows]`},
		"an empty list":                   {cursor, []string{`{"data":[],"nxt":"x"}`, `{"ok":true}`}, ""},
		"keys that are ids":               {cursor, []string{`{"ada":{"id":1},"bo":{"id":2}}`}, `"data" (records.path), which empty: missing takes for a list without records|[]`},
		"one page, total":                 {none, []string{`{"data":[{"id":1}],"total":"1","meta":{"total_pages":3,"Total-Count":4}}`}, "meta.total_pages is 3, meta.Total-Count is 4|"},
		"one page, total in data":         {none, []string{`{"data":[{"id":1,"total":40}],"ada":{"total":9}}`}, ""},
		"one page, next link":             {none, []string{`{"data":[{"id":1}],"links":[{"rel":"self"},{"rel":"next"}],"has_more":true}`}, "links with rel next, has_more is true|"},
		"one page, all of it":             {none, []string{`{"data":[{"id":1}],"total":1,"pages":1,"next":null,"more":false}`}, ""},
		"a total that isn't there":        {strings.Replace(cursor, "next: nxt", "next: nxt, total: meta.total", 1), []string{`{"data":[{"id":1}],"nxt":"","meta":{"totl":1,"x":""}}`}, `no answer has "meta.total" (total): whether all records came is not known|[totl x]`},
		"the provider's own word of end":  {"request: {get: /p, query: {p: \"${page.number}\"}}\nrecords: {path: data, id: id}\npage: {kind: page, end: \"more is false\"}\n", []string{`{"data":[{"id":1}],"more":false,"total":9}`}, ""},
		"keys of a map that is a map":     {strings.Replace(cursor, "{path: data, id: id, empty: missing}", "{shape: map, id: \"${key}\"}", 1), []string{`{"ada":{"x":[]},"bo":{"x":[]}}`}, `no answer has "nxt" (next)|[]`},
		"a short page, where it says all": {strings.Replace(cursor, "next: nxt", "next: nxt, end: short", 1), []string{`{"data":[{"id":1}],"total":7}`}, "total is 7"},
	} {
		t.Run(name, func(t *testing.T) {
			review := &providers.Review{}
			got := list(t.Context(), open(t, connector(t, employees(test.stream)), answers(test.bodies...), reviewed(review)), "employees")
			if got.err != nil {
				t.Fatal(got.err)
			}
			var told []string
			for _, d := range review.Doubts() {
				told = append(told, fmt.Sprintf("%s: %s|%v", d.List, d.Text, d.Keys))
			}
			all := strings.Join(told, "\n")
			for part := range strings.SplitSeq(test.want, "|") {
				if !strings.Contains(all, part) || test.want == "" && all != "" || len(told) > 2 || strings.Contains(all, "s3cret") {
					t.Errorf("%q, want %q", all, test.want)
				}
			}
		})
	}
}

// A list whose last page is told by the Link header is doubted like the others, and so is
// one that has the header and is read as one page.
func TestDoubtsOfLinks(t *testing.T) {
	for page, link := range map[string]string{"{kind: link, size: 1}": "", "none": `</p?page=2>; rel="next"`} {
		review := &providers.Review{}
		stream := "request: {get: /p, query: {limit: \"${page.size}\"}}\nrecords: {id: id}\npage: " + page + "\n"
		if page == "none" {
			stream = "request: {get: /p}\nrecords: {id: id}\npage: none\n"
		}
		list(t.Context(), open(t, connector(t, employees(stream)), func(w http.ResponseWriter, _ *http.Request) {
			if link != "" {
				w.Header().Set("Link", link)
			}
			_, _ = w.Write([]byte(`[{"id":1}]`))
		}, reviewed(review)), "employees")
		if d := review.Doubts(); len(d) != 1 || !strings.Contains(d[0].Text, "Link") {
			t.Errorf("%s: %v", page, d)
		}
	}
}

// No answer that the catalogue's providers gave is doubted, but where the fixtures are cut.
func TestCatalogueIsNotDoubted(t *testing.T) {
	catalog, _, err := providers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range catalog.Connectors() {
		if c.Name == "generic" {
			continue
		}
		for _, recordType := range c.RecordTypes() {
			t.Run(c.Name+" "+recordType, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					way, review := waysOf(c)[0], &providers.Review{}
					p := &emulator.Provider{Dir: "testdata/fixtures/" + c.Name, Host: strings.TrimPrefix(testHost, "http://")}
					client, err := c.Open(providers.Target{BaseURL: testHost, Credentials: invented(c, way)}, providers.Options{HTTP: &http.Client{Transport: p}, Review: review})
					if err != nil {
						t.Fatal(err)
					}
					if got := list(t.Context(), client, recordType); got.err != nil || len(review.Doubts()) > 0 {
						t.Errorf("%v, %q", got.err, review.Doubts())
					}
				})
			})
		}
	}
}

// An error of a nested list says of which parent it is, by its number, and the review how
// many were read.
func TestErrorsNameTheParent(t *testing.T) {
	review := &providers.Review{}
	client := open(t, connector(t, strings.Replace(family, "concurrency: 3", "concurrency: 1", 1)), func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/candidates":
			reply(w, object{"data": records([]string{"11", "12", "13"})})
		case "/candidates/12/applications":
			w.WriteHeader(http.StatusForbidden)
		default:
			reply(w, object{"data": records([]string{"1"})})
		}
	}, reviewed(review))
	e := wantKind(t, list(t.Context(), client, "employees").err, providers.Auth, "list employees, page 2, for the 2nd of 3 candidates: ")
	if strings.Contains(e.Error(), "12") {
		t.Error(e)
	}
	if got := review.Children("employees"); got != (providers.Children{Parent: "candidates", Read: 1, Of: 3}) {
		t.Errorf("%+v", got)
	}
	var names []string
	for _, d := range review.Doubts() {
		names = append(names, d.List)
	}
	if slices.Contains(names, "employees") {
		t.Error(names)
	}
}

// What is wrong with a list names what an account or a file has to say otherwise.
func TestMessagesNameTheSetting(t *testing.T) {
	c, account := embedded(t, "generic"), func(target *providers.Target, _ *providers.Options) { target.BaseURL = testHost }
	for name, test := range map[string]struct {
		body, want string
		given      []string
	}{
		"nothing given":      {`{"rows":[]}`, "the answer is not a list: say with credential records_path where it has the records", nil},
		"the general one":    {`{"rows":[]}`, "the answer has no data: credential records_path is not where", []string{"records_path", "data"}},
		"the type's own":     {`{"rows":[]}`, "the answer has no data: credential employees_records is not where", []string{"records_path", "x", "employees_records", "data"}},
		"null, not an empty": {`{"data":null}`, "say records: {empty: null}", []string{"records_path", "data"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t, c, answers(test.body), credentials(append(test.given, "paging", "none", "employees_path", "/p")...), account)
			wantKind(t, list(t.Context(), client, "employees").err, providers.Protocol, test.want)
		})
	}
	stream := "request: {get: /p}\nrecords: {path: items, id: id, empty: missing}\npage: none\n"
	wantKind(t, list(t.Context(), open(t, connector(t, employees(stream)), answers(`{"items":null}`)), "employees").err, providers.Protocol, "say records: {empty: [missing, null]}")
}
