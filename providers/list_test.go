package providers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
	"pgregory.net/rapid"
)

// dialect is one way of paging: the connector's side and the provider's.
type dialect struct {
	stream string
	// page answers one request over ids, with at most size of them in a page.
	page func(w http.ResponseWriter, r *http.Request, ids []string, size int)
}

func records(ids []string) []map[string]any {
	list := []map[string]any{}
	for i, id := range ids {
		record := map[string]any{"id": id, "n": i}
		if number, err := strconv.Atoi(id); err == nil {
			record["id"] = number
		}
		list = append(list, record)
	}
	return list
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func query(r *http.Request, name string, fallback int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil {
		return n
	}
	return fallback
}

// cut returns one page of ids from an index, and whether there is more.
func cut(ids []string, from, size int) (page []string, more bool) {
	from = min(from, len(ids))
	to := min(from+size, len(ids))
	return ids[from:to], to < len(ids)
}

type object = map[string]any

var dialects = map[string]dialect{
	"none": {
		stream: "request: {get: /people}\nrecords: {id: id}\npage: none\n",
		page: func(w http.ResponseWriter, _ *http.Request, ids []string, _ int) {
			reply(w, records(ids))
		},
	},
	"page until a flag": {
		stream: "request:\n  get: /people\n  query:\n    page: ${page.number}\nrecords: {path: people, id: id}\npage: {kind: page, end: complete is true}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, size int) {
			page, more := cut(ids, (query(r, "page", 0)-1)*size, size)
			reply(w, object{"people": records(page), "complete": !more})
		},
	},
	"page from 0 until the last page, in headers": {
		stream: "request:\n  get: /people\n  query:\n    p: ${page.number}\n    per: ${page.size}\nrecords: {id: id}\npage: {kind: page, start: 0, size: 3, max_size: 100, end: last_page, total_pages: \"header:X-Total-Pages\", total: \"header:X-Total\"}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			size := query(r, "per", 0)
			page, _ := cut(ids, query(r, "p", -1)*size, size)
			w.Header().Set("X-Total-Pages", strconv.Itoa((len(ids)+size-1)/size))
			w.Header().Set("X-Total", strconv.Itoa(len(ids)))
			reply(w, records(page))
		},
	},
	"page in the path until an empty one": {
		stream: "request: {get: '/people/page/${page.number}'}\nrecords: {id: id}\npage: {kind: page, end: empty}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, size int) {
			n, _ := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
			page, _ := cut(ids, (n-1)*size, size)
			reply(w, records(page))
		},
	},
	"page in a header until a short one": {
		stream: "request:\n  get: /people\n  headers:\n    X-Page: ${page.number}\n    X-Size: ${page.size}\nrecords: {id: id}\npage: {kind: page, end: short, size: 3, max_size: 100}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			n, _ := strconv.Atoi(r.Header.Get("X-Page"))
			size, _ := strconv.Atoi(r.Header.Get("X-Size"))
			page, _ := cut(ids, (n-1)*size, size)
			reply(w, records(page))
		},
	},
	"offset until the total": {
		stream: "request:\n  get: /people\n  query:\n    offset: ${page.offset}\n    limit: ${page.size}\nrecords: {path: d.people, id: id}\npage: {kind: offset, size: 3, max_size: 100, end: total, total: d.total}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			page, _ := cut(ids, query(r, "offset", -1), query(r, "limit", 0))
			reply(w, object{"d": object{"people": records(page), "total": len(ids)}})
		},
	},
	"offset from 1 of a provider that gives less than asked": {
		stream: "request:\n  get: /people\n  query:\n    start: ${page.offset}\n    count: ${page.size}\nrecords: {path: people, id: id}\npage: {kind: offset, start: 1, size: 90, max_size: 100, end: more is false}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, size int) {
			page, more := cut(ids, query(r, "start", 0)-1, min(size, query(r, "count", 0)))
			reply(w, object{"people": records(page), "more": more})
		},
	},
	"offset in a POST body until an empty page": {
		stream: "request:\n  post: /people/search\n  body:\n    skip: ${page.offset}\n    take: ${page.size}\n    active: null\nrecords: {path: people, id: id}\npage: {kind: offset, size: 3, max_size: 100, end: empty}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			var body struct{ Skip, Take int } // numbers, or decoding fails
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				http.Error(w, "", http.StatusBadRequest)
				return
			}
			page, _ := cut(ids, body.Skip, body.Take)
			reply(w, object{"people": records(page)})
		},
	},
	"cursor in the query until there is none": {
		stream: "request:\n  get: /people\n  query:\n    page[after]: ${page.cursor}\n    page[limit]: ${page.size}\nrecords: {path: data, id: id}\npage: {kind: cursor, size: 3, max_size: 100, next: meta.next, total: meta.total}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			size, from := query(r, "page[limit]", 0), 0
			if r.URL.Query().Has("page[after]") {
				from, _ = strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("page[after]"), "%5B3=&"))
			}
			page, more := cut(ids, from, size)
			meta := object{"next": nil, "total": len(ids)}
			if more {
				meta["next"] = fmt.Sprintf("%%5B3=&%d", from+size) // looks encoded, and is a value like any other
			}
			reply(w, object{"data": records(page), "meta": meta})
		},
	},
	"cursor in the body until a flag": {
		stream: "request:\n  post: /people.list\n  body:\n    cursor: ${page.cursor}\n    limit: ${page.size}\nrecords: {path: results, id: id}\npage: {kind: cursor, size: 3, max_size: 100, next: nextCursor, end: more is false}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			raw, _ := io.ReadAll(r.Body)
			var body struct {
				Cursor string
				Limit  int
			}
			if err := json.Unmarshal(raw, &body); err != nil || strings.Contains(string(raw), `"cursor":""`) {
				http.Error(w, "", http.StatusBadRequest)
				return
			}
			from, _ := strconv.Atoi(body.Cursor)
			page, more := cut(ids, from, body.Limit)
			reply(w, object{"results": records(page), "more": more, "nextCursor": strconv.Itoa(from + body.Limit)})
		},
	},
	"numeric cursor until an empty page": {
		stream: "request:\n  get: /people\n  query:\n    since: ${page.cursor}\nrecords: {path: data, id: id}\npage: {kind: cursor, next: last, end: empty}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, size int) {
			page, _ := cut(ids, query(r, "since", 0), size)
			reply(w, object{"data": records(page), "last": query(r, "since", 0) + len(page)})
		},
	},
	"URL in the body": {
		stream: "request:\n  get: /people\n  query:\n    limit: ${page.size}\nrecords: {path: people, id: id}\npage: {kind: url, size: 3, max_size: 100, next: paging.next}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			from, size := query(r, "since_id", 0), query(r, "limit", 0)
			page, more := cut(ids, from, size)
			body := object{"people": records(page)}
			if more {
				body["paging"] = object{"next": fmt.Sprintf("%s/people?limit=%d&since_id=%d", testHost, size, from+size)}
			}
			reply(w, body)
		},
	},
	"relative URL in the body": {
		stream: "request: {get: /people/}\nrecords: {path: people, id: id}\npage: {kind: url, next: next}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, size int) {
			from := query(r, "from", 0)
			page, more := cut(ids, from, size)
			next := ""
			if more {
				next = "?from=" + strconv.Itoa(from+size)
			}
			if r.URL.Path != "/people/" {
				http.NotFound(w, r)
				return
			}
			reply(w, object{"people": records(page), "next": next})
		},
	},
	"Link header": {
		stream: "request:\n  get: /people\n  query:\n    per_page: ${page.size}\nrecords: {id: id}\npage: {kind: link, size: 3, max_size: 100}\n",
		page: func(w http.ResponseWriter, r *http.Request, ids []string, _ int) {
			// The cursor must be the only parameter, as with Greenhouse.
			size := query(r, "per_page", 0)
			from := 0
			if cursor := r.URL.Query().Get("cursor"); cursor != "" {
				_, _ = fmt.Sscanf(cursor, "%d,%d", &from, &size)
				if len(r.URL.Query()) > 1 {
					http.Error(w, "", http.StatusUnprocessableEntity)
					return
				}
			}
			page, more := cut(ids, from, size)
			if more {
				w.Header().Add("Link", fmt.Sprintf(`<%s/people>; rel="first", <%s/people?cursor=%d,%d>; title="a, b"; rel="NEXT"`, testHost, testHost, from+size, size))
			}
			reply(w, records(page))
		},
	},
}

