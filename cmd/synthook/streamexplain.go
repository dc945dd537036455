package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// explanation is why a stream is as it is.
type explanation struct {
	Stream api.Stream `json:"stream"`
	Why    []string   `json:"why"`
	Polls  []api.Poll `json:"polls"` // the latest

	VolatileFields []api.VolatileField `json:"volatile_fields"`
}

const explainedPolls = 10

func (a *app) streamExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ACCOUNT_ID RECORD_TYPE",
		Short: "Say why a stream is as it is, and what to do",
		Long: `Says in sentences why a stream is polled when it is, what state it is in, what is held
back and why, which fields seem to change by themselves, what to do about it, and shows
its latest polls.`,
		Example: "  synthook stream explain ACCOUNT_ID employees",
		Args:    arguments("ACCOUNT_ID", "RECORD_TYPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := ask[api.Stream](a, cmd, get("v1", "accounts", args[0], "streams", args[1]))
			if err != nil {
				return err
			}
			account, err := ask[api.Account](a, cmd, get("v1", "accounts", args[0]))
			if err != nil {
				return err
			}
			e := explanation{Stream: s, Why: why(account, s, time.Now()), Polls: []api.Poll{}, VolatileFields: []api.VolatileField{}}
			for field, err := range list[api.VolatileField](a, cmd, nil, "v1", "accounts", args[0], "streams", args[1], "volatile-fields") {
				if err != nil {
					return err
				}
				e.VolatileFields = append(e.VolatileFields, field)
				e.Why = append(e.Why, whyVolatile(s, field))
			}
			for poll, err := range list[api.Poll](a, cmd, nil, "v1", "accounts", args[0], "streams", args[1], "polls") {
				if err != nil {
					return err
				}
				if e.Polls = append(e.Polls, poll); len(e.Polls) == explainedPolls {
					break
				}
			}
			return a.print(e, e.describe)
		},
	}
}

// after is " at a time", where it is known.
func after(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " at " + moment(*t)
}

// why explains a stream, the most urgent first.
func why(account api.Account, s api.Stream, now time.Time) []string {
	var text []string
	say := func(format string, args ...any) { text = append(text, fmt.Sprintf(format, args...)) }
	id := s.AccountID + " " + s.RecordType
	switch {
	case account.State == "paused":
		say("The account is paused: synthook account resume %s polls it again.", s.AccountID)
	case account.State == "needs_attention":
		say("The provider refuses the account%s. It is asked again%s, and polled as soon as it is taken. New credentials: synthook account update %s --credential …; to ask now: synthook account check %s",
			because(account.StateReason), after(account.NextCheckAt), s.AccountID, s.AccountID)
	case s.State == "needs_attention":
		say("The provider takes the account's credentials and refuses this list%s. It is asked again%s; the account's other streams are polled. To ask now: synthook account check %s",
			because(s.LastError), after(s.NextPollAt), s.AccountID)
	case s.State == "paused":
		say("The stream is paused: synthook stream update %s --paused=false polls it again.", id)
	}
	if account.BlockedUntil != nil && account.BlockedUntil.After(now) {
		say("The provider asked for silence until %s.", moment(*account.BlockedUntil))
	}
	if q := s.Quarantine; q != nil {
		say("A change is held since %s because it is too big to believe%s: %d missing, %d created, %d updated, in listings that found the same: %d. If it is true: synthook stream approve %s; if not: synthook stream reject %s.",
			moment(q.Since), because(q.Reason), q.Missing, q.Created, q.Updated, q.Polls, id, id)
		if len(q.Fields) > 0 {
			say("Most of the updated records changed in the same fields: %s. Where that means nothing: synthook stream update %s%s, and the next poll goes on without them.",
				plain(strings.Join(q.Fields, ", ")), id, ignoring(q.Fields))
		}
		if s.ReleaseAfter > 0 {
			say("It is believed by itself when %d complete listings in a row find the very same.", s.ReleaseAfter)
		}
	}
	if s.Failures > 0 && s.State != "needs_attention" { // else it is said above
		say("%s in a row failed%s. Nothing was believed; the next attempts are further apart.", counted(s.Failures, "poll"), because(s.LastError))
	}
	if s.Suspected > 0 {
		say("%s missing once. Deleted is what a second complete listing misses too, which is made soon.", counted(s.Suspected, "record"))
	}
	if s.Hidden > 0 {
		say("%s not listed any more, but there when asked for: a permission or a filter hides what it was allowed to see before (%s). Nothing is told of that; each is asked for again at least once a day.",
			counted(s.Hidden, "record"), strings.Join(s.HiddenSample, ", "))
	}
	if s.Progress != nil {
		say("A listing that takes long: %s. What it finds is told as it goes, deletions at its end.", describeProgress(*s.Progress))
	}
	if s.LastCompleteAt == nil {
		if s.Baseline == "emit" {
			say("No listing was complete yet. The first one emits created for every record.")
		} else {
			say("No listing was complete yet. The first one is the baseline and stays silent (--baseline emit of account add or stream update changes that).")
		}
	}
	say("It is polled by the schedule %s, which comes from the %s (precedence: stream, account, record type, provider, 1h). Next: %s.",
		s.Schedule, strings.ReplaceAll(s.ScheduleFrom, "_", " "), cmp.Or(momentOf(s.NextPollAt), "not planned"))
	if s.IncrementalSchedule != "" {
		say("Between the complete listings it is asked by the schedule %s for what changed since. Deletions are found by the complete ones.", s.IncrementalSchedule)
	}
	if len(s.IgnorePaths) > 0 {
		say("Changes of these paths mean nothing here: %s.", strings.Join(s.IgnorePaths, ", "))
	}
	return text
}

