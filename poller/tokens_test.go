package poller

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/providers"
)

// An account's tokens outlive the process, sealed, and are renewed by one at a time, over
// all processes.
func TestTokensAreKept(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		account := r.account(nil)
		here, there := r.poller.tokens(account.ID), r.newPoller().tokens(account.ID)
		if got, err := here.Load(t.Context()); err != nil || got != nil {
			t.Fatalf("before anything was saved: %v, %v", got, err)
		}
		if err := here.Save(t.Context(), map[string]string{"refresh": "r3fresh"}); err != nil {
			t.Fatal(err)
		}
		if got, err := there.Load(t.Context()); err != nil || got["refresh"] != "r3fresh" {
			t.Errorf("another process reads %v, %v", got, err)
		}
		var stored []byte
		if err := r.db.QueryRowContext(t.Context(), `SELECT tokens FROM accounts WHERE id = $1`, account.ID).Scan(&stored); err != nil || bytes.Contains(stored, []byte("r3fresh")) {
			t.Errorf("stored as %q, %v", stored, err)
		}
		if here.skipLocked == "" {
			there = here // an embedded database has one process
		}
		unlock, err := here.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := there.Lock(short); err == nil {
			t.Error("two renew at the same time")
		}
		unlock()
		long, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		again, err := there.Lock(long)
		if err != nil {
			t.Fatal(err)
		}
		again()
	})
}

const rotating = `name: rotating
category: hris
verified: invented
credentials: [{name: refresh_token}]
auth:
  token: {post: /token, form: {refresh_token: "${token.refresh}"}, refresh: "${cred.refresh_token}"}
  header: {Authorization: "Bearer ${token}"}
streams:
  employees: {request: {get: /people}, records: {id: id}, page: none}
`

// A refresh token that the provider replaces is good once: the next poll, of another
// process, goes on with the one that came.
func TestPollsRotateRefreshTokens(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.withRotating(strings.Replace(rotating, "refresh: ", "base_url: api, refresh: ", 1))
		var mu sync.Mutex
		latest, given := "r0", 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case q.URL.Path == "/tenant/people":
				_, _ = w.Write([]byte(`[{"id":1}]`))
			case q.FormValue("refresh_token") != latest:
				w.WriteHeader(http.StatusBadRequest)
			default:
				given++
				latest = "r" + strings.Repeat("x", given)
				_, _ = w.Write([]byte(`{"access_token":"t","expires_in":0,"refresh_token":"` + latest + `","api":"http://` + q.Host + `/tenant"}`))
			}
		}))
		defer server.Close()
		account, err := r.accounts.Create(t.Context(), DefaultProject, NewAccount{
			Provider: "rotating", BaseURL: server.URL, RecordTypes: []string{"employees"}, Schedule: "1h", Credentials: map[string]string{"refresh_token": "r0"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r.poller = r.newPoller() // another process
			if result := r.poll(account); !result.Complete {
				t.Errorf("%+v", result)
			}
			if err := r.poller.tokens(account.ID).expire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if given != 2 {
			t.Errorf("%d tokens for two polls, the first of which is over", given)
		}
		for range 2 { // the base URL that came with the token is kept with it
			r.poller = r.newPoller()
			if result := r.poll(account); !result.Complete || given != 3 {
				t.Errorf("%d tokens: %+v", given, result)
			}
		}
	})
}

// expire makes the access token one that is not there.
func (s *tokenStore) expire(ctx context.Context) error {
	kept, err := s.Load(ctx)
	delete(kept, "token")
	return errors.Join(err, s.Save(ctx, kept))
}

// Tokens of credentials that were replaced meanwhile never take the place of the new ones'.
func TestTokensOfReplacedCredentials(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		store := r.poller.tokens(r.account(nil).ID)
		unlock, err := store.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		if _, err := store.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, tokens := range []map[string]string{{"token": "a"}, {"token": "b"}} {
			if err := store.Save(t.Context(), tokens); err != nil {
				t.Error(err)
			}
		}
		sealed, err := sealTokens(r.config.Sealer, store.accountID, map[string]string{"token": "new"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.db.ExecContext(t.Context(), `UPDATE accounts SET tokens = $1`, sealed); err != nil {
			t.Fatal(err)
		}
		if err := store.Save(t.Context(), map[string]string{"token": "old"}); !errors.Is(err, errTokensReplaced) {
			t.Error(err)
		}
		if now, err := store.Load(t.Context()); err != nil || now["token"] != "new" {
			t.Errorf("%v %v", now, err)
		}
	})
}

// withRotating lets the rig have a provider of such a file, whose refresh tokens are good once.
func (r *rig) withRotating(file string) {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rotating.yaml"), []byte(file), 0o600); err != nil {
		r.t.Fatal(err)
	}
	catalog, problems, err := providers.Load(dir)
	if err != nil || len(problems) > 0 {
		r.t.Fatal(err, problems)
	}
	r.config.Catalog = catalog
	r.accounts, r.poller = NewAccounts(r.config), r.newPoller()
}
