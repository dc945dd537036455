package endtoend

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers/sample"
)

// express is the consumer of examples/express, running.
type express struct {
	url string

	mu     sync.Mutex
	events []expressEvent
}

type expressEvent struct {
	Listening int               `json:"listening"`
	Style     string            `json:"style"`
	Verified  bool              `json:"verified"`
	WebhookID string            `json:"webhook_id"`
	Query     map[string]string `json:"query"`
	Event     string            `json:"event"`
	RecordID  string            `json:"record_id"`
	Keys      []string          `json:"keys"`
}

// startExpress runs Node until the test ends.
func startExpress(t *testing.T, secret string) *express {
	t.Helper()
	const dir = "../../../../examples/express"
	if _, err := os.Stat(dir + "/node_modules/express"); err != nil {
		t.Fatal("the Express consumer's packages are not installed: run scripts/test, or npm ci in examples/express")
	}
	node := exec.CommandContext(t.Context(), "node", "consumer.js")
	node.Dir = dir
	node.Env = append(os.Environ(), "SECRET="+secret, "PORT=0")
	node.Stderr = os.Stderr
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatalf("start node: %v", err)
	}
	x := &express{}
	listening := make(chan int, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(listening)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e expressEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("the consumer printed %q", lines.Text())
				continue
			}
			if e.Listening != 0 {
				listening <- e.Listening
				continue
			}
			x.mu.Lock()
			x.events = append(x.events, e)
			x.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = node.Process.Kill()
		reading.Wait()
		_ = node.Wait()
	})
	port, ok := <-listening
	if !ok {
		t.Fatal("the Express consumer did not start")
	}
	x.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	return x
}

func (x *express) received() []expressEvent {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.events)
}

// Consumers of every style accept every delivery of a real poll, account events with
// difficult names included.
func TestExpressConsumersVerifyEverything(t *testing.T) {
	t.Parallel()
	migrationstest.Each(t, func(t *testing.T, location string) {
		c := servicetest.Start(t, servicetest.Settings(location)).Admin("")
		secret := dispatch.NewSecret()
		consumer := startExpress(t, secret)
		for _, path := range []string{"/raw?token=a%20b&x=1", "/parsed?token=c", "/standard?token=d"} {
			send[api.Webhook](t, c, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: consumer.url + path, Events: []string{"*"}, Secret: secret})
		}
		company := sample.New(sample.Config{Seed: 7})
		server, base := sampleProvider(t, company, sample.BambooHR, 15)
		addAccount(t, c, server, "bamboohr", base)
		awaitBaselines(t, c)
		company.Mark()
		for _, change := range []sample.Change{sample.Hire, sample.EditPerson, sample.Leave, sample.Apply, sample.OpenPosting, sample.EditPosting} {
			await(t, string(change), func() string {
				if company.Do(change) {
					return ""
				}
				return "it can't happen yet"
			})
		}
		company.Quiet()
		want := 0
		for _, e := range company.Expected(sample.BambooHR) {
			want += e.Updated
			if e.Created {
				want++
			}
			if e.Deleted {
				want++
			}
		}
		want = 3 * (want + 1) // the webhooks, and account.created
		await(t, "deliveries", func() string {
			if n := len(consumer.received()); n < want {
				return fmt.Sprintf("%d of %d", n, want)
			}
			return ""
		})
		checkExpress(t, consumer.received(), want)
	})
}

func checkExpress(t *testing.T, events []expressEvent, want int) {
	t.Helper()
	if len(events) != want {
		t.Errorf("%d deliveries, want %d", len(events), want)
	}
	record := []string{"project_id", "account_id", "event", "event_date", "record_type", "record_id", "sent_at"}
	account := append(slices.Clone(record), "provider", "origin_owner_id", "origin_owner_name", "origin_username", "setup_information")
	styles := map[string]int{}
	for _, e := range events {
		styles[e.Style]++
		keys := record
		if strings.HasPrefix(e.Event, "account.") {
			keys = account
		}
		if !e.Verified || e.WebhookID == "" || !slices.Equal(e.Keys, keys) {
			t.Errorf("%s over the %s body: verified %v, webhook-id %q, keys %v", e.Event, e.Style, e.Verified, e.WebhookID, e.Keys)
		}
		if token := map[string]string{"raw": "a b", "parsed": "c", "standard": "d"}[e.Style]; e.Query["token"] != token {
			t.Errorf("the URL's query arrived as %v", e.Query)
		}
	}
	if styles["raw"] != styles["parsed"] || styles["raw"] != styles["standard"] {
		t.Errorf("deliveries by style: %v", styles)
	}
}
