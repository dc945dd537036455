package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/poller"
)

func (a *app) tuneCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tune [--budget REQUESTS/h | --staleness DURATION]",
		Short: "What intervals cost and what they buy; proposes better ones",
		Long: `Tells from the polls on record how often records change, how long a change waits until it
is found, and what polling costs in requests; then proposes an interval for each record
type that makes changes wait least for a budget of requests, or that keeps a mean wait
with the fewest requests. Where a connector can ask for changes alone, that is two
intervals, if two are better: 6h + 5m is a complete listing every six hours, which alone
finds deletions, and between them one of changes every five minutes. Without a budget or
a staleness, the budget is what is spent now. What was set for a stream or an account
stays (but with --per-stream), and so does a cron expression. Nothing is changed without
--apply.`,
		Example: `  synthook tune
  synthook tune --budget 500/h
  synthook tune --staleness 15m --apply
  synthook tune --budget 500/h --per-stream --apply --yes --json`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	query := url.Values{}
	texts := map[string]*string{
		"budget":    flags.String("budget", "", "All polls together make no more than these `REQUESTS`: 500/h, 10/m, 12000/d"),
		"staleness": flags.String("staleness", "", "Instead of a budget: the mean `DURATION` that a change waits"),
		"window":    flags.String("window", "168h", "Count changes this far back"),
		"longest":   flags.String("longest", "24h", "Propose no longer interval"),
	}
	perStream := flags.Bool("per-stream", false, "Propose an interval for each stream instead of each record type")
	streams := flags.Bool("streams", false, "Show each stream, too")
	apply := flags.Bool("apply", false, "Set the proposed intervals, when you have confirmed it")
	yes := flags.Bool("yes", false, "Confirm beforehand")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for name, text := range texts {
			if *text != "" {
				query.Set(name, *text)
			}
		}
		query.Set("per_stream", strconv.FormatBool(*perStream))
		query.Set("streams", strconv.FormatBool(*streams || a.json))
		if *apply && a.json && !*yes {
			return usageError("--apply with --json asks nobody: add --yes")
		}
		question := get("v1", "tune")
		question.path += "?" + query.Encode()
		t, err := ask[api.Tuning](a, cmd, question)
		if err != nil {
			return err
		}
		if err := a.print(t, func(w io.Writer) { describeTuning(w, t) }); err != nil || !*apply {
			return err
		}
		return a.applyTuning(cmd, t, *yes)
	}
	return cmd
}

// applyTuning sets what is proposed, one after another: what was set before an error
// stays, and the same command sets the rest.
func (a *app) applyTuning(cmd *cobra.Command, t api.Tuning, confirmed bool) error {
	calls := proposals(t)
	if len(calls) == 0 {
		a.note("nothing to change")
		return nil
	}
	if !confirmed {
		if err := a.confirm("Set %s?", counted(len(calls), "schedule")); err != nil {
			return err
		}
	}
	for i, c := range calls {
		if err := a.tell(cmd, c); err != nil {
			return fmt.Errorf("%d of %s set: %w", i, counted(len(calls), "schedule"), err)
		}
	}
	a.note("%s set", counted(len(calls), "schedule"))
	return nil
}

func proposals(t api.Tuning) (calls []call) {
	for _, v := range t.RecordTypes {
		if v.Proposed != "" {
			calls = append(calls, call{http.MethodPut, client.Path("v1", "schedules", v.RecordType), api.RecordTypeSchedule{RecordType: v.RecordType, Schedule: v.Proposed, IncrementalSchedule: v.ProposedIncremental}})
		}
	}
	for _, s := range t.Streams {
		if s.Proposed != "" {
			calls = append(calls, patch(api.StreamUpdate{Schedule: &s.Proposed, IncrementalSchedule: &s.ProposedIncremental}, "v1", "accounts", s.AccountID, "streams", s.RecordType))
		}
	}
	return calls
}