// Whatever the paging, the number of records and the size of pages: a listing is exactly
// the provider's records, once each, in order.
func TestListingIsExactlyTheRecords(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			c := connector(t, employees(d.stream))
			rapid.Check(t, func(rt *rapid.T) {
				n := rapid.IntRange(0, 23).Draw(rt, "records")
				size := rapid.IntRange(1, 7).Draw(rt, "page size")
				ids := make([]string, n)
				for i := range ids {
					if ids[i] = strconv.Itoa(1000 + i); i%3 == 0 {
						ids[i] = "x-" + ids[i]
					}
				}
				client := open(t, c, func(w http.ResponseWriter, r *http.Request) { d.page(w, r, ids, size) },
					func(target *providers.Target, _ *providers.Options) { target.PageSize = size })
				got := list(context.Background(), client, "employees")
				if got.err != nil {
					rt.Fatal(got.err)
				}
				if !slices.Equal(got.ids, ids) {
					rt.Fatalf("got %v, want %v", got.ids, ids)
				}
			})
		})
	}
}

func TestAuthentication(t *testing.T) {
	const key = "p/a ss&?"
	for name, test := range map[string]struct {
		auth string
		want func(r *http.Request) bool
	}{
		"basic": {"auth:\n  basic:\n    username: ${cred.key}\n    password: x\n", func(r *http.Request) bool {
			user, password, ok := r.BasicAuth()
			return ok && user == key && password == "x"
		}},
		"basic without a password": {"auth:\n  basic:\n    username: ${cred.key}\n", func(r *http.Request) bool {
			user, password, ok := r.BasicAuth()
			return ok && user == key && password == ""
		}},
		"header": {"auth:\n  header:\n    Authorization: Token token=${cred.key}\n", func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "Token token="+key
		}},
		"query": {"auth:\n  query:\n    apikey: ${cred.key}\n", func(r *http.Request) bool {
			return r.URL.Query().Get("apikey") == key
		}},
		"basic and a header": {"auth:\n  basic:\n    username: u\n  header:\n    x-account-id: ${cred.key}\n", func(r *http.Request) bool {
			user, _, _ := r.BasicAuth()
			return user == "u" && r.Header.Get("X-Account-Id") == key
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := connector(t, "credentials:\n  - name: key\n"+test.auth+employees("request: {get: /people}\nrecords: {path: people, id: id}\npage: {kind: url, next: next}\n"))
			pages := 0
			client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
				if !test.want(r) {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				pages++
				if r.URL.Query().Get("after") != "" {
					reply(w, object{"people": records([]string{"2"})})
					return
				}
				reply(w, object{"people": records([]string{"1"}), "next": "/people?after=%61+b"})
			}, credentials("key", key))
			got := list(t.Context(), client, "employees")
			if got.err != nil || !slices.Equal(got.ids, []string{"1", "2"}) || pages != 2 {
				t.Fatalf("got %v after %d pages: %v", got.ids, pages, got.err)
			}
		})
	}
}

