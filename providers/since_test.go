package providers_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/synthook/synthook/providers"
)

// listWith lists with options and keeps the pages.
func listWith(ctx context.Context, client *providers.Client, o providers.ListOptions) (pages []providers.Page, ids []string, err error) {
	for page, e := range client.List(ctx, "employees", o) {
		if e != nil {
			return pages, ids, e
		}
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		page.Records = nil
		pages = append(pages, page)
	}
	return pages, ids, nil
}

// The time is written as the provider wants it, and stands in no full listing.
func TestSince(t *testing.T) {
	at := time.Date(2026, 7, 5, 23, 9, 8, 7_000_000, time.FixedZone("", -2*3600))
	for format, want := range map[string]string{
		"":                    "2026-07-06T01:09:08Z",
		"rfc3339":             "2026-07-06T01:09:08Z",
		"epoch":               "1783300148",
		"epoch_ms":            "1783300148007",
		"date":                "2026-07-06",
		"http":                "Mon, 06 Jul 2026 01:09:08 GMT",
		"YYYY-MM-DD hh:mm:ss": "2026-07-06 01:09:08",
		"DD/MM/YYYY":          "06/07/2026",
	} {
		since := "since: {proven: true, overlap: 5m}\n"
		if format != "" {
			since = "since: {proven: true, overlap: 5m, format: '" + format + "'}\n"
		}
		c := connector(t, employees("request:\n  post: /\n  query:\n    after: ${since}\n    window: gte|${since}|lte|${until}\n    state: all\n  headers: {If-Modified-Since: '${since}'}\n  body: {filters: {updatedAfter: '${since}'}}\nrecords: {id: id}\npage: none\n"+since))
		var asked *http.Request
		client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
			asked = r.Clone(context.Background())
			reply(w, records([]string{"1"}))
		})
		if _, ids, err := listWith(t.Context(), client, providers.ListOptions{Since: at}); err != nil || len(ids) != 1 {
			t.Fatal(ids, err)
		}
		q := asked.URL.Query()
		if q.Get("after") != want || !strings.HasPrefix(q.Get("window"), "gte|"+want+"|lte|") || strings.HasSuffix(q.Get("window"), "|") || asked.Header.Get("If-Modified-Since") != want {
			t.Errorf("%q: asked %s, %v", format, asked.URL.RawQuery, asked.Header)
		}
		if _, _, err := listWith(t.Context(), client, providers.ListOptions{}); err != nil || asked.URL.RawQuery != "state=all" || asked.Header.Get("If-Modified-Since") != "" {
			t.Errorf("a full listing asks %s: %v", asked.URL.RawQuery, err)
		}
		if info, _ := client.Stream("employees"); !info.Since || info.SinceMargin != 5*time.Minute {
			t.Errorf("told as %+v", info)
		}
	}
	unproven, _ := connector(t, employees("request:\n  get: /\n  query:\n    after: ${since}\nrecords: {id: id}\npage: none\nsince: {overlap: 1m}\n")).Stream("employees")
	if unproven.Since {
		t.Error("a filter that nobody has proven is offered")
	}
}

