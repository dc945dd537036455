package sample

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestReckon(t *testing.T) {
	of := func(id, action string) Seen { return Seen{BambooHR, Employees, id, action} }
	expected := []Expected{
		{Dialect: BambooHR, RecordType: Employees, RecordID: "1", Created: true, Updated: 2, Deleted: true},
		{Dialect: BambooHR, RecordType: Employees, RecordID: "2", Updated: 1},
	}
	whole := []Seen{of("1", Created), of("1", Updated), of("2", Updated), of("1", Updated), of("1", Deleted)}
	for _, test := range []struct {
		name     string
		received []Seen
		missed   []Seen
		untrue   []Untrue
	}{
		{"everything", whole, nil, nil},
		{"nothing", nil, []Seen{of("1", Created), of("1", Updated), of("1", Updated), of("1", Deleted), of("2", Updated)}, nil},
		{"one dropped", slices.Delete(slices.Clone(whole), 3, 4), []Seen{of("1", Updated)}, nil},
		{"one too many", append(slices.Clone(whole), of("2", Updated)), nil, []Untrue{{of("2", Updated), "no such change"}}},
		{"a record that didn't change", append(slices.Clone(whole), of("3", Deleted)), nil, []Untrue{{of("3", Deleted), "no such change"}}},
		{"another dialect's", append(slices.Clone(whole), Seen{StackOne, Employees, "2", Updated}), nil, []Untrue{{Seen{StackOne, Employees, "2", Updated}, "no such change"}}},
		{"one for another", []Seen{of("1", Created), of("1", Updated), of("2", Deleted), of("1", Updated), of("1", Deleted)},
			[]Seen{of("2", Updated)}, []Untrue{{of("2", Deleted), "no such change"}}},
		{"updated before created", []Seen{of("1", Updated), of("1", Created), of("2", Updated), of("1", Updated), of("1", Deleted)},
			nil, []Untrue{{of("1", Created), "out of order"}}},
		{"updated after deleted", []Seen{of("1", Created), of("1", Updated), of("1", Deleted), of("1", Updated), of("2", Updated)},
			nil, []Untrue{{of("1", Updated), "out of order"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := Reckon(expected, test.received)
			if diff := cmp.Diff(test.missed, report.Missed); diff != "" {
				t.Errorf("missed: %s", diff)
			}
			if diff := cmp.Diff(test.untrue, report.False); diff != "" {
				t.Errorf("false: %s", diff)
			}
			if report.Honest() != (test.missed == nil && test.untrue == nil) {
				t.Errorf("honest: %v", report.Honest())
			}
			if diff := cmp.Diff(map[string]int{Created: 1, Updated: 3, Deleted: 1}, report.Changes); diff != "" {
				t.Errorf("changes: %s", diff)
			}
			if got := report.Events[Created] + report.Events[Updated] + report.Events[Deleted]; got != len(test.received) {
				t.Errorf("%d events of %d counted", got, len(test.received))
			}
		})
	}
}

// What several edits between two walks come to, and what the reckoning never forgives.
func TestExpected(t *testing.T) {
	c := New(Config{Seed: 9, Rest: -1})
	l := c.list(BambooHR, Employees)
	walk := func() { c.serve(l, c.page(l, ask{size: everything}), false) }
	edit := func(titles ...string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, title := range titles {
			c.employees[6].title = title
			c.note(Updated, Employees, 6)
		}
	}
	before := c.employees[6].title
	expect := func(what string, want ...Expected) {
		t.Helper()
		got := slices.DeleteFunc(c.Expected(BambooHR), func(x Expected) bool { return x.RecordType != Employees })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	updated := func(n int) Expected {
		return Expected{Dialect: BambooHR, RecordType: Employees, RecordID: "6", Updated: n}
	}
	walk()
	c.Mark()
	expect("nothing happened")
	edit("A")
	expect("an edit that nobody listed yet must still be told", updated(1))
	walk()
	walk()
	expect("one edit, listed twice", updated(1))
	edit("B", "C", "D")
	walk()
	expect("three edits between two walks are one", updated(2))
	edit("E", "D")
	walk()
	expect("an edit that was taken back unseen is none", updated(2))
	edit("A")
	walk()
	edit("D")
	expect("an edit that was seen and taken back is two", updated(4))
	c.Mark()
	expect("the mark begins anew")
	edit(before)
	c.mu.Lock()
	delete(c.employees, 6)
	c.note(Deleted, Employees, 6)
	c.mu.Unlock()
	expect("a deletion is the journal's, walk or none", Expected{Dialect: BambooHR, RecordType: Employees, RecordID: "6", Deleted: true})
}

// A walk in which a record was skipped, or a lie told, proves nothing.
func TestWalksThatProveNothing(t *testing.T) {
	c := New(Config{Seed: 10})
	l := c.list(Workable, Employees)
	walk := func(tainted bool, meanwhile func(p page)) {
		for at := 0; ; {
			p := c.page(l, ask{at: at, size: 15})
			c.serve(l, p, tainted)
			meanwhile(p)
			if at = p.next; !p.more {
				return
			}
		}
	}
	still := func(page) {}
	walk(false, still)
	walk(false, still)
	if !c.Settled() || !c.rested(Employees, 5) {
		t.Fatal("two clean walks don't settle")
	}
	if !c.Do(Absence) {
		t.Fatal("nobody can be absent")
	}
	if c.Settled() {
		t.Error("settled though something changed")
	}
	walk(true, still)
	walk(false, func(p page) { c.shift(l, p) })
	if c.Settled() {
		t.Error("settled by a lie and by a walk with a skip")
	}
	if c.mayLose(Employees, 1) {
		t.Error("a record may go after a walk that skipped one")
	}
	walk(false, still)
	walk(false, still)
	if !c.Settled() || !c.mayLose(Employees, 1) {
		t.Error("clean walks don't settle")
	}
	// Two walks of one list at a time don't disturb each other.
	first := c.page(l, ask{size: 15})
	c.serve(l, first, false)
	walk(false, still)
	before := l.complete
	for at := first.next; ; {
		p := c.page(l, ask{at: at, size: 15})
		c.serve(l, p, false)
		if at = p.next; !p.more {
			break
		}
	}
	if l.complete != before+1 {
		t.Error("a walk that was overtaken doesn't complete")
	}
}

// poller is a faithful poller of one stream, as simple as can be.
type poller struct {
	dialect     Dialect
	recordType  string
	list        *list
	secondWins  bool // which of two listings of one poll tells how a record looks
	refusesMess bool // fails a poll in which a record came twice
	known       map[string]uint64
}

// walk lists everything; between pages the company lives and pages shift.
func (p *poller) walk(c *Company, size int, meanwhile func(page)) (map[string]uint64, bool) {
	found, clean := map[string]uint64{}, true
	for at := 0; ; {
		got := c.page(p.list, ask{at: at, size: size})
		for i, id := range got.keys {
			r := p.list.rows[id]
			if _, again := found[r.id]; again {
				clean = false
			}
			found[r.id] = r.texts[got.versions[i]-1]
		}
		c.serve(p.list, got, false)
		if at = got.next; !got.more {
			return found, clean
		}
		meanwhile(got)
	}
}

// poll lists, lists again when something is missing, and tells what changed.
func (p *poller) poll(c *Company, size int, meanwhile func(page), tell func(Seen)) {
	found, clean := p.walk(c, size, meanwhile)
	if p.refusesMess && !clean {
		return
	}
	for id := range p.known {
		if _, ok := found[id]; ok {
			continue
		}
		again, clean := p.walk(c, size, meanwhile)
		if p.refusesMess && !clean {
			return
		}
		for id, text := range again {
			if _, ok := found[id]; !ok || p.secondWins {
				found[id] = text
			}
		}
		break
	}
	for id, text := range found {
		if before, known := p.known[id]; !known {
			tell(Seen{p.dialect, p.recordType, id, Created})
		} else if before != text {
			tell(Seen{p.dialect, p.recordType, id, Updated})
		}
	}
	for id := range p.known {
		if _, ok := found[id]; !ok {
			tell(Seen{p.dialect, p.recordType, id, Deleted})
		}
	}
	p.known = found
}

// A faithful poller is always found honest, whatever the company does while it lists
// and however pages shift; one event less, one more or two exchanged never are.
func TestFaithfulPollersAreHonest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := New(Config{Seed: rapid.Uint64().Draw(rt, "seed"), Employees: 20})
		size := rapid.IntRange(4, 30).Draw(rt, "page size")
		lives := rapid.IntRange(0, 3).Draw(rt, "steps between pages")
		var pollers []*poller
		for _, d := range Dialects() {
			for _, l := range c.views[d].lists {
				for _, recordType := range l.types {
					pollers = append(pollers, &poller{dialect: d, recordType: recordType, list: l,
						secondWins: rapid.Bool().Draw(rt, "second wins"), refusesMess: rapid.Bool().Draw(rt, "refuses mess")})
				}
			}
		}
		var received []Seen
		round := func(live bool, tell func(Seen)) {
			for _, p := range rapid.Permutation(pollers).Draw(rt, "order") {
				p.poll(c, size, func(got page) {
					c.shift(p.list, got)
					for range lives {
						if live {
							c.Step()
						}
					}
				}, tell)
			}
		}
		round(false, func(Seen) {})
		round(false, func(Seen) {})
		c.Mark()
		tell := func(s Seen) { received = append(received, s) }
		for range rapid.IntRange(1, 12).Draw(rt, "rounds") {
			for range 10 {
				c.Step()
			}
			round(true, tell)
		}
		c.Quiet()
		for n := 0; !c.Settled(); n++ {
			if n > 20 {
				rt.Fatal("it never settles")
			}
			round(false, tell)
		}
		var expected []Expected
		for _, d := range Dialects() {
			expected = append(expected, c.Expected(d)...)
		}
		report := Reckon(expected, received)
		if !report.Honest() {
			rt.Fatalf("missed %v, false %v", report.Missed, report.False)
		}
		if len(received) < 10 {
			rt.Fatalf("only %d events", len(received))
		}
		i := rapid.IntRange(0, len(received)-1).Draw(rt, "event")
		if r := Reckon(expected, slices.Delete(slices.Clone(received), i, i+1)); len(r.Missed) != 1 || r.Missed[0] != received[i] {
			rt.Fatalf("without %v: %v", received[i], r)
		}
		if r := Reckon(expected, append(slices.Clone(received), received[i])); len(r.False) != 1 || r.False[0].Seen != received[i] {
			rt.Fatalf("with a second %v: %v", received[i], r)
		}
	})
}

// A poller that believes what one listing lacks is found out when pages shift.
func TestAHastyPollerIsFoundOut(t *testing.T) {
	c := New(Config{Seed: 11})
	p := &poller{dialect: Workable, recordType: Employees, list: c.list(Workable, Employees)}
	for range 2 {
		p.known, _ = p.walk(c, 9, func(page) {})
	}
	c.Mark()
	shifted := false
	hasty, _ := p.walk(c, 9, func(got page) { shifted = shifted || c.shift(p.list, got) })
	var received []Seen
	for id := range p.known {
		if _, ok := hasty[id]; !ok {
			received = append(received, Seen{Workable, Employees, id, Deleted})
		}
	}
	if r := Reckon(c.Expected(Workable), received); !shifted || len(r.False) == 0 || len(r.False) != len(received) {
		t.Errorf("shifted: %v, false: %v", shifted, r.False)
	}
}

func ExampleReckon() {
	c := New(Config{Seed: 12})
	c.Do(Hire)
	report := Reckon(c.Expected(Workable), nil)
	fmt.Println(report.Changes, len(report.Missed), len(report.False))
	// Output: map[created:1 deleted:0 updated:0] 1 0
}
