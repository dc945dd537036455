package tune

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func every(interval time.Duration) []time.Duration { return []time.Duration{interval} }

// drawStreams draws streams of every kind.
func drawStreams(t *rapid.T) (streams []Stream) {
	for i := range rapid.IntRange(1, 12).Draw(t, "streams") {
		s := Stream{
			AccountID: fmt.Sprint("account-", i%3), RecordType: fmt.Sprint("type-", i/3), Siblings: 4,
			Complete: Speed{
				Gaps:     every(time.Duration(rapid.IntRange(1, 48).Draw(t, "interval")) * time.Hour / 2),
				Cost:     float64(rapid.IntRange(1, 500).Draw(t, "cost")),
				Duration: time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second,
			},
			Updates:   rapid.Int64Range(0, 100_000).Draw(t, "updates"),
			Deletions: rapid.Int64Range(0, 1000).Draw(t, "deletions"),
			Observed:  time.Duration(rapid.IntRange(0, 300).Draw(t, "observed")) * time.Hour,
		}
		if rapid.Bool().Draw(t, "proven") {
			s.Incremental = Speed{
				Cost:     float64(rapid.IntRange(1, 20).Draw(t, "incremental cost")),
				Duration: time.Duration(rapid.IntRange(0, 10).Draw(t, "incremental seconds")) * time.Second,
			}
			if rapid.Bool().Draw(t, "two speeds") {
				s.Incremental.Gaps = every(time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute)
				s.Kept = rapid.Bool().Draw(t, "kept")
			}
		}
		if rapid.Bool().Draw(t, "limited") {
			s.Limit = float64(rapid.IntRange(100, 100_000).Draw(t, "limit"))
		}
		if rapid.IntRange(0, 4).Draw(t, "fixed") == 0 {
			s.Fixed = "cron"
		}
		streams = append(streams, s)
	}
	return streams
}

// Whatever the streams: a proposal keeps the bounds; it keeps the budget, or says that it
// can't and is as cheap as can be; it keeps the target, or says that it can't and is as
// fresh as can be; and what is fixed stays.
func TestProposalsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		streams := drawStreams(t)
		aim := Aim{Shortest: 5 * time.Minute, Longest: 24 * time.Hour, PerStream: rapid.Bool().Draw(t, "per stream")}
		if rapid.Bool().Draw(t, "by wait") {
			aim.Wait = time.Duration(rapid.IntRange(1, 1500).Draw(t, "minutes")) * time.Minute
		} else {
			aim.Budget = float64(rapid.IntRange(1, 20_000).Draw(t, "budget"))
		}
		p := Plan(streams, aim)
		free := false
		for _, l := range p.Streams {
			if l.Fixed != "" {
				if (l.Proposed != Intervals{}) || l.After != l.Before {
					t.Fatalf("a fixed stream was changed: %+v", l)
				}
				continue
			}
			free = true
			speeds := 1
			if v := l.Proposed.Incremental; v > 0 {
				speeds = 2
				if l.Incremental.Cost == 0 || l.Kept || v >= l.Proposed.Complete || v < l.floor(l.Incremental, speeds, aim.Shortest) {
					t.Fatalf("proposed %+v to %+v", l.Proposed, l.Stream)
				}
			}
			if l.Kept && !slices.Equal(l.then.incremental, l.Incremental.Gaps) {
				t.Fatalf("a schedule that is kept was changed: %+v", l)
			}
			floor := l.floor(l.Complete, speeds, aim.Shortest)
			if l.Proposed.Complete < floor || l.Proposed.Complete > max(aim.Longest, time.Duration(float64(floor)*1.08)) && aim.PerStream {
				t.Fatalf("interval %s is not within %s and %s", l.Proposed.Complete, floor, aim.Longest)
			}
		}
		switch {
		case aim.Wait > 0 && p.Met && p.After.Mean > aim.Wait+time.Second && free:
			// A floor that was rounded up may cost a little; nothing else may.
			if float64(p.After.Mean) > 1.08*float64(aim.Wait) {
				t.Fatalf("changes wait %s for a target of %s", p.After.Mean, aim.Wait)
			}
		case aim.Wait == 0 && p.Met && p.After.Requests > aim.Budget*1.000001:
			t.Fatalf("%f requests for a budget of %f", p.After.Requests, aim.Budget)
		case aim.Wait == 0 && !p.Met && free && aim.PerStream:
			for _, l := range p.Streams {
				if l.Fixed == "" && l.Proposed.Complete < aim.Longest {
					t.Fatalf("the budget is not met, and %s is not the longest interval", l.Proposed.Complete)
				}
			}
		}
	})
}