// A token of the last page makes the next incremental listing; one that the provider no
// longer knows makes a full one.
func TestSyncToken(t *testing.T) {
	c := connector(t, "errors: {ok: success is true, code: errors.0, restart: sync_token_expired}\n"+
		employees("request:\n  post: /list\n  body: {cursor: '${page.cursor}', syncToken: '${since.token}'}\nrecords: {path: results, id: id}\npage: {kind: cursor, next: nextCursor}\nsince: {token: syncToken, proven: true}\n"))
	expired := false
	var bodies []string
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		bodies = append(bodies, string(body))
		switch {
		case expired && strings.Contains(string(body), "t1"):
			reply(w, object{"success": false, "errors": []string{"sync_token_expired"}})
		case strings.Contains(string(body), "t1"):
			reply(w, object{"success": true, "results": records([]string{"2"}), "syncToken": "t2"})
		case !strings.Contains(string(body), "c1"):
			reply(w, object{"success": true, "results": records([]string{"1"}), "nextCursor": "c1"})
		default:
			reply(w, object{"success": true, "results": records([]string{"2"}), "syncToken": "t1"})
		}
	})
	pages, ids, err := listWith(t.Context(), client, providers.ListOptions{})
	if err != nil || !slices.Equal(ids, []string{"1", "2"}) {
		t.Fatal(ids, err)
	}
	first := pages[len(pages)-1].Validators
	pages, ids, err = listWith(t.Context(), client, providers.ListOptions{Since: time.Now(), Validators: first})
	if err != nil || !slices.Equal(ids, []string{"2"}) || pages[0].Validators == first || pages[0].Validators == "" {
		t.Fatalf("incremental: %v, %+v, %v", ids, pages, err)
	}
	if _, ids, err = listWith(t.Context(), client, providers.ListOptions{Validators: first}); err != nil || len(ids) != 2 {
		t.Errorf("a full listing with a token gives %v, %v", ids, err)
	}
	expired, bodies = true, nil
	if _, ids, err = listWith(t.Context(), client, providers.ListOptions{Since: time.Now(), Validators: first}); err != nil || !slices.Equal(ids, []string{"1", "2"}) || len(bodies) != 3 {
		t.Errorf("with an expired token: %v after %q, %v", ids, bodies, err)
	}
}

// A listing in one request asks whether anything changed.
func TestNotModified(t *testing.T) {
	c := connector(t, employees(whole))
	for name, header := range map[string]http.Header{
		"ETag":          {"Etag": {`"v1"`}},
		"Last-Modified": {"Last-Modified": {"Wed, 01 Jul 2026 10:00:00 GMT"}, "Date": {"Wed, 01 Jul 2026 10:00:05 GMT"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") == `"v1"` || r.Header.Get("If-Modified-Since") == "Wed, 01 Jul 2026 10:00:00 GMT" {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				maps.Copy(w.Header(), header)
				reply(w, object{"data": records([]string{"1"})})
			})
			first, _, err := listWith(t.Context(), client, providers.ListOptions{})
			if err != nil || first[0].Validators == "" || first[0].NotModified {
				t.Fatalf("%+v, %v", first, err)
			}
			again, ids, err := listWith(t.Context(), client, providers.ListOptions{Validators: first[0].Validators})
			if err != nil || len(again) != 1 || !again[0].NotModified || again[0].Validators != first[0].Validators || len(ids) != 0 {
				t.Errorf("%+v, %v", again, err)
			}
			if other, ids, err := listWith(t.Context(), client, providers.ListOptions{Validators: strings.Replace(first[0].Validators, `"v":"`, `"v":"0`, 1)}); err != nil || len(ids) != 1 {
				t.Errorf("validators of another version count: %+v, %v", other, err)
			}
		})
	}
	t.Run("of the same second", func(t *testing.T) {
		client := open(t, c, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", "Wed, 01 Jul 2026 10:00:00 GMT")
			w.Header().Set("Date", "Wed, 01 Jul 2026 10:00:01 GMT")
			reply(w, object{"data": records([]string{"1"})})
		})
		if pages, _, err := listWith(t.Context(), client, providers.ListOptions{}); err != nil || pages[0].Validators != "" {
			t.Errorf("a change within the second would be missed: %+v, %v", pages, err)
		}
	})
	t.Run("unasked", func(t *testing.T) {
		client := open(t, c, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
		_, _, err := listWith(t.Context(), client, providers.ListOptions{})
		wantKind(t, err, providers.Protocol, "304")
	})
	t.Run("of several pages", func(t *testing.T) {
		client := open(t, connector(t, employees(byCursor)), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			reply(w, object{"data": records([]string{"1"})})
		})
		if pages, _, err := listWith(t.Context(), client, providers.ListOptions{}); err != nil || pages[0].Validators != "" {
			t.Errorf("one page's validator stands for a list that can have more: %+v, %v", pages, err)
		}
	})
}

