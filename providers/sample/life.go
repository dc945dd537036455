package sample

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Change is a kind of thing that happens in the company.
type Change string

// What happens in the company, with what it does to records.
const (
	Hire         Change = "hire"          // employee and employment created
	Leave        Change = "leave"         // employee and all their employments deleted
	Move         Change = "move"          // employee updated, employment created
	Raise        Change = "raise"         // employment updated: pay, which BambooHR's job history doesn't show
	Correct      Change = "correct"       // employment updated
	EditPerson   Change = "edit person"   // employee updated
	Telephone    Change = "telephone"     // employee updated: a number, which BambooHR's listing doesn't show
	Absence      Change = "absence"       // employee updated: on leave, or back
	Apply        Change = "apply"         // candidate and application created
	EditCV       Change = "edit cv"       // candidate updated
	Advance      Change = "advance"       // application updated: next stage
	Rate         Change = "rate"          // application updated: stars, which only BambooHR shows
	Reject       Change = "reject"        // application updated
	Erase        Change = "erase"         // candidate, application and interviews deleted
	Schedule     Change = "schedule"      // interview created
	Reschedule   Change = "reschedule"    // interview updated
	Cancel       Change = "cancel"        // interview deleted
	OpenPosting  Change = "open posting"  // job posting created
	EditPosting  Change = "edit posting"  // job posting updated
	HoldPosting  Change = "hold posting"  // job posting updated: its state
	ClosePosting Change = "close posting" // job posting deleted
)

// changes is every kind with its weight among the others.
func (c *Company) changes() []happening {
	return []happening{
		{Hire, 4, c.hire}, {Leave, 3, c.leave}, {Move, 3, c.move}, {Raise, 2, c.raise},
		{Correct, 2, c.correct}, {EditPerson, 4, c.editPerson}, {Telephone, 2, c.telephone}, {Absence, 2, c.absence},
		{Apply, 5, c.apply}, {EditCV, 4, c.editCV}, {Advance, 5, c.advance}, {Rate, 2, c.rate},
		{Reject, 2, c.reject}, {Erase, 4, c.erase},
		{Schedule, 4, c.schedule}, {Reschedule, 3, c.reschedule}, {Cancel, 3, c.cancel},
		{OpenPosting, 2, c.openPosting}, {EditPosting, 3, c.editPosting}, {HoldPosting, 1, c.holdPosting}, {ClosePosting, 2, c.closePosting},
	}
}

type happening struct {
	change Change
	weight int
	happen func() bool // false: not now
}

// Live lets something happen rate times a second until ctx ends or Quiet is called.
// Something that would escape pollers because they lag waits for them (Config.Rest).
func (c *Company) Live(ctx context.Context, rate float64) error {
	if !(rate > 0 && rate <= 1000) {
		return errors.New("sample company: the rate must be above 0 and at most 1000 changes a second")
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.quiet:
			return nil
		case <-tick.C:
			c.Step()
		}
	}
}

// Quiet ends all change for good, so that last polls can catch up: see Settled.
func (c *Company) Quiet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.still() {
		close(c.quiet)
	}
}

func (c *Company) still() bool {
	select {
	case <-c.quiet:
		return true
	default:
		return false
	}
}

// Step lets one thing happen and says what; "" when nothing can happen now.
func (c *Company) Step() Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.still() {
		return ""
	}
	left := c.changes()
	for len(left) > 0 {
		total := 0
		for _, h := range left {
			total += h.weight
		}
		at, i := c.rand.IntN(total), 0
		for ; at >= left[i].weight; i++ {
			at -= left[i].weight
		}
		if c.wanted(left[i].change) && left[i].happen() {
			return left[i].change
		}
		left = append(left[:i], left[i+1:]...)
	}
	return ""
}

// Do makes one kind of thing happen; false when it can't now: nothing is there that it
// could happen to, or what is there still waits to be listed as it is.
func (c *Company) Do(change Change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.changes() {
		if h.change == change {
			return !c.still() && h.happen()
		}
	}
	return false
}

// wanted keeps the company at about the size it was founded with.
func (c *Company) wanted(change Change) bool {
	n := c.config.Employees
	between := func(have, size int, grows, shrinks Change) bool {
		return !(change == grows && have >= size+size/3+1 || change == shrinks && have <= size-size/3-1)
	}
	return between(len(c.employees), n, Hire, Leave) &&
		between(len(c.candidates), max(2, n*3/4), Apply, Erase) &&
		between(len(c.interviews), n/3, Schedule, Cancel) &&
		between(len(c.postings), max(2, n/5), OpenPosting, ClosePosting)
}

// choose picks a living record that may change now and suits; 0, false: there is none.
func choose[T any](c *Company, recordType string, of map[int]T, suits func(T) bool) (int, bool) {
	var fit []int
	for _, id := range ids(of) {
		if suits(of[id]) && c.rested(recordType, id) {
			fit = append(fit, id)
		}
	}
	if len(fit) == 0 || !c.room(recordType) {
		return 0, false
	}
	return pick(c.rand, fit), true
}

func anyOf[T any](T) bool { return true }

// edit changes a record; now and then several times at once, as somebody does who saw
// a mistake on saving: only the last of these can be seen by anyone, and nowhere does
// it look as if nothing had happened.
func (c *Company) edit(recordType string, id int, alter func()) bool {
	times := 1
	if c.rand.IntN(4) == 0 {
		times += 1 + c.rand.IntN(2)
	}
	undone := c.watch(recordType, id)
	for i := 0; i < times || undone(); i++ {
		alter()
		c.note(Updated, recordType, id)
	}
	return true
}

// watch returns a function that says whether some dialect shows the record as it does
// now, though it changed since.
func (c *Company) watch(recordType string, id int) func() bool {
	before := map[*row]row{}
	for _, v := range c.views {
		for _, l := range v.lists {
			if slices.Contains(l.from, recordType) {
				before[l.rows[id]] = *l.rows[id]
			}
		}
	}
	return func() bool {
		for r, was := range before {
			if r.version() > was.version() && r.bare == was.bare {
				return true
			}
		}
		return false
	}
}
