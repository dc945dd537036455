package dispatch

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/rs/zerolog"
	"github.com/synthook/synthook/migrations"
)

const project = "acmeinc-27270"

var eventNames = []string{
	"account.created", "account.deleted", "account.updated",
	"ats_candidates.created", "ats_candidates.deleted", "ats_candidates.updated",
	"hris_employees.created", "hris_employees.deleted", "hris_employees.updated",
}

// mask is a Sealer that tells whether it is used rightly.
type mask struct{}

func (mask) Seal(plain []byte, purpose string) ([]byte, error) {
	return append([]byte(purpose+"|"), flip(plain)...), nil
}

func (mask) Open(sealed []byte, purpose string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(purpose+"|"))
	if !ok {
		return nil, errors.New("sealed for another purpose")
	}
	return flip(rest), nil
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= 0x5a
	}
	return b
}

// tableLog is a Log over a table of the tests' own, so that another process sees it too.
type tableLog struct {
	db *sql.DB
	s  store
}

func (l tableLog) create(t testing.TB) {
	id, moment := "integer PRIMARY KEY AUTOINCREMENT", "timestamp"
	if l.s.postgres {
		id, moment = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "timestamptz"
	}
	_, err := l.db.ExecContext(t.Context(), `CREATE TABLE test_events (id `+id+`, uid text NOT NULL, project_id text NOT NULL, account_id text NOT NULL,
		name text NOT NULL, record_type text NOT NULL, record_id text NOT NULL, occurred_at `+moment+` NOT NULL,
		provider text NOT NULL DEFAULT '', fields text NOT NULL DEFAULT '')`)
	if err != nil {
		t.Fatal(err)
	}
}

const eventColumns = `id, uid, project_id, account_id, name, record_type, record_id, occurred_at, provider, fields`

func scanEvent(rows *sql.Rows) (e Event, err error) {
	var fields string
	err = rows.Scan(&e.ID, &e.UID, &e.ProjectID, &e.AccountID, &e.Name, &e.RecordType, &e.RecordID, &e.OccurredAt, &e.Provider, &fields)
	e.Fields = strings.Fields(fields)
	return e, err
}

func (l tableLog) Read(ctx context.Context, projectID string, f Filter, after, through int64, limit int) ([]Event, int64, error) {
	end := through
	if end == 0 {
		var err error
		if end, err = l.Last(ctx); err != nil {
			return nil, 0, err
		}
	}
	var matching []Event
	for from := after; ; {
		rows, err := l.db.QueryContext(ctx, `SELECT `+eventColumns+` FROM test_events WHERE (project_id = $1 OR $1 = '') AND id > $2 AND id <= $3 ORDER BY id LIMIT $4`,
			projectID, from, end, limit)
		page, err := collect(rows, err, scanEvent)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range page {
			from = e.ID
			if f.Match(e) {
				if matching = append(matching, e); len(matching) == limit {
					return matching, e.ID, nil
				}
			}
		}
		if len(page) < limit {
			return matching, max(end, after), nil
		}
	}
}

func (l tableLog) Count(ctx context.Context, projectID string, f Filter, after, through int64) (int64, error) {
	events, _, err := l.Read(ctx, projectID, f, after, through, 1<<30)
	return int64(len(events)), err
}

