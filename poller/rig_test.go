package poller

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers"
)

// rig is an installation in small: a database, a provider on loopback, and what this
// package makes of them.
type rig struct {
	t        testing.TB
	db       *sql.DB
	config   Config
	store    *hashstore.Store
	projects *Projects
	accounts *Accounts
	streams  *Streams
	poller   *Poller
	people   *directory
	log      *lockedBuffer
}

// each runs a test on both databases.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) { test(t, newRig(t, db.DB)) })
}

// onPostgres runs a test of what SQLite does not have: several processes, a network.
func onPostgres(t *testing.T, test func(t *testing.T, location string)) {
	t.Helper()
	t.Parallel()
	migrationstest.Each(t, func(t *testing.T, location string) {
		if strings.HasPrefix(location, "postgres") {
			test(t, location)
		}
	})
}

func newRig(t testing.TB, db *sql.DB) *rig {
	t.Helper()
	catalog, problems, err := providers.Load("testdata")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	r := &rig{t: t, db: db, store: hashstore.New(db), people: newDirectory(t), log: &lockedBuffer{}}
	r.config = Config{
		DB: db, Store: r.store, Catalog: catalog, Sealer: newSealer(t), HTTP: http.DefaultClient,
		Logger: zerolog.New(r.log), MinInterval: time.Second,
	}
	r.projects, r.accounts, r.streams = NewProjects(r.config), NewAccounts(r.config), NewStreams(r.config)
	r.poller = r.newPoller()
	if _, err := r.projects.Ensure(t.Context(), DefaultProject); err != nil {
		t.Fatal(err)
	}
	return r
}

// newPoller is another process, as far as the database can tell. It does not try failed
// pages again.
func (r *rig) newPoller() *Poller {
	p := New(r.config)
	p.open = func(c *providers.Connector, t providers.Target, o providers.Options) (lister, error) {
		o.Backoff = []time.Duration{}
		return c.Open(t, o)
	}
	return p
}

// account connects the directory; change may alter what is asked for.
func (r *rig) account(change func(*NewAccount)) Account {
	r.t.Helper()
	n := NewAccount{
		Provider: "generic", BaseURL: r.people.URL, RecordTypes: []string{"employees"}, Schedule: "1h", NoCheck: true,
		Credentials: map[string]string{
			"employees_path": "/people", "candidates_path": "/people", "records_path": "items",
			"paging": "page", "page_size": "10", "end": "has_more is false", "header_value": "Bearer token-one",
		},
	}
	if change != nil {
		change(&n)
	}
	account, err := r.accounts.Create(r.t.Context(), DefaultProject, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return account
}

func (r *rig) stream(account Account) Stream {
	r.t.Helper()
	s, err := r.streams.Get(r.t.Context(), DefaultProject, account.ID, account.RecordTypes[0])
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) poll(account Account) Result {
	r.t.Helper()
	result, err := r.poller.Poll(r.t.Context(), r.stream(account).ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}

// told is the record events of an account since the last call, as "created 7".
func (r *rig) told(account Account, after *int64) []string {
	r.t.Helper()
	events, err := r.store.Events(r.t.Context(), hashstore.EventQuery{ProjectID: DefaultProject, AccountID: account.ID, After: *after})
	if err != nil {
		r.t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		*after = e.ID
		if e.RecordType != "account" {
			_, action, _ := strings.Cut(e.Name, ".")
			told = append(told, action+" "+e.RecordID)
		}
	}
	slices.Sort(told)
	return told
}

func (r *rig) expect(account Account, after *int64, want ...string) {
	r.t.Helper()
	if got := r.told(account, after); !slices.Equal(got, want) {
		r.t.Errorf("told %q, want %q", got, want)
	}
}

// waitFor waits until ok says so.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// running runs a poller until stop is called or the test ends.
func running(t testing.TB, p *Poller) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = func() {
		cancel()
		run.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// directory is a provider: pages by number over a list that tests change.
type directory struct {
	*httptest.Server
	mu       sync.Mutex
	records  []person
	requests int
	// fault may answer a request itself, or change the list before it is answered.
	fault func(page int, w http.ResponseWriter, r *http.Request) (answered bool)
}

type person struct {
	id   string
	name string
	seat string // another field; ignored by some
}

func newDirectory(t testing.TB) *directory {
	d := &directory{}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	d.mu.Lock()
	d.requests++
	fault := d.fault
	d.mu.Unlock()
	if fault != nil && fault(page, w, r) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	from := min((page-1)*size, len(d.records))
	to := min(from+size, len(d.records))
	items := []map[string]string{}
	for _, p := range d.records[from:to] {
		items = append(items, map[string]string{"id": p.id, "name": p.name, "seat": p.seat})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"items": items, "has_more": to < len(d.records)})
}

// staff fills the directory with n people, ids 1 to n.
func (d *directory) staff(n int) {
	d.change(func([]person) (records []person) {
		for i := range n {
			records = append(records, person{id: strconv.Itoa(i + 1), name: fmt.Sprintf("person %d", i+1)})
		}
		return records
	})
}

func (d *directory) change(change func([]person) []person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = change(d.records)
}

func (d *directory) remove(ids ...string) {
	d.change(func(records []person) []person {
		return slices.DeleteFunc(records, func(p person) bool { return slices.Contains(ids, p.id) })
	})
}

func (d *directory) rename(id, name string) {
	d.change(func(records []person) []person {
		for i := range records {
			if records[i].id == id {
				records[i].name = name
			}
		}
		return records
	})
}

func (d *directory) add(people ...person) {
	d.change(func(records []person) []person { return append(records, people...) })
}

func (d *directory) setFault(fault func(page int, w http.ResponseWriter, r *http.Request) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

func (d *directory) requested() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// answers makes a fault of a status.
func answers(status int, header ...string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		return true
	}
}

// sealer is AES-256-GCM, as the service's.
type sealer struct{ cipher.AEAD }

func newSealer(t testing.TB) sealer {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return sealer{gcm}
}

func (s sealer) Seal(plain []byte, purpose string) ([]byte, error) {
	return s.AEAD.Seal(nil, nil, plain, []byte(purpose)), nil
}

func (s sealer) Open(sealed []byte, purpose string) ([]byte, error) {
	plain, err := s.AEAD.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, errors.New("wrong key or purpose")
	}
	return plain, nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
