package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func (a *app) replayCommands() *cobra.Command {
	cmd := a.replayCommand()
	cmd.AddCommand(a.replayListCommand(), a.replayShowCommand(), a.replayCancelCommand())
	return cmd
}

func (a *app) replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send events of the log again",
		Long: `Sends events of the log again, to one webhook or to every enabled one (each what it
subscribes to). A replayed event keeps its webhook-id, so a consumer that dedupes by it
takes no harm. Say which events: at least one flag that narrows, or --all. --missed sends
what a webhook never got: events from before its time, those it did not subscribe to when
they came, and deliveries that were given up.`,
		Example: `  synthook replay --since 2026-11-22T00:00:00Z --dry-run
  synthook replay --since 2h --webhook WEBHOOK_ID --event 'hris_employees.*'
  synthook replay --missed --webhook WEBHOOK_ID --field department --rate 20
  synthook replay --dead --webhook WEBHOOK_ID --json`,
		Args: cobra.ArbitraryArgs,
	}
	var f eventFilter
	var n api.NewReplay
	flags := cmd.Flags()
	f.bind(flags)
	f.bindUntil(flags)
	flags.StringVar(&n.EventID, "id", "", "Only the event with this id")
	flags.StringVar(&n.FirstEvent, "from", "", "Only the event with this `EVENT_ID` and what stands behind it in the log")
	flags.StringVar(&n.LastEvent, "to", "", "Only the event with this `EVENT_ID` and what stands before it in the log")
	flags.StringArrayVar(&n.Fields, "field", nil, "Only updates of which it is known that this `FIELD` changed (repeat for several)")
	flags.StringVar(&n.WebhookID, "webhook", "", "Only to this webhook; default: every enabled one")
	flags.BoolVar(&n.Dead, "dead", false, "Only deliveries that were given up")
	flags.BoolVar(&n.Missed, "missed", false, "Only what the webhook never got")
	flags.Float64Var(&n.RateLimit, "rate", 0, rateUsage)
	flags.BoolVar(&n.DryRun, "dry-run", false, "Count, send nothing")
	all := flags.Bool("all", false, "The whole log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError("%w (see synthook replay --help)", unknownCommand(cmd, args[0]))
		}
		n.Since, n.Until = f.since.pointer(), f.until.pointer()
		n.Events, n.AccountID, n.RecordType, n.RecordID = f.names, f.account, f.recordType, f.recordID
		narrowed := n.Since != nil || n.Until != nil || n.Dead || n.Missed || len(n.Events)+len(n.Fields) > 0 ||
			n.EventID+n.FirstEvent+n.LastEvent+n.AccountID+n.RecordType+n.RecordID != ""
		switch {
		case !narrowed && !*all:
			return usageError("which events? Say --since, --id, --from, --event, --account, --record-type, --record-id, --field, --missed or --dead; --all sends the whole log")
		case narrowed && *all:
			return usageError("--all and flags that narrow exclude each other")
		}
		return askAndPrint(a, cmd, post(n, "v1", "replays"), describeReplay)
	}
	return cmd
}

func describeReplay(w io.Writer, r api.ReplayResult) {
	verb, again := "will be sent", " again"
	if r.DryRun {
		verb = "would be sent"
	}
	if len(r.Replays) > 0 && r.Replays[0].Kind != "replay" {
		again = ""
	}
	fmt.Fprintf(w, "%s %s%s\n", counted(r.Events, "event"), verb, again)
	if len(r.Replays) == 0 {
		return
	}
	fmt.Fprintln(w, "\nREPLAY\tWEBHOOK\tSTREAM\tEVENTS")
	for _, replay := range r.Replays {
		writeRow(w, []string{replay.ID, replay.WebhookID, streamOfReplay(replay), strconv.FormatInt(replay.Events, 10)})
	}
}

func (a *app) replayListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the replays, resyncs and reconciliations and how far they are",
		Example: "  synthook replay list --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printAll(a, list[api.Replay](a, cmd, nil, "v1", "replays"), table[api.Replay]{
				columns: []string{"ID", "KIND", "WEBHOOK", "STREAM", "STATE", "SENT", "EVENTS", "CREATED", "FINISHED"},
				row: func(r api.Replay) []string {
					return []string{r.ID, r.Kind, r.WebhookID, streamOfReplay(r), r.State, strconv.FormatInt(r.Sent, 10), strconv.FormatInt(r.Events, 10), momentOf(r.CreatedAt), momentOf(r.FinishedAt)}
				},
				none: "no replays",
			})
		},
	}
}

func streamOfReplay(r api.Replay) string {
	if r.AccountID == "" {
		return ""
	}
	return r.AccountID + " " + r.RecordType
}

func (a *app) replayShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show REPLAY_ID",
		Short:   "Show a replay, resync or reconciliation and how far it is",
		Example: "  synthook replay show REPLAY_ID --json",
		Args:    arguments("REPLAY_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, get("v1", "replays", args[0]), func(w io.Writer, r api.Replay) {
				field(w, "id", r.ID)
				field(w, "kind", r.Kind)
				field(w, "webhook", r.WebhookID)
				field(w, "stream", streamOfReplay(r))
				field(w, "state", r.State)
				field(w, "sent", fmt.Sprintf("%d of %s", r.Sent, counted(r.Events, "event")))
				if r.RateLimit > 0 {
					field(w, "rate limit", fmt.Sprintf("%g a second", r.RateLimit))
				}
				field(w, "created", momentOf(r.CreatedAt))
				field(w, "finished", momentOf(r.FinishedAt))
			})
		},
	}
}

func (a *app) replayCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel REPLAY_ID",
		Short:   "Stop a replay, resync or reconciliation; what it sent stays sent",
		Example: "  synthook replay cancel REPLAY_ID",
		Args:    arguments("REPLAY_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remove(cmd, "cancelled", "v1", "replays", args[0])
		},
	}
}

func milliseconds(n int64) string { return (time.Duration(n) * time.Millisecond).String() }
