package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
	"github.com/synthook/synthook/providers/sample"
)

// installation is a service that was started on the command line, with a sample
// company to poll.
type installation struct {
	t       *testing.T
	environ []string // of a client with the admin key
	company *sample.Company
	base    string // URL of the company's BambooHR
	key     string
}

// install starts `synthook serve` on a new embedded database. It ends with the test, as
// by Ctrl-C.
func install(t *testing.T, flags ...string) *installation {
	t.Helper()
	args := append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--database-url", filepath.Join(t.TempDir(), "synthook.db"), "--log-level", "error"}, flags...)
	ctx, interrupt := context.WithCancel(context.WithoutCancel(t.Context()))
	out, printed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, nil, strings.NewReader(""), printed, t.Output())
		printed.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		interrupt()
		if err := <-done; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	var ready startup
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatalf("serve did not start: %v", err)
	}
	if ready.AdminKey == "" || !strings.HasSuffix(ready.KeyFile, "synthook.db.key") {
		t.Fatalf("the first start told %+v", ready)
	}
	company := sample.New(sample.Config{Seed: 1, Rest: -1})
	server := sample.NewServer(company, sample.BambooHR, sample.Options{PageSize: 15})
	base, stop, err := server.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &installation{
		t: t, environ: []string{"SYNTHOOK_SERVER=" + ready.URL, "SYNTHOOK_API_KEY=" + ready.AdminKey},
		company: company, base: base, key: server.Credentials().Key,
	}
}

// run runs a client's command.
func (i *installation) run(args ...string) result {
	i.t.Helper()
	return synthook(i.t, i.environ, "", args...)
}

// ok runs a client's command for people, which must succeed and print all of want.
func (i *installation) ok(command string, want ...string) {
	i.t.Helper()
	r := i.run(strings.Fields(command)...)
	if r.status != exitOK {
		i.t.Errorf("%s: status %d, %s", command, r.status, r.stderr)
	}
	for _, w := range want {
		if !strings.Contains(r.stdout, w) {
			i.t.Errorf("%s: %q is not in\n%s%s", command, w, r.stdout, r.stderr)
		}
	}
}

// comes runs a client's command until it prints want.
func (i *installation) comes(command, want string) {
	i.t.Helper()
	late, again := time.After(2*time.Minute), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		r := i.run(strings.Fields(command)...)
		if strings.Contains(r.stdout, want) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			i.t.Fatalf("%s: %q did not come into\n%s%s", command, want, r.stdout, r.stderr)
		}
	}
}

// connect adds the company's BambooHR account with one stream and lists its baseline.
func (i *installation) connect() api.Account {
	i.t.Helper()
	account := decode[api.Account](i.t, i.run("account", "add", "--provider", "bamboohr", "--base-url", i.base,
		"--credential", "api_key="+i.key, "--origin-owner-id", "customer-17", "--record-type", "employees", "--schedule", "24h", "--json"))
	if first := i.poll(account.ID); !first.Complete || first.Records < 30 || first.Pages < 3 || first.Events != 0 {
		i.t.Fatalf("first poll: %+v", first)
	}
	return account
}

func (i *installation) poll(accountID string) api.PollResult {
	i.t.Helper()
	return decode[api.PollResult](i.t, i.run("stream", "poll", accountID, "employees", "--wait", "--json"))
}

// hire lets one employee come and returns what the poll after it found.
func (i *installation) hire(accountID string) api.PollResult {
	i.t.Helper()
	if !i.company.Do(sample.Hire) {
		i.t.Fatal("nobody was hired")
	}
	return i.poll(accountID)
}

// consumer is where webhooks arrive. Its receiver is set when the secret is known.
type consumer struct {
	t        *testing.T
	url      string
	receiver atomic.Pointer[receiver.Receiver]
	receipts chan receiver.Receipt
}

func newConsumer(t *testing.T) *consumer {
	c := &consumer{t: t, receipts: make(chan receiver.Receipt, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.receiver.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	c.url = server.URL + "/hooks?token=t"
	return c
}

func (c *consumer) verify(secrets ...string) {
	c.receiver.Store(receiver.New(receiver.Options{Secrets: secrets, OnReceipt: func(r receiver.Receipt) { c.receipts <- r }}))
}

// next waits for a delivery, which must verify.
func (c *consumer) next() receiver.Receipt {
	c.t.Helper()
	select {
	case r := <-c.receipts:
		if !r.OK() {
			c.t.Errorf("%s: %q", r.Event, r.Problems)
		}
		return r
	case <-time.After(2 * time.Minute):
		c.t.Fatal("no delivery within 20 s")
		return receiver.Receipt{}
	}
}
