package sample

import (
	"slices"
	"time"
)

const leads = 4 // the first employees lead the others and stay

func (c *Company) hire() bool {
	if !c.room(Employees, Employments) {
		return false
	}
	id := c.next(Employees)
	e := &employee{
		first: name(c.rand), last: name(c.rand),
		title: pick(c.rand, jobs), department: pick(c.rand, offices), city: pick(c.rand, cities),
		phone: phone(c.rand), started: c.clock.AddDate(0, 0, -c.rand.IntN(2000)), photo: c.rand.IntN(9),
	}
	if len(c.employees) >= leads {
		e.manager = ids(c.employees)[c.rand.IntN(leads)]
	}
	c.employees[id] = e
	row := c.employ(id, e)
	c.note(Created, Employees, id)
	c.note(Created, Employments, row)
	return true
}

// employ adds what the employee does now to their history; to be noted by the caller.
func (c *Company) employ(id int, e *employee) int {
	row := c.next(Employments)
	c.employments[row] = &employment{
		employee: id, title: e.title, department: e.department, city: e.city,
		pay: 30000 + 500*c.rand.IntN(120), date: c.clock, contract: pick(c.rand, []string{"full_time", "part_time"}),
	}
	e.employments = append(e.employments, row)
	return row
}

func (c *Company) leave() bool {
	id, ok := choose(c, Employees, c.employees, func(e *employee) bool {
		return e.manager != 0 && c.restedAll(Employments, e.employments)
	})
	if !ok {
		return false
	}
	rows := c.employees[id].employments
	if !c.mayLose(Employees, 1) || !c.mayLose(Employments, len(rows)) {
		return false
	}
	delete(c.employees, id)
	for _, row := range rows {
		delete(c.employments, row)
	}
	for _, row := range rows {
		c.note(Deleted, Employments, row)
	}
	c.note(Deleted, Employees, id)
	return true
}

func (c *Company) move() bool {
	id, ok := choose(c, Employees, c.employees, func(e *employee) bool { return len(e.employments) < 4 })
	if !ok || !c.room(Employments) {
		return false
	}
	e := c.employees[id]
	for before := e.title; e.title == before; {
		e.title = pick(c.rand, ranks) + " " + pick(c.rand, jobs)
	}
	e.department, e.city = pick(c.rand, offices), pick(c.rand, cities)
	row := c.employ(id, e)
	c.note(Updated, Employees, id)
	c.note(Created, Employments, row)
	return true
}

func (c *Company) raise() bool {
	id, ok := choose(c, Employments, c.employments, anyOf)
	return ok && c.edit(Employments, id, func() { c.employments[id].pay += 500 * (1 + c.rand.IntN(9)) })
}

func (c *Company) correct() bool {
	id, ok := choose(c, Employments, c.employments, anyOf)
	return ok && c.edit(Employments, id, func() {
		r := c.employments[id]
		r.city = other(c.rand, cities, r.city)
	})
}

func (c *Company) editPerson() bool {
	id, ok := choose(c, Employees, c.employees, anyOf)
	return ok && c.edit(Employees, id, func() {
		e := c.employees[id]
		if e.preferred != "" && c.rand.IntN(3) == 0 {
			e.preferred = ""
			return
		}
		e.preferred = other(c.rand, heads, e.preferred)
	})
}

func (c *Company) telephone() bool {
	id, ok := choose(c, Employees, c.employees, anyOf)
	return ok && c.edit(Employees, id, func() { c.employees[id].phone = phone(c.rand) })
}

func (c *Company) absence() bool {
	id, ok := choose(c, Employees, c.employees, anyOf)
	if !ok {
		return false
	}
	c.employees[id].onLeave = !c.employees[id].onLeave
	c.note(Updated, Employees, id)
	return true
}

