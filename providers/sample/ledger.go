package sample

import "slices"

// ledger is what a list remembers of who listed it. It holds the company's life back
// where pollers would miss something; what exists it never decides.
type ledger struct {
	walks    []*walk      // begun and not complete, the newest last
	complete int          // complete walks ever; 0: nobody lists it
	skipped  map[int]bool // lived through the last complete walk and were not served in it
	steady   int          // clean complete walks since one that wasn't, or since a page shifted
	gone     []departure
	calm     int // clean complete walks since calmSeq, when the company last changed
	calmSeq  int64
}

// departure is a deletion that clean complete walks have yet to show.
type departure struct {
	seq   int64
	walks int
}

// walk is one pass over a list. Which request belongs to which walk follows from the
// position it asks for: nothing is added to what a real provider sends.
type walk struct {
	began      int64
	population int
	last, next int
	served     map[int]int // the version of each record, the last one where it came twice
	repeated   bool
	tainted    bool // something was hidden or a lie was told: such a walk proves nothing
}

const openWalks = 8 // remembered at most per list: the older ones were given up

func (l *list) walk(p page) *walk {
	if p.at == 0 {
		w := &walk{began: p.seq, population: p.population, served: map[int]int{}}
		if l.walks = append(l.walks, w); len(l.walks) > openWalks {
			l.walks = l.walks[1:]
		}
		return w
	}
	for _, w := range slices.Backward(l.walks) {
		if w.next == p.at {
			return w
		}
	}
	for _, w := range slices.Backward(l.walks) {
		if w.last == p.at {
			return w // the page is asked for again
		}
	}
	return nil
}

// serve writes down that a page was served.
func (c *Company) serve(l *list, p page, tainted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := l.walk(p)
	if w == nil {
		return
	}
	w.tainted = w.tainted || tainted
	w.last, w.next = p.at, p.next
	for i, id := range p.keys {
		if _, again := w.served[id]; again {
			w.repeated = true
		}
		w.served[id] = p.versions[i]
	}
	if p.more {
		return
	}
	l.walks = slices.DeleteFunc(l.walks, func(other *walk) bool { return other == w })
	if !w.tainted {
		c.finish(l, w)
	}
}

// finish draws from a complete walk what it proves. Only a clean one lets life go on:
// a poller may well refuse a listing in which records were repeated or skipped.
func (c *Company) finish(l *list, w *walk) {
	l.skipped = map[int]bool{}
	for _, id := range l.order {
		if _, ok := w.served[id]; !ok && l.rows[id].born <= w.began {
			l.skipped[id] = true
		}
	}
	clean := !w.repeated && len(l.skipped) == 0 && w.population == l.population
	for id, version := range w.served {
		r := l.rows[id]
		if at, found := slices.BinarySearch(r.served, version); !found {
			r.served = slices.Insert(r.served, at, version)
		}
		if clean && version == r.version() {
			r.rested++
		}
	}
	first := l.complete == 0
	l.complete++
	l.gone = slices.DeleteFunc(l.gone, func(d departure) bool { return first && d.seq <= w.began })
	if !clean {
		l.steady = 0
		return
	}
	l.steady++
	for i := range l.gone {
		if l.gone[i].seq <= w.began {
			l.gone[i].walks++
		}
	}
	l.gone = slices.DeleteFunc(l.gone, func(d departure) bool { return d.walks >= l.enough(c.config.Rest) })
	if l.calmSeq != c.seq {
		l.calm, l.calmSeq = 0, c.seq
	}
	if w.began == c.seq {
		l.calm++
	}
}

// enough is how many walks it takes until everybody who lists this list has made rest
// walks. Two streams may share a list and can't be told apart; one of them may list
// it twice while the other lists it once.
func (l *list) enough(rest int) int { return rest * (2*len(l.types) - 1) }

// watched are the lists that show the record type and that somebody lists; none when
// life waits for nobody.
func (c *Company) watched(recordType string, visit func(l *list) bool) bool {
	if c.config.Rest < 0 {
		return true
	}
	for _, d := range Dialects() {
		for _, l := range c.views[d].lists {
			if l.complete > 0 && slices.Contains(l.from, recordType) && !visit(l) {
				return false
			}
		}
	}
	return true
}

// rested: everybody has seen the record as it is.
func (c *Company) rested(recordType string, id int) bool {
	return c.watched(recordType, func(l *list) bool { return l.rows[id].rested >= l.enough(c.config.Rest) })
}

func (c *Company) restedAll(recordType string, of []int) bool {
	return !slices.ContainsFunc(of, func(id int) bool { return !c.rested(recordType, id) })
}

// room: pollers are not so far behind that another change would make a stream look
// as if its provider had gone mad.
func (c *Company) room(recordTypes ...string) bool {
	return !slices.ContainsFunc(recordTypes, func(recordType string) bool {
		return !c.watched(recordType, func(l *list) bool {
			waiting := len(l.gone)
			for _, id := range l.order {
				if l.rows[id].rested < l.enough(c.config.Rest) {
					waiting++
				}
			}
			return waiting < max(3, len(l.order)/4)
		})
	})
}

// mayLose: n more records may go without looking like an accident, and none of them
// can push one over a page's edge that the last walk has skipped already: nobody
// could tell two skips from a deletion.
func (c *Company) mayLose(recordType string, n int) bool {
	const plausible = 6
	return c.watched(recordType, func(l *list) bool {
		return len(l.gone)+n <= plausible && len(l.order) > n && (!l.positional || len(l.skipped) == 0)
	})
}

// shift moves a record that was yet to be served in this walk to the front, as when its
// sort key changes: it is skipped, and the last one served comes again. Two clean walks
// come in between: nothing is skipped twice running, and a poller that wants two good
// listings gets them.
func (c *Company) shift(l *list, p page) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.positional || !p.more || p.next >= len(l.order) || l.steady < 2 {
		return false
	}
	at := p.next + c.rand.IntN(len(l.order)-p.next)
	id := l.order[at]
	l.order = slices.Insert(slices.Delete(l.order, at, at+1), 0, id)
	l.steady = 0
	return true
}

// Settled says whether every list that is being listed has been listed completely,
// cleanly and often enough since the last change for any poller to have caught up.
// Only after Quiet does it stay true.
func (c *Company) Settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.views {
		for _, l := range v.lists {
			calm := 0
			if l.calmSeq == c.seq {
				calm = l.calm
			}
			if l.complete > 0 && calm < l.enough(max(c.config.Rest, 2)) {
				return false
			}
		}
	}
	return true
}
