package main

import (
	"cmp"
	"errors"
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
)

func (a *app) streamCommands() *cobra.Command {
	return a.group("stream COMMAND", "Streams: one account × one record type, the unit of polling", "",
		a.streamListCommand(), a.streamShowCommand(), a.streamExplainCommand(), a.streamDoctorCommand(), a.streamSetIntervalCommand(), a.streamUpdateCommand(), a.streamPollCommand(),
		a.streamDecideCommand("approve", "Believe a change that is held in quarantine", "Believes the change that the stream's quarantine holds: it is emitted with the next poll."),
		a.streamDecideCommand("reject", "Don't believe a change that is held in quarantine", "Throws away the change that the stream's quarantine holds: nothing is emitted, and the\nrecords stay as they were known."))
}

func (a *app) streamListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the streams",
		Example: "  synthook stream list\n  synthook stream list --account ACCOUNT_ID --json",
		Args:    arguments(),
	}
	account := cmd.Flags().String("account", "", "Only those of this account")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		query := url.Values{}
		if *account != "" {
			query.Set("account_id", *account)
		}
		return printAll(a, list[api.Stream](a, cmd, query, "v1", "streams"), table[api.Stream]{
			columns: []string{"ACCOUNT", "RECORD TYPE", "PROVIDER", "STATE", "SCHEDULE", "RECORDS", "LAST POLL", "NEXT POLL", "ERROR"},
			row: func(s api.Stream) []string {
				return []string{s.AccountID, s.RecordType, s.Provider, s.State, both(s.Schedule, s.IncrementalSchedule), strconv.FormatInt(s.Records, 10), momentOf(s.LastPollAt), momentOf(s.NextPollAt), s.LastError}
			},
			none: "no streams yet: they come with an account (synthook account add --help)",
		})
	}
	return cmd
}

func (a *app) streamShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ACCOUNT_ID RECORD_TYPE",
		Short:   "Show a stream",
		Example: "  synthook stream show ACCOUNT_ID employees --json",
		Args:    arguments("ACCOUNT_ID", "RECORD_TYPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, get("v1", "accounts", args[0], "streams", args[1]), describeStream)
		},
	}
}

func (a *app) streamSetIntervalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set-interval (ACCOUNT_ID RECORD_TYPE | --record-type RECORD_TYPE) INTERVAL",
		Short: "Set how often a stream, or a record type of the project, is polled",
		Long: `Sets a schedule: an interval (15m, 2h) or a cron expression in UTC ("0 6 * * 1-5"). Of one
stream, or with --record-type of that record type in the whole project. "default"
returns to the next in precedence: stream, account, record type, provider, 1h.

With --incremental a stream is polled at two speeds: listings of what changed since the
one before at that interval, complete ones, which alone find deletions, at INTERVAL.
Where the connector's filter for that is not proven, it is refused; "none" ends it. For a
record type it is in force in the streams that have such a filter, and ends where a new
INTERVAL comes without it.`,
		Example: `  synthook stream set-interval ACCOUNT_ID employees 15m
  synthook stream set-interval ACCOUNT_ID employees 6h --incremental 5m
  synthook stream set-interval --record-type interviews 5m
  synthook stream set-interval --record-type candidates 6h --incremental 5m
  synthook stream set-interval ACCOUNT_ID employees default`,
		Args: cobra.ArbitraryArgs,
	}
	recordType := cmd.Flags().String("record-type", "", "Record type, for the whole project")
	incremental := cmd.Flags().String("incremental", "", "`INTERVAL` of listings of changes alone, between the complete ones; none ends them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		expected := arguments("ACCOUNT_ID", "RECORD_TYPE", "INTERVAL")
		if *recordType != "" {
			expected = arguments("INTERVAL")
		}
		if err := expected(cmd, args); err != nil {
			return usageError("%w (see synthook stream set-interval --help)", err)
		}
		schedule := args[len(args)-1]
		if schedule == "default" {
			schedule = ""
		}
		if *incremental == "none" {
			*incremental = ""
		}
		if *recordType == "" {
			update := api.StreamUpdate{Schedule: &schedule}
			if cmd.Flags().Changed("incremental") {
				update.IncrementalSchedule = incremental
			}
			return askAndPrint(a, cmd, patch(update, "v1", "accounts", args[0], "streams", args[1]), describeStream)
		}
		set := call{http.MethodPut, client.Path("v1", "schedules", *recordType), api.RecordTypeSchedule{RecordType: *recordType, Schedule: schedule, IncrementalSchedule: *incremental}}
		return askAndPrint(a, cmd, set, func(w io.Writer, s api.RecordTypeSchedule) {
			fmt.Fprintf(w, "%s of the project: %s\n", s.RecordType, cmp.Or(both(s.Schedule, s.IncrementalSchedule), "back to the default"))
		})
	}
	return cmd
}

