package providers_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
)

const family = `limits: {concurrency: 3}
streams:
  candidates:
    request: {get: /candidates}
    records: {path: data, id: id}
    page: none
    record: {get: "/candidates/${id}"}
  employees:
    request: {get: "/candidates/${parent}/applications"}
    records: {path: data, id: ["${parent}", id]}
    page: {kind: url, next: next}
    parent: {stream: candidates}
`

// A nested list is read for each of its parents, several at a time and no more.
func TestParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		client := open(t, connector(t, family), func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			switch parts := strings.Split(r.URL.Path, "/"); {
			case r.URL.Path == "/candidates":
				reply(w, object{"data": records([]string{"1", "2", "3", "4", "5"})})
			case parts[2] == "4":
				reply(w, object{"data": []object{}})
			case r.URL.Query().Get("page") == "":
				reply(w, object{"data": records([]string{"1"}), "next": r.URL.Path + "?page=2"})
			default:
				reply(w, object{"data": records([]string{"2"})})
			}
		})
		pages, ids, err := listWith(t.Context(), client, providers.ListOptions{})
		slices.Sort(ids)
		if want := []string{"1:1", "1:2", "2:1", "2:2", "3:1", "3:2", "5:1", "5:2"}; err != nil || !slices.Equal(ids, want) {
			t.Fatalf("got %v, %v", ids, err)
		}
		requests := 0
		for i, page := range pages {
			requests += page.Requests
			if page.Number != i+1 || page.Total != -1 || page.Capacity != 0 || page.Resume == "" {
				t.Errorf("page %+v", page)
			}
		}
		if most != 3 || requests != 10 {
			t.Errorf("%d requests, at most %d at a time", requests, most)
		}
		if info, _ := client.Stream("employees"); !info.Positional {
			t.Error("children of a parent that slips through are missed")
		}
	})
}

// A nested listing that was interrupted goes on behind the parents whose lists were read to
// their end, in whatever order the provider lists them.
func TestResumeBehindParents(t *testing.T) {
	children := map[string][]string{"1": {"1", "2"}, "2": {"1"}, "3": nil, "4": {"1", "2", "3"}, "5": {"1"}}
	order, asked := []string{"4", "2", "5", "3", "1"}, []string{}
	one := strings.Replace(family, "concurrency: 3", "concurrency: 1", 1)
	open := func(yaml string) *providers.Client {
		return open(t, connector(t, yaml), func(w http.ResponseWriter, r *http.Request) {
			parts := strings.Split(r.URL.Path, "/")
			if r.URL.Path == "/candidates" {
				reply(w, object{"data": records(order)})
				return
			}
			asked = append(asked, parts[2])
			var n int
			_, _ = fmt.Sscan(r.URL.Query().Get("page"), &n)
			of := children[parts[2]]
			next := ""
			if n+1 < len(of) {
				next = fmt.Sprintf("%s?page=%d", r.URL.Path, n+1)
			}
			reply(w, object{"data": records(of[min(n, len(of)):min(n+1, len(of))]), "next": next})
		})
	}
	pages, all, err := listWith(t.Context(), open(one), providers.ListOptions{})
	if want := []string{"1:1", "1:2", "2:1", "4:1", "4:2", "4:3", "5:1"}; err != nil || !slices.Equal(all, want) {
		t.Fatalf("got %v, %v", all, err)
	}
	// "4" comes first now, and "6" is new.
	order, children["6"] = []string{"4", "6", "1", "2", "3", "5"}, []string{"1"}
	var before []string
	for i, page := range pages {
		if i != 3 { // parent 3's
			before = all[:len(before)+1]
		}
		asked = nil
		_, rest, err := listWith(t.Context(), open(one), providers.ListOptions{Resume: page.Resume})
		together := slices.Concat(before, rest)
		slices.Sort(together)
		if together = slices.Compact(together); err != nil || !slices.Equal(together, append(slices.Clone(all), "6:1")) {
			t.Errorf("behind page %d: %v, %v", i+1, together, err)
		}
		finished := map[int][]string{2: {"1"}, 3: {"1", "2"}, 7: {"1", "2", "3", "4"}}[i]
		if slices.ContainsFunc(finished, func(parent string) bool { return slices.Contains(asked, parent) }) {
			t.Errorf("behind page %d, finished parents %v are asked again: %v", i+1, finished, asked)
		}
	}
	if _, _, err := listWith(t.Context(), open(strings.Replace(one, "/applications", "/jobs", 1)), providers.ListOptions{Resume: pages[3].Resume}); !errors.Is(err, providers.ErrResume) {
		t.Errorf("another list goes on: %v", err)
	}
}

