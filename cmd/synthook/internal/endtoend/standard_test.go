package endtoend

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// captured keeps every delivery as it came.
type captured struct {
	mu  sync.Mutex
	all []delivery
}

type delivery struct {
	header http.Header
	body   []byte
}

func (c *captured) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.all = append(c.all, delivery{r.Header.Clone(), body})
	c.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (c *captured) deliveries() []delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// verifier is a consumer with one secret: the library in Go, the package in Node, and
// x-stackone-signature as its own consumers check it.
type verifier struct {
	library *standardwebhooks.Webhook
	secret  string
	node    *express
}

func newVerifier(t *testing.T, w api.Webhook) *verifier {
	t.Helper()
	library, err := standardwebhooks.NewWebhook(w.StandardSecret)
	if err != nil {
		t.Fatal(err)
	}
	return &verifier{library, w.Secret, startExpress(t, w.Secret)}
}

// accepts says whether the libraries take a delivery; they must agree.
func (v *verifier) accepts(t *testing.T, d delivery) bool {
	t.Helper()
	err := v.library.Verify(d.body, d.header)
	if err != nil && !errors.Is(err, standardwebhooks.ErrNoMatchingSignature) {
		t.Fatalf("the library: %v", err)
	}
	if byNode := v.nodeAccepts(t, "/standard", d); byNode != (err == nil) {
		t.Errorf("the library in Go: %v; in Node: %t", err, byNode)
	}
	return err == nil
}

func (v *verifier) nodeAccepts(t *testing.T, path string, d delivery) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.node.url+path, bytes.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = d.header
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusNoContent
}

// bare says whether x-stackone-signature is made with this verifier's secret, as
// consumers of both styles see it.
func (v *verifier) bare(t *testing.T, d delivery) bool {
	t.Helper()
	ok := dispatch.Verify(v.secret, d.body, d.header.Get("x-stackone-signature"))
	for _, path := range []string{"/raw", "/parsed"} {
		if byNode := v.nodeAccepts(t, path, d); byNode != ok {
			t.Errorf("x-stackone-signature: %t, %s: %t", ok, path, byNode)
		}
	}
	return ok
}

// The libraries of the Standard Webhooks specification verify deliveries at every step of
// a rotation: who has the old secret and who has the new one, as long as both are valid.
// x-stackone-signature is always the active one's alone.
func TestStandardWebhooksLibrariesVerify(t *testing.T) {
	t.Parallel()
	migrationstest.Each(t, func(t *testing.T, location string) {
		c := servicetest.Start(t, servicetest.Settings(location)).Admin("")
		inbox := &captured{}
		hook := send[api.Webhook](t, c, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: listen(t, inbox), Events: []string{"account.*"}})
		account := send[api.Account](t, c, http.MethodPost, "/v1/accounts", servicetest.NewProvider(t, nil).Account())
		before := newVerifier(t, hook)
		path := client.Path("v1", "webhooks", hook.ID, "secrets")

		d := inbox.next(t, c, account.ID, 1)
		if !before.accepts(t, d) || !before.bare(t, d) {
			t.Errorf("with one secret: %v", d.header)
		}
		tampered := delivery{d.header, bytes.Replace(d.body, []byte("account"), []byte("accounts"), 1)}
		if before.accepts(t, tampered) {
			t.Error("a changed body is accepted")
		}

		added := send[api.Webhook](t, c, http.MethodPost, path, api.SecretRotation{})
		after := newVerifier(t, added)
		if after.accepts(t, d) || after.bare(t, d) {
			t.Error("the new secret verifies what was signed before it was made")
		}
		d = inbox.next(t, c, account.ID, 2)
		if !before.accepts(t, d) || !after.accepts(t, d) || !before.bare(t, d) || after.bare(t, d) {
			t.Errorf("with another that waits: %v", d.header)
		}

		send[api.Webhook](t, c, http.MethodPost, path+"/activate", api.SecretActivation{Overlap: "1h"})
		d = inbox.nextSuch(t, c, account.ID, func(d delivery) bool { return after.bare(t, d) })
		if !before.accepts(t, d) || !after.accepts(t, d) || before.bare(t, d) {
			t.Errorf("with the old one that retires: %v", d.header)
		}
		for _, d := range inbox.deliveries() {
			if !before.accepts(t, d) {
				t.Errorf("the old secret did not verify all the time: %v", d.header)
			}
		}
	})
}

// next has the account changed until a delivery comes that is signed by so many secrets:
// one that is on its way at a rotation is signed as before.
func (c *captured) next(t *testing.T, api *client.Client, account string, secrets int) delivery {
	t.Helper()
	return c.nextSuch(t, api, account, func(d delivery) bool {
		return len(strings.Fields(d.header.Get("webhook-signature"))) == secrets
	})
}

func (c *captured) nextSuch(t *testing.T, to *client.Client, account string, such func(delivery) bool) (found delivery) {
	t.Helper()
	await(t, "a delivery signed like that", func() string {
		seen := len(c.deliveries())
		name := fmt.Sprint("owner ", seen)
		send[api.Account](t, to, http.MethodPatch, client.Path("v1", "accounts", account), api.AccountUpdate{OriginOwnerName: &name})
		await(t, "a delivery", func() string {
			if len(c.deliveries()) == seen {
				return "none yet"
			}
			return ""
		})
		all := c.deliveries()
		if found = all[len(all)-1]; !such(found) {
			return "it is signed otherwise"
		}
		return ""
	})
	return found
}
