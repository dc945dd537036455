package dispatch

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// readCounter counts how often the log is read.
type readCounter struct {
	Log
	reads atomic.Int64
}

func (l *readCounter) Read(ctx context.Context, projectID string, f Filter, after, through int64, limit int) ([]Event, int64, error) {
	l.reads.Add(1)
	return l.Log.Read(ctx, projectID, f, after, through, limit)
}

// What is new is read once, however many webhooks there are; each gets what it subscribes
// to of its project, once and in order.
func TestNewsAreReadOnceForAll(t *testing.T) {
	const webhooks, rounds = 20, 30
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		for i := range webhooks {
			events := []string{"*"}
			if i%2 == 1 {
				events = []string{"ats_candidates.*"}
			}
			f.create(r.URL, events...)
		}
		log := &readCounter{Log: f.log}
		d, _ := f.dispatch(func(c *Config) { c.Log, c.Poll = log, time.Hour })
		eventually(t, "every webhook has a worker", func() bool {
			return f.number(`SELECT count(*) FROM webhooks WHERE lease_until IS NOT NULL`) == webhooks
		})
		f.append("first")
		d.Wake()
		want := webhooks / 2
		arrived := func() bool { return len(r.accepted()) >= want }
		eventually(t, "the first event everywhere", arrived)
		before := log.reads.Load()
		for range rounds {
			f.appendNamed("hris_employees.updated", "1")
			f.appendNamed("ats_candidates.created", "2")
			d.Wake()
			want += webhooks/2 + webhooks
			eventually(t, "an event everywhere", arrived)
		}
		// One that is still busy with the last news reads for itself; each for itself would be 1,200.
		if n := log.reads.Load() - before; n > 10*rounds {
			t.Errorf("the log was read %d times for %d commits and %d webhooks", n, rounds, webhooks)
		}
		posts := r.accepted()
		if len(posts) != want {
			t.Errorf("%d deliveries, want %d", len(posts), want)
		}
	})
}

// News that don't join what a worker has read make it read for itself, and what it has
// read already is not taken twice.
func TestNewsThatDontJoin(t *testing.T) {
	w := newWorker(New(embeddedFixture(t).config()), standing{})
	w.names, w.log.covered = []string{"*"}, 10
	w.unread.Store(false)
	event := func(id int64) Event { return Event{ID: id, Name: "hris_employees.created", RecordID: "1"} }
	w.tell(news{after: 8, through: 12, events: []Event{event(9), event(11), event(12)}})
	w.hear()
	if len(w.log.open) != 2 || w.log.covered != 12 || w.log.behind {
		t.Errorf("joined: %d in hand, read up to %d, behind %v", len(w.log.open), w.log.covered, w.log.behind)
	}
	w.tell(news{after: 13, through: 14, events: []Event{event(14)}})
	w.hear()
	if len(w.log.open) != 2 || w.log.covered != 12 || !w.log.behind {
		t.Errorf("a gap: %d in hand, read up to %d, behind %v", len(w.log.open), w.log.covered, w.log.behind)
	}
	w.tell(news{after: 12, through: 15})
	w.tell(news{after: 15, through: 16})
	if !w.unread.Load() {
		t.Error("news that nobody hears don't make the worker read")
	}
}
