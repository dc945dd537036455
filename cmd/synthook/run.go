package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// app is what every command has at hand.
type app struct {
	environ        []string // as of os.Environ
	stdin          io.Reader
	stdout, stderr io.Writer
	json           bool
	started        bool // a command's own code has begun: what fails now is no usage error
}

// run is the program. Its error stands for the exit status (exitStatus) and for one
// message; nothing below it exits. It takes the whole environment rather than a
// getenv, because an unknown SYNTHOOK_ variable is refused.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	a := &app{environ: environ, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return &statusError{exitInterrupted, errors.New("interrupted")}
	case !a.started:
		return usageError("%w (see %s --help)", err, cmd.CommandPath())
	default:
		return explained(err)
	}
}

const (
	groupStart  = "start"
	groupManage = "manage"
	groupTools  = "tools"
)

func (a *app) root() *cobra.Command {
	root := a.group("synthook", "Webhooks for HR and recruiting systems that have none", "")
	root.Long = `synthook polls HR and recruiting systems and sends signed created, updated and
deleted webhooks, wire-compatible with StackOne's synthetic webhooks.`
	root.Example = `  synthook demo                         everything on this machine, nothing to set up
  synthook serve                        the service, with the embedded database
  synthook account add --provider bamboohr --credential company=acme --credential-file api_key=./key
  synthook webhook create --url https://example.com/hooks --event 'hris_employees.*'
  synthook event tail`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "Print JSON on standard output, for programs")
	root.PersistentFlags().BoolP("help", "h", false, "Show help")
	settings.Bind(root.PersistentFlags(), settings.Client)

	root.AddGroup(&cobra.Group{ID: groupStart, Title: "Run:"}, &cobra.Group{ID: groupManage, Title: "Manage a service:"}, &cobra.Group{ID: groupTools, Title: "Tools, without a service:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupStart, a.demoCommand(), a.serveCommand(), a.checkCommand(), a.migrateCommands(), a.rotateMasterKeyCommand())
	add(groupManage, a.accountCommands(), a.streamCommands(), a.tuneCommand(), a.webhookCommands(), a.eventCommands(), a.replayCommands(), a.resyncCommand(), a.reconcileCommand(), a.projectCommands(), a.apiKeyCommands())
	add(groupTools, a.providerCommands(), a.listenCommand(), a.signCommand(), a.verifyCommand(), a.benchCommands(), a.versionCommand())
	root.AddCommand(exitCodesTopic(), environmentTopic())
	root.SetHelpCommand(helpCommand())
	a.dress(root)
	return root
}

// group is a command that only holds others.
func (a *app) group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		a.started = false
		return unknownCommand(cmd, args[0])
	}
	c.AddCommand(commands...)
	return c
}

// dress gives every command what all of them share.
func (a *app) dress(root *cobra.Command) {
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(flagError)
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if !remote(cmd) {
			hideClientFlags(cmd)
		}
		help(cmd, args)
	})
	walk(root, func(c *cobra.Command) {
		c.DisableFlagsInUseLine = true
		inner := c.RunE
		if inner == nil {
			return
		}
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if !remote(cmd) {
				if err := refuseClientFlags(cmd); err != nil {
					return err
				}
			}
			a.started = true
			return inner(cmd, args)
		}
	})
}

// walk visits a command and all below it.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, below := range c.Commands() {
		walk(below, visit)
	}
}

// remote says whether a command talks to a service: the root (which holds the flags)
// and what is grouped so.
func remote(cmd *cobra.Command) bool {
	for c := cmd; c.HasParent(); c = c.Parent() {
		if c.GroupID != "" {
			return c.GroupID == groupManage
		}
	}
	return !cmd.HasParent()
}

func clientFlags(cmd *cobra.Command) []*pflag.Flag {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings.Bind(own, settings.Client)
	var flags []*pflag.Flag
	own.VisitAll(func(f *pflag.Flag) { flags = append(flags, cmd.Root().PersistentFlags().Lookup(f.Name)) })
	return flags
}

func hideClientFlags(cmd *cobra.Command) {
	for _, f := range clientFlags(cmd) {
		f.Hidden = true
	}
}

func refuseClientFlags(cmd *cobra.Command) error {
	for _, f := range clientFlags(cmd) {
		if f.Changed {
			return fmt.Errorf("--%s has no meaning here: %s talks to no service", f.Name, cmd.CommandPath())
		}
	}
	return nil
}

// arguments names what a command takes, so that an error can say what is missing.
func arguments(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", strings.Join(names[len(args):], " and "))
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}
