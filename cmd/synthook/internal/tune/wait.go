package tune

import (
	"math"
	"time"
)

// Waits is how long a change waits to be found: from when it happens to the end of the
// poll that finds it.
type Waits struct {
	Mean, Median, P95, Worst time.Duration
}

// span is time between two polls in which changes come: they wait up to gap, any time
// alike, and for the poll itself.
type span struct {
	weight    float64 // changes
	gap, poll float64 // hours
}

// pace is when a stream is polled: the times between its complete listings, and between
// the incremental ones; none: it has one speed.
type pace struct{ complete, incremental []time.Duration }

func (s *Stream) pace() pace { return pace{s.Complete.Gaps, s.Incremental.Gaps} }

// spans are those of a stream's updates and deletions. Where it has two speeds, no
// update waits for a complete listing, but one that comes while such a listing runs may
// have to wait for its end, and then for the next poll.
func (s *Stream) spans(p pace, updates, deletions []span) (allUpdates, allDeletions []span) {
	up, gone := s.rates()
	whole := sum(p.complete)
	deletions = s.Complete.spans(deletions, gone, p.complete)
	if len(p.incremental) == 0 || mean(p.incremental) >= mean(p.complete) {
		return s.Complete.spans(updates, up, p.complete), deletions
	}
	running := min(float64(s.Complete.Duration)*float64(len(p.complete))/float64(whole), 1)
	updates = s.Incremental.spans(updates, up*(1-running), p.incremental)
	if running > 0 {
		updates = append(updates, span{
			weight: up * running, gap: (s.Complete.Duration + mean(p.incremental)).Hours(), poll: s.Incremental.Duration.Hours(),
		})
	}
	return updates, deletions
}

// spans are those of changes that come at a rate: they fall into a longer gap more often.
func (v Speed) spans(to []span, rate float64, gaps []time.Duration) []span {
	whole := sum(gaps)
	for _, gap := range gaps {
		to = append(to, span{weight: rate * float64(gap) / float64(whole), gap: gap.Hours(), poll: v.Duration.Hours()})
	}
	return to
}

func mean(gaps []time.Duration) time.Duration { return sum(gaps) / time.Duration(len(gaps)) }

// waits sums up spans.
func waits(spans []span) Waits {
	weight, sum, worst := 0.0, 0.0, 0.0
	for _, s := range spans {
		weight += s.weight
		sum += s.weight * (s.gap/2 + s.poll)
		worst = max(worst, s.gap+s.poll)
	}
	if weight == 0 {
		return Waits{}
	}
	spans = merged(spans, worst)
	return Waits{
		Mean: hours(sum / weight).Round(time.Millisecond), Median: quantile(spans, weight*.5, worst),
		P95: quantile(spans, weight*.95, worst), Worst: hours(worst).Round(time.Millisecond),
	}
}

// exactly is the part of the worst wait to which a quantile is found.
const exactly = 1e-9

// mergedFrom is how many spans are taken as they are. Of more, those of one gap are put
// together whose polls are as long to a part in ten thousand of the worst wait: nobody
// sees the difference, and there are far fewer.
const mergedFrom = 200

func merged(spans []span, worst float64) []span {
	if len(spans) < mergedFrom {
		return spans
	}
	const parts = 10_000
	byGap := map[float64][]float64{} // weights by the length of the poll
	weights, of := []float64(nil), -1.0
	for _, s := range spans {
		if s.gap != of {
			if weights, of = byGap[s.gap], s.gap; weights == nil {
				if len(byGap) == mergedFrom {
					return spans // cron expressions of all kinds
				}
				weights = make([]float64, parts+1)
				byGap[s.gap] = weights
			}
		}
		weights[int(math.Round(s.poll/worst*parts))] += s.weight
	}
	var few []span
	for gap, weights := range byGap {
		for i, weight := range weights {
			if weight > 0 {
				few = append(few, span{weight: weight, gap: gap, poll: float64(i) * worst / parts})
			}
		}
	}
	return few
}

// quantile is the wait that so much of the weight does not exceed.
func quantile(spans []span, weight, worst float64) time.Duration {
	low, high := 0.0, worst
	for high-low > worst*exactly {
		middle := (low + high) / 2
		below := 0.0
		for _, s := range spans {
			below += s.weight * min(max((middle-s.poll)/math.Max(s.gap, 1e-12), 0), 1)
		}
		if below < weight {
			low = middle
		} else {
			high = middle
		}
	}
	return hours(high).Round(time.Millisecond)
}