// What an account doesn't give is left out of the request, with its name.
func TestOptionalValuesAreLeftOut(t *testing.T) {
	c := connector(t, `
credentials:
  - {name: member, optional: true, secret: false}
  - {name: fields, optional: true, secret: false}
`+employees(`request:
  post: /people
  query:
    member: ${cred.member}
    state: all
  headers:
    X-Fields: ${cred.fields}
  body:
    fields: ["${cred.fields}", name]
    filter: {member: "m-${cred.member}", deep: {member: "${cred.member}"}}
    limit: 5
    all: true
records: {id: id}
page: none
`))
	var got []string
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.URL.RawQuery, fmt.Sprint(r.Header["X-Fields"]), string(body))
		reply(w, records(nil))
	}
	list(t.Context(), open(t, c, handler), "employees")
	list(t.Context(), open(t, c, handler, credentials("member", `a"b`, "fields", "f")), "employees")
	want := []string{
		"state=all", "[]", `{"fields":["name"],"filter":{"deep":{}},"limit":5,"all":true}`,
		"member=a%22b&state=all", "[f]", `{"fields":["f","name"],"filter":{"member":"m-a\"b","deep":{"member":"a\"b"}},"limit":5,"all":true}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIDs(t *testing.T) {
	for name, test := range map[string]struct {
		id, body string
		want     []string
		problem  string
	}{
		"text and whole number":     {"id", `[{"id":"7"},{"id":8},{"id":9007199254740993},{"id":-1}]`, []string{"7", "8", "9007199254740993", "-1"}, ""},
		"nested":                    {"meta.key", `[{"meta":{"key":"a"}}]`, []string{"a"}, ""},
		"a dot in a key":            {`meta\.key`, `[{"meta.key":"a","meta":{"key":"b"}}]`, []string{"a"}, ""},
		"several parts":             {"[employeeId, id]", `[{"id":"38563","employeeId":4}]`, []string{"4:38563"}, ""},
		"parts never meet":          {"[a, b]", `[{"a":"1:2","b":"3"},{"a":"1","b":"2:3"},{"a":"1%3A2","b":"3"}]`, []string{"1%3A2:3", "1:2%3A3", "1%253A2:3"}, ""},
		"missing":                   {"id", `[{"id":1},{"ID":2}]`, nil, "record 2 has no id: id is missing or null"},
		"null":                      {"id", `[{"id":null}]`, nil, "record 1 has no id"},
		"empty":                     {"id", `[{"id":""}]`, nil, "id is empty"},
		"fraction":                  {"id", `[{"id":1.5}]`, nil, "fraction"},
		"exponent":                  {"id", `[{"id":1e3}]`, nil, "exponent"},
		"object":                    {"id", `[{"id":{"a":1}}]`, nil, "neither a text nor a whole number"},
		"NUL, which databases hate": {"id", `[{"id":"a\u0000b"}]`, nil, "not a valid text"},
		"too long to be one":        {"id", `[{"id":"` + strings.Repeat("x", 513) + `"}]`, nil, "longer than 512 bytes"},
		"a record that is none":     {"id", `["a"]`, nil, "record 1 has no id"},
	} {
		t.Run(name, func(t *testing.T) {
			c := connector(t, employees("request: {get: /}\nrecords:\n  id: "+test.id+"\npage: none\n"))
			got := list(t.Context(), open(t, c, answers(test.body)), "employees")
			if test.problem != "" {
				wantKind(t, got.err, providers.Protocol, test.problem)
			} else if got.err != nil || !slices.Equal(got.ids, test.want) {
				t.Fatalf("got %v, %v", got.ids, got.err)
			}
		})
	}
}

// The bytes of a record are the provider's own.
func TestRecordsAreGivenAsTheyCame(t *testing.T) {
	const body = "\xef\xbb\xbf \n{ \"a\": [], \"data\" : [ {\"id\":1, \"x\" : [1.0, {\"id\":9}]} ,\n\t{\"id\":\"é\\u00e9\"}]}"
	c := connector(t, employees("request: {get: /}\nrecords: {path: data, id: id}\npage: none\n"))
	got := list(t.Context(), open(t, c, answers(body)), "employees")
	want := []string{`{"id":1, "x" : [1.0, {"id":9}]}`, `{"id":"é\u00e9"}`}
	if diff := cmp.Diff(want, got.raw); diff != "" || got.err != nil {
		t.Error(diff, got.err)
	}
	c = connector(t, employees("request: {get: /}\nrecords: {id: id}\npage: none\n"))
	got = list(t.Context(), open(t, c, answers("\xef\xbb\xbf \n [ {\"id\":1}, {\"id\": 2} ] \n")), "employees")
	if diff := cmp.Diff([]string{`{"id":1}`, `{"id": 2}`}, got.raw); diff != "" || got.err != nil {
		t.Error(diff, got.err)
	}
}

// A page's bytes are good until the next page is taken, though that one is fetched meanwhile.
func TestPageIsNotOverwrittenWhileInUse(t *testing.T) {
	c := connector(t, employees("request:\n  get: /\n  query:\n    c: ${page.cursor}\nrecords: {path: d, id: id}\npage: {kind: cursor, next: n}\n"))
	fetched := make(chan struct{}, 100)
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		n := query(r, "c", 0)
		body := object{"d": []object{{"id": n, "fill": strings.Repeat(strconv.Itoa(n), 50)}}}
		if n < 9 {
			body["n"] = n + 1
		}
		reply(w, body)
		fetched <- struct{}{}
	})
	n, seen := 0, 0
	for page, err := range client.List(t.Context(), "employees", providers.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for ; seen < min(n+2, 10); seen++ { // this page and the next have been fetched
			<-fetched
		}
		if raw := string(page.Records[0].Raw); !strings.Contains(raw, strings.Repeat(strconv.Itoa(n), 50)) {
			t.Fatalf("page %d holds %s", n, raw)
		}
		n++
	}
	if n != 10 {
		t.Fatalf("%d pages", n)
	}
}

func TestPageSize(t *testing.T) {
	c := connector(t, employees("request:\n  get: /\n  query:\n    limit: ${page.size}\nrecords: {id: id}\npage: {kind: link, size: 50, max_size: 200}\n"))
	for size, want := range map[int]string{0: "50", 10: "10", 200: "200", 5000: "200"} {
		var sent url.Values
		client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
			sent = r.URL.Query()
			reply(w, records(nil))
		}, func(target *providers.Target, _ *providers.Options) { target.PageSize = size })
		if got := list(t.Context(), client, "employees"); got.err != nil || sent.Get("limit") != want {
			t.Errorf("page size %d: sent %q, want %s (%v)", size, sent.Get("limit"), want, got.err)
		}
	}
}
