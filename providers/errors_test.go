package providers_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
)

const coded = `errors:
  ok: success is true
  code: [errors.0, fault.code, "header:X-Error"]
  auth: [invalid_key, 420]
  throttle: [slow_down, 403, "1007"]
  transient: [busy]
  restart: [cursor_expired]
  absent: [no_such_list, 400]
`

// An error is what the provider means by it, in whatever status and place it says so.
func TestErrorsAreSortedByCode(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		header string
		kind   providers.Kind
		detail string
		asked  int
	}{
		"in a 200, unknown":        {200, `{"success":false,"errors":["Ada Lovelace"]}`, "", providers.Protocol, "an error in a 200: success is true is not so", 1},
		"in a 200, without a word": {200, `{"data":[]}`, "", providers.Protocol, "an error in a 200", 1},
		"in a 200, auth":           {200, `{"success":false,"errors":["invalid_key"]}`, "", providers.Auth, "told by invalid_key", 1},
		"in a 200, absent":         {200, `{"success":false,"errors":["no_such_list"]}`, "", providers.NotFound, "told by no_such_list", 1},
		"in a 200, transient":      {200, `{"success":false,"errors":["busy"]}`, "", providers.Transient, "told by busy", 3},
		"restart at the beginning": {200, `{"success":false,"errors":["cursor_expired"]}`, "", providers.Protocol, "cursor or token any more (cursor_expired)", 1},
		"a status":                 {420, `{}`, "", providers.Auth, "told by 420", 1},
		"a status that means 404":  {400, `{}`, "", providers.NotFound, "told by 400", 1},
		"a code in an error":       {422, `{"fault":{"code":"busy"}}`, "", providers.Transient, "told by busy", 3},
		"a code in a header":       {500, `Ada`, "invalid_key", providers.Auth, "told by invalid_key", 1},
		"a code before a status":   {420, `{"errors":["busy"]}`, "", providers.Transient, "told by busy", 3},
		"an unknown code":          {500, `{"errors":["Ada Lovelace"]}`, "", providers.Transient, "answers 500", 3},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			got := list(t.Context(), open(t, connector(t, coded+employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
				asked++
				if test.header != "" {
					w.Header().Set("X-Error", test.header)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}), "employees")
			e := wantKind(t, got.err, test.kind, test.detail)
			if asked != test.asked || e.Status != test.status || strings.Contains(e.Error(), "Ada") {
				t.Errorf("%q with status %d after %d requests", e, e.Status, asked)
			}
		})
	}
}

// Whatever says "slower" is waited for.
func TestThrottlingByCode(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"in a 200":        func(w http.ResponseWriter) { reply(w, object{"success": false, "errors": []string{"slow_down"}}) },
		"a number":        func(w http.ResponseWriter) { reply(w, object{"success": false, "fault": object{"code": 1007}}) },
		"another status":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"its usual one":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		"with a code too": func(w http.ResponseWriter) { w.WriteHeader(500); reply(w, object{"errors": []string{"slow_down"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, asked := time.Now(), 0
				got := list(t.Context(), open(t, connector(t, coded+employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
					if asked++; asked == 1 {
						w.Header().Set("Retry-After", "30")
						refuse(w)
						return
					}
					reply(w, object{"success": true, "data": records([]string{"1"})})
				}), "employees")
				if took := time.Since(begun); got.err != nil || len(got.ids) != 1 || took != 30*time.Second {
					t.Errorf("%v, %v after %s", got.ids, got.err, took)
				}
			})
		})
	}
}

// A cursor that the provider forgets makes the listing begin anew, once.
func TestForgottenCursor(t *testing.T) {
	for _, forgotten := range []int{1, 9} {
		asked := 0
		got := list(t.Context(), open(t, connector(t, coded+employees(byCursor)), func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Query().Get("cursor") == "":
				reply(w, object{"success": true, "data": records([]string{"1"}), "next": "c"})
			case asked < forgotten:
				asked++
				reply(w, object{"success": false, "errors": []string{"cursor_expired"}})
			default:
				reply(w, object{"success": true, "data": records([]string{"2"})})
			}
		}), "employees")
		if once := forgotten == 1; once && (got.err != nil || strings.Join(got.ids, "") != "112") {
			t.Errorf("forgotten once: %v, %v", got.ids, got.err)
		} else if !once {
			wantKind(t, got.err, providers.Protocol, "cursor or token any more")
		}
	}
}

// A provider's own word for an empty list is one, behind the last page too; where it
// contradicts the total, it isn't believed.
func TestTheProvidersWordForEmpty(t *testing.T) {
	paged := strings.Replace(byTotal, "end: total, total: total", "end: empty, total: total", 1)
	for name, test := range map[string]struct {
		bodies []string
		ids    string
		wrong  string
	}{
		"at once":                 {bodies: []string{`{"error":7024}`}},
		"behind the last page":    {bodies: []string{`{"data":[{"id":1},{"id":2}],"total":2}`, `{"error":7024}`}, ids: "12"},
		"before the total's end":  {bodies: []string{`{"data":[{"id":1},{"id":2}],"total":3}`, `{"error":7024}`}, wrong: "provider says 3, got 2 (total)"},
		"another word is no list": {bodies: []string{`{"error":7025}`}, wrong: "the answer has no data"},
	} {
		t.Run(name, func(t *testing.T) {
			c := connector(t, "errors: {ok: error is null, code: error, empty: [7024]}\n"+employees(paged))
			if name == "another word is no list" {
				c = connector(t, "errors: {code: error, empty: [7024]}\n"+employees(paged))
			}
			got := list(t.Context(), open(t, c, answers(test.bodies...)), "employees")
			if test.wrong != "" {
				wantKind(t, got.err, providers.Protocol, test.wrong)
			} else if got.err != nil || strings.Join(got.ids, "") != test.ids || got.pages == 0 {
				t.Errorf("%v in %d pages, %v", got.ids, got.pages, got.err)
			}
		})
	}
	_, problems := providers.Parse("x.yaml", []byte("name: x\ncategory: ats\nverified: no\nauth: none\nerrors: {empty: 404}\n"+employees(whole)))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "would hide a wrong address") {
		t.Errorf("404 is taken for an empty list: %v", problems)
	}
}
