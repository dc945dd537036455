package poller

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// at answers requests for one path with a status and a body, the others as they are.
func at(path string, status int, body string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if path != "" && r.URL.Path != path {
			return false
		}
		if strings.HasPrefix(body, "<") {
			w.Header().Set("Content-Type", "text/html")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	}
}

// twoLists asks for employees and candidates, each with a path of its own, after a check.
func twoLists(n *NewAccount) {
	n.NoCheck, n.RecordTypes = false, []string{"employees", "candidates"}
	n.Credentials["candidates_path"] = "/candidates"
}

// An account that can't be read is refused at once, with what is wrong and where.
func TestAccountIsCheckedBeforeItIsMade(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for name, test := range map[string]struct {
			fault              func(int, http.ResponseWriter, *http.Request) bool
			baseURL            string
			field, code, wants string
			asked              int
		}{
			"wrong key": {at("", 401, `{"message":"Invalid API key of Ada"}`), "", "credentials", "credentials", `(the provider says: "invalid api key of …"): check header_value`, 1},
			"no scope for any list": {at("", 403, `{"error":"insufficient_scope"}`), "", "credentials", "scope",
				`none of the record types can be read; employees: the credentials may not read this list (403) (the provider says: "insufficient_scope"): give`, 2},
			"no plan":        {at("", 402, ``), "", "credentials", "plan", "another plan", 2},
			"wrong path":     {at("", 404, ``), "", "base_url", "list", "correct the base URL", 2},
			"a login page":   {at("", 200, "<html><title>Sign in</title>Ada"), "", "base_url", "not_the_provider", "web page", 1},
			"another API":    {at("", 200, `{"people":[]}`), "", "credentials", "unexpected_answer", "no items", 2},
			"a redirect":     {answers(302, "Location", "https://login.example.com/?ada"), "", "base_url", "redirect", "redirects (302) to https://login.example.com:", 1},
			"an unused port": {nil, "http://127.0.0.1:1", "", "", "", 0},
		} {
			r.people.setFault(test.fault)
			before := r.people.requested()
			n := NewAccount{Provider: "generic", BaseURL: r.people.URL, Credentials: map[string]string{
				"employees_path": "/people", "candidates_path": "/candidates", "records_path": "items", "paging": "none", "header_value": "Bearer ada-secret"}}
			if test.baseURL != "" {
				n.BaseURL = test.baseURL
			}
			_, err := r.accounts.Create(t.Context(), DefaultProject, n)
			asked := r.people.requested() - before
			if test.code == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			refusal, ok := errors.AsType[*InvalidError](err)
			if !ok || refusal.Field != test.field || refusal.Code != test.code || !strings.Contains(refusal.Message, test.wants) || strings.Contains(strings.ToLower(err.Error()), "ada") {
				t.Errorf("%s: %+v %v, want %s %s: …%s…", name, refusal, err, test.field, test.code, test.wants)
			}
			if asked != test.asked {
				t.Errorf("%s: asked %d times, want %d", name, asked, test.asked)
			}
		}
		var n int
		if err := r.db.QueryRow(`SELECT count(*) FROM accounts`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d accounts for one that is only unreachable (%v)", n, err)
		}
	})
}

// lost is a network in which no name is known.
type lost struct{}

func (lost) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
}

// A host that is not there is told with what its name is made of.
func TestUnknownHost(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.config.HTTP = &http.Client{Transport: lost{}}
		r.accounts = NewAccounts(r.config)
		for _, test := range []struct{ base, field, wants string }{
			{"", "credentials", "the provider's host name is unknown: acmee.workable.com; correct subdomain, which"},
			{"https://eu.example.com", "base_url", "unknown: eu.example.com; correct the base URL"},
		} {
			_, err := r.accounts.Create(t.Context(), DefaultProject, NewAccount{Provider: "workable", BaseURL: test.base, Credentials: map[string]string{"subdomain": "acmee", "api_key": "k"}})
			refusal, ok := errors.AsType[*InvalidError](err)
			if !ok || refusal.Code != "host" || refusal.Field != test.field || !strings.Contains(refusal.Message, test.wants) {
				t.Errorf("%v, want %s: …%s…", err, test.field, test.wants)
			}
		}
	})
}

