package api

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/tune"
	"github.com/synthook/synthook/poller"
)

// Tuning is what intervals cost and buy, and intervals that would be better.
type Tuning struct {
	Since       time.Time     `json:"since" doc:"Changes were counted from then on, or since an account exists."`
	Budget      float64       `json:"budget,omitempty" doc:"Requests an hour that were kept to."`
	Staleness   string        `json:"staleness,omitempty" example:"15m" doc:"Mean wait that was aimed at."`
	Met         bool          `json:"met" doc:"The aim is met. Otherwise the bounds of the intervals don't allow it, and the proposal is as near as they do."`
	Before      TunedLoad     `json:"before"`
	After       TunedLoad     `json:"after"`
	RecordTypes []TunedType   `json:"record_types"`
	Streams     []TunedStream `json:"streams,omitempty" doc:"Where they were asked for."`
}

// TunedLoad is what schedules cost, and how long a change waits until it is found.
type TunedLoad struct {
	RequestsPerHour float64 `json:"requests_per_hour"`
	TunedWait
	Updates    TunedWait `json:"updates" doc:"Of created and updated records alone: they wait for the next poll of either kind."`
	Deletions  TunedWait `json:"deletions" doc:"Of deleted records alone: they wait for a complete listing."`
	LimitShare float64   `json:"limit_share,omitempty" doc:"Of what the provider grants an account; of several accounts the largest."`
}

// TunedWait is how long a change waits.
type TunedWait struct {
	MeanMS   int64 `json:"mean_ms"`
	MedianMS int64 `json:"median_ms"`
	P95MS    int64 `json:"p95_ms"`
	WorstMS  int64 `json:"worst_ms"`
}

// TunedType is the streams of one record type.
type TunedType struct {
	RecordType          string    `json:"record_type"`
	Streams             int       `json:"streams"`
	Fixed               int       `json:"fixed" doc:"Whose schedule stays: it was set for the stream or account, or is a cron expression."`
	Changes             int64     `json:"changes"`
	Deletions           int64     `json:"deletions" doc:"Of the changes."`
	ChangesPerHour      float64   `json:"changes_per_hour" doc:"As estimated."`
	Schedules           []string  `json:"schedules" doc:"In force; two with a + are of complete listings and of polls between them."`
	Proposed            string    `json:"proposed,omitempty" example:"20m" doc:"For PUT /v1/schedules/{record_type}; absent: nothing to change."`
	ProposedIncremental string    `json:"proposed_incremental,omitempty" example:"5m" doc:"Beside it, of polls that ask for what changed since. Absent: all are complete."`
	Before              TunedLoad `json:"before"`
	After               TunedLoad `json:"after"`
}

// TunedStream is one stream.
type TunedStream struct {
	AccountID                  string    `json:"account_id"`
	RecordType                 string    `json:"record_type"`
	Provider                   string    `json:"provider"`
	Schedule                   string    `json:"schedule"`
	ScheduleFrom               string    `json:"schedule_from" enum:"stream,account,record_type,provider,default"`
	IncrementalSchedule        string    `json:"incremental_schedule,omitempty"`
	Fixed                      string    `json:"fixed,omitempty" doc:"Why its schedule stays."`
	Changes                    int64     `json:"changes"`
	Deletions                  int64     `json:"deletions" doc:"Of the changes."`
	ChangesPerHour             float64   `json:"changes_per_hour"`
	RequestsPerPoll            float64   `json:"requests_per_poll" doc:"Of a complete listing."`
	RequestsPerIncrementalPoll float64   `json:"requests_per_incremental_poll,omitempty" doc:"Of a poll that asks for what changed since. Absent: its connector has no proven filter."`
	Proposed                   string    `json:"proposed,omitempty" example:"20m" doc:"For PATCH of the stream; absent: nothing to change."`
	ProposedIncremental        string    `json:"proposed_incremental,omitempty" example:"5m" doc:"Beside it. Absent: none."`
	Before                     TunedLoad `json:"before"`
	After                      TunedLoad `json:"after"`
}

