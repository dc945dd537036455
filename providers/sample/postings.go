package sample

import (
	"fmt"
	"slices"
)

func (c *Company) openPosting() bool {
	if !c.room(JobPostings) {
		return false
	}
	id := c.next(JobPostings)
	low := 25000 + 1000*c.rand.IntN(60)
	c.postings[id] = &posting{
		title: pick(c.rand, ranks) + " " + pick(c.rand, jobs), department: pick(c.rand, offices), city: pick(c.rand, cities),
		state: open, low: low, high: low + 12000, lead: ids(c.employees)[c.rand.IntN(leads)],
		code: fmt.Sprintf("ORR/%02d/%c%c", id, 'A'+c.rand.IntN(26), 'A'+c.rand.IntN(26)), opened: c.clock,
	}
	c.note(Created, JobPostings, id)
	return true
}

// hiring are the open postings.
func (c *Company) hiring() []int {
	return slices.DeleteFunc(ids(c.postings), func(id int) bool { return c.postings[id].state != open })
}

// editPosting moves the posting to another city: every dialect shows that.
func (c *Company) editPosting() bool {
	id, ok := choose(c, JobPostings, c.postings, anyOf)
	return ok && c.edit(JobPostings, id, func() {
		p := c.postings[id]
		p.city = other(c.rand, cities, p.city)
		p.low += 1000
		p.high += 1000
	})
}

func (c *Company) holdPosting() bool {
	id, ok := choose(c, JobPostings, c.postings, anyOf)
	return ok && c.edit(JobPostings, id, func() {
		p := c.postings[id]
		p.state = other(c.rand, []string{open, onHold, filled}, p.state)
	})
}

// closePosting deletes it. Applications keep its title and their reference to it.
func (c *Company) closePosting() bool {
	id, ok := choose(c, JobPostings, c.postings, anyOf)
	if !ok || !c.mayLose(JobPostings, 1) {
		return false
	}
	delete(c.postings, id)
	c.note(Deleted, JobPostings, id)
	return true
}