func (l tableLog) Last(ctx context.Context) (id int64, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM test_events`).Scan(&id)
	return id, err
}

func (l tableLog) Get(ctx context.Context, ids []int64) ([]Event, error) {
	rows, err := l.db.QueryContext(ctx, `SELECT `+eventColumns+` FROM test_events WHERE id`+l.s.among("$1"), l.s.ids(ids))
	return collect(rows, err, scanEvent)
}

// memory is Records of streams in memory; one that is absent was never listed.
type memory struct {
	mu      sync.Mutex
	streams map[int64]map[string]bool
}

func (m *memory) Count(_ context.Context, stream int64) (int64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, listed := m.streams[stream]
	return int64(len(known)), listed, nil
}

func (m *memory) Range(_ context.Context, stream int64, from, to uint64) (all []Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.streams[stream] {
		if place := m.Place(id); from <= place && place <= to {
			all = append(all, Record{id, place})
		}
	}
	return all, nil
}

func (m *memory) Place(id string) uint64 { return xxhash.Sum64String(id) }

func (m *memory) set(stream int64, id string, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams[stream] == nil {
		m.streams[stream] = map[string]bool{}
	}
	if m.streams[stream][id] = true; !there {
		delete(m.streams[stream], id)
	}
}

// fixture is a project on a database.
type fixture struct {
	t        testing.TB
	db       *sql.DB
	log      tableLog
	records  *memory
	webhooks *Webhooks
	logger   zerolog.Logger
}

func newFixture(t testing.TB, db *migrations.DB) *fixture {
	t.Helper()
	f := openFixture(t, db)
	f.log.create(t)
	f.exec(`INSERT INTO projects (id, name, hash_key, created_at) VALUES ($1, 'Acme', $2, $3)`, project, []byte{1}, time.Now().UTC())
	return f
}

func openFixture(t testing.TB, db *migrations.DB) *fixture {
	f := &fixture{t: t, db: db.DB, log: tableLog{db.DB, newStore(db.DB)}, records: &memory{streams: map[int64]map[string]bool{}}}
	f.logger = zerolog.Nop()
	if os.Getenv("DISPATCH_TEST_LOG") != "" {
		f.logger = zerolog.New(zerolog.NewTestWriter(t)).With().Timestamp().Logger()
	}
	f.webhooks = NewWebhooks(WebhooksConfig{
		DB: db.DB, Log: f.log, Records: f.records, Sealer: mask{}, Names: func() []string { return eventNames }, UserAgent: "synthook/test", Timeout: 5 * time.Second,
	})
	return f
}

func (f *fixture) exec(statement string, arguments ...any) {
	f.t.Helper()
	if _, err := f.db.ExecContext(f.t.Context(), statement, arguments...); err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

// number runs a query for one number.
func (f *fixture) number(query string, arguments ...any) (n int64) {
	f.t.Helper()
	if err := f.db.QueryRowContext(f.t.Context(), query, arguments...).Scan(&n); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// append adds events hris_employees.updated of the records to the log.
func (f *fixture) append(records ...string) (ids []int64) {
	f.t.Helper()
	return f.appendNamed("hris_employees.updated", records...)
}

func (f *fixture) appendNamed(name string, records ...string) (ids []int64) {
	f.t.Helper()
	for part := range slices.Chunk(records, 100) {
		var values []string
		var arguments []any
		for _, record := range part {
			e := testEvent(project, name)
			n := len(arguments)
			values = append(values, fmt.Sprintf("($%d, $%d, 'acc1', $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6))
			arguments = append(arguments, e.UID, project, name, e.RecordType, record, time.Now().UTC())
		}
		rows, err := f.db.QueryContext(f.t.Context(), `
			INSERT INTO test_events (uid, project_id, account_id, name, record_type, record_id, occurred_at)
			VALUES `+strings.Join(values, ", ")+` RETURNING id`, arguments...)
		added, err := collect(rows, err, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) })
		if err != nil {
			f.t.Fatalf("append events: %v", err)
		}
		ids = append(ids, added...)
	}
	return ids
}

// appendMany adds n events over some records, in turn.
func (f *fixture) appendMany(n, records int) []int64 {
	f.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i%records)
	}
	return f.append(names...)
}

func (f *fixture) create(url string, events ...string) Webhook {
	f.t.Helper()
	if events == nil {
		events = []string{"*"}
	}
	w, err := f.webhooks.Create(f.t.Context(), NewWebhook{ProjectID: project, URL: url, Events: events, FromStart: true})
	if err != nil {
		f.t.Fatalf("create webhook: %v", err)
	}
	return w
}

func (f *fixture) get(id string) Webhook {
	f.t.Helper()
	w, err := f.webhooks.Get(f.t.Context(), project, id)
	if err != nil {
		f.t.Fatalf("get webhook: %v", err)
	}
	return w
}

// config is one for tests: everything waits as little as it can.
func (f *fixture) config() Config {
	return Config{
		DB: f.db, Log: f.log, Records: f.records, Sealer: mask{}, Logger: f.logger, UserAgent: "synthook/test",
		Schedule: slices.Repeat([]time.Duration{10 * time.Millisecond}, 5),
		Timeout:  2 * time.Second, Flush: 10 * time.Millisecond, Poll: 20 * time.Millisecond, Lease: time.Second,
		ProbeFirst: 20 * time.Millisecond, ProbeLongest: 100 * time.Millisecond, OverloadWait: time.Millisecond,
	}
}

// dispatch runs a dispatcher until the test ends or stop is called.
func (f *fixture) dispatch(change ...func(*Config)) (d *Dispatcher, stop func()) {
	f.t.Helper()
	config := f.config()
	for _, c := range change {
		c(&config)
	}
	d = New(config)
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("dispatcher: %v", err)
		}
	})
	f.t.Cleanup(stop)
	return d, stop
}

// hangs answers what concerns records with a prefix only when release says so.
func hangs(records string, entered chan<- struct{}, release <-chan struct{}) func(http.ResponseWriter, post) int {
	return func(_ http.ResponseWriter, p post) int {
		if strings.HasPrefix(p.record, records) {
			entered <- struct{}{}
			<-release
		}
		return 200
	}
}

// slowAndDead are two receivers that would hold up others if they could: one answers
// only when release is closed, the other one is not there.
func slowAndDead(t testing.TB) (slow, dead *receiver, release chan struct{}) {
	release = make(chan struct{})
	slow = newReceiver(t, func(http.ResponseWriter, post) int { <-release; return 200 })
	dead = newReceiver(t, nil)
	dead.Close()
	return slow, dead, release
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(2 * time.Minute)
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// post is a request that a receiver got.
type post struct {
	ctx    context.Context // of the request: over when the sender gives up
	at     time.Time
	header http.Header
	body   []byte
	query  string
	uid    string
	name   string
	record string
	answer int
}

// receiver is an HTTP endpoint that keeps what it gets. answer decides the status; nil
// is 200.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	posts    []post
	open     int
	mostOpen int
	answer   func(w http.ResponseWriter, p post) int
}

func newReceiver(t testing.TB, answer func(w http.ResponseWriter, p post) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.open++
	r.mostOpen = max(r.mostOpen, r.open)
	answer := r.answer
	r.mu.Unlock()
	p := post{ctx: request.Context(), at: time.Now(), header: request.Header, query: request.URL.RawQuery, uid: request.Header.Get("webhook-id"), answer: 200}
	p.body, _ = io.ReadAll(request.Body)
	var keys struct {
		Event    string
		RecordID string `json:"record_id"`
	}
	_ = json.Unmarshal(p.body, &keys)
	p.record, p.name = keys.RecordID, keys.Event
	if answer != nil {
		p.answer = answer(w, p)
	}
	r.mu.Lock()
	r.open--
	r.posts = append(r.posts, p)
	r.mu.Unlock()
	if p.answer > 0 {
		w.WriteHeader(p.answer)
	}
}

func (r *receiver) set(answer func(w http.ResponseWriter, p post) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// accepted returns the posts that were answered with 2xx.
func (r *receiver) accepted() []post {
	return slices.DeleteFunc(r.all(), func(p post) bool { return p.answer/100 != 2 })
}

// waitAccepted waits until n different events were accepted.
func (r *receiver) waitAccepted(t testing.TB, n int) []post {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events accepted", n), func() bool { return len(firsts(r.accepted())) >= n })
	return r.accepted()
}

// firsts returns the first arrival of each event.
func firsts(posts []post) []post {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(posts), func(p post) bool {
		known := seen[p.uid]
		seen[p.uid] = true
		return known
	})
}

// checkOrder fails unless the first arrivals of each record came in the log's order.
func (f *fixture) checkOrder(posts []post) {
	f.t.Helper()
	rows, err := f.db.QueryContext(f.t.Context(), `SELECT `+eventColumns+` FROM test_events`)
	events, err := collect(rows, err, scanEvent)
	if err != nil {
		f.t.Fatal(err)
	}
	ids := map[string]int64{}
	for _, e := range events {
		ids[e.UID] = e.ID
	}
	last := map[string]int64{}
	for _, p := range firsts(posts) {
		id, ok := ids[p.uid]
		if !ok {
			f.t.Errorf("%s is not an event of the log", p.uid)
		}
		if id < last[p.record] {
			f.t.Errorf("record %s: event %d arrived after event %d", p.record, id, last[p.record])
		}
		last[p.record] = id
	}
}