// Wherever it is broken off, a listing goes on behind its last page, and its total is
// still checked.
func TestResume(t *testing.T) {
	ids := []string{"1", "x-2", "3", "x-4", "5", "6", "7"}
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			c := connector(t, "credentials:\n  - {name: key, default: s3cret}\nauth:\n  query:\n    key: ${cred.key}\n"+employees(d.stream))
			client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("key") != "s3cret" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				r.URL.RawQuery = strings.Trim(strings.ReplaceAll(r.URL.RawQuery, "key=s3cret", ""), "&")
				d.page(w, r, ids, 2)
			}, func(target *providers.Target, _ *providers.Options) { target.PageSize = 2 })
			pages, all, err := listWith(t.Context(), client, providers.ListOptions{})
			if err != nil || len(all) != len(ids) {
				t.Fatal(all, err)
			}
			before := 0
			for i, page := range pages {
				if strings.Contains(page.Resume, "s3cret") {
					t.Errorf("page %d's mark holds a credential: %s", i+1, page.Resume)
				}
				if last := i == len(pages)-1; (page.Resume == "") != last {
					t.Errorf("page %d of %d has the mark %q", i+1, len(pages), page.Resume)
				}
				if page.Resume == "" {
					continue
				}
				before = min(before+2, len(ids))
				_, rest, err := listWith(t.Context(), client, providers.ListOptions{Resume: page.Resume})
				if diff := cmp.Diff(ids[before:], rest, cmpopts.EquateEmpty()); err != nil || diff != "" {
					t.Errorf("behind page %d: %v%s", i+1, err, diff)
				}
				if _, _, err := listWith(t.Context(), client, providers.ListOptions{Resume: page.Resume, Since: time.Now()}); !errors.Is(err, providers.ErrResume) {
					t.Errorf("a full listing's mark makes an incremental one go on: %v", err)
				}
			}
		})
	}
}

func TestRecordsThatAreGone(t *testing.T) {
	c := connector(t, employees("request: {get: /}\nrecords: {id: id}\npage: none\ndeleted: {when: 'state is deleted, removed'}\n"))
	client := open(t, c, answers(`[{"id":1,"state":"here"},{"id":2,"state":"deleted"},{"id":3},{"id":4,"state":"removed"}]`))
	pages, ids, err := listWith(t.Context(), client, providers.ListOptions{})
	if err != nil || !slices.Equal(ids, []string{"1", "3"}) || !slices.Equal(pages[0].Deleted, []string{"2", "4"}) {
		t.Errorf("%v, %+v, %v", ids, pages, err)
	}
}

func TestExists(t *testing.T) {
	c := connector(t, employees("request: {get: /people}\nrecords: {id: [team, id]}\npage: none\nrecord: {get: '/teams/${id.1}/people/${id.2}', gone: state is deleted}\n"))
	var asked string
	status, body := 200, "{}"
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	ask := func() (bool, error) { return client.Exists(t.Context(), "employees", "a%3Ab%25:../c d") }
	if there, err := ask(); !there || err != nil || asked != "/teams/a:b%25/people/..%2Fc%20d" {
		t.Errorf("%v, %v after %s", there, err, asked)
	}
	body = `{"state":"deleted"}`
	if there, err := ask(); there || err != nil {
		t.Errorf("a flag: %v, %v", there, err)
	}
	for _, status = range []int{404, 410} {
		if there, err := ask(); there || err != nil {
			t.Errorf("%d: %v, %v", status, there, err)
		}
	}
	for code, kind := range map[int]providers.Kind{401: providers.Auth, 403: providers.Auth, 400: providers.Protocol, 500: providers.Transient} {
		status = code
		_, err := ask()
		if wantKind(t, err, kind, "look up employees: "); strings.Contains(err.Error(), "c d") {
			t.Error(err)
		}
	}
	for _, id := range []string{"a", "", ".."} {
		if _, err := client.Exists(t.Context(), "employees", id); err == nil {
			t.Errorf("%q was asked for", id)
		}
	}
	if _, err := open(t, connector(t, employees(whole)), answers("{}")).Exists(t.Context(), "employees", "1"); err == nil {
		t.Error("a connector without a record request knows")
	}
}
