package endtoend

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers/sample"
)

// tee remembers every answer of a provider.
type tee struct {
	http.Handler
	mu     sync.Mutex
	bodies [][]byte
}

func (t *tee) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := httptest.NewRecorder()
	t.Handler.ServeHTTP(recorder, r)
	t.mu.Lock()
	t.bodies = append(t.bodies, recorder.Body.Bytes())
	t.mu.Unlock()
	maps.Copy(w.Header(), recorder.Header())
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes())
}

// personal are the texts of all answers that say something of a person: what stands
// under a key that speaks of names, mail or telephones, and whatever has a space or an
// @, which no id and no word of ours has.
func (t *tee) personal() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]bool{}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, member := range v {
				walk(strings.ToLower(key), member)
			}
		case []any:
			for _, element := range v {
				walk(key, element)
			}
		case string:
			speaks := strings.Contains(key, "name") || strings.Contains(key, "mail") || strings.Contains(key, "phone")
			if len(v) > 5 && (speaks || strings.ContainsAny(v, " @")) {
				found[v] = true
			}
		}
	}
	for _, body := range t.bodies {
		var v any
		if json.Unmarshal(body, &v) == nil {
			walk("", v)
		}
	}
	return found
}

// After listings, changes, a failure and deliveries, nothing that the provider said of
// a person stands in the database, in the log, in an answer of the API, or in the metrics.
func TestNothingPersonalIsKept(t *testing.T) {
	t.Parallel()
	migrationstest.Each(t, func(t *testing.T, location string) {
		rig := servicetest.Start(t, servicetest.Settings(location))
		c := rig.Admin("")
		company := sample.New(sample.Config{Seed: 3})
		server := sample.NewServer(company, sample.BambooHR, sample.Options{PageSize: 15})
		heard := &tee{Handler: server}
		provider := httptest.NewServer(heard)
		t.Cleanup(provider.Close)
		secret := dispatch.NewSecret()
		inbox := receiver.New(receiver.Options{Secrets: []string{secret}})
		send[api.Webhook](t, c, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: listen(t, inbox), Events: []string{"*"}, Secret: secret})
		account := addAccount(t, c, server, "bamboohr", provider.URL)
		awaitBaselines(t, c)
		company.Mark()
		for _, change := range []sample.Change{sample.Hire, sample.EditPerson, sample.Leave, sample.Apply} {
			await(t, string(change), func() string {
				if company.Do(change) {
					return ""
				}
				return "it can't happen yet"
			})
		}
		await(t, "events", func() string {
			if n := inbox.Counts().Verified; n < 5 {
				return fmt.Sprintf("%d of 5", n)
			}
			return ""
		})
		server.Faults.Add(sample.Fault{Kind: sample.Truncated}, sample.Fault{Kind: sample.OtherCustomer, Path: "jobs"})
		await(t, "a failed poll", func() string {
			if s := send[api.Stream](t, c, http.MethodGet, "/v1/accounts/"+account.ID+"/streams/employees", nil); s.Failures > 0 {
				return ""
			}
			return "it succeeded"
		})

		kept := map[string]string{"the database": dump(t, location), "the log": rig.Log.String(), "the API": answers(t, c), "the metrics": rig.Call("GET /metrics", servicetest.AdminKey, "").Body}
		personal := heard.personal()
		if len(personal) < 100 {
			t.Fatalf("the provider said only %d things", len(personal))
		}
		for where, text := range kept {
			if len(text) < 1000 {
				t.Errorf("%s holds only %d bytes: is it looked at?", where, len(text))
			}
			for secret := range personal {
				if strings.Contains(text, secret) {
					t.Errorf("%s holds %q", where, secret)
				}
			}
		}
		if strings.Contains(kept["the database"]+kept["the log"]+kept["the API"]+kept["the metrics"], server.Credentials().Key) {
			t.Error("a credential stands in the open")
		}
	})
}

// dump is every value of every table.
func dump(t *testing.T, location string) string {
	t.Helper()
	db := openBeside(t, location)
	list := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if migrations.IsPostgres(db) {
		list = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	var b strings.Builder
	for _, table := range query(t, db, list) {
		for _, value := range query(t, db, "SELECT * FROM "+table) {
			b.WriteString(value + "\n")
		}
	}
	return b.String()
}

// answers is what the API says of everything.
func answers(t *testing.T, c *client.Client) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{"/v1/accounts", "/v1/streams", "/v1/webhooks", "/v1/events?limit=1000", "/v1/replays", "/v1/providers"} {
		fmt.Fprintf(&b, "%s\n", send[json.RawMessage](t, c, http.MethodGet, path, nil))
	}
	return b.String()
}