// No pair of streams, nor the two speeds of one, can trade requests and make changes wait
// less: the proposal is an optimum (rounding apart, so this looks at what is rounded).
func TestNoTradeIsBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawSpeed := func(held float64) speed {
			floor := time.Duration(rapid.IntRange(1, 600).Draw(t, "floor")) * time.Second
			return speed{
				rate: rapid.Float64Range(0.001, 1000).Draw(t, "rate"), cost: rapid.Float64Range(1, 500).Draw(t, "cost"), held: held,
				floor: floor, longest: floor + time.Duration(rapid.IntRange(1, 48).Draw(t, "longest"))*time.Hour,
			}
		}
		var units []unit
		for range rapid.IntRange(1, 8).Draw(t, "units") {
			u := unit{{drawSpeed(0)}}
			if rapid.Bool().Draw(t, "two speeds") {
				u = append(u, way{drawSpeed(rapid.Float64Range(0, 10).Draw(t, "held")), drawSpeed(0)})
			}
			units = append(units, u)
		}
		multiple, met := within(units, rapid.Float64Range(1, 100_000).Draw(t, "budget"))
		if !met {
			return
		}
		var all way
		for _, u := range units {
			all = append(all, u.at(multiple)...)
		}
		waiting := func(v speed, interval time.Duration) float64 {
			return v.rate*interval.Hours()/2 + v.held/interval.Hours()/2
		}
		for i, u := range all {
			for j, v := range all {
				// A hundredth of i's requests goes to j.
				from, to := u.interval(multiple), v.interval(multiple)
				given := 0.01 * u.cost / from.Hours()
				longer, shorter := hours(u.cost/(u.cost/from.Hours()-given)), hours(v.cost/(v.cost/to.Hours()+given))
				if i == j || longer > u.longest || shorter < v.floor {
					continue
				}
				was, would := waiting(u, from)+waiting(v, to), waiting(u, longer)+waiting(v, shorter)
				if would < was*(1-1e-6) {
					t.Fatalf("%+v gives to %+v: %f instead of %f", u, v, would, was)
				}
			}
		}
	})
}

// Whatever the price of a request, no more is asked for as the multiple grows, and no
// less waited: what a bisection needs, where speeds come and go.
func TestSumsAreMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Proposal{}
		for _, s := range drawStreams(t) {
			p.Streams = append(p.Streams, Line{Stream: &s})
		}
		units, _ := p.units(Aim{Shortest: time.Minute, Longest: 24 * time.Hour})
		requests, waiting := math.Inf(1), 0.0
		for multiple := 1e-4; multiple < 1e4; multiple *= 1.5 {
			r, w := sums(units, multiple)
			if r > requests*(1+1e-6) || w < waiting*(1-1e-6) {
				t.Fatalf("at %g: %g requests after %g, waiting %g after %g", multiple, r, requests, w, waiting)
			}
			requests, waiting = r, w
		}
	})
}

// Two speeds are proposed where a listing of changes is cheap enough beside a complete
// one and deletions are few: where c'/c + 2·sqrt(c'/c · x/u) is less than one.
func TestWhenTwoSpeedsPay(t *testing.T) {
	for _, c := range []struct {
		updates, deletions int64
		incremental        float64 // requests, of 40 of a complete listing
		two                bool
	}{
		{200, 10, 2, true}, {200, 10, 39, false}, {1000, 0, 20, true}, {10, 1000, 2, false}, {0, 0, 2, true}, {100, 100, 6, true}, {100, 100, 8, false},
	} {
		s := Stream{
			AccountID: "a", RecordType: "candidates", Updates: c.updates, Deletions: c.deletions, Observed: 168 * time.Hour, Siblings: 1,
			Complete: Speed{Gaps: every(time.Hour), Cost: 40}, Incremental: Speed{Cost: c.incremental},
		}
		up, gone := s.rates()
		ratio := c.incremental / 40
		if pays := ratio+2*math.Sqrt(ratio*gone/up) < 1; pays != c.two {
			t.Fatalf("%+v: the rule says %v", c, pays)
		}
		p := Plan([]Stream{s}, Aim{Shortest: time.Second, Longest: 240 * time.Hour})
		if got := p.Groups[0].Proposed; c.two != (got.Incremental > 0) {
			t.Errorf("%+v: proposed %+v", c, got)
		}
		if c.two && p.After.Mean >= p.Before.Mean {
			t.Errorf("%+v: changes wait %s instead of %s", c, p.After.Mean, p.Before.Mean)
		}
	}
}

func near(a, b time.Duration) bool { return (a - b).Abs() < time.Second }

func TestWaits(t *testing.T) {
	hourly := Stream{Complete: Speed{Gaps: every(time.Hour), Duration: time.Minute}}
	got := hourly.load(hourly.pace())
	want := Waits{Mean: 31 * time.Minute, Median: 31 * time.Minute, P95: 58 * time.Minute, Worst: 61 * time.Minute}
	if !near(got.Mean, want.Mean) || !near(got.Median, want.Median) || !near(got.P95, want.P95) || !near(got.Worst, want.Worst) ||
		got.Updates != got.Waits || got.Deletions != got.Waits {
		t.Errorf("hourly: %+v, want %+v", got, want)
	}
	// Twice a day, at 9 and 10: most changes fall into the long gap.
	twice := Stream{Complete: Speed{Gaps: []time.Duration{time.Hour, 23 * time.Hour}}}
	got = twice.load(twice.pace())
	mean := (1.0*1 + 23*23) / 2 / 24
	if !near(got.Mean, time.Duration(mean*float64(time.Hour))) || got.Worst != 23*time.Hour || got.Median < 11*time.Hour {
		t.Errorf("twice a day: %+v", got)
	}
	if (waits(nil) != Waits{}) {
		t.Error("nothing waits")
	}
}

