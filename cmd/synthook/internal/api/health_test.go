package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// guarded is a provider that lets nobody in but with a key, and nobody at some lists.
type guarded struct {
	mu     sync.Mutex
	key    string
	closed map[string]bool // paths
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+g.key:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"message":"Invalid token `+r.Header.Get("Authorization")+`: it is not valid any more, Annabel Winterbottom"}}`)
	case g.closed[r.URL.Path]:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":"INSUFFICIENT_SCOPE","for":"Annabel Winterbottom"}`)
	default:
		_, _ = io.WriteString(w, `[{"id":"1","name":"Annabel Winterbottom"}]`)
	}
}

func (g *guarded) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// What is wrong with an account is told when it is made, in a way that programs can tell
// apart; under one Idempotency-Key it is mended and made once.
func TestAccountHealth(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		provider := &guarded{key: "right", closed: map[string]bool{"/c": true}}
		server := httptest.NewServer(provider)
		t.Cleanup(server.Close)
		body := func(key string) string {
			return fmt.Sprintf(`{"provider":"generic","base_url":%q,"schedule":"24h","credentials":{"employees_path":"/e","candidates_path":"/c","paging":"none","header_value":"Bearer %s"}}`, server.URL, key)
		}
		p := refused(t, r.Call("POST /v1/accounts", servicetest.AdminKey, body("hunter2hunter2"), "Idempotency-Key: one"), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Location != "body.credentials" || p.Type != "urn:synthook:account:credentials" ||
			!strings.Contains(p.Errors[0].Message, `(401) (the provider says: "invalid token … it is not valid any more …"): check header_value`) {
			t.Errorf("%+v", p)
		}
		made := r.Call("POST /v1/accounts", servicetest.AdminKey, body("right"), "Idempotency-Key: one")
		again := r.Call("POST /v1/accounts", servicetest.AdminKey, body("right"), "Idempotency-Key: one")
		if made.Status != http.StatusCreated || again.Body != made.Body {
			t.Fatalf("%d %s, then %d %s", made.Status, made.Body, again.Status, again.Body)
		}
		var account api.Account
		made.Decode(t, &account)
		if len(account.Check) != 2 || account.Check[0] != (api.Finding{RecordType: "employees", Result: "ok"}) || account.Check[1].Fault != "scope" || !strings.Contains(account.Check[1].Detail, `"insufficient_scope"`) {
			t.Errorf("%+v", account.Check)
		}
		c, path := r.Admin(""), "/v1/accounts/"+account.ID
		streams := get[api.Page[api.Stream]](t, c, "/v1/streams").Items
		if streams[0].State == "needs_attention" || streams[1].State != "needs_attention" || streams[1].NextPollAt == nil {
			t.Errorf("%+v", streams)
		}
		if shown := get[api.Account](t, c, path); shown.Check != nil || shown.State != "active" {
			t.Errorf("%+v", shown)
		}
		mended(t, r, c, provider, path)
		for _, leak := range []string{"Winterbottom", "hunter2"} {
			if strings.Contains(r.Log.String(), leak) {
				t.Errorf("the log holds %s", leak)
			}
		}
	})
}

// mended goes on when the cause is gone, and a check says so.
func mended(t *testing.T, r *servicetest.Rig, c *client.Client, provider *guarded, path string) {
	t.Helper()
	provider.set(func() { provider.closed = nil })
	if found := post[api.AccountCheck](t, c, path+"/check", nil); !found.OK || len(found.Results) != 2 {
		t.Errorf("%+v", found)
	}
	servicetest.Eventually(t, "both streams are well", func() bool {
		streams := get[api.Page[api.Stream]](t, c, "/v1/streams").Items
		return streams[0].State == "ok" && streams[1].State == "ok"
	})
	tag := r.Call("GET "+path, servicetest.AdminKey, "").Header.Get("ETag")
	provider.set(func() { provider.key = "replaced" })
	post[api.PollResult](t, c, path+"/streams/employees/poll?wait=true", nil)
	account := get[api.Account](t, c, path)
	if account.State != "needs_attention" || account.NextCheckAt == nil || !strings.Contains(account.StateReason, `"invalid token … it is not valid any more …"`) {
		t.Errorf("%+v", account)
	}
	if now := r.Call("GET "+path, servicetest.AdminKey, "").Header.Get("ETag"); now != tag {
		t.Error("a need for attention is taken for a change that somebody made")
	}
	if found := post[api.AccountCheck](t, c, path+"/check", nil); found.OK || found.State != "needs_attention" || found.Results[0].Fault != "credentials" {
		t.Errorf("%+v", found)
	}
	refused(t, r.Call("PATCH "+path, servicetest.AdminKey, `{"base_url":"http://127.0.0.1:1/"}`, `If-Match: "other"`), http.StatusPreconditionFailed)
	provider.set(func() { provider.key = "right" })
	if found := post[api.AccountCheck](t, c, path+"/check", nil); !found.OK || found.State != "active" {
		t.Errorf("%+v", found)
	}
}