func describeTuning(w io.Writer, t api.Tuning) {
	if len(t.RecordTypes) == 0 {
		fmt.Fprintln(w, "no stream is polled: there is nothing to tune")
		return
	}
	loads := []string{"REQUESTS/H", "WAIT: MEAN", "WORST", "DELETED: MEAN", "WORST"}
	writeRow(w, slices.Concat([]string{"RECORD TYPE", "STREAMS", "CHANGES/H", "SCHEDULE"}, loads, []string{"PROPOSED"}, loads))
	for _, v := range t.RecordTypes {
		proposed := cmp.Or(both(v.Proposed, v.ProposedIncremental), "stays")
		if len(proposals(api.Tuning{Streams: of(t.Streams, v.RecordType)})) > 0 {
			proposed = "by stream"
		}
		row := []string{v.RecordType, strconv.Itoa(v.Streams), number(v.ChangesPerHour), some(v.Schedules)}
		writeRow(w, slices.Concat(row, load(v.Before), []string{proposed}, load(v.After)))
	}
	writeRow(w, slices.Concat([]string{"all", "", "", ""}, load(t.Before), []string{""}, load(t.After)))
	if len(t.Streams) > 0 {
		fmt.Fprintln(w)
		loads = append(loads, "OF LIMIT")
		writeRow(w, slices.Concat([]string{"ACCOUNT", "RECORD TYPE", "CHANGES/H", "SCHEDULE"}, loads, []string{"PROPOSED"}, loads))
	}
	for _, s := range t.Streams {
		row := []string{s.AccountID, s.RecordType, number(s.ChangesPerHour), both(s.Schedule, s.IncrementalSchedule)}
		proposed := cmp.Or(both(s.Proposed, s.ProposedIncremental), s.Fixed, "stays")
		if proposed == "stays" && s.After != s.Before {
			proposed = "by type"
		}
		writeRow(w, slices.Concat(row, load(s.Before), []string{share(s.Before.LimitShare), proposed}, load(s.After), []string{share(s.After.LimitShare)}))
	}
	fmt.Fprintln(w)
	field(w, "counted since", moment(t.Since))
	field(w, "all changes wait", wait(t.Before.MeanMS)+" now, "+wait(t.After.MeanMS)+" then, in the mean")
	if t.Before.LimitShare > 0 {
		field(w, "of a provider's limit", share(t.Before.LimitShare)+" now, "+share(t.After.LimitShare)+" then, of the account that uses most")
	}
	if !t.Met {
		field(w, "not met", "the bounds of the intervals don't allow it; this is as near as they do")
	}
}

// of are the streams of a record type.
func of(streams []api.TunedStream, recordType string) (some []api.TunedStream) {
	for _, s := range streams {
		if s.RecordType == recordType {
			some = append(some, s)
		}
	}
	return some
}

// both names the intervals of complete listings and of those between them.
func both(schedule, incremental string) string {
	if incremental == "" {
		return schedule
	}
	return schedule + " + " + incremental
}

// load has the waits of created and updated records, and of deleted ones.
func load(l api.TunedLoad) []string {
	return []string{number(l.RequestsPerHour), wait(l.Updates.MeanMS), wait(l.Updates.WorstMS), wait(l.Deletions.MeanMS), wait(l.Deletions.WorstMS)}
}

// some names up to two schedules.
func some(schedules []string) string {
	if len(schedules) > 2 {
		return fmt.Sprintf("%s and %d others", schedules[0], len(schedules)-1)
	}
	return strings.Join(schedules, ", ")
}

// number has three digits that mean something.
func number(n float64) string {
	if n >= 100 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}

func share(s float64) string {
	if s == 0 {
		return ""
	}
	return strconv.FormatFloat(100*s, 'g', 2, 64) + " %"
}

// wait is a duration for people, without digits that nobody needs.
func wait(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d >= 10*time.Minute:
		d = d.Round(time.Minute)
	case d >= 10*time.Second:
		d = d.Round(time.Second)
	}
	return poller.FormatInterval(d)
}