// The faster listings bound the wait of updates, the complete ones that of deletions; and
// while a complete one runs, no other does.
func TestWaitsOfTwoSpeeds(t *testing.T) {
	s := Stream{
		Complete:    Speed{Gaps: every(5 * time.Hour), Cost: 50, Duration: 30 * time.Minute},
		Incremental: Speed{Gaps: every(10 * time.Minute), Cost: 2, Duration: 6 * time.Second},
	}
	got := s.load(s.pace())
	if mean := got.Deletions.Mean; !near(mean, 180*time.Minute) || !near(got.Deletions.Worst, 330*time.Minute) {
		t.Errorf("deletions: %+v", got.Deletions)
	}
	// Nine of ten updates wait 5 minutes; those of the half hour of the listing 20.
	if mean := got.Updates.Mean; !near(mean, 6*time.Minute+30*time.Second+6*time.Second) || !near(got.Updates.Worst, 40*time.Minute+6*time.Second) {
		t.Errorf("updates: %+v", got.Updates)
	}
	if math.Abs(got.Requests-(50.0/5+2*6)) > 1e-9 || got.Mean <= got.Updates.Mean || got.Mean >= got.Deletions.Mean {
		t.Errorf("%+v", got)
	}
	s.Incremental.Gaps = every(6 * time.Hour)
	if slow := s.load(s.pace()); slow.Updates != slow.Deletions {
		t.Errorf("complete listings are the faster ones: %+v", slow)
	}
}

// A stream without a change is taken for one that has few, less and less as it stays
// quiet; one that is new for one that has some.
func TestRateHasAPrior(t *testing.T) {
	rate := func(changes int64, observed time.Duration) float64 {
		s := Stream{Updates: changes, Observed: observed}
		return s.Rate()
	}
	if fresh := rate(0, 0); math.Abs(fresh-1.0/24) > 1e-9 {
		t.Errorf("new: %f an hour", fresh)
	}
	if day, month := rate(0, 24*time.Hour), rate(0, 30*24*time.Hour); day <= month || month <= 0 {
		t.Errorf("quiet for a day %f, for a month %f", day, month)
	}
	if busy := rate(7000, 168*time.Hour); math.Abs(busy-7000.0/168) > 6 {
		t.Errorf("7000 changes a week: %f an hour", busy)
	}
	quiet := []Stream{{AccountID: "a", RecordType: "employees", Complete: Speed{Gaps: every(time.Hour), Cost: 1}, Observed: 24 * 365 * time.Hour, Siblings: 1}}
	if p := Plan(quiet, Aim{Shortest: time.Minute, Longest: 24 * time.Hour}); p.Streams[0].Proposed != (Intervals{Complete: time.Hour}) || !p.Met {
		t.Errorf("a quiet stream alone, under its own budget: %+v", p.Streams[0])
	}
}

func TestBoundsOfAProvider(t *testing.T) {
	s := Stream{
		AccountID: "a", RecordType: "candidates", Updates: 1_000_000, Observed: time.Hour, Limit: 1000, Siblings: 2,
		Complete: Speed{Gaps: every(time.Hour), Cost: 100, Duration: 10 * time.Second},
	}
	p := Plan([]Stream{s}, Aim{Budget: 1e9, Shortest: time.Minute, Longest: 24 * time.Hour})
	if l := p.Streams[0]; l.Proposed.Complete < 24*time.Minute || l.Proposed.Complete > 26*time.Minute || l.LimitAfter > 0.25 || math.Abs(l.LimitBefore-0.1) > 1e-9 {
		t.Errorf("100 requests a poll, two streams within half of 1000 an hour: %s, %.2f of the limit", l.Proposed.Complete, l.LimitAfter)
	}
	s.Incremental = Speed{Cost: 10}
	p = Plan([]Stream{s}, Aim{Budget: 1e9, Shortest: time.Minute, Longest: 24 * time.Hour})
	if l := p.Streams[0]; l.Proposed.Incremental == 0 || l.LimitAfter > 0.25 {
		t.Errorf("two speeds of a stream, together: %+v, %.2f of the limit", l.Proposed, l.LimitAfter)
	}
}

func TestRounding(t *testing.T) {
	for text, want := range map[string][2]string{"13m42s": {"14m", "13m30s"}, "1h7m3s": {"1h8m", "1h7m"}, "2h31m": {"2h35m", "2h30m"}, "15m": {"15m", "15m"}, "7s": {"7s", "7s"}, "19h10m": {"20h", "19h"}} {
		d, _ := time.ParseDuration(text)
		up, _ := time.ParseDuration(want[0])
		down, _ := time.ParseDuration(want[1])
		if roundUp(d) != up || roundDown(d) != down {
			t.Errorf("%s: %s and %s, want %v", text, roundUp(d), roundDown(d), want)
		}
	}
}