// What isn't the account's fault is no reason against it.
func TestProviderThatIsDownIsNoReason(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		for name, test := range map[string]struct {
			fault  func(int, http.ResponseWriter, *http.Request) bool
			result string
		}{
			"down": {at("", 503, `{}`), CheckUnreachable}, "throttled": {answers(429, "Retry-After", "60"), CheckThrottled}, "well": {nil, CheckOK},
		} {
			r.people.setFault(test.fault)
			begun := time.Now()
			a := r.account(twoLists)
			if len(a.Check) != 2 || a.Check[0].Result != test.result || a.Check[1].Result != test.result || a.State != StateActive || time.Since(begun) > checkTime {
				t.Errorf("%s: %+v", name, a.Check)
			}
			if got := r.state(a); got.BlockedUntil.IsZero() == (test.result == CheckThrottled) {
				t.Errorf("%s: blocked until %s", name, got.BlockedUntil)
			}
			if s := r.stream(a); s.State != StreamNew {
				t.Errorf("%s: %+v", name, s)
			}
		}
	})
}

// A list that alone is refused waits for attention, and the others are polled.
func TestOneListIsRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		r.people.setFault(at("/candidates", 403, `{"message":"Upgrade your plan"}`))
		a := r.account(twoLists)
		want := []Finding{{"employees", CheckOK, "", ""}, {"candidates", CheckRefused, "plan",
			`the plan of the provider's account does not include this list (403) (the provider says: "upgrade your plan"): it needs another plan at the provider, or choose record types without it`}}
		slices.Reverse(want) // in the order of the account's record types
		if !slices.Equal(a.Check, want) {
			t.Fatalf("%+v", a.Check)
		}
		refused := func() Stream {
			s, err := r.streams.Get(t.Context(), DefaultProject, a.ID, "candidates")
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := refused(); s.State != StreamNeedsAttention || s.LastError != want[0].Detail || time.Until(s.NextPollAt) < 50*time.Minute {
			t.Errorf("%+v", s)
		}
		claims, err := r.poller.claimDue(t.Context(), 10)
		if err != nil || len(claims) != 1 || claims[0].recordType != "employees" {
			t.Fatalf("%v %v", claims, err)
		}
		if got, err := r.poller.poll(t.Context(), claims[0]); err != nil || !got.Complete {
			t.Errorf("%+v %v", got, err)
		}
		// Its next poll asks again; refused once more, it waits longer.
		r.later(a)
		r.pollDue(2)
		account, err := r.accounts.Get(t.Context(), DefaultProject, a.ID)
		if s := refused(); err != nil || account.State != StateActive || s.State != StreamNeedsAttention || s.Failures != 2 || time.Until(s.NextPollAt) < 50*time.Minute {
			t.Errorf("%+v %+v %v", account, s, err)
		}
		health, err := r.streams.Health(t.Context(), DefaultProject)
		if err != nil || health.Types[0].States[StreamNeedsAttention] != 1 {
			t.Errorf("%+v %v", health, err)
		}
		r.people.setFault(nil)
		r.later(a)
		r.pollDue(2)
		if s := refused(); s.State != StreamOK || s.LastError != "" || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// New credentials are tried before they take the place of the old.
func TestReplacedCredentialsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		r.people.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
			return req.Header.Get("Authorization") == "Bearer wrong" && answers(401)(page, w, req)
		})
		credentials := map[string]string{"employees_path": "/people", "records_path": "items", "paging": "page", "page_size": "10", "end": "has_more is false", "header_value": "Bearer wrong"}
		_, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: credentials})
		if refusal, ok := errors.AsType[*InvalidError](err); !ok || refusal.Code != "credentials" {
			t.Fatal(err)
		}
		if got := r.poll(a); !got.Complete {
			t.Errorf("the old credentials are gone: %+v", got)
		}
		elsewhere := "http://127.0.0.1:1"
		got, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{BaseURL: &elsewhere})
		if err != nil || len(got.Check) != 1 || got.Check[0].Result != CheckUnreachable || got.BaseURL != elsewhere {
			t.Errorf("%+v %v", got, err)
		}
		credentials["header_value"] = "Bearer new"
		if got, err = r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: credentials, BaseURL: &r.people.URL}); err != nil || got.Check[0].Result != CheckOK {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// A check by hand changes nothing, but for what has mended itself.
func TestCheckByHand(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		r.people.setFault(at("/candidates", 403, ""))
		a := r.account(twoLists)
		check := func() []Finding {
			found, err := r.poller.Check(t.Context(), DefaultProject, a.ID)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		before := r.stream(a)
		if got := check(); got[0].Result == got[1].Result {
			t.Errorf("%+v", got)
		}
		if s := r.stream(a); s.Polls != before.Polls || !s.NextPollAt.Equal(before.NextPollAt) || s.State != before.State {
			t.Errorf("%+v, before %+v", s, before)
		}
		r.people.setFault(answers(401))
		if got := check(); got[0].Fault != "credentials" || got[1].Fault != "credentials" {
			t.Errorf("%+v", got)
		}
		r.pollDue(1)
		if account, err := r.accounts.Get(t.Context(), DefaultProject, a.ID); err != nil || account.State != StateNeedsAttention {
			t.Fatalf("%+v %v", account, err)
		}
		r.people.setFault(nil)
		if got := check(); got[0].Result != CheckOK {
			t.Errorf("%+v", got)
		}
		if account, err := r.accounts.Get(t.Context(), DefaultProject, a.ID); err != nil || account.State != StateActive || account.StateReason != "" || !account.NextCheckAt.IsZero() {
			t.Errorf("%+v %v", account, err)
		}
		r.pollDue(2)
		if _, err := r.poller.Check(t.Context(), "another", a.ID); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

// A refresh token that is good once is not lost by a check, whatever the lists answer.
func TestCheckKeepsSpentRefreshTokens(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.withRotating(strings.NewReplacer("[{name: refresh_token}]", "[{name: refresh_token}, {name: scope, secret: false, optional: true}]", `form: {`, `form: {scope: "${cred.scope}", `).Replace(rotating))
		latest, readable := "r0", false
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			switch {
			case q.URL.Path == "/people" && !readable:
				w.WriteHeader(http.StatusForbidden)
			case q.URL.Path == "/people":
				_, _ = w.Write([]byte(`[{"id":1}]`))
			case q.FormValue("refresh_token") != latest:
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
			default:
				latest += "x"
				_, _ = w.Write([]byte(`{"access_token":"t","expires_in":0,"refresh_token":"` + latest + `"}`))
			}
		}))
		defer server.Close()
		n := NewAccount{Provider: "rotating", BaseURL: server.URL, Credentials: map[string]string{"refresh_token": "never"}}
		if _, err := r.accounts.Create(t.Context(), DefaultProject, n); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
			t.Errorf("%v", err)
		}
		n.Credentials["refresh_token"] = "r0"
		a, err := r.accounts.Create(t.Context(), DefaultProject, n)
		if err != nil || len(a.Check) != 1 || a.Check[0].Fault != "scope" {
			t.Fatalf("%+v %v", a.Check, err)
		}
		readable = true
		if err := r.poller.tokens(a.ID).expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.poll(a); !got.Complete || latest != "r0xx" {
			t.Errorf("%+v after %s", got, latest)
		}
		latest = "s0"
		a, err = r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: map[string]string{"refresh_token": "s0"}})
		if err != nil || a.Check[0].Result != CheckOK {
			t.Fatalf("%+v %v", a.Check, err)
		}
		r.poller = r.newPoller()
		if got := r.poll(a); !got.Complete || latest != "s0x" {
			t.Errorf("%+v after %s", got, latest)
		}
		// Another credential is no reason to spend the account's own token again.
		a, err = r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: map[string]string{"scope": "all"}})
		if err != nil || a.Check != nil || latest != "s0x" {
			t.Fatalf("%+v %v after %s", a.Check, err, latest)
		}
		r.poller = r.newPoller()
		if got := r.poll(a); !got.Complete || latest != "s0xx" {
			t.Errorf("%+v after %s", got, latest)
		}
	})
}