type tuneQuery struct {
	Budget    string `query:"budget" example:"500/h" doc:"Requests that all polls together may make: 500/h, 10/m, 12000/d. Default: as many as now."`
	Staleness string `query:"staleness" example:"15m" doc:"Instead of a budget: the mean time that a change may wait."`
	PerStream bool   `query:"per_stream" doc:"An interval for each stream instead of each record type."`
	Streams   bool   `query:"streams" doc:"Tell of each stream, too."`
	Window    string `query:"window" default:"168h" doc:"How far back changes are counted."`
	Longest   string `query:"longest" default:"24h" doc:"No interval is longer."`
}

func (a *API) tuneRoutes() {
	serve(a, route{pattern: "GET /v1/tune", access: forProject, summary: "Tell what intervals cost and buy, and propose better ones; changes nothing"}, a.tune)
}

func (a *API) tune(ctx context.Context, in *tuneQuery) (Tuning, error) {
	aim, window, err := in.aim()
	if err != nil {
		return Tuning{}, err
	}
	now := time.Now().UTC()
	since := now.Add(-window)
	seen, err := a.Streams.Observations(ctx, projectOf(ctx), since)
	if err != nil {
		return Tuning{}, err
	}
	aim.Shortest, aim.Sums = a.Streams.MinInterval, !in.Streams && !in.PerStream
	proposal := tune.Plan(tunable(seen, now, aim.PerStream), aim)
	return in.show(proposal, since), nil
}

// tunable describes the streams to the model.
func tunable(seen []poller.Observation, now time.Time, perStream bool) []tune.Stream {
	siblings := map[string]int{}
	for _, o := range seen {
		siblings[o.AccountID]++
	}
	streams := make([]tune.Stream, 0, len(seen))
	for _, o := range seen {
		s := tune.Stream{
			AccountID: o.AccountID, RecordType: o.RecordType, Provider: o.Provider, Schedule: o.Schedule.String(), ScheduleFrom: o.ScheduleFrom,
			Complete: speedOf(o.Complete, 1), Updates: o.Updates, Deletions: o.Deletions, Observed: now.Sub(o.Since), Siblings: siblings[o.AccountID],
		}
		s.Complete.Gaps = o.Schedule.Gaps(now)
		if o.CanIncrement {
			s.Incremental = speedOf(o.Incremental, 2)
		}
		if fast := o.IncrementalSchedule; fast != nil {
			s.IncrementalSchedule, s.Incremental.Gaps = fast.String(), fast.Gaps(now)
			s.Kept = o.IncrementalOwn && !perStream
		}
		if o.Limits.Per > 0 {
			s.Limit = float64(o.Limits.Requests) / o.Limits.Per.Hours()
		}
		switch {
		case o.Schedule.Cron(), o.IncrementalSchedule != nil && o.IncrementalSchedule.Cron() && !s.Kept:
			s.Fixed = "a cron expression"
		case !perStream && (o.ScheduleFrom == poller.FromStream || o.ScheduleFrom == poller.FromAccount):
			s.Fixed = "set for the " + o.ScheduleFrom
		}
		streams = append(streams, s)
	}
	return streams
}

// speedOf is what polls of one kind take: a guess of requests, until there was one.
func speedOf(seen poller.PollsSeen, guess float64) tune.Speed {
	s := tune.Speed{Cost: guess, Duration: seen.Duration}
	if seen.Polls > 0 {
		s.Cost = max(float64(seen.Requests)/float64(seen.Polls), 0.1)
	}
	return s
}

