package tune

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawStreams draws streams of every kind.
func drawStreams(t *rapid.T) (streams []Stream) {
	for i := range rapid.IntRange(1, 12).Draw(t, "streams") {
		s := Stream{
			AccountID: fmt.Sprint("account-", i%3), RecordType: fmt.Sprint("type-", i/3), Siblings: 4,
			Gaps:     []time.Duration{time.Duration(rapid.IntRange(1, 48).Draw(t, "interval")) * time.Hour / 2},
			Changes:  rapid.Int64Range(0, 100_000).Draw(t, "changes"),
			Observed: time.Duration(rapid.IntRange(0, 300).Draw(t, "observed")) * time.Hour,
			Cost:     float64(rapid.IntRange(1, 500).Draw(t, "cost")),
			Duration: time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second,
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
				if l.Interval != 0 || l.After != l.Before {
					t.Fatalf("a fixed stream was changed: %+v", l)
				}
				continue
			}
			free = true
			if l.Interval < l.floor(aim.Shortest) || l.Interval > max(aim.Longest, time.Duration(float64(l.floor(aim.Shortest))*1.08)) && aim.PerStream {
				t.Fatalf("interval %s is not within %s and %s", l.Interval, l.floor(aim.Shortest), aim.Longest)
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
				if l.Fixed == "" && l.Interval < aim.Longest {
					t.Fatalf("the budget is not met, and %s is not the longest interval", l.Interval)
				}
			}
		}
	})
}

// No pair of streams can trade requests and make changes wait less: the proposal is an
// optimum (rounding apart, so this looks at what is rounded).
func TestNoTradeIsBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var units []unit
		for range rapid.IntRange(2, 8).Draw(t, "units") {
			floor := time.Duration(rapid.IntRange(1, 600).Draw(t, "floor")) * time.Second
			units = append(units, unit{
				rate: rapid.Float64Range(0.001, 1000).Draw(t, "rate"), cost: rapid.Float64Range(1, 500).Draw(t, "cost"),
				floor: floor, longest: floor + time.Duration(rapid.IntRange(1, 48).Draw(t, "longest"))*time.Hour,
			})
		}
		multiple, met := within(units, rapid.Float64Range(1, 100_000).Draw(t, "budget"))
		if !met {
			return
		}
		waiting := func(u unit, interval time.Duration) float64 { return u.rate * interval.Hours() / 2 }
		for i, u := range units {
			for j, v := range units {
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

func TestWaits(t *testing.T) {
	hourly := Stream{Gaps: []time.Duration{time.Hour}, Duration: time.Minute}
	got := waits(hourly.spans(nil, hourly.Gaps))
	want := Waits{Mean: 31 * time.Minute, Median: 31 * time.Minute, P95: 58 * time.Minute, Worst: 61 * time.Minute}
	near := func(a, b time.Duration) bool { return (a - b).Abs() < time.Second }
	if !near(got.Mean, want.Mean) || !near(got.Median, want.Median) || !near(got.P95, want.P95) || !near(got.Worst, want.Worst) {
		t.Errorf("hourly: %+v, want %+v", got, want)
	}
	// Twice a day, at 9 and 10: most changes fall into the long gap.
	twice := Stream{Gaps: []time.Duration{time.Hour, 23 * time.Hour}}
	got = waits(twice.spans(nil, twice.Gaps))
	mean := (1.0*1 + 23*23) / 2 / 24
	if !near(got.Mean, time.Duration(mean*float64(time.Hour))) || got.Worst != 23*time.Hour || got.Median < 11*time.Hour {
		t.Errorf("twice a day: %+v", got)
	}
	if (waits(nil) != Waits{}) {
		t.Error("nothing waits")
	}
}

// A stream without a change is taken for one that has few, less and less as it stays
// quiet; one that is new for one that has some.
func TestRateHasAPrior(t *testing.T) {
	rate := func(changes int64, observed time.Duration) float64 {
		return Stream{Changes: changes, Observed: observed}.Rate()
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
	quiet := []Stream{{AccountID: "a", RecordType: "employees", Gaps: []time.Duration{time.Hour}, Observed: 24 * 365 * time.Hour, Cost: 1, Siblings: 1}}
	if p := Plan(quiet, Aim{Shortest: time.Minute, Longest: 24 * time.Hour}); p.Streams[0].Interval != time.Hour || !p.Met {
		t.Errorf("a quiet stream alone, under its own budget: %+v", p.Streams[0])
	}
}

func TestBoundsOfAProvider(t *testing.T) {
	s := Stream{
		AccountID: "a", RecordType: "candidates", Gaps: []time.Duration{time.Hour}, Changes: 1_000_000, Observed: time.Hour,
		Cost: 100, Limit: 1000, Siblings: 2, Duration: 10 * time.Second,
	}
	p := Plan([]Stream{s}, Aim{Budget: 1e9, Shortest: time.Minute, Longest: 24 * time.Hour})
	if l := p.Streams[0]; l.Interval < 24*time.Minute || l.Interval > 26*time.Minute || l.LimitAfter > 0.25 || math.Abs(l.LimitBefore-0.1) > 1e-9 {
		t.Errorf("100 requests a poll, two streams within half of 1000 an hour: %s, %.2f of the limit", l.Interval, l.LimitAfter)
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