// whyVolatile shows a field that seems to change by itself, and what shows it.
func whyVolatile(s api.Stream, f api.VolatileField) string {
	what := fmt.Sprintf("The field %s seems to change by itself: it changed in %d of the latest %s, in %s.", plain(f.Path), f.Polls, counted(f.Of, "poll"), counted(f.Records, "record"))
	if f.Path == "*" {
		what = fmt.Sprintf("Fields without a name of their own seem to change by themselves: in %d of the latest %s, in %s.", f.Polls, counted(f.Of, "poll"), counted(f.Records, "record"))
	}
	var polls []string
	for _, e := range f.Most {
		polls = append(polls, fmt.Sprintf("poll %d of %s in %d of %d", e.PollID, moment(e.StartedAt), e.Records, e.Of))
	}
	if len(polls) > 0 {
		what += " Most records at once: " + strings.Join(polls, "; ") + "."
	}
	id := quoted(s.AccountID) + " " + quoted(s.RecordType)
	if f.Path == "*" {
		return what + " synthook stream doctor " + id + " shows which."
	}
	return what + " If that means nothing: synthook stream update " + id + ignoring([]string{f.Path})
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + plain(reason) + ")"
}

func (e explanation) describe(w io.Writer) {
	fmt.Fprintf(w, "%s of account %s (%s)\n", e.Stream.RecordType, e.Stream.AccountID, e.Stream.Provider)
	for _, sentence := range e.Why {
		fmt.Fprintln(w, "\n"+sentence)
	}
	if len(e.Polls) == 0 {
		return
	}
	fmt.Fprintln(w, "\nPOLL\tSTARTED\tOUTCOME")
	for _, p := range e.Polls {
		writeRow(w, []string{fmt.Sprint(p.ID), moment(p.StartedAt), describePoll(p.PollResult) + describeFields(p.Fields)})
	}
}

// describeFields names the changed fields of a poll, most records first.
func describeFields(fields map[string]int) string {
	names := slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		return cmp.Or(cmp.Compare(fields[b], fields[a]), cmp.Compare(a, b))
	})
	const some = 5
	var texts []string
	for _, name := range names[:min(len(names), some)] {
		texts = append(texts, fmt.Sprintf("%s %d", plain(name), fields[name]))
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > some:
		texts = append(texts, fmt.Sprintf("%d more", len(names)-some))
	}
	return "; changed: " + strings.Join(texts, ", ")
}
