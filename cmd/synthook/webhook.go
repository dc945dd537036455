package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func (a *app) webhookCommands() *cobra.Command {
	return a.group("webhook COMMAND", "Webhooks: subscribers and their secrets", "",
		a.webhookListCommand(), a.webhookCreateCommand(), a.webhookShowCommand(), a.webhookUpdateCommand(), a.webhookDeleteCommand(),
		a.webhookStateCommand("enable", "Send to a webhook (again)"), a.webhookStateCommand("disable", "Stop sending to a webhook"),
		a.webhookTestCommand(), a.webhookRotateSecretCommand(), a.webhookSecretsCommand())
}

func (a *app) webhookListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the webhooks",
		Example: "  synthook webhook list --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printAll(a, list[api.Webhook](a, cmd, nil, "v1", "webhooks"), table[api.Webhook]{
				columns: []string{"ID", "URL", "EVENTS", "STATE", "BACKLOG", "RETRYING", "DEAD", "LAST SUCCESS", "ERROR"},
				row: func(h api.Webhook) []string {
					return []string{h.ID, h.URL, strings.Join(h.Events, " "), stateAndReason(h.State, h.DisabledReason), strconv.FormatInt(h.Backlog, 10),
						strconv.FormatInt(h.Retrying, 10), strconv.FormatInt(h.Dead, 10), momentOf(h.LastSuccessAt), h.LastError}
				},
				none: "no webhooks yet: synthook webhook create --help",
			})
		},
	}
}

const eventsUsage = "`EVENT` to send: a name, a pattern such as 'hris_employees.*', or '*' (repeat for several)"

func (a *app) webhookCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --url URL --event EVENT …",
		Short: "Register a webhook; prints its secret",
		Long: `Registers a webhook and prints its signing secret (webhook show --with-secret does so again).
It starts with the next event of the log, or anywhere in it (--from).`,
		Example: `  synthook webhook create --url https://example.com/hooks --event 'hris_employees.*' --event ats_candidates.created
  synthook webhook create --url https://example.com/hooks --event '*' --from start --json`,
		Args: arguments(),
	}
	var n api.NewWebhook
	flags := cmd.Flags()
	flags.StringVar(&n.URL, "url", "", "URL to POST to; its query string is kept as it is")
	flags.StringArrayVar(&n.Events, "event", nil, eventsUsage)
	flags.StringVar(&n.From, "from", "", "Where in the log it starts: now (default), start, a time such as 2026-11-22T00:00:00Z, or the id of the first event to get")
	secret := secretFlag(flags, "Signing secret; default: a generated one")
	settings := bindWebhookSettings(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if n.URL == "" {
			return usageError("--url is missing: where to POST events")
		}
		if len(n.Events) == 0 {
			return usageError("--event is missing: such as --event 'hris_employees.*', or --event '*' for all")
		}
		if n.Secret, err = secret.value(); err != nil {
			return err
		}
		n.WebhookSettings = settings.given()
		return askAndPrint(a, cmd, post(n, "v1", "webhooks"), describeWebhook)
	}
	return cmd
}

func (a *app) webhookShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show WEBHOOK_ID",
		Short:   "Show a webhook",
		Example: "  synthook webhook show WEBHOOK_ID\n  synthook webhook show WEBHOOK_ID --with-secret   # with the admin key",
		Args:    arguments("WEBHOOK_ID"),
	}
	withSecret := cmd.Flags().Bool("with-secret", false, "Show its secret too (needs the admin key)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := []string{"v1", "webhooks", args[0]}
		if *withSecret {
			path = append(path, "secret")
		}
		return askAndPrint(a, cmd, get(path...), describeWebhook)
	}
	return cmd
}

func (a *app) webhookUpdateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "update WEBHOOK_ID",
		Short:   "Change a webhook's URL, events or settings",
		Example: "  synthook webhook update WEBHOOK_ID --event 'hris_employees.*' --event ats_candidates.deleted\n  synthook webhook update WEBHOOK_ID --rate 50 --field department --field manager",
		Args:    arguments("WEBHOOK_ID"),
	}
	settings := bindWebhookSettings(cmd.Flags())
	url := cmd.Flags().String("url", "", "URL to POST to")
	events := cmd.Flags().StringArray("event", nil, eventsUsage+"; replaces the list")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		update := api.WebhookUpdate{WebhookSettings: settings.given()}
		if cmd.Flags().Changed("url") {
			update.URL = url
		}
		if cmd.Flags().Changed("event") {
			update.Events = events
		}
		if !givesAny(cmd) {
			return usageError("nothing to change: give --url, --event or a setting (see --help)")
		}
		return askAndPrint(a, cmd, patch(update, "v1", "webhooks", args[0]), describeWebhook)
	}
	return cmd
}

func (a *app) webhookDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete WEBHOOK_ID",
		Short:   "Delete a webhook; can't be undone",
		Example: "  synthook webhook delete WEBHOOK_ID",
		Args:    arguments("WEBHOOK_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remove(cmd, "deleted", "v1", "webhooks", args[0])
		},
	}
}

func (a *app) webhookStateCommand(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " WEBHOOK_ID",
		Short:   short,
		Example: "  synthook webhook " + verb + " WEBHOOK_ID",
		Args:    arguments("WEBHOOK_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, post(nil, "v1", "webhooks", args[0], verb), describeWebhook)
		},
	}
}

func (a *app) webhookTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "test WEBHOOK_ID",
		Short:   "Send a test event now and show the outcome",
		Example: "  synthook webhook test WEBHOOK_ID",
		Args:    arguments("WEBHOOK_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := ask[api.WebhookTest](a, cmd, post(nil, "v1", "webhooks", args[0], "test"))
			if err != nil {
				return err
			}
			if err := a.print(t, func(w io.Writer) {
				if t.Delivered {
					fmt.Fprintf(w, "delivered: answered %d in %s\n", t.Status, milliseconds(t.DurationMS))
				}
			}); err != nil || t.Delivered {
				return err
			}
			return errors.New("not delivered: " + outcome(t.Status, t.Error))
		},
	}
}

func describeWebhook(w io.Writer, h api.Webhook) {
	field(w, "id", h.ID)
	field(w, "project", h.ProjectID)
	field(w, "URL", h.URL)
	field(w, "events", strings.Join(h.Events, " "))
	describeSettings(w, h.WebhookSettings)
	field(w, "state", stateAndReason(h.State, h.DisabledReason))
	field(w, "disabled at", momentOf(h.DisabledAt))
	field(w, "last error", h.LastError)
	field(w, "failing since", momentOf(h.FailingSince))
	field(w, "next probe", momentOf(h.ProbeAt))
	field(w, "last success", momentOf(h.LastSuccessAt))
	field(w, "backlog", fmt.Sprintf("%d events; %d retrying, %d dead", h.Backlog, h.Retrying, h.Dead))
	field(w, "created", moment(h.CreatedAt))
	field(w, "secret", h.Secret)
	field(w, "Standard Webhooks form", h.StandardSecret)
}
