// Package sample invents a company that lives and serves it on loopback as BambooHR,
// Workable and StackOne would: what `synthook demo` polls, and a test tool.
//
// It owns the invented company, its journal of every change, three HTTP servers with
// faults to switch on, and the reckoning that compares what the journal says with
// what was received. It never speaks to anything, holds no real person, and knows
// nothing of the program that polls it: what it expects comes from the journal alone.
//
// Words: a dialect is the way one provider shows the company; a list is one collection
// of a dialect; a walk is one pass over all pages of a list, complete when its last
// page was served.
package sample

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Record types, as in event names.
const (
	Employees    = "employees"
	Employments  = "employments"
	Candidates   = "candidates"
	Applications = "applications"
	Interviews   = "interviews"
	JobPostings  = "job_postings"
)

// Actions of a change.
const (
	Created = "created"
	Updated = "updated"
	Deleted = "deleted"
)

// Config says how a company is made. Equal configurations make equal companies that
// live equal lives as long as nobody lists them.
type Config struct {
	Seed      uint64
	Employees int // at the beginning, and about which their number stays; the rest is in proportion. Default 40, at least 8
	// Rest is how many clean complete walks must have shown a record as it is before it
	// changes again, in every list that is being walked, so that no change and no
	// deletion can escape a poller that polls. Default 2; negative: nothing is waited for.
	Rest int
}

// Entry is one change in a journal. In a dialect's view of it RecordType and RecordID
// are the dialect's, Version counts what is visible there, and Seq is still the
// company's.
type Entry struct {
	Seq        int64
	At         time.Time
	RecordType string
	RecordID   string
	Action     string
	Version    int
}

// Company is an invented company. All methods are safe for concurrent use.
type Company struct {
	mu           sync.Mutex
	rand         *rand.Rand
	config       Config
	clock        time.Time // the company's own calendar: it moves with every change
	quiet        chan struct{}
	employees    map[int]*employee
	employments  map[int]*employment
	candidates   map[int]*candidate
	applications map[int]*application // by the id of their candidate: one each
	interviews   map[int]*interview
	postings     map[int]*posting
	last         map[string]int // the last id of each record type: none comes back
	journal      []Entry
	versions     map[string]map[int]int
	seq, mark    int64
	views        map[Dialect]*view
}

type employee struct {
	first, last, preferred  string
	title, department, city string
	phone                   string
	manager                 int // 0: leads a department and never leaves
	onLeave                 bool
	started                 time.Time
	employments             []int
	photo                   int
}

type employment struct {
	employee                int
	title, department, city string
	pay                     int
	date                    time.Time
	contract                string
}

type candidate struct {
	first, last, headline, phone, street, source string
	applied                                      time.Time
}

type application struct {
	posting    int
	title      string // of the posting, which may be gone
	stage      int
	rating     int
	rejected   time.Time
	interviews []int
}

type interview struct {
	candidate   int
	call        bool
	starts      time.Time
	minutes     int
	interviewer int
	accepted    bool
}

type posting struct {
	title, department, city string
	state                   string
	low, high               int
	lead                    int
	code                    string
	opened                  time.Time
}

// States of a posting.
const (
	open   = "open"
	onHold = "on hold"
	filled = "filled"
)

// New founds a company and marks its beginning.
func New(config Config) *Company { return found(config, 0) }

// found makes a company whose ids begin after first.
func found(config Config, first int) *Company {
	config.Employees = max(cmp.Or(config.Employees, 40), 2*leads)
	config.Rest = cmp.Or(config.Rest, 2)
	c := &Company{
		rand:         rand.New(rand.NewPCG(config.Seed, 0x5a3)),
		config:       config,
		clock:        time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC),
		quiet:        make(chan struct{}),
		employees:    map[int]*employee{},
		employments:  map[int]*employment{},
		candidates:   map[int]*candidate{},
		applications: map[int]*application{},
		interviews:   map[int]*interview{},
		postings:     map[int]*posting{},
		last:         map[string]int{},
		versions:     map[string]map[int]int{},
		views: map[Dialect]*view{
			BambooHR: newView(bambooLists()),
			Workable: newView(workableLists()),
			StackOne: newView(stackoneLists()),
		},
	}
	for _, recordType := range []string{Employees, Employments, Candidates, Interviews, JobPostings} {
		c.last[recordType] = first + 3
	}
	c.populate()
	c.Mark()
	return c
}

func (c *Company) populate() {
	n := c.config.Employees
	for range n {
		c.hire()
	}
	for range n / 3 {
		c.move()
	}
	for range max(2, n/5) {
		c.openPosting()
	}
	for range max(2, n*3/4) {
		c.apply()
	}
	for range n / 3 {
		c.schedule()
	}
}

// Journal is everything that happened, in order, with the company's own record types
// and numbers: the foundation first, as creations.
func (c *Company) Journal() []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.journal)
}

// Mark draws the line after which Expected counts. Call it while nothing changes,
// when whoever polls has listed everything once: before Live.
func (c *Company) Mark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = c.seq
	for _, v := range c.views {
		for _, l := range v.lists {
			for _, r := range l.rows {
				r.marked = len(r.texts)
			}
		}
	}
}

func (c *Company) next(recordType string) int {
	c.last[recordType]++
	return c.last[recordType]
}

// note writes a change that has just been made into the journal and into the view of
// every dialect that shows it. The company's clock moves, so no two changes are at once.
func (c *Company) note(action, recordType string, id int) {
	c.seq++
	c.clock = c.clock.Add(time.Minute)
	if c.versions[recordType] == nil {
		c.versions[recordType] = map[int]int{}
	}
	c.versions[recordType][id]++
	e := Entry{Seq: c.seq, At: time.Now(), RecordType: recordType, RecordID: decimal(id), Action: action, Version: c.versions[recordType][id]}
	c.journal = append(c.journal, e)
	for _, v := range c.views {
		for _, l := range v.lists {
			if slices.Contains(l.from, recordType) {
				v.refresh(c, l, id, e)
			}
		}
	}
}

// has says whether the record lives.
func (c *Company) has(recordType string, id int) bool {
	var ok bool
	switch recordType {
	case Employees:
		_, ok = c.employees[id]
	case Employments:
		_, ok = c.employments[id]
	case Candidates:
		_, ok = c.candidates[id]
	case Applications:
		_, ok = c.applications[id]
	case Interviews:
		_, ok = c.interviews[id]
	case JobPostings:
		_, ok = c.postings[id]
	}
	return ok
}

// ids of the living records, ascending: the same seed must live the same life.
func ids[T any](records map[int]T) []int { return slices.Sorted(maps.Keys(records)) }
