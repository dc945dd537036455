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
