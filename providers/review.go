package providers

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Review gathers, while a client lists, what its caller can't see in the records: what in
// the answers speaks against the connector although nothing contradicts it, and how many
// lists of a nested stream were read. It is for trying a connector out; a poll has none.
type Review struct {
	mu    sync.Mutex
	names []string
	lists map[string]*reviewed
}

// Doubt is a reason to believe that a connector misreads a list.
type Doubt struct {
	List string   // a stream, or a list that is its parent
	Text string   // the connector's own words, counts, and names that APIs have for paging
	Keys []string // what the answer has where something is missed: structure, as far as one can tell; one that looks like data is for the caller to hide
}

// Children is how many lists of a nested stream there are, and were read to their end.
type Children struct {
	Parent   string // the parents' stream or list
	Batched  bool   // each is of several parents
	Read, Of int
}

// reviewed is what is gathered of one list.
type reviewed struct {
	records  int
	children Children
	next     missed
	total    missed
	found    missed // where the records are
	signs    *Doubt
}

// missed is a place that the connector names and no answer had so far.
type missed struct {
	seen  bool
	doubt *Doubt
}

func (m *missed) doubts() []Doubt {
	if m.seen || m.doubt == nil {
		return nil
	}
	return []Doubt{*m.doubt}
}

func (m *missed) note(d *Doubt) {
	if m.doubt == nil {
		m.doubt = d
	}
}

// Doubts are all there are, list by list.
func (r *Review) Doubts() []Doubt {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Doubt
	for _, name := range r.names {
		l := r.lists[name]
		if l.records == 0 {
			all = append(all, l.found.doubts()...)
		}
		all = slices.Concat(all, l.next.doubts(), l.total.doubts())
		if l.signs != nil {
			all = append(all, *l.signs)
		}
	}
	return all
}

// Children are those of a stream; the zero value where it has no parent.
func (r *Review) Children(recordType string) Children {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lists[recordType]; l != nil {
		return l.children
	}
	return Children{}
}

func (r *Review) list(s *stream) *reviewed {
	name := s.info.RecordType
	if r.lists[name] == nil {
		if r.lists == nil {
			r.lists = map[string]*reviewed{}
		}
		r.names = append(r.names, name)
		r.lists[name] = &reviewed{}
	}
	return r.lists[name]
}

// families tells of lists that are going to be read.
func (r *Review) families(s *stream, n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.list(s).children
	c.Parent, c.Batched = s.parent.stream.info.RecordType, s.parent.batch > 1
	c.Of += n
}

// family tells of one that was.
func (r *Review) family(s *stream) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list(s).children.Read++
}

// page looks at an answer that a walk took: n are what pages count, records those that
// came, and more is false where the walk ends.
func (r *Review) page(w *walk, a answer, n, records int, more bool) {
	if r == nil || a.status == http.StatusNoContent {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l, name, p := r.list(w.stream), w.stream.info.RecordType, w.stream.paging
	l.records += records
	l.container(w, a, name)
	if next := p.nextSource(); next.text != "" && p.end.signal == endNoNext {
		l.next.seen = l.next.seen || next.in(a)
		if size := w.place.size; size > 0 && n >= size && !more {
			l.next.note(&Doubt{name, fmt.Sprintf("page %d is as full as asked (%d), and no answer has %s: if there are more records than that, they are never read (another page size shows it)", w.pages, size, pointed(p.nextAt, next.text)), w.keys(a, next)})
		}
	}
	if p.total.text != "" {
		l.total.seen = l.total.seen || p.total.in(a)
		l.total.note(&Doubt{name, fmt.Sprintf("no answer has %s: whether all records came is not known", pointed(p.totalAt, p.total.text)), w.keys(a, p.total)})
	}
	if !more && l.signs == nil && !(p.end.signal == endNoNext && l.next.seen) {
		if told := w.signs(a); told != "" {
			l.signs = &Doubt{List: name, Text: fmt.Sprintf("the listing ends with page %d, and the answer says that there is more than the %d that came: %s", w.pages, w.rows, told)}
		}
	}
}

// container doubts an empty list that isn't there.
func (l *reviewed) container(w *walk, a answer, name string) {
	records := &w.stream.records
	where := source{text: records.text, path: records.path[0]}
	l.found.seen = l.found.seen || where.in(a)
	l.found.note(&Doubt{name, fmt.Sprintf("no record came, and no answer has %s, which empty: missing takes for a list without records", pointed(records.at, records.text)), w.keys(a, where)})
}

// pointed names what of an answer a setting points at.
func pointed(setting, where string) string { return fmt.Sprintf("%q (%s)", where, setting) }

// nextSource is where an answer names the next page; none for kinds that count.
func (p *paging) nextSource() source {
	if p.kind == "link" {
		return source{text: "header:Link", header: "Link"}
	}
	return p.next
}

// in tells whether an answer has it, be it null.
func (s source) in(a answer) bool {
	switch {
	case s.header != "":
		return len(a.header.Values(s.header)) > 0
	case s.last:
		return s.path.get(a.last).Exists()
	}
	return a.document.get(s.path).Exists()
}
