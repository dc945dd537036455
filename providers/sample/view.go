package sample

import (
	"hash/fnv"
	"slices"
	"time"
)

// Dialect names the provider that a server imitates.
type Dialect string

// The dialects there are.
const (
	BambooHR Dialect = "bamboohr"
	Workable Dialect = "workable"
	StackOne Dialect = "stackone"
)

// Dialects returns all of them.
func Dialects() []Dialect { return []Dialect{BambooHR, Workable, StackOne} }

// RecordTypes are those the dialect lists.
func (d Dialect) RecordTypes() []string {
	switch d {
	case BambooHR:
		return []string{Employees, Employments, Applications, JobPostings}
	case Workable:
		return []string{Candidates, Applications, Interviews, JobPostings, Employees}
	case StackOne:
		return []string{Employees, Employments, Interviews, Applications, Candidates, JobPostings}
	}
	return nil
}

// view is the company as one dialect shows it, with the journal of what can be seen
// there. A change that alters nothing in a list is not in its view's journal.
type view struct {
	lists   []*list
	journal []Entry
}

func newView(lists []*list) *view {
	for _, l := range lists {
		l.rows = map[int]*row{}
	}
	return &view{lists: lists}
}

// list is one collection of a dialect: how its records look and what is known of who
// listed them. Its rows are keyed by the company's ids.
type list struct {
	name       string
	types      []string // the record types that are listed here
	from       []string // the company's record types that it shows; the first decides existence
	positional bool     // paged by page number or offset
	recordID   func(c *Company, id int) string
	// render makes the record; updated is when it last changed visibly, zero while that
	// is being found out.
	render func(c *Company, id int, updated time.Time) object

	rows       map[int]*row // the dead ones too
	order      []int        // the living; ascending unless the list is positional
	population int          // counts creations and deletions
	ledger
}

// row is one record of a list.
type row struct {
	id      string
	updated time.Time
	born    int64
	bare    uint64   // what is visible now, volatile fields and the time of the update aside
	texts   []uint64 // what was visible, by version-1, volatile fields aside
	marked  int      // the version at the mark; 0: born later
	dead    bool
	served  []int // the versions that complete walks served, ascending
	rested  int   // clean complete walks that served the present version
}

func (r *row) version() int { return len(r.texts) }

// refresh looks at the record after a change and writes down what became visible.
func (v *view) refresh(c *Company, l *list, id int, e Entry) {
	r, known := l.rows[id]
	lives := c.has(l.from[0], id)
	switch {
	case !lives && (!known || r.dead):
		return
	case !lives:
		e.Action = Deleted
		r.dead = true
		l.order = slices.DeleteFunc(l.order, func(other int) bool { return other == id })
		l.population++
		l.gone = append(l.gone, departure{seq: e.Seq})
	case !known:
		e.Action = Created
		r = &row{id: l.recordID(c, id), born: e.Seq}
		l.rows[id] = r
		l.order = append(l.order, id)
		l.population++
	default:
		e.Action = Updated
	}
	if lives {
		bare := l.text(c, id, time.Time{})
		if known && bare == r.bare {
			return
		}
		r.bare, r.updated, r.rested = bare, c.clock, 0
		r.texts = append(r.texts, l.text(c, id, r.updated))
	}
	e.RecordID, e.Version = r.id, r.version()
	for _, recordType := range l.types {
		e.RecordType = recordType
		v.journal = append(v.journal, e)
	}
}

func (l *list) text(c *Company, id int, updated time.Time) uint64 {
	h := fnv.New64a()
	h.Write((&scribe{}).append(nil, l.render(c, id, updated)))
	return h.Sum64()
}

func (c *Company) list(d Dialect, name string) *list {
	v := c.views[d]
	return v.lists[slices.IndexFunc(v.lists, func(l *list) bool { return l.name == name })]
}

// View is the journal as the dialect shows it: its record types and ids, and only
// what can be seen there. One change of the company may be several entries of one Seq.
func (c *Company) View(d Dialect) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.views[d].journal)
}

// IDs are the ids of the living records as the dialect spells them, sorted.
func (c *Company) IDs(d Dialect, recordType string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for _, l := range c.views[d].lists {
		if slices.Contains(l.types, recordType) {
			for _, id := range l.order {
				found = append(found, l.rows[id].id)
			}
		}
	}
	slices.Sort(found)
	return found
}

// ask is a request for a page. at is where it begins: 0 at the beginning, else the
// offset in a positional list and the first id in any other.
type ask struct {
	at, size int
	pages    bool                          // at is counted in pages
	hide     func(c *Company, id int) bool // nil: nothing is hidden
	nonce    int                           // came with the cursor and means nothing
}

// page is what is served of a list.
type page struct {
	keys       []int
	versions   []int
	records    []any
	at, next   int
	more       bool
	total      int
	nonce      int
	seq        int64 // the journal's last entry when it was read
	population int   // the list's, then
}

func (c *Company) page(l *list, a ask) page {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := l.order
	if a.hide != nil {
		keys = slices.DeleteFunc(slices.Clone(keys), func(id int) bool { return a.hide(c, id) })
	}
	from := min(a.at, len(keys))
	if !l.positional {
		from, _ = slices.BinarySearch(keys, a.at)
	}
	to := min(from+a.size, len(keys))
	p := page{at: a.at, total: len(keys), more: to < len(keys), seq: c.seq, population: l.population}
	if p.more {
		p.next = to
		if !l.positional {
			p.next = keys[to]
		}
	}
	for _, id := range keys[from:to] {
		p.keys = append(p.keys, id)
		p.versions = append(p.versions, l.rows[id].version())
		p.records = append(p.records, record(l.render(c, id, l.rows[id].updated)))
	}
	return p
}

// record renders a living record by its id in the dialect.
func (c *Company) record(l *list, id string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range l.order {
		if l.rows[key].id == id {
			return record(l.render(c, key, l.rows[key].updated)), true
		}
	}
	return nil, false
}
