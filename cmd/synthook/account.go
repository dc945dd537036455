package main

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func (a *app) accountCommands() *cobra.Command {
	return a.group("account COMMAND", "Connected provider accounts", "An account is one connected provider account of a customer. Adding, changing and deleting\none sends account.created, account.updated and account.deleted.",
		a.accountListCommand(), a.accountAddCommand(), a.accountShowCommand(), a.accountUpdateCommand(), a.accountCheckCommand(), a.accountDeleteCommand(),
		a.accountStateCommand("pause", "Stop polling an account"), a.accountStateCommand("resume", "Poll an account again"))
}

func (a *app) accountListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the accounts",
		Example: "  synthook account list --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printAll(a, list[api.Account](a, cmd, nil, "v1", "accounts"), table[api.Account]{
				columns: []string{"ID", "PROVIDER", "OWNER", "STATE", "SCHEDULE", "RECORD TYPES", "CREATED"},
				row: func(c api.Account) []string {
					return []string{c.ID, c.Provider, cmp.Or(c.OriginOwnerName, c.OriginOwnerID), stateAndReason(c.State, c.StateReason), c.Schedule, strings.Join(c.RecordTypes, " "), moment(c.CreatedAt)}
				},
				none: "no accounts yet: synthook account add --help",
			})
		},
	}
}

// accountFlags are those that add and update share.
type accountFlags struct {
	account     api.NewAccount
	setup       []string
	credentials *credentialFlags
	noCheck     bool
}

func bindAccount(flags *pflag.FlagSet) *accountFlags {
	f := &accountFlags{credentials: bindCredentials(flags)}
	flags.StringVar(&f.account.BaseURL, "base-url", "", "Base URL instead of the connector's own")
	flags.StringVar(&f.account.OriginOwnerID, "origin-owner-id", "", "Your customer's id, told in account events")
	flags.StringVar(&f.account.OriginOwnerName, "origin-owner-name", "", "Your customer's name")
	flags.StringVar(&f.account.OriginUsername, "origin-username", "", "Who connected the account")
	flags.StringArrayVar(&f.setup, "setup-information", nil, "`KEY=VALUE` told in account events; no credential (repeat for several)")
	flags.StringVar(&f.account.Schedule, "schedule", "", "Interval (15m) or cron expression (UTC) of all its streams")
	flags.StringVar(&f.account.Baseline, "baseline", "", "What a first listing does: silent (default), or emit for created of every record")
	flags.BoolVar(&f.noCheck, "no-check", false, "Write it without asking the provider first")
	flags.IntVar(&f.account.PageSize, "page-size", 0, "Records a page; 0: as the connector says")
	return f
}

func (f *accountFlags) read(a *app) (err error) {
	if f.account.SetupInformation, err = keyValues("setup-information", f.setup); err != nil {
		return err
	}
	f.account.Credentials, err = f.credentials.read(a)
	return err
}

// unasked is a call that writes without asking the provider, where that is wanted.
func (f *accountFlags) unasked(c call) call {
	if f.noCheck {
		c.path += "?check=false"
	}
	return c
}

func (a *app) accountAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add --provider NAME --credential KEY=VALUE …",
		Short: "Connect a provider account",
		Long:  "Connects a provider account and starts polling its record types. Which credentials a\nprovider takes: synthook provider show NAME. First the provider is asked for one small\npage of each record type: where it refuses the credentials, isn't there, or nothing can be\nread, nothing is written, and the exit status is 2. A record type that alone is refused is\nnamed; the others are polled.",
		Example: `  synthook account add --provider bamboohr --credential company=acme --credential-file api_key=./key
  synthook account add --provider workable --credential subdomain=acme --credential-env api_key=WORKABLE_TOKEN \
    --origin-owner-id customer-17 --schedule 15m --json`,
		Args: arguments(),
	}
	f := bindAccount(cmd.Flags())
	cmd.Flags().StringVar(&f.account.Provider, "provider", "", "Connector to use (synthook provider list)")
	cmd.Flags().StringArrayVar(&f.account.RecordTypes, "record-type", nil, "`RECORD_TYPE` to poll (repeat for several); default: all of the connector")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f.account.Provider == "" {
			return usageError("--provider is missing: one of synthook provider list")
		}
		if err := f.read(a); err != nil {
			return err
		}
		return askAndPrint(a, cmd, f.unasked(post(f.account, "v1", "accounts")), describeAccount)
	}
	return cmd
}

func (a *app) accountShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ACCOUNT_ID",
		Short:   "Show an account",
		Example: "  synthook account show ACCOUNT_ID --json",
		Args:    arguments("ACCOUNT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, get("v1", "accounts", args[0]), describeAccount)
		},
	}
}

