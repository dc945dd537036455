package tune

import (
	"cmp"
	"slices"
	"time"
)

// Aim is what a proposal is for: a budget or a wait, not both; neither: the budget that
// is spent now.
type Aim struct {
	Budget    float64       // requests an hour of all streams together
	Wait      time.Duration // mean wait of a change
	PerStream bool          // intervals for each stream; else for each record type
	Sums      bool          // loads of groups and totals alone are wanted: of a line that can change there are none
	Shortest  time.Duration // of an interval
	Longest   time.Duration
}

// Proposal is what there is and what would be better.
type Proposal struct {
	Streams       []Line  // by account and record type
	Groups        []Group // by record type
	Before, After Total
	Budget        float64 // that was kept to; 0: the aim was a wait
	Met           bool    // the aim is met; else After is as near as the bounds let it be
}

// Intervals are what is proposed: between complete listings, and between incremental
// ones (0: none; in a record type, they are for the streams that have such listings).
type Intervals struct{ Complete, Incremental time.Duration }

// Line is one stream.
type Line struct {
	*Stream
	Rate          float64 // changes an hour, estimated
	Before, After Load
	Proposed      Intervals // zero: its schedules stay
	Changed       bool      // they are others than now
	LimitBefore   float64   // share of the provider's limit that it uses; 0: none is known
	LimitAfter    float64
	then          pace
}

// Load is what schedules cost and what they buy.
type Load struct {
	Requests  float64 // an hour
	Waits             // of all changes
	Updates   Waits   // of created and updated records alone
	Deletions Waits
}

// Total is a load of many streams; Limit is the largest share of a provider's limit
// that one account uses.
type Total struct {
	Load
	Limit float64
}

// Group is the streams of one record type.
type Group struct {
	RecordType         string
	Streams, Fixed     int
	Updates, Deletions int64
	Rate               float64
	Before, After      Total
	Schedules          []Schedules // in force, each once
	Proposed           Intervals   // for all that can change; zero: none can, none needs to, or each gets its own
}

// Schedules are a stream's, as they were written.
type Schedules struct{ Complete, Incremental string }

// Plan proposes intervals for streams that are polled.
func Plan(streams []Stream, aim Aim) Proposal {
	p := Proposal{Met: true, Streams: make([]Line, len(streams))}
	for i, from := range inOrder(streams) {
		l := &p.Streams[i]
		l.Stream, l.Rate, l.then = from, from.Rate(), from.pace()
		if !aim.Sums || l.Fixed != "" {
			l.Before = l.load(l.then)
		}
	}
	all := p.lines()
	p.Before = total(all, before)
	if aim.Wait == 0 {
		p.Budget = cmp.Or(aim.Budget, p.Before.Requests)
	}
	p.propose(aim)
	for i := range p.Streams {
		if l := &p.Streams[i]; !aim.Sums {
			l.After = l.load(l.then)
			if l.Limit > 0 {
				l.LimitBefore, l.LimitAfter = l.Before.Requests/l.Limit, l.After.Requests/l.Limit
			}
		}
	}
	p.After = total(all, after)
	p.group(aim)
	return p
}

func (s *Stream) requests(p pace) float64 {
	return s.Complete.spending(p.complete) + s.Incremental.spending(p.incremental)
}

func (s *Stream) load(p pace) Load {
	updates, deletions := s.spans(p, nil, nil)
	return loadOf(s.requests(p), updates, deletions)
}

func loadOf(requests float64, updates, deletions []span) Load {
	return Load{Requests: requests, Waits: waits(slices.Concat(updates, deletions)), Updates: waits(updates), Deletions: waits(deletions)}
}

