package poller

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers"
	"pgregory.net/rapid"
)

// model is a provider in memory: a list that is read by page number, and that changes
// between and during listings.
type model struct {
	size    int
	ids     []string       // in the order of the list
	content map[string]int // its version
	next    int
	during  map[int]func() error // what happens before a page is read

	present map[string]bool // records that were there during the whole of the last listing
	read    map[string]int  // what was read since step began, as it was read last
}

func (m *model) Stream(recordType string) (providers.StreamInfo, bool) {
	return providers.StreamInfo{RecordType: recordType, EventPrefix: "hris_" + recordType, Version: "1", Positional: true}, true
}

func (m *model) List(context.Context, string) iter.Seq2[providers.Page, error] {
	return func(yield func(providers.Page, error) bool) {
		m.present = map[string]bool{}
		for _, id := range m.ids {
			m.present[id] = true
		}
		for number := 1; ; number++ {
			if event := m.during[number]; event != nil {
				delete(m.during, number)
				if err := event(); err != nil {
					yield(providers.Page{Number: number, Requests: 1}, err)
					return
				}
			}
			from := min((number-1)*m.size, len(m.ids))
			to := min(from+m.size, len(m.ids))
			page := providers.Page{Number: number, Requests: 1}
			for _, id := range m.ids[from:to] {
				m.read[id] = m.content[id]
				page.Records = append(page.Records, providers.Record{ID: id, Raw: fmt.Appendf(nil, `{"id":%q,"v":%d}`, id, m.content[id])})
			}
			if !yield(page, nil) || to == len(m.ids) {
				return
			}
		}
	}
}

func (m *model) hire(at int) {
	m.next++
	id := strconv.Itoa(m.next)
	m.ids = slices.Insert(m.ids, at%(len(m.ids)+1), id)
	m.content[id] = 1
}

func (m *model) leave(at, n int) {
	for range min(n, len(m.ids)) {
		i := at % len(m.ids)
		delete(m.content, m.ids[i])
		delete(m.present, m.ids[i])
		m.ids = slices.Delete(m.ids, i, i+1)
	}
}

func (m *model) edit(at int) {
	if len(m.ids) > 0 {
		m.content[m.ids[at%len(m.ids)]]++
	}
}

// mirror is what a consumer makes of the events.
type mirror struct {
	seen    int64
	silent  bool           // it has its first reading by itself, of the same time as the silent baseline
	records map[string]int // as they were when an event made it look
}

// Whole sequences of polls against that provider: nothing that was there is deleted,
// nothing is created twice, and in the end the events have told everything.
func TestSequencesOfPolls(t *testing.T) {
	r := newRig(t, migrationstest.Open(t, migrationstest.SQLite(t)).DB)
	rapid.Check(t, func(t *rapid.T) { sequence(t, r) })
}

func sequence(t *rapid.T, r *rig) {
	m := &model{size: rapid.IntRange(2, 12).Draw(t, "page size"), content: map[string]int{}, during: map[int]func() error{}}
	r.poller.open = func(*providers.Connector, providers.Target, providers.Options) (lister, error) { return m, nil }
	for range rapid.IntRange(0, 60).Draw(t, "people") {
		m.hire(len(m.ids))
	}
	baseline := rapid.SampledFrom([]string{BaselineSilent, BaselineEmit}).Draw(t, "baseline")
	a := r.account(func(n *NewAccount) { n.Baseline = baseline })
	told := &mirror{records: map[string]int{}, silent: baseline == BaselineSilent}
	shift(t, m, 1)
	step(t, r, a, m, told)
	for range rapid.IntRange(1, 12).Draw(t, "polls") {
		s := r.stream(a)
		if s.Quarantine != nil && rapid.Bool().Draw(t, "decide") {
			decide := r.streams.Reject
			if rapid.Bool().Draw(t, "approve") {
				decide = r.streams.Approve
			}
			if err := decide(context.Background(), DefaultProject, a.ID, "employees"); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			change(t, m)
		}
		// What two listings in a row have skipped can't be told from what is gone (asking
		// for the record could): so nothing moves while a suspicion is confirmed, and only
		// once in the two listings of a baseline.
		moves := 2
		switch {
		case s.Suspected > 0:
			moves = 0
		case told.silent:
			moves = 1
		}
		shift(t, m, moves)
		step(t, r, a, m, told)
	}
	clear(m.during)
	for n := 0; ; n++ {
		step(t, r, a, m, told)
		s := r.stream(a)
		if s.Quarantine == nil && s.Suspected == 0 {
			break
		}
		if s.Quarantine != nil {
			if err := r.streams.Approve(context.Background(), DefaultProject, a.ID, "employees"); err != nil {
				t.Fatal(err)
			}
		}
		if n > 4 {
			t.Fatalf("still in doubt: %+v", s)
		}
	}
	if !maps.Equal(told.records, m.content) {
		t.Fatalf("the events make %v of %v", told.records, m.content)
	}
}