func (a *app) streamUpdateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update ACCOUNT_ID RECORD_TYPE",
		Short: "Change a stream: ignored paths, changed fields, baseline, quarantine, paused",
		Example: `  synthook stream update ACCOUNT_ID employees --ignore lastSeen --ignore 'devices.*.battery'
  synthook stream update ACCOUNT_ID employees --digest-path manager.id --digest-path 'custom.*'
  synthook stream update ACCOUNT_ID employees --changed-fields off
  synthook stream update ACCOUNT_ID employees --quarantine-threshold 20% --release-after 3
  synthook stream update ACCOUNT_ID employees --paused`,
		Args: arguments("ACCOUNT_ID", "RECORD_TYPE"),
	}
	flags := cmd.Flags()
	ignore := flags.StringArray("ignore", nil, "`PATH` whose changes mean nothing, added to the present ones and the connector's own (repeat for several; '' first empties the stream's list)")
	fields := onOff(true)
	flags.Var(&fields, "changed-fields", "Keep digests of the records' fields, so that events name those that changed")
	digest := flags.StringArray("digest-path", nil, "`PATH` below a record's own fields that is told as a field of its own, added to the present ones and the connector's; team.* is every member of team (repeat for several; '' first empties the stream's list)")
	baseline := flags.String("baseline", "", "What a first listing does: silent or emit; '' returns to the account's")
	threshold := flags.String("quarantine-threshold", "", "Hold a poll that misses more than `PERCENT` of the records (and more than ten), e.g. 10%")
	release := flags.Int("release-after", 0, "Believe what is held when `N` complete listings in a row miss the very same records; 0: only when approved")
	paused := flags.Bool("paused", false, "Stop polling it; --paused=false polls again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var update api.StreamUpdate
		if flags.Changed("baseline") {
			update.Baseline = baseline
		}
		if flags.Changed("quarantine-threshold") {
			percent, err := strconv.Atoi(strings.TrimSuffix(*threshold, "%"))
			if err != nil {
				return usageError("--quarantine-threshold %q is not a whole percentage like 10%%", *threshold)
			}
			update.QuarantineThreshold = &percent
		}
		if flags.Changed("changed-fields") {
			update.ChangedFields = (*bool)(&fields)
		}
		if flags.Changed("release-after") {
			update.ReleaseAfter = release
		}
		if flags.Changed("paused") {
			update.Paused = paused
		}
		if !givesAny(cmd) {
			return usageError("nothing to change: see synthook stream update --help")
		}
		if flags.Changed("ignore") || flags.Changed("digest-path") {
			present, err := ask[api.Stream](a, cmd, get("v1", "accounts", args[0], "streams", args[1]))
			if err != nil {
				return err
			}
			if flags.Changed("ignore") {
				update.IgnorePaths = with(present.IgnorePaths, *ignore)
			}
			if flags.Changed("digest-path") {
				update.DigestPaths = with(present.DigestPaths, *digest)
			}
		}
		return askAndPrint(a, cmd, patch(update, "v1", "accounts", args[0], "streams", args[1]), describeStream)
	}
	return cmd
}

// with adds paths to those that are present, each once; "" forgets the ones before.
func with(present, paths []string) *[]string {
	all := append([]string{}, present...)
	for _, path := range paths {
		switch {
		case path == "":
			all = []string{}
		case !slices.Contains(all, path):
			all = append(all, path)
		}
	}
	return &all
}

func (a *app) streamPollCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "poll ACCOUNT_ID RECORD_TYPE [--wait]",
		Short: "Poll a stream now",
		Long: `Asks the service to poll a stream now, beside its schedule. With --wait the outcome is
printed when the poll ends, and the exit status is 1 when it did not complete. Ctrl-C
ends the poll.`,
		Example: "  synthook stream poll ACCOUNT_ID employees --wait --json",
		Args:    arguments("ACCOUNT_ID", "RECORD_TYPE"),
	}
	wait := cmd.Flags().Bool("wait", false, "Wait for the poll and print what it found")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		poll := post(nil, "v1", "accounts", args[0], "streams", args[1], "poll")
		if !*wait {
			if err := a.tell(cmd, poll); err != nil {
				return err
			}
			return a.print(map[string]bool{"requested": true}, func(w io.Writer) { fmt.Fprintln(w, "a poll is requested; --wait would print what it finds") })
		}
		if !a.json {
			a.note("polling %s of %s (Ctrl-C ends the poll)", args[1], args[0])
		}
		poll.path += "?wait=true"
		result, err := askWatching[api.PollResult](a, cmd, poll, a.pollProgress(args[0], args[1]))
		if err != nil {
			return err
		}
		if err := a.print(result, func(w io.Writer) { fmt.Fprintln(w, describePoll(result)) }); err != nil || result.Complete {
			return err
		}
		return errors.New("the poll did not complete: nothing of it was believed")
	}
	return cmd
}

