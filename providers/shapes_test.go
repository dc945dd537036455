package providers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

// However a provider wraps its records, they are found, with ids that are theirs alone.
func TestShapes(t *testing.T) {
	for name, test := range map[string]struct {
		records, body string
		ids, raw      []string
		problem       string
	}{
		"a map, ids inside":         {"{path: people, shape: map, id: id}", `{"people":{"a":{"id":1},"b":{"id":2}}}`, []string{"1", "2"}, nil, ""},
		"a map, keys as ids":        {"{path: people, shape: map, id: '${key}'}", `{"people":{"a":{"x":1},"b":{"x":2}}}`, []string{"a", "b"}, nil, ""},
		"an empty map that is list": {"{path: people, shape: map, id: '${key}'}", `{"people":[]}`, nil, nil, ""},
		"a map of lists":            {"{path: 'employees.*', id: ['${key}', id]}", `{"employees":{"4":[{"id":1},{"id":2}],"5":[{"id":1}]}}`, []string{"4:1", "4:2", "5:1"}, nil, ""},
		"a map of rows":             {"{path: 'employees.*.rows', id: ['${key}', id]}", `{"employees":{"4":{"rows":[{"id":1}]}}}`, []string{"4:1"}, nil, ""},
		"lists of maps of lists":    {"{path: 'r.*.*', id: '${key}'}", `{"r":[{"44":[{"x":1}]},{"45":[{"x":2}]}]}`, []string{"44", "45"}, []string{`{"x":1}`, `{"x":2}`}, ""},
		"one":                       {"{path: a, shape: one_or_list, id: id}", `{"a":{"id":7}}`, []string{"7"}, nil, ""},
		"or a list":                 {"{path: a, shape: one_or_list, id: id}", `{"a":[{"id":7},{"id":8}]}`, []string{"7", "8"}, nil, ""},
		"one each":                  {"{path: 'responses.*.body', shape: one_or_list, id: ['^.individual_id']}", `{"responses":[{"individual_id":"i1","body":{"a":1}}]}`, []string{"i1"}, []string{`{"a":1}`}, ""},
		"inside records":            {"{path: 'people.*.jobs', id: [^.id, n]}", `{"people":[{"id":1,"jobs":[{"n":1},{"n":2}]},{"id":2,"jobs":[]}]}`, []string{"1:1", "1:2"}, nil, ""},
		"far inside":                {"{path: 'a.*.b.*.c', id: [^.^.id, ^.id, id]}", `{"a":[{"id":1,"b":[{"id":2,"c":[{"id":3}]}]}]}`, []string{"1:2:3"}, nil, ""},
		"inside some":               {"{path: 'people.*.jobs', id: [^.id, n], empty: missing}", `{"people":[{"id":1},{"id":2,"jobs":[{"n":1}]}]}`, []string{"2:1"}, nil, ""},
		"inside none":               {"{path: 'people.*.jobs', id: [^.id, n]}", `{"people":[{"id":1}]}`, nil, nil, "no people.*.jobs"},
		"JSON:API":                  {"{path: data, id: id, merge: attributes}", `{"data":[{"id":"1","type":"jobs","attributes":{"title":"T","id":"no"}},{"id":"2"}]}`, []string{"1", "2"}, []string{`{"id":"1","type":"jobs","title":"T"}`, `{"id":"2"}`}, ""},
		"label and value":           {"{path: data, id: id, merge: attributes, value: value}", `{"data":[{"type":"Employee","attributes":{"id":{"label":"ID","value":7},"tags":{"label":"Tags","value":[1]},"x":{"y":1}}}]}`, []string{"7"}, []string{`{"type":"Employee","id":7,"tags":[1],"x":{"y":1}}`}, ""},
		"a map that is none":        {"{path: people, shape: map, id: id}", `{"people":7}`, nil, nil, "people is not a list"},
		"a list that is a map":      {"{path: people, id: id}", `{"people":{"a":{"id":1}}}`, nil, nil, "people is not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			c := connector(t, employees("request: {get: /}\nrecords: "+test.records+"\npage: none\n"))
			got := list(t.Context(), open(t, c, answers(test.body)), "employees")
			if test.problem != "" {
				wantKind(t, got.err, providers.Protocol, test.problem)
				return
			}
			if got.err != nil || !slices.Equal(got.ids, test.ids) {
				t.Fatalf("got %v, %v", got.ids, got.err)
			}
			if test.raw != nil {
				if diff := cmp.Diff(test.raw, got.raw); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// A list that is asked several times is one list: what is in two of its variants is one
// record, and each of them is read to its end.
func TestVariants(t *testing.T) {
	c := connector(t, employees(`request:
  get: /jobs
  query: {page: "${page.number}", per: 2}
records: {path: jobs, id: id}
page: {kind: page, end: more is false}
variants:
  - query: {active: true}
  - query: {active: false}
  - get: /archive
`))
	lists := map[string][]string{"true": {"1", "2", "3"}, "false": {"3", "4"}, "": {"5", "1", "6"}}
	handler := func(w http.ResponseWriter, r *http.Request) {
		active := r.URL.Query().Get("active")
		if (r.URL.Path == "/archive") != (active == "") || r.URL.Query().Get("per") != "2" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		page, more := cut(lists[active], (query(r, "page", 0)-1)*2, 2)
		reply(w, object{"jobs": records(page), "more": more})
	}
	client := open(t, c, handler)
	pages, ids, err := listWith(t.Context(), client, providers.ListOptions{})
	if err != nil || !slices.Equal(ids, []string{"1", "2", "3", "4", "5", "6"}) || len(pages) != 5 {
		t.Fatalf("got %v in %d pages: %v", ids, len(pages), err)
	}
	if info, _ := client.Stream("employees"); !info.Positional || pages[0].Capacity != 0 {
		t.Error("a record that moves from one variant to another can be missed")
	}
	if _, rest, err := listWith(t.Context(), client, providers.ListOptions{Resume: pages[1].Resume}); err != nil || !slices.Equal(rest, []string{"3", "4", "5", "1", "6"}) {
		t.Errorf("behind the first variant: %v, %v", rest, err)
	}
}

// Deleted records that the provider lists are told in incremental listings.
func TestTombstones(t *testing.T) {
	c := connector(t, employees(`request:
  get: /people
  query: {after: "${since}"}
records: {path: data, id: id}
page: none
since: {format: epoch_ms, proven: true}
deleted:
  list:
    request:
      get: /people/deleted
      query: {from: "${since}", cursor: "${page.cursor}"}
    records: {path: data, id: person_id}
    page: {kind: cursor, next: next}
`))
	var asked []string
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, strings.SplitN(r.URL.RequestURI(), "=", 2)[0])
		switch {
		case r.URL.Path == "/people":
			reply(w, object{"data": records([]string{"1"})})
		case r.URL.Query().Get("cursor") == "":
			reply(w, object{"data": []object{{"person_id": 8}}, "next": "n"})
		default:
			reply(w, object{"data": []object{{"person_id": 9}}})
		}
	})
	var gone []string
	pages, ids, err := listWith(t.Context(), client, providers.ListOptions{Since: someTime})
	for _, page := range pages {
		gone = append(gone, page.Deleted...)
	}
	if err != nil || !slices.Equal(ids, []string{"1"}) || !slices.Equal(gone, []string{"8", "9"}) {
		t.Fatalf("listed %v, gone %v, %v", ids, gone, err)
	}
	asked = nil
	if _, _, err := listWith(t.Context(), client, providers.ListOptions{}); err != nil || !slices.Equal(asked, []string{"/people"}) {
		t.Errorf("a full listing asks %v: %v", asked, err)
	}
}

func TestAlone(t *testing.T) {
	c := connector(t, employees("request:\n  get: /\n  query: {per_page: '${page.size}', cursor: '${page.cursor}', state: all}\nrecords: {path: d, id: id}\npage: {kind: cursor, next: n, size: 5, alone: true, start: first}\n"))
	var asked []string
	got := list(t.Context(), open(t, c, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if len(asked) == 1 {
			reply(w, object{"d": records([]string{"1"}), "n": "b c"})
			return
		}
		reply(w, object{"d": records([]string{"2"})})
	}), "employees")
	if want := []string{"cursor=first&per_page=5&state=all", "cursor=b+c"}; got.err != nil || !slices.Equal(asked, want) {
		t.Errorf("asked %q, %v", asked, got.err)
	}
}

// The next page can begin behind the last record of this one.
func TestCursorOfTheLastRecord(t *testing.T) {
	c := connector(t, employees("request:\n  post: /search\n  body: {filter: {id_above: '${page.cursor}'}}\nrecords: {path: d, id: self.id}\npage: {kind: cursor, next: 'last:self.id', end: empty}\n"))
	ids := []string{"10", "11", "12"}
	got := list(t.Context(), open(t, c, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Filter struct {
				ID string `json:"id_above"`
			}
		}
		decode(t, r, &body)
		from := slices.Index(ids, body.Filter.ID) + 1
		page, _ := cut(ids, from, 2)
		d := []object{}
		for _, id := range page {
			d = append(d, object{"self": object{"id": id}})
		}
		reply(w, object{"d": d})
	}), "employees")
	if got.err != nil || !slices.Equal(got.ids, ids) {
		t.Errorf("%v, %v", got.ids, got.err)
	}
}