func (c *Company) apply() bool {
	hiring := c.hiring()
	if len(hiring) == 0 || !c.room(Candidates, Applications) {
		return false
	}
	id, p := c.next(Candidates), pick(c.rand, hiring)
	c.candidates[id] = &candidate{
		first: name(c.rand), last: name(c.rand), headline: pick(c.rand, jobs), phone: phone(c.rand),
		street: decimal(1+c.rand.IntN(99)) + " " + pick(c.rand, streets), source: pick(c.rand, boards), applied: c.clock,
	}
	c.applications[id] = &application{posting: p, title: c.postings[p].title}
	c.note(Created, Candidates, id)
	c.note(Created, Applications, id)
	return true
}

func (c *Company) editCV() bool {
	id, ok := choose(c, Candidates, c.candidates, anyOf)
	return ok && c.edit(Candidates, id, func() {
		r := c.candidates[id]
		r.headline = pick(c.rand, ranks) + " " + other(c.rand, jobs, r.headline)
		r.phone = phone(c.rand)
	})
}

func (c *Company) advance() bool {
	id, ok := choose(c, Applications, c.applications, func(a *application) bool {
		return a.rejected.IsZero() && a.stage < len(stages)-1
	})
	if !ok {
		return false
	}
	c.applications[id].stage++
	c.note(Updated, Applications, id)
	return true
}

func (c *Company) rate() bool {
	id, ok := choose(c, Applications, c.applications, anyOf)
	return ok && c.edit(Applications, id, func() {
		a := c.applications[id]
		a.rating = other(c.rand, []int{1, 2, 3, 4, 5}, a.rating)
	})
}

func (c *Company) reject() bool {
	id, ok := choose(c, Applications, c.applications, func(a *application) bool { return a.rejected.IsZero() })
	if !ok {
		return false
	}
	c.applications[id].rejected = c.clock
	c.note(Updated, Applications, id)
	return true
}

func (c *Company) erase() bool {
	id, ok := choose(c, Applications, c.applications, func(a *application) bool { return c.restedAll(Interviews, a.interviews) })
	if !ok || !c.rested(Candidates, id) {
		return false
	}
	gone := c.applications[id].interviews
	if !c.mayLose(Candidates, 1) || !c.mayLose(Applications, 1) || !c.mayLose(Interviews, len(gone)) {
		return false
	}
	delete(c.applications, id)
	delete(c.candidates, id)
	for _, i := range gone {
		delete(c.interviews, i)
	}
	for _, i := range gone {
		c.note(Deleted, Interviews, i)
	}
	c.note(Deleted, Applications, id)
	c.note(Deleted, Candidates, id)
	return true
}

// workday is a time at which an interview may be.
func (c *Company) workday() time.Time {
	return c.clock.Truncate(24*time.Hour).AddDate(0, 0, 1+c.rand.IntN(20)).Add(time.Duration(9*4+c.rand.IntN(32)) * 15 * time.Minute)
}

func (c *Company) schedule() bool {
	if !c.room(Interviews) || len(c.applications) == 0 {
		return false
	}
	candidate := pick(c.rand, ids(c.applications))
	a := c.applications[candidate]
	if len(a.interviews) >= 3 {
		return false
	}
	id := c.next(Interviews)
	c.interviews[id] = &interview{
		candidate: candidate, call: c.rand.IntN(2) == 0, starts: c.workday(), minutes: 30,
		interviewer: ids(c.employees)[c.rand.IntN(leads)],
	}
	a.interviews = append(a.interviews, id)
	c.note(Created, Interviews, id)
	return true
}

func (c *Company) reschedule() bool {
	id, ok := choose(c, Interviews, c.interviews, anyOf)
	return ok && c.edit(Interviews, id, func() {
		r := c.interviews[id]
		for before := r.starts; r.starts.Equal(before); {
			r.starts = c.workday()
		}
		r.accepted = c.rand.IntN(2) == 0
	})
}

func (c *Company) cancel() bool {
	id, ok := choose(c, Interviews, c.interviews, anyOf)
	if !ok || !c.mayLose(Interviews, 1) {
		return false
	}
	a := c.applications[c.interviews[id].candidate]
	a.interviews = slices.DeleteFunc(a.interviews, func(other int) bool { return other == id })
	delete(c.interviews, id)
	c.note(Deleted, Interviews, id)
	return true
}
