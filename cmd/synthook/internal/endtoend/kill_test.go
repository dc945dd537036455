package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers/sample"
	"golang.org/x/sync/errgroup"
)

// program builds synthook once for all tests of the package.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "synthook-endtoend-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "synthook")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/synthook/synthook/cmd/synthook").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is `synthook serve` in a process of its own, to be killed.
type process struct {
	t        *testing.T
	location string
	address  string
	command  *exec.Cmd
	log      bytes.Buffer
}

func (p *process) start() {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	p.command = exec.Command(path, "serve", "--database-url", p.location, "--listen", p.address,
		"--allow-private-networks", "--min-interval", "1s", "--log-level", "warn")
	p.command.Env = append(os.Environ(), "SYNTHOOK_ADMIN_KEY="+servicetest.AdminKey, "SYNTHOOK_MASTER_KEY="+servicetest.MasterKey)
	p.command.Stdout, p.command.Stderr = &p.log, &p.log
	if err := p.command.Start(); err != nil {
		p.t.Fatalf("start synthook: %v", err)
	}
	await(p.t, "the service", func() string {
		request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.address+"/readyz", nil)
		if err != nil {
			return err.Error()
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err.Error()
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return answer.Status
		}
		return ""
	})
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// flaky refuses every nth event when it comes for the first time: its retry is due
// seconds later, that of one refused twice only after minutes.
type flaky struct {
	http.Handler
	every int

	mu  sync.Mutex
	met map[string]bool
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.refuses(r.Header.Get("webhook-id")) {
		http.Error(w, "come again", http.StatusInternalServerError)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

func (f *flaky) refuses(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.met[id] {
		return false
	}
	if f.met == nil {
		f.met = map[string]bool{}
	}
	f.met[id] = true
	return len(f.met)%f.every == 0
}

// inbox is a consumer that dedupes by webhook-id.
type inbox struct {
	mu   sync.Mutex
	seen []sample.Seen
	bad  []string
}

func (i *inbox) take(r receiver.Receipt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !r.OK() {
		i.bad = append(i.bad, r.String())
	}
	if !r.OK() || r.Duplicate || r.Status >= 300 || r.RecordType == "account" {
		return
	}
	action := r.Event[strings.LastIndexByte(r.Event, '.')+1:]
	i.seen = append(i.seen, sample.Seen{Dialect: sample.BambooHR, RecordType: r.RecordType, RecordID: r.RecordID, Action: action})
}

// Killed at random times, during polls and during deliveries, and started again: every
// creation and every deletion arrives once, in order, nothing that exists is deleted,
// and every change that lasts is told.
func TestKilledAndStartedAgainLosesNothing(t *testing.T) {
	t.Parallel()
	migrationstest.Each(t, func(t *testing.T, location string) {
		company := sample.New(sample.Config{Seed: 11, Rest: 1})
		server, base := sampleProvider(t, company, sample.BambooHR, 10)
		server.Faults.Add(sample.Fault{Kind: sample.Slow, Every: 4, Wait: 150 * time.Millisecond})

		secret, in := dispatch.NewSecret(), &inbox{}
		hook := listen(t, &flaky{every: 5, Handler: receiver.New(receiver.Options{Secrets: []string{secret}, OnReceipt: in.take})})
		p := &process{t: t, location: location, address: freeAddress(t)}
		p.start()
		defer func() {
			p.kill()
			if t.Failed() {
				t.Log(p.log.String())
			}
		}()
		c := client.New("http://"+p.address, servicetest.AdminKey, "")
		send[api.Webhook](t, c, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: hook, Events: []string{"*"}, Secret: secret})
		addAccount(t, c, server, "bamboohr", base)
		awaitBaselines(t, c)
		company.Mark()

		living, cancel := context.WithCancel(t.Context())
		defer cancel()
		var life errgroup.Group
		life.Go(func() error { return company.Live(living, 15) })
		random := rand.New(rand.NewPCG(1, 2))
		for range 8 {
			waited := time.NewTimer(time.Duration(300+random.IntN(1500)) * time.Millisecond)
			<-waited.C
			p.kill()
			p.start()
		}
		company.Quiet()
		if err := life.Wait(); err != nil {
			t.Fatal(err)
		}
		await(t, "the last events", func() string { return strings.Join(in.compare(company), "\n") })
		if len(in.bad) > 0 {
			t.Errorf("refused: %v", in.bad)
		}
		t.Logf("%d events over 8 kills", len(in.seen))
	})
}

// compare says what is wrong with what arrived so far. A poll that was killed has shown
// the sample company's ledger versions that nobody committed, so updates are compared by
// record: told when there was one, and not when there was none.
func (i *inbox) compare(company *sample.Company) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	type record struct{ recordType, id string }
	told := map[record][]string{}
	for _, s := range i.seen {
		r := record{s.RecordType, s.RecordID}
		told[r] = append(told[r], s.Action)
	}
	var wrong []string
	for _, e := range company.Expected(sample.BambooHR) {
		r := record{e.RecordType, e.RecordID}
		actions := told[r]
		delete(told, r)
		updates := len(slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a != sample.Updated }))
		want := slices.Concat(only(e.Created, sample.Created), slices.Repeat([]string{sample.Updated}, updates), only(e.Deleted, sample.Deleted))
		if !slices.Equal(actions, want) || e.Updated == 0 && updates > 0 || updates > e.Updated || e.Updated > 0 && updates == 0 && !e.Deleted {
			wrong = append(wrong, fmt.Sprintf("%s %s: told %v, expected %+v", r.recordType, r.id, actions, e))
		}
	}
	for r, actions := range told {
		wrong = append(wrong, fmt.Sprintf("%s %s: told %v, and nothing happened", r.recordType, r.id, actions))
	}
	return wrong
}

func only(condition bool, action string) []string {
	if condition {
		return []string{action}
	}
	return nil
}

// listen serves a handler until the test ends.
func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// freeAddress is one that nobody listens on, for a process that is started again on it.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return address
}
