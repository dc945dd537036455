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
	PerStream bool          // an interval for each stream; else one for each record type
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

// Line is one stream.
type Line struct {
	Stream
	Rate             float64 // changes an hour, estimated
	Before, After    Load
	Interval         time.Duration // proposed; 0: its schedule stays
	Changed          bool          // it is another one than now
	LimitBefore      float64       // share of the provider's limit that it uses; 0: none is known
	LimitAfter       float64
	proposedSchedule []time.Duration
}

// Load is what a schedule costs and what it buys.
type Load struct {
	Requests float64 // an hour
	Waits
}

// Total is a load of many streams; Limit is the largest share of a provider's limit
// that one account uses.
type Total struct {
	Load
	Limit float64
}

// Group is the streams of one record type.
type Group struct {
	RecordType     string
	Streams, Fixed int
	Changes        int64
	Rate           float64
	Before, After  Total
	Schedules      []string      // in force, each once
	Interval       time.Duration // proposed for all that can change; 0: none can, none needs to, or each gets its own
}

// Plan proposes intervals for streams that are polled.
func Plan(streams []Stream, aim Aim) Proposal {
	p := Proposal{Met: true}
	for _, s := range streams {
		p.Streams = append(p.Streams, Line{Stream: s, Rate: s.Rate(), Before: s.load(s.Gaps), proposedSchedule: s.Gaps})
	}
	slices.SortFunc(p.Streams, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.RecordType, b.RecordType))
	})
	p.Before = total(p.Streams, before)
	if aim.Wait == 0 {
		p.Budget = cmp.Or(aim.Budget, p.Before.Requests)
	}
	p.propose(aim)
	for i := range p.Streams {
		l := &p.Streams[i]
		l.After = l.load(l.proposedSchedule)
		if l.Limit > 0 {
			l.LimitBefore, l.LimitAfter = l.Before.Requests/l.Limit, l.After.Requests/l.Limit
		}
	}
	p.After = total(p.Streams, after)
	p.group(aim)
	return p
}

func (s Stream) load(gaps []time.Duration) Load {
	return Load{Requests: s.spending(gaps), Waits: waits(s.spans(nil, gaps))}
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
		rate, waiting, polling := 0.0, 0.0, 0.0
		for _, l := range p.Streams {
			if l.Fixed != "" {
				rate += l.Rate
				waiting += l.Rate * l.Before.Mean.Hours()
			} else {
				polling += l.Rate * l.Duration.Hours()
			}
		}
		multiple, p.Met = fresh(units, aim.Wait, rate, waiting+polling)
	} else {
		rest := p.Budget
		for _, l := range p.Streams {
			if l.Fixed != "" {
				rest -= l.Before.Requests
			}
		}
		multiple, p.Met = within(units, rest)
	}
	for i, u := range units {
		interval := round(u.interval(multiple))
		if interval < u.floor {
			interval = roundUp(u.floor)
		}
		interval = min(interval, max(u.longest, u.floor))
		for _, m := range members[i] {
			l := &p.Streams[m]
			l.Interval, l.proposedSchedule = interval, []time.Duration{interval}
			l.Changed = l.Gaps[0] != interval
		}
	}
}

// units are what gets an interval, and the streams of each.
func (p *Proposal) units(aim Aim) (units []unit, members [][]int) {
	index := map[string]int{}
	for i, l := range p.Streams {
		if l.Fixed != "" {
			continue
		}
		key := l.RecordType
		if aim.PerStream {
			key = l.AccountID + "/" + l.RecordType
		}
		n, known := index[key]
		if !known {
			n = len(units)
			index[key] = n
			units, members = append(units, unit{longest: aim.Longest}), append(members, nil)
		}
		u := &units[n]
		u.rate += l.Rate
		u.cost += l.Cost
		u.floor = max(u.floor, l.floor(aim.Shortest))
		u.longest = max(u.longest, u.floor)
		members[n] = append(members[n], i)
	}
	return units, members
}

func before(l Line) []time.Duration { return l.Gaps }
func after(l Line) []time.Duration  { return l.proposedSchedule }

// total sums up lines with the gaps that are asked for.
func total(lines []Line, gaps func(Line) []time.Duration) Total {
	var t Total
	var all []span
	limits := map[string]float64{}
	for _, l := range lines {
		spent := l.spending(gaps(l))
		t.Requests += spent
		all = l.spans(all, gaps(l))
		if l.Limit > 0 {
			limits[l.AccountID] += spent / l.Limit
			t.Limit = max(t.Limit, limits[l.AccountID])
		}
	}
	t.Waits = waits(all)
	return t
}

// group sums up the lines of each record type.
func (p *Proposal) group(aim Aim) {
	byType := map[string][]Line{}
	for _, l := range p.Streams {
		byType[l.RecordType] = append(byType[l.RecordType], l)
	}
	for recordType, lines := range byType {
		g := Group{RecordType: recordType, Streams: len(lines), Before: total(lines, before), After: total(lines, after)}
		for _, l := range lines {
			g.Rate += l.Rate
			g.Changes += l.Changes
			if l.Fixed != "" {
				g.Fixed++
			}
			if !slices.Contains(g.Schedules, l.Schedule) {
				g.Schedules = append(g.Schedules, l.Schedule)
			}
			if l.Changed && !aim.PerStream {
				g.Interval = l.Interval
			}
		}
		slices.Sort(g.Schedules)
		p.Groups = append(p.Groups, g)
	}
	slices.SortFunc(p.Groups, func(a, b Group) int { return cmp.Compare(a.RecordType, b.RecordType) })
}
