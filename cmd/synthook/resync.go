package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

const rateUsage = "Events a second at most; 0: as many as go"

func (a *app) resyncCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resync [ACCOUNT_ID [RECORD_TYPE]] --webhook WEBHOOK_ID",
		Short: "Send the present state of streams to a webhook",
		Long: `Sends a created event for every record that is known now, to one webhook, as far as it
subscribes to them: of one stream, of an account, or with --all of everything. Nothing is
asked of a provider. The events are not in the log. Progress and cancelling: synthook replay.`,
		Example: `  synthook resync ACCOUNT_ID employees --webhook WEBHOOK_ID --dry-run
  synthook resync ACCOUNT_ID --webhook WEBHOOK_ID --rate 50
  synthook resync --all --webhook WEBHOOK_ID --json`,
		Args: cobra.MaximumNArgs(2),
	}
	var n api.NewResync
	flags := cmd.Flags()
	flags.StringVar(&n.WebhookID, "webhook", "", "Webhook to send to")
	flags.Float64Var(&n.RateLimit, "rate", 0, rateUsage)
	flags.BoolVar(&n.DryRun, "dry-run", false, "Count, send nothing")
	all := flags.Bool("all", false, "Every stream of the project")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case n.WebhookID == "":
			return usageError("--webhook is missing: which one to send to")
		case len(args) == 0 && !*all:
			return usageError("which streams? Name an account, or give --all")
		case len(args) > 0 && *all:
			return usageError("--all and an account exclude each other")
		}
		if len(args) > 0 {
			n.AccountID = args[0]
		}
		if len(args) > 1 {
			n.RecordType = args[1]
		}
		return askAndPrint(a, cmd, post(n, "v1", "resyncs"), describeReplay)
	}
	return cmd
}

func (a *app) reconcileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile ACCOUNT_ID RECORD_TYPE --webhook WEBHOOK_ID --ids FILE",
		Short: "Send a consumer exactly what it is missing",
		Long: `Takes the ids of the records that a consumer has of a stream, one a line, and sends its
webhook what makes it right: created for those that it lacks, deleted for those that are
gone. Look at --dry-run first: an id of another stream counts as gone. Progress and
cancelling: synthook replay.`,
		Example: `  synthook reconcile ACCOUNT_ID employees --webhook WEBHOOK_ID --ids ids.txt --dry-run
  psql -Atc 'SELECT id FROM employees' | synthook reconcile ACCOUNT_ID employees --webhook WEBHOOK_ID --ids -`,
		Args: arguments("ACCOUNT_ID", "RECORD_TYPE"),
	}
	var n api.NewReconciliation
	flags := cmd.Flags()
	flags.StringVar(&n.WebhookID, "webhook", "", "Webhook to send to")
	path := flags.String("ids", "", "`FILE` with the ids, one a line; - reads standard input")
	flags.Float64Var(&n.RateLimit, "rate", 0, rateUsage)
	dryRun := flags.Bool("dry-run", false, "Compare and count, send nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case n.WebhookID == "":
			return usageError("--webhook is missing: which one to send to")
		case *path == "":
			return usageError("--ids is missing: a file with the ids that the consumer has, one a line")
		}
		ids := a.stdin
		if *path != "-" {
			f, err := os.Open(*path)
			if err != nil {
				return usageError("read ids: %w", err)
			}
			defer f.Close()
			ids = f
		}
		n.AccountID, n.RecordType = args[0], args[1]
		return a.reconcile(cmd, n, ids, *dryRun)
	}
	return cmd
}

func (a *app) reconcile(cmd *cobra.Command, n api.NewReconciliation, ids io.Reader, dryRun bool) error {
	begun, err := ask[api.Replay](a, cmd, post(n, "v1", "reconciliations"))
	if err != nil {
		return err
	}
	handed, err := ask[api.HandedIDs](a, cmd, post(ids, "v1", "reconciliations", begun.ID, "ids"))
	if err != nil {
		return err
	}
	found, err := ask[api.Reconciliation](a, cmd, post(api.ReconciliationStart{DryRun: dryRun}, "v1", "reconciliations", begun.ID, "start"))
	if err != nil {
		return err
	}
	if dryRun {
		if err := a.tell(cmd, call{method: "DELETE", path: "/v1/replays/" + begun.ID}); err != nil {
			return err
		}
	}
	return a.print(found, func(w io.Writer) {
		verb := "is sent"
		if dryRun {
			verb = "would be sent"
		}
		fmt.Fprintf(w, "%s handed in: created %s for %s, deleted for %s\n", counted(handed.IDs, "id"), verb, counted(found.Created, "record"), counted(found.Deleted, "record"))
		if !dryRun {
			field(w, "progress", "synthook replay show "+found.ID)
		}
	})
}