// describeProgress says how far a listing is.
func describeProgress(p api.Progress) string {
	text := fmt.Sprintf("%s on %s", counted(int(p.Records), "record"), counted(int(p.Pages), "page"))
	if p.Total != nil {
		text += fmt.Sprintf(" of %d", *p.Total)
	}
	text += fmt.Sprintf(" since %s, %.0f a second", moment(p.Since), p.PerSecond)
	if p.RemainingSeconds != nil {
		text += fmt.Sprintf(", about %s left", time.Duration(*p.RemainingSeconds)*time.Second)
	}
	if !p.Running {
		text += "; interrupted: the next poll goes on"
	}
	return text
}

func describePoll(r api.PollResult) string {
	end := "complete"
	if r.Incremental {
		end = "changes alone"
	}
	if !r.Complete {
		end = "not complete"
		if r.Error != "" {
			end += " (" + plain(r.Error) + ")"
		}
	}
	text := fmt.Sprintf("%s: %s on %s; created %d, updated %d, deleted %d", end, counted(r.Records, "record"), counted(r.Pages, "page"), r.Created, r.Updated, r.Deleted)
	if r.Suspected > 0 {
		text += fmt.Sprintf(", missing once %d", r.Suspected)
	}
	if r.Hidden > 0 {
		text += fmt.Sprintf(", hidden %d", r.Hidden)
	}
	if r.Quarantined > 0 {
		text += fmt.Sprintf(", held in quarantine %d", r.Quarantined)
	}
	return text + "; " + counted(r.Events, "event") + "; " + milliseconds(r.DurationMS)
}

func (a *app) streamDecideCommand(verb, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ACCOUNT_ID RECORD_TYPE",
		Short:   short,
		Long:    long,
		Example: "  synthook stream explain ACCOUNT_ID employees\n  synthook stream " + verb + " ACCOUNT_ID employees",
		Args:    arguments("ACCOUNT_ID", "RECORD_TYPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, post(nil, "v1", "accounts", args[0], "streams", args[1], verb), describeStream)
		},
	}
}

// describeRule says what is held, and how long.
func describeRule(s api.Stream) string {
	rule := fmt.Sprintf("more than %d%% missing", s.QuarantineThreshold)
	if s.ReleaseAfter > 0 {
		rule += fmt.Sprintf(", released after %d equal listings", s.ReleaseAfter)
	}
	if s.ChangedFields {
		return rule + "; most updated in the same fields"
	}
	return rule + "; most updated"
}

// describeDigests says which changed fields are told.
func describeDigests(s api.Stream) string {
	if !s.ChangedFields {
		return "not told"
	}
	return strings.Join(append([]string{"told"}, s.DigestPaths...), " ")
}

func describeStream(w io.Writer, s api.Stream) {
	field(w, "account", s.AccountID)
	field(w, "record type", s.RecordType)
	field(w, "provider", s.Provider)
	field(w, "state", s.State)
	field(w, "schedule", s.Schedule+" (from "+strings.ReplaceAll(s.ScheduleFrom, "_", " ")+")")
	field(w, "changes alone", s.IncrementalSchedule)
	field(w, "baseline", s.Baseline)
	field(w, "ignored paths", strings.Join(s.IgnorePaths, " "))
	field(w, "changed fields", describeDigests(s))
	field(w, "quarantine", describeRule(s))
	field(w, "records", strconv.FormatInt(s.Records, 10))
	if s.Suspected > 0 {
		field(w, "missing once", strconv.Itoa(s.Suspected))
	}
	if s.Hidden > 0 {
		field(w, "hidden", fmt.Sprintf("%d: not listed, there when asked for: %s", s.Hidden, strings.Join(s.HiddenSample, " ")))
	}
	if s.Progress != nil {
		field(w, "listing", describeProgress(*s.Progress))
	}
	field(w, "polls", strconv.FormatInt(s.Polls, 10))
	field(w, "last poll", momentOf(s.LastPollAt))
	field(w, "last complete", momentOf(s.LastCompleteAt))
	field(w, "last change", momentOf(s.LastChangeAt))
	field(w, "last error", s.LastError)
	if s.Failures > 0 {
		field(w, "failures in a row", strconv.Itoa(s.Failures))
	}
	field(w, "next poll", momentOf(s.NextPollAt))
	if q := s.Quarantine; q != nil {
		field(w, "quarantined", fmt.Sprintf("%s since %s", q.Reason, moment(q.Since)))
		field(w, "held", fmt.Sprintf("%d missing, %d created, %d updated; listings that found the same: %d", q.Missing, q.Created, q.Updated, q.Polls))
		field(w, "changed", strings.Join(q.Fields, " "))
		field(w, "some of them", strings.Join(q.Sample, " "))
		if q.Approved {
			field(w, "approved", "yes: the next complete listing tells them")
		}
	}
}