// A parent's 404 must not make its records vanish, unless the parent itself is gone.
func TestChildlessParents(t *testing.T) {
	for name, test := range map[string]struct {
		yaml    string
		parent  int // status of the parent's own record
		ids     []string
		kind    providers.Kind
		problem string
	}{
		"the parent is gone":             {family, 404, []string{"1:1", "3:1"}, 0, ""},
		"the parent is there":            {family, 200, nil, providers.NotFound, "the provider has a parent and knows no list"},
		"the parent can't be asked for":  {family, 403, nil, providers.Auth, "403"},
		"404 is declared to mean none":   {strings.Replace(family, `id: ["${parent}", id]`, `id: ["${parent}", id], empty: not_found`, 1), 200, []string{"1:1", "3:1"}, 0, ""},
		"nobody can tell":                {strings.Replace(family, `    record: {get: "/candidates/${id}"}`+"\n", "", 1), 404, nil, providers.NotFound, "give the parent's stream a record request"},
		"a whole list is never so empty": {strings.Replace(family, "records: {path: data, id: id}", "records: {path: data, id: id, empty: not_found}", 1), 200, nil, providers.NotFound, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t, connector(t, test.yaml), func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/candidates":
					if strings.HasPrefix(name, "a whole list") {
						w.WriteHeader(404)
						return
					}
					reply(w, object{"data": records([]string{"1", "2", "3"})})
				case "/candidates/2":
					w.WriteHeader(test.parent)
					_, _ = w.Write([]byte("{}"))
				case "/candidates/2/applications":
					w.WriteHeader(404)
				default:
					reply(w, object{"data": records([]string{"1"})})
				}
			})
			_, ids, err := listWith(t.Context(), client, providers.ListOptions{})
			if test.problem != "" {
				wantKind(t, err, test.kind, test.problem)
				return
			}
			slices.Sort(ids)
			if err != nil || !slices.Equal(ids, test.ids) {
				t.Errorf("got %v, %v", ids, err)
			}
		})
	}
}

// Where a request takes several parents, few requests do; a list without parents is empty.
func TestParentBatches(t *testing.T) {
	c := connector(t, `lists:
  people:
    request: {get: /people}
    records: {path: d, id: id}
    page: none
streams:
  employees:
    request:
      post: /jobs
      query: {ids: "${parent}"}
      body: {requests: [{person: "${parent}", all: true}]}
    records: {id: id}
    page: none
    parent: {stream: people, key: code, batch: 2, separator: "|"}
`)
	people := []object{{"id": 1, "code": "a"}, {"id": 2, "code": "b"}, {"id": 1, "code": "a"}, {"id": 3, "code": "c"}}
	var mu sync.Mutex
	var asked []string
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/people" {
			reply(w, object{"d": people})
			return
		}
		var body any
		decode(t, r, &body)
		mu.Lock()
		asked = append(asked, r.URL.Query().Get("ids")+fmt.Sprint(body))
		mu.Unlock()
		reply(w, records([]string{r.URL.Query().Get("ids")}))
	})
	_, ids, err := listWith(t.Context(), client, providers.ListOptions{})
	slices.Sort(ids)
	slices.Sort(asked)
	want := []string{"a|bmap[requests:[map[all:true person:a] map[all:true person:b]]]", "cmap[requests:[map[all:true person:c]]]"}
	if err != nil || !slices.Equal(ids, []string{"a|b", "c"}) || !slices.Equal(asked, want) {
		t.Errorf("got %v after %v: %v", ids, asked, err)
	}
	people = []object{}
	if pages, ids, err := listWith(t.Context(), client, providers.ListOptions{}); err != nil || len(pages) != 1 || len(ids) != 0 || pages[0].Requests != 1 {
		t.Errorf("without parents: %+v, %v, %v", pages, ids, err)
	}
	if types := client.RecordTypes(); !slices.Equal(types, []string{"employees"}) {
		t.Errorf("helper lists are record types: %v", types)
	}
}