// propose finds the intervals.
func (p *Proposal) propose(aim Aim) {
	units, members := p.units(aim)
	if len(units) == 0 {
		p.Met = aim.Wait == 0 && p.Before.Requests <= p.Budget || aim.Wait > 0 && p.Before.Mean <= aim.Wait
		return
	}
	var multiple float64
	round := roundUp
	if aim.Wait > 0 {
		round = roundDown
		most := 0.0 // waiting
		for _, l := range p.lines() {
			most += l.Rate * aim.Wait.Hours()
			if l.Fixed != "" {
				most -= l.Rate * l.Before.Mean.Hours()
			}
		}
		multiple, p.Met = fresh(units, most)
	} else {
		rest := p.Budget
		for _, l := range p.lines() {
			switch {
			case l.Fixed != "":
				rest -= l.Before.Requests
			case l.Kept:
				rest -= l.Incremental.spending(l.Incremental.Gaps)
			}
		}
		multiple, p.Met = within(units, rest)
	}
	for i, u := range units {
		proposed := u.at(multiple).rounded(multiple, round)
		for _, m := range members[i] {
			p.Streams[m].take(proposed)
		}
	}
}

// take gives the stream its intervals, so far as it can have them.
func (l *Line) take(proposed Intervals) {
	l.Proposed, l.then = proposed, pace{complete: []time.Duration{proposed.Complete}}
	switch {
	case l.Kept:
		l.then.incremental = l.Incremental.Gaps
		l.Proposed.Incremental = 0
	case l.Incremental.Cost == 0:
		l.Proposed.Incremental = 0
	case proposed.Incremental > 0:
		l.then.incremental = []time.Duration{proposed.Incremental}
	}
	l.Changed = !slices.Equal(l.then.complete, l.Complete.Gaps) || !slices.Equal(l.then.incremental, l.Incremental.Gaps)
}

// inOrder are streams by account and record type.
func inOrder(streams []Stream) []*Stream {
	all := make([]*Stream, len(streams))
	for i := range streams {
		all[i] = &streams[i]
	}
	slices.SortFunc(all, func(a, b *Stream) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.RecordType, b.RecordType))
	})
	return all
}

// lines are the streams where they stand: they are too big to be copied for each look.
func (p *Proposal) lines() []*Line {
	all := make([]*Line, len(p.Streams))
	for i := range p.Streams {
		all[i] = &p.Streams[i]
	}
	return all
}

func before(l *Line) pace { return l.pace() }
func after(l *Line) pace  { return l.then }

// total sums up lines with the pace that is asked for.
func total(lines []*Line, at func(*Line) pace) Total {
	var t Total
	var requests float64
	var updates, deletions []span
	limits := map[string]float64{}
	for _, l := range lines {
		spent := l.requests(at(l))
		requests += spent
		updates, deletions = l.spans(at(l), updates, deletions)
		if l.Limit > 0 {
			limits[l.AccountID] += spent / l.Limit
			t.Limit = max(t.Limit, limits[l.AccountID])
		}
	}
	t.Load = loadOf(requests, updates, deletions)
	return t
}

// group sums up the lines of each record type.
func (p *Proposal) group(aim Aim) {
	byType := map[string][]*Line{}
	for _, l := range p.lines() {
		byType[l.RecordType] = append(byType[l.RecordType], l)
	}
	for recordType, lines := range byType {
		p.Groups = append(p.Groups, groupOf(recordType, lines, aim))
	}
	slices.SortFunc(p.Groups, func(a, b Group) int { return cmp.Compare(a.RecordType, b.RecordType) })
}

func groupOf(recordType string, lines []*Line, aim Aim) Group {
	g := Group{RecordType: recordType, Streams: len(lines), Before: total(lines, before), After: total(lines, after)}
	changed := false
	for _, l := range lines {
		g.Rate += l.Rate
		g.Updates += l.Updates
		g.Deletions += l.Deletions
		if l.Fixed != "" {
			g.Fixed++
		}
		if s := (Schedules{l.Schedule, l.IncrementalSchedule}); !slices.Contains(g.Schedules, s) {
			g.Schedules = append(g.Schedules, s)
		}
		if !aim.PerStream && l.Fixed == "" {
			changed = changed || l.Changed
			g.Proposed = Intervals{l.Proposed.Complete, max(g.Proposed.Incremental, l.Proposed.Incremental)}
		}
	}
	if !changed {
		g.Proposed = Intervals{}
	}
	slices.SortFunc(g.Schedules, func(a, b Schedules) int {
		return cmp.Or(cmp.Compare(a.Complete, b.Complete), cmp.Compare(a.Incremental, b.Incremental))
	})
	return g
}