func (a *app) accountUpdateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update ACCOUNT_ID",
		Short: "Change an account: what is given, the rest stays",
		Long:  "Changes what is given. A credential takes the place of the one of its name, KEY= removes\nit, the others stay; giving those of another way to authenticate ends the former. An empty\n--schedule returns to the next in precedence. New credentials and another base URL are\nchecked first, as account add does.",
		Example: `  synthook account update ACCOUNT_ID --credential-file api_key=./new-key
  synthook account update ACCOUNT_ID --schedule 30m`,
		Args: arguments("ACCOUNT_ID"),
	}
	f := bindAccount(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.read(a); err != nil {
			return err
		}
		given := func(flag string, value *string) *string {
			if cmd.Flags().Changed(flag) {
				return value
			}
			return nil
		}
		update := api.AccountUpdate{
			BaseURL:          given("base-url", &f.account.BaseURL),
			Credentials:      f.account.Credentials,
			OriginOwnerID:    given("origin-owner-id", &f.account.OriginOwnerID),
			OriginOwnerName:  given("origin-owner-name", &f.account.OriginOwnerName),
			OriginUsername:   given("origin-username", &f.account.OriginUsername),
			SetupInformation: f.account.SetupInformation,
			Schedule:         given("schedule", &f.account.Schedule),
			Baseline:         given("baseline", &f.account.Baseline),
		}
		if cmd.Flags().Changed("page-size") {
			update.PageSize = &f.account.PageSize
		}
		if !givesAny(cmd) {
			return usageError("nothing to change: see synthook account update --help")
		}
		return askAndPrint(a, cmd, f.unasked(patch(update, "v1", "accounts", args[0])), describeAccount)
	}
	return cmd
}

func (a *app) accountCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check ACCOUNT_ID",
		Short: "Ask the provider whether an account can be read",
		Long: `Asks the provider for one small page of each record type of an account and tells what it
answers, within 15 seconds. Changes nothing, but for a need for attention that is over:
then the account, or the stream, is polled again. Exit status 0: everything can be read;
1: something can't, or that could not be found out.`,
		Example: "  synthook account check ACCOUNT_ID\n  synthook account check ACCOUNT_ID --json",
		Args:    arguments("ACCOUNT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := ask[api.AccountCheck](a, cmd, post(nil, "v1", "accounts", args[0], "check"))
			if err != nil {
				return err
			}
			err = a.print(answer, func(w io.Writer) {
				field(w, "account", answer.AccountID)
				field(w, "state", answer.State)
				describeFindings(w, answer.Results)
			})
			if err != nil || answer.OK {
				return err
			}
			return errors.New("not every record type can be read")
		},
	}
}

func (a *app) accountDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete ACCOUNT_ID",
		Short:   "Delete an account and all that is known of its records",
		Long:    "Deletes an account, its credentials and all that is known of its records, and sends\naccount.deleted, when you have confirmed it. Can't be undone: connected again, it is listed\nfrom the beginning. Its past events stay in the log.",
		Example: "  synthook account delete ACCOUNT_ID\n  synthook account delete ACCOUNT_ID --yes",
		Args:    arguments("ACCOUNT_ID"),
	}
	yes := cmd.Flags().Bool("yes", false, "Confirm beforehand")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := []string{"v1", "accounts", args[0]}
		if !*yes {
			account, err := ask[api.Account](a, cmd, get(path...))
			if err != nil {
				return err
			}
			name := cmp.Or(account.OriginOwnerName, account.OriginOwnerID, account.ID)
			if err := a.confirm("Delete the %s account of %s, with all that is known of its records?", account.Provider, plain(name)); err != nil {
				return err
			}
		}
		return a.remove(cmd, "deleted", path...)
	}
	return cmd
}

func (a *app) accountStateCommand(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ACCOUNT_ID",
		Short:   short,
		Example: "  synthook account " + verb + " ACCOUNT_ID",
		Args:    arguments("ACCOUNT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, post(nil, "v1", "accounts", args[0], verb), describeAccount)
		},
	}
}

func describeAccount(w io.Writer, c api.Account) {
	field(w, "id", c.ID)
	field(w, "project", c.ProjectID)
	field(w, "provider", c.Provider)
	field(w, "base URL", c.BaseURL)
	field(w, "state", stateAndReason(c.State, c.StateReason))
	field(w, "asked again", momentOf(c.NextCheckAt))
	field(w, "blocked until", momentOf(c.BlockedUntil))
	field(w, "record types", strings.Join(c.RecordTypes, " "))
	field(w, "schedule", c.Schedule)
	field(w, "baseline", c.Baseline)
	if c.PageSize > 0 {
		field(w, "page size", strconv.Itoa(c.PageSize))
	}
	field(w, "origin owner id", c.OriginOwnerID)
	field(w, "origin owner name", c.OriginOwnerName)
	field(w, "origin username", c.OriginUsername)
	for _, key := range slices.Sorted(maps.Keys(c.SetupInformation)) {
		field(w, "setup information", key+"="+c.SetupInformation[key])
	}
	field(w, "created", moment(c.CreatedAt))
	field(w, "updated", moment(c.UpdatedAt))
	describeFindings(w, c.Check)
}

func describeFindings(w io.Writer, found []api.Finding) {
	for _, f := range found {
		field(w, "checked", stateAndReason(f.RecordType+" "+f.Result, f.Detail))
	}
}

func stateAndReason(state, reason string) string {
	if reason == "" {
		return state
	}
	return state + " (" + reason + ")"
}
