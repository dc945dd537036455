// Package tally counts what happened of late: events and attempts, half an hour by half
// an hour over a day.
//
// It reads the log and the attempts of a project once and from then on only what came
// behind that, so a question costs what is new and not what there is. It owns nothing
// that is stored. It never makes whoever asks wait long: while a first count of a big log
// goes on, the answer is what is known so far.
package tally

import (
	"context"
	"database/sql"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/rs/zerolog"
)

const (
	// Step is the length of a slot.
	Step = 30 * time.Minute
	// Slots are how many there are: a day.
	Slots = 48

	patience = 30 * time.Millisecond // for a first count, from its beginning on
	renewed  = 5 * time.Millisecond  // for one that brings a count up to date
	settled  = time.Minute           // after which nothing older becomes visible any more
	kept     = 100                   // projects
)

// Slot is half an hour.
type Slot struct {
	Start                     time.Time
	Created, Updated, Deleted int64 // events of records
	Accounts                  int64 // events of accounts
	Delivered, Failed         int64 // attempts
}

// Series is a day up to now, the last slot not over yet.
type Series struct {
	Slots   []Slot
	Counted bool // false: it is being counted
}

// Tally counts for any number of projects. It does so while Run runs.
type Tally struct {
	db       *sql.DB
	log      zerolog.Logger
	postgres bool
	wanted   chan string

	mu       sync.Mutex
	projects map[string]*project
}

// project is what is known of one. Only Run counts.
type project struct {
	events, attempts counts
	done             chan struct{} // closed when the count under way is over
	began            time.Time     // when that was asked for
	counted          bool
}

// New returns a tally of what db holds.
func New(db *sql.DB, log zerolog.Logger) *Tally {
	_, postgres := db.Driver().(*stdlib.Driver)
	return &Tally{db: db, log: log, postgres: postgres, wanted: make(chan string, kept), projects: map[string]*project{}}
}

// Run counts for who asks until ctx ends.
func (t *Tally) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-t.wanted:
			if err := t.count(ctx, id); err != nil && ctx.Err() == nil {
				t.log.Warn().Err(err).Str("project_id", id).Msg("events not counted")
			}
		}
	}
}

// Last is the last day of a project.
func (t *Tally) Last(ctx context.Context, projectID string) Series {
	done, wait := t.want(projectID)
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(wait):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.projects[projectID]
	if p == nil {
		return Series{Slots: empty(time.Now())}
	}
	return Series{Slots: p.slots(time.Now()), Counted: p.counted}
}

// want asks for a count and returns what is closed when it is over, and how long that is
// worth waiting for.
func (t *Tally) want(projectID string) (<-chan struct{}, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.projects[projectID]
	if p == nil {
		if len(t.projects) >= kept {
			clear(t.projects)
		}
		p = &project{}
		t.projects[projectID] = p
	}
	if p.done == nil {
		select {
		case t.wanted <- projectID:
			p.done, p.began = make(chan struct{}), time.Now()
		default: // too many ask: what is known will do
			return nil, 0
		}
	}
	if p.counted {
		return p.done, renewed
	}
	return p.done, patience - time.Since(p.began)
}

// count brings one project up to date.
func (t *Tally) count(ctx context.Context, projectID string) error {
	t.mu.Lock()
	p := t.projects[projectID]
	if p == nil {
		t.mu.Unlock()
		return nil
	}
	events, attempts := p.events.clone(), p.attempts.clone()
	t.mu.Unlock()
	err := t.read(ctx, &events, eventsOf(t.postgres), projectID)
	if err == nil {
		err = t.read(ctx, &attempts, attemptsOf(t.postgres), projectID)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		p.events, p.attempts, p.counted = events, attempts, true
	}
	if p.done != nil {
		close(p.done)
		p.done = nil
	}
	return err
}

// slot is the number of a slot since the epoch.
func slot(at time.Time) int64 { return at.Unix() / int64(Step/time.Second) }

func empty(now time.Time) []Slot { return new(project).slots(now) }

func (p *project) slots(now time.Time) []Slot {
	last := slot(now)
	all := make([]Slot, 0, Slots)
	for n := last - Slots + 1; n <= last; n++ {
		all = append(all, Slot{
			Start:   time.Unix(n*int64(Step/time.Second), 0).UTC(),
			Created: p.events.of(n, "created"), Updated: p.events.of(n, "updated"), Deleted: p.events.of(n, "deleted"), Accounts: p.events.of(n, "account"),
			Delivered: p.attempts.of(n, "delivered"), Failed: p.attempts.of(n, "failed"),
		})
	}
	return all
}

// counts are numbers by slot and kind: those up to the id settled, which stay, and those
// behind it, which are counted anew each time: what is young may become visible late.
type counts struct {
	settled, next int64 // next becomes settled once it is old enough
	since         time.Time
	old, young    map[cell]int64
}

type cell struct {
	slot int64
	kind string
}

func (c counts) of(slot int64, kind string) int64 {
	return c.old[cell{slot, kind}] + c.young[cell{slot, kind}]
}

func (c counts) clone() counts {
	c.old = maps.Clone(c.old)
	return c
}
