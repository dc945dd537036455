package endtoend

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
)

// journal is what the receiver accepted, in order.
type journal struct {
	mu       sync.Mutex
	accepted []receiver.Receipt
	bad      []string
	ids      map[string]int // how often each was accepted
}

func (j *journal) take(r receiver.Receipt) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !r.OK() {
		j.bad = append(j.bad, r.String())
		return
	}
	j.accepted = append(j.accepted, r)
	j.ids[r.ID]++
}

// arrived is how many different events were accepted.
func (j *journal) arrived() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.ids)
}

// check compares what arrived with the log.
func (j *journal) check(t *testing.T, db *migrations.DB, c *client.Client, killed []time.Time) {
	t.Helper()
	if len(j.bad) > 0 {
		t.Errorf("refused: %v", j.bad)
	}
	logged, err := hashstore.New(db.DB).Events(t.Context(), hashstore.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]int64{}
	for _, e := range logged {
		if place[e.UID] = e.ID; j.ids[e.UID] == 0 {
			t.Errorf("%s never arrived", e.UID)
		}
	}
	last, seen := map[string]int64{}, map[string]bool{}
	for _, r := range j.accepted {
		record := r.RecordType + " " + r.RecordID
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		if place[r.ID] < last[record] {
			t.Errorf("%s: event %d arrived after %d", record, place[r.ID], last[record])
		}
		last[record] = place[r.ID]
	}
	duplicates := j.checkDuplicates(t, c, killed)
	t.Logf("%d events, %d kills: %d arrived twice or more, all of them in flight at a kill, %.1f a kill", len(logged), len(killed), duplicates, float64(duplicates)/float64(len(killed)))
}

// checkDuplicates finds, of every event that was accepted more than once, the arrivals
// that are not on record: each must be from just before a kill. Nothing was delivered
// again that was on record.
func (j *journal) checkDuplicates(t *testing.T, c *client.Client, killed []time.Time) (duplicates int) {
	t.Helper()
	for id, n := range j.ids {
		if n == 1 {
			continue
		}
		duplicates += n - 1
		recorded := 0
		for _, d := range send[api.Event](t, c, http.MethodGet, client.Path("v1", "events", id), nil).Deliveries {
			for _, a := range d.Attempts {
				if a.Error == "" {
					recorded++
				}
			}
		}
		if recorded > 1 {
			t.Errorf("%s was delivered %d times on record", id, recorded)
		}
		unexplained := 0
		for _, r := range j.accepted {
			if r.ID == id && !slices.ContainsFunc(killed, func(k time.Time) bool { return inFlight(r.At, k) }) {
				unexplained++
			}
		}
		if unexplained > 1 { // one is the delivery that is on record
			t.Errorf("%s arrived %d times, %d of them far from any kill", id, n, unexplained)
		}
	}
	return duplicates
}

// inFlight says whether an arrival may have been on its way to the record at a kill: it
// is written within a tenth of a second, or later on a machine with much to do.
func inFlight(at, kill time.Time) bool {
	return at.After(kill.Add(-2*time.Second)) && at.Before(kill.Add(time.Second))
}