func change(t *rapid.T, m *model) {
	at := rapid.IntRange(0, 1000).Draw(t, "at")
	switch rapid.SampledFrom([]string{"hire", "leave", "edit", "layoff"}).Draw(t, "change") {
	case "hire":
		m.hire(at)
	case "leave":
		m.leave(at, 1)
	case "edit":
		m.edit(at)
	case "layoff":
		m.leave(at, rapid.IntRange(1, len(m.ids)+1).Draw(t, "how many"))
	}
}

// shift lets something happen while the next listing is walked; records move so often
// at most.
func shift(t *rapid.T, m *model, moves int) {
	clear(m.during)
	for range rapid.IntRange(0, 3).Draw(t, "events during the walk") {
		page := rapid.IntRange(1, 8).Draw(t, "before page")
		at := rapid.IntRange(0, 1000).Draw(t, "at")
		switch what := rapid.SampledFrom([]string{"fail", "leave", "hire", "edit"}).Draw(t, "during"); {
		case what == "fail":
			m.during[page] = func() error {
				return &providers.Error{Kind: providers.Transient, Detail: "the provider answers 503"}
			}
		case what == "leave" && moves > 0:
			moves--
			m.during[page] = func() error { m.leave(at, 1); return nil }
		case what == "hire" && moves > 0:
			moves--
			m.during[page] = func() error { m.hire(at); return nil }
		case what == "edit":
			m.during[page] = func() error { m.edit(at); return nil }
		}
	}
}

// step polls once and checks what was told of it.
func step(t *rapid.T, r *rig, a Account, m *model, told *mirror) {
	m.read = map[string]int{}
	result, err := r.poller.Poll(context.Background(), r.stream(a).ID)
	if err != nil {
		t.Fatal(err)
	}
	events, err := r.store.Events(context.Background(), hashstore.EventQuery{ProjectID: DefaultProject, AccountID: a.ID, RecordType: "employees", After: told.seen})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != result.Events || (!result.Complete && len(events) > 0) {
		t.Fatalf("%d events of %+v", len(events), result)
	}
	if told.silent && result.Complete {
		told.silent = false
		for id := range m.present {
			told.records[id] = m.content[id]
		}
		maps.Copy(told.records, m.read)
	}
	for _, e := range events {
		told.seen = e.ID
		_, known := told.records[e.RecordID]
		switch {
		case e.Name == "hris_employees.created" && known:
			t.Fatalf("%s created twice", e.RecordID)
		case e.Name == "hris_employees.updated" && !known:
			t.Fatalf("%s updated, but not known", e.RecordID)
		case e.Name == "hris_employees.deleted" && m.present[e.RecordID]:
			t.Fatalf("%s deleted, but it was there during the whole listing", e.RecordID)
		case e.Name == "hris_employees.deleted":
			delete(told.records, e.RecordID)
			continue
		}
		told.records[e.RecordID] = m.content[e.RecordID]
	}
}
