package tune

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// speed is what gets one interval: polls of one kind, of a stream or of all streams of a
// record type that can change.
type speed struct {
	rate, cost     float64 // of the changes that these polls find; of all these polls once
	polling        float64 // rate times the hours of a poll
	held           float64 // of complete listings between others: rate of updates times the squared hours of a listing, which they wait for
	floor, longest time.Duration
}

// add lets a stream's polls of one kind have the interval, too.
func (v *speed) add(s Speed, rate float64, floor time.Duration) {
	v.rate += rate
	v.cost += s.Cost
	v.polling += rate * s.Duration.Hours()
	v.floor = max(v.floor, floor)
	v.longest = max(v.longest, floor)
}

// interval is the speed's at a multiple (in hours).
func (v speed) interval(multiple float64) time.Duration {
	return min(max(hours(math.Sqrt((multiple*multiple*v.cost+v.held)/v.rate)), v.floor), v.longest)
}

// way is a choice of speeds: the complete one, and the incremental one where there are two.
type way []speed

// sums are what the way costs an hour at a multiple, and the waiting (changes an hour,
// times hours).
func (w way) sums(multiple float64) (requests, waiting float64) {
	for _, v := range w {
		t := v.interval(multiple).Hours()
		requests += v.cost / t
		waiting += v.rate*t/2 + v.polling + v.held/t/2
	}
	return requests, waiting
}

// unit is the ways that there are for what is scheduled together; all find the same changes.
type unit []way

// at is the best way at a multiple. Its square, halved, is the price of a request in
// waiting.
func (u unit) at(multiple float64) way {
	worth := func(w way) float64 {
		requests, waiting := w.sums(multiple)
		return waiting + multiple*multiple/2*requests
	}
	return slices.MinFunc(u, func(a, b way) int { return cmp.Compare(worth(a), worth(b)) })
}

// sums are those of all units, each at its best.
func sums(units []unit, multiple float64) (requests, waiting float64) {
	for _, u := range units {
		r, w := u.at(multiple).sums(multiple)
		requests, waiting = requests+r, waiting+w
	}
	return requests, waiting
}

// rounded are the intervals of the way, made plain within their bounds.
func (w way) rounded(multiple float64, round func(time.Duration) time.Duration) Intervals {
	var plain [2]time.Duration
	for i, v := range w {
		interval := round(v.interval(multiple))
		if interval < v.floor {
			interval = roundUp(v.floor)
		}
		plain[i] = min(interval, v.longest)
	}
	if plain[1] >= plain[0] { // complete listings find it all as soon
		plain[1] = 0
	}
	return Intervals{Complete: plain[0], Incremental: plain[1]}
}

// units are what gets intervals, and the streams of each.
func (p *Proposal) units(aim Aim) (units []unit, members [][]int) {
	index := map[string]int{}
	for i := range p.Streams {
		l := &p.Streams[i]
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
			units, members = append(units, nil), append(members, nil)
		}
		members[n] = append(members[n], i)
	}
	for i := range units {
		units[i] = p.unit(members[i], aim)
	}
	return units, members
}

// unit is the ways that these streams have together: complete listings that find all, or
// those of the streams that can have incremental ones for deletions only.
func (p *Proposal) unit(members []int, aim Aim) unit {
	one := speed{longest: aim.Longest}
	two := [2]speed{one, one}
	for _, m := range members {
		l := &p.Streams[m]
		up, gone := l.rates()
		one.add(l.Complete, up+gone, l.floor(l.Complete, 1, aim.Shortest))
		if l.Incremental.Cost == 0 || l.Kept {
			two[0].add(l.Complete, up+gone, l.floor(l.Complete, 1, aim.Shortest))
			continue
		}
		two[0].add(l.Complete, gone, l.floor(l.Complete, 2, aim.Shortest))
		two[0].held += up * l.Complete.Duration.Hours() * l.Complete.Duration.Hours()
		two[1].add(l.Incremental, up, l.floor(l.Incremental, 2, aim.Shortest))
	}
	if two[1].cost == 0 {
		return unit{{one}}
	}
	return unit{{one}, two[:]}
}