func (in *tuneQuery) aim() (aim tune.Aim, window time.Duration, err error) {
	aim.PerStream = in.PerStream
	duration := func(name, text string, least time.Duration) (d time.Duration) {
		if err != nil || text == "" {
			return 0
		}
		if d, err = time.ParseDuration(text); err != nil || d < least {
			err = invalid("query."+name, "expected a duration of at least "+least.String()+", such as 24h")
		}
		return d
	}
	window = duration("window", in.Window, time.Hour)
	aim.Longest = duration("longest", in.Longest, time.Minute)
	aim.Wait = duration("staleness", in.Staleness, time.Second)
	if err == nil && in.Budget != "" {
		if aim.Budget, err = parseBudget(in.Budget); err == nil && aim.Wait > 0 {
			err = invalid("query.staleness", "give a budget or a staleness, not both: each decides the other")
		}
	}
	return aim, window, err
}

// parseBudget reads 500/h, 10/m, 12000/d or 500 (an hour).
func parseBudget(text string) (perHour float64, err error) {
	number, unit, _ := strings.Cut(text, "/")
	hours, ok := map[string]float64{"": 1, "h": 1, "m": 1.0 / 60, "d": 24}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || !(n > 0) || math.IsInf(n, 0) {
		return 0, invalid("query.budget", "expected requests an hour, such as 500/h (or 10/m, 12000/d)")
	}
	return n / hours, nil
}

func (in *tuneQuery) show(p tune.Proposal, since time.Time) Tuning {
	shown := Tuning{Since: since, Budget: rounded(p.Budget), Staleness: in.Staleness, Met: p.Met, Before: showLoad(p.Before), After: showLoad(p.After), RecordTypes: []TunedType{}}
	for _, g := range p.Groups {
		t := TunedType{
			RecordType: g.RecordType, Streams: g.Streams, Fixed: g.Fixed, Changes: g.Updates + g.Deletions, Deletions: g.Deletions, ChangesPerHour: rounded(g.Rate),
			Schedules: []string{}, Before: showLoad(g.Before), After: showLoad(g.After),
		}
		for _, s := range g.Schedules {
			t.Schedules = append(t.Schedules, strings.TrimSuffix(s.Complete+" + "+s.Incremental, " + "))
		}
		t.Proposed, t.ProposedIncremental = formatInterval(g.Proposed.Complete), formatInterval(g.Proposed.Incremental)
		shown.RecordTypes = append(shown.RecordTypes, t)
	}
	if !in.Streams && !in.PerStream {
		return shown
	}
	shown.Streams = []TunedStream{}
	for _, l := range p.Streams {
		s := TunedStream{
			AccountID: l.AccountID, RecordType: l.RecordType, Provider: l.Provider, Schedule: l.Schedule, ScheduleFrom: l.ScheduleFrom, Fixed: l.Fixed,
			IncrementalSchedule: l.IncrementalSchedule, Changes: l.Updates + l.Deletions, Deletions: l.Deletions, ChangesPerHour: rounded(l.Rate),
			RequestsPerPoll: rounded(l.Complete.Cost), RequestsPerIncrementalPoll: rounded(l.Incremental.Cost),
			Before: showLoad(tune.Total{Load: l.Before, Limit: l.LimitBefore}), After: showLoad(tune.Total{Load: l.After, Limit: l.LimitAfter}),
		}
		if in.PerStream && l.Changed {
			s.Proposed, s.ProposedIncremental = formatInterval(l.Proposed.Complete), formatInterval(l.Proposed.Incremental)
		}
		shown.Streams = append(shown.Streams, s)
	}
	return shown
}

// formatInterval writes an interval; "" for none.
func formatInterval(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return poller.FormatInterval(d)
}

func showLoad(t tune.Total) TunedLoad {
	return TunedLoad{
		RequestsPerHour: rounded(t.Requests), LimitShare: rounded(t.Limit),
		TunedWait: showWait(t.Waits), Updates: showWait(t.Updates), Deletions: showWait(t.Deletions),
	}
}

func showWait(w tune.Waits) TunedWait {
	return TunedWait{MeanMS: w.Mean.Milliseconds(), MedianMS: w.Median.Milliseconds(), P95MS: w.P95.Milliseconds(), WorstMS: w.Worst.Milliseconds()}
}

// rounded drops digits that no estimate has.
func rounded(n float64) float64 { return math.Round(n*10_000) / 10_000 }