func TestParentProblems(t *testing.T) {
	for yaml, want := range map[string]string{
		strings.Replace(family, "stream: candidates", "stream: candidate", 1):            `no stream or list is called "candidate": did you mean "candidates"?`,
		strings.Replace(family, "stream: candidates", "stream: employees", 1):            "employees would be its own parent",
		strings.Replace(family, "${parent}/applications", "x/applications", 1):           "needs ${parent} somewhere in the request",
		strings.Replace(family, "get: /candidates}", `get: "/candidates/${parent}"}`, 1): "unknown substitution ${parent}",
		strings.Replace(family, `"/candidates/${id}"`, "/candidates", 1):                 "the request needs ${id} somewhere",
	} {
		_, problems := providers.Parse("x.yaml", []byte("name: x\ncategory: ats\nverified: no\nauth: none\n"+yaml))
		if !slices.ContainsFunc(problems, func(p providers.Problem) bool { return strings.Contains(p.Message, want) }) {
			t.Errorf("want %q, got %v", want, problems)
		}
	}
}

// What a list leaves out is asked for, one by one or in batches, and joined to it.
func TestDetails(t *testing.T) {
	const one = "request: {get: /people}\nrecords: {path: d, id: id}\npage: none\ndetail: {get: '/people/${id}', path: person}\n"
	const batch = "request: {get: /people}\nrecords: {path: d, id: id}\npage: none\ndetail: {post: /details, body: {requests: [{person: '${id}'}]}, batch: 2, path: 'responses.*.body', id: '^.person'}\n"
	for name, test := range map[string]struct {
		stream string
		gone   map[string]bool
		ids    []string
		raw    string
	}{
		"one by one":                {one, nil, []string{"1", "2", "3"}, `{"title":"T1","n":9,"id":1}`},
		"one has gone meanwhile":    {one, map[string]bool{"2": true}, []string{"1", "3"}, ""},
		"in batches":                {batch, nil, []string{"1", "2", "3"}, `{"title":"T1","n":9,"id":1}`},
		"one is not in its batch":   {batch, map[string]bool{"3": true}, []string{"1", "2"}, ""},
		"none is known, one by one": {one, map[string]bool{"1": true, "2": true, "3": true}, nil, ""},
		"none is known, in batches": {batch, map[string]bool{"1": true, "2": true, "3": true}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t, connector(t, employees(test.stream)), func(w http.ResponseWriter, r *http.Request) {
				detail := func(id string) object { return object{"title": "T" + id, "n": 9} }
				switch r.URL.Path {
				case "/people":
					reply(w, object{"d": records([]string{"1", "2", "3"})})
				case "/details":
					var body struct{ Requests []struct{ Person string } }
					decode(t, r, &body)
					all := []object{}
					for _, q := range body.Requests {
						if !test.gone[q.Person] {
							all = append(all, object{"person": q.Person, "body": detail(q.Person)})
						}
					}
					reply(w, object{"responses": all})
				default:
					id := strings.TrimPrefix(r.URL.Path, "/people/")
					if test.gone[id] {
						w.WriteHeader(404)
						return
					}
					reply(w, object{"person": detail(id)})
				}
			})
			got := list(t.Context(), client, "employees")
			if test.ids == nil {
				wantKind(t, got.err, providers.NotFound, "details of none")
				return
			}
			if got.err != nil || !slices.Equal(got.ids, test.ids) {
				t.Fatalf("got %v, %v", got.ids, got.err)
			}
			if test.raw != "" && jsonOf(t, got.raw[0]) != jsonOf(t, test.raw) {
				t.Errorf("got %s", got.raw[0])
			}
			pages, _, _ := listWith(t.Context(), client, providers.ListOptions{})
			if proof := pages[0].Capacity > 0; proof != (test.gone == nil) {
				t.Errorf("a page with a record left out proves absence: %+v", pages[0])
			}
		})
	}
}
