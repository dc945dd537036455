package endtoend

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var (
	kills  = flag.Int("kills", 8, "how often TestTwoProcessesKilled kills a process")
	events = flag.Int("events", 3000, "how many events it has delivered meanwhile")
)

// between is the mean time between two kills: events flow for as long as there are kills.
const between = 2500 * time.Millisecond

// moody fails one in thirty events when it meets them for the first time, in one way or
// another, and takes a while for every request.
type moody struct {
	http.Handler
	mu  sync.Mutex
	met map[string]bool
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	<-time.After(time.Duration(2+rand.IntN(10)) * time.Millisecond)
	switch m.mood(r.Header.Get("webhook-id")) {
	case 0:
		http.Error(w, "my fault", http.StatusInternalServerError)
	case 1:
		http.Error(w, "your fault", http.StatusUnprocessableEntity)
	case 2:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case 3:
		panic(http.ErrAbortHandler) // hangs up
	default:
		m.Handler.ServeHTTP(w, r)
	}
}

func (m *moody) mood(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.met[id] {
		return -1
	}
	m.met[id] = true
	if rand.IntN(30) > 0 {
		return -1
	}
	return rand.IntN(4)
}

// recordTypes have a webhook each, so that both processes deliver.
var recordTypes = map[string]string{"employees": "hris_employees", "employments": "hris_employments", "candidates": "ats_candidates", "applications": "ats_applications"}

// Two services on one database, killed at random while events are appended and the
// receiver fails at random: every event arrives, each record's in order; and what arrives
// twice was in flight at a kill, accepted and not yet on record.
func TestTwoProcessesKilled(t *testing.T) {
	t.Parallel()
	migrationstest.Each(t, func(t *testing.T, location string) {
		if !strings.Contains(location, "://") {
			return // SQLite has one process
		}
		secret, book := dispatch.NewSecret(), &journal{ids: map[string]int{}}
		hook := listen(t, &moody{met: map[string]bool{}, Handler: receiver.New(receiver.Options{Secrets: []string{secret}, OnReceipt: book.take})})
		var pair [2]*process
		for i := range pair {
			pair[i] = &process{t: t, location: location, address: freeAddress(t)}
			pair[i].start()
			defer func() {
				pair[i].kill()
				if t.Failed() {
					t.Logf("process %d:\n%s", i, pair[i].log.String())
				}
			}()
		}
		c := client.New("http://"+pair[0].address, servicetest.AdminKey, "")
		for _, prefix := range recordTypes {
			send[api.Webhook](t, c, http.MethodPost, "/v1/webhooks", api.NewWebhook{URL: hook, Events: []string{prefix + ".*"}, Secret: secret})
		}
		db := migrationstest.Open(t, location)
		var flow errgroup.Group
		flow.Go(func() error { return appendAtRandom(t.Context(), db, *events, time.Duration(*kills)*between) })
		killed := killAtRandom(&pair)
		if err := flow.Wait(); err != nil {
			t.Fatal(err)
		}
		await(t, "every event", func() string {
			if n := book.arrived(); n < *events {
				return fmt.Sprintf("%d of %d arrived", n, *events)
			}
			return stillOwed(t, c)
		})
		book.check(t, db, c, killed)
	})
}

// killAtRandom kills one process, or at times both, again and again, and starts what it
// killed. It returns when.
func killAtRandom(pair *[2]*process) (killed []time.Time) {
	for len(killed) < *kills {
		<-time.After(time.Duration((0.4 + 1.2*rand.Float64()) * float64(between)))
		victims := pair[:]
		if rand.IntN(5) > 0 && *kills-len(killed) > 1 {
			victims = pair[rand.IntN(2):][:1]
		}
		victims = victims[:min(len(victims), *kills-len(killed))]
		for _, p := range victims {
			killed = append(killed, time.Now())
			p.kill()
		}
		for _, p := range victims {
			p.start()
		}
	}
	return killed
}

// appendAtRandom appends events of 40 records of each type in commits of 1 to 20, over a time.
func appendAtRandom(ctx context.Context, db *migrations.DB, n int, over time.Duration) error {
	store := hashstore.New(db.DB)
	began := time.Now()
	for done := 0; done < n; {
		<-time.After(time.Until(began.Add(over * time.Duration(done) / time.Duration(n))))
		batch := make([]hashstore.Event, min(1+rand.IntN(20), n-done))
		for i := range batch {
			batch[i] = randomEvent()
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := store.Append(ctx, tx, slices.Values(batch)); err != nil {
			_ = tx.Rollback()
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		done += len(batch)
	}
	return nil
}

func randomEvent() hashstore.Event {
	types := []string{"employees", "employments", "candidates", "applications"}
	recordType := types[rand.IntN(len(types))]
	return hashstore.Event{
		ProjectID: "default", AccountID: "acc_1", Name: recordTypes[recordType] + ".updated", RecordType: recordType,
		RecordID: fmt.Sprint("record-", rand.IntN(40)), OccurredAt: time.Now(), PollID: 1,
	}
}

// stillOwed is "" when no webhook has anything left to deliver.
func stillOwed(t *testing.T, c *client.Client) string {
	t.Helper()
	for w, err := range client.List[api.Webhook](t.Context(), c, "/v1/webhooks", nil) {
		switch {
		case err != nil:
			return err.Error()
		case w.Dead > 0 || !w.Enabled:
			t.Fatalf("given up: %+v", w)
		case w.Backlog+w.Retrying > 0:
			return fmt.Sprintf("backlog %d, retrying %d", w.Backlog, w.Retrying)
		}
	}
	return ""
}
