package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// usageTemplate is cobra's with what users look for first: how to type it, examples.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{if .HasAvailableLocalFlags}}{{if .HasParent}}{{.UseLine}}
  {{end}}{{end}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if .Groups}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{else}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasHelpSubCommands}}

More help:{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  synthook help {{rpad .Name 14}}{{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" says more of a command.{{end}}
`

// helpCommand is cobra's, but what it doesn't know is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND | TOPIC]",
		Short:  "Show the help of a command or of a topic",
		Hidden: true, // --help is what people type
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(found, rest[0])
			}
			if err != nil {
				return &statusError{exitUsage, err}
			}
			return found.Help()
		},
	}
}

func exitCodesTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Exit statuses of every command:\n\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "  %-4d %s\n", e.status, e.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit statuses mean", Long: strings.TrimSpace(b.String())}
}

func environmentTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Every setting of a process is a flag and a variable; the flag wins. A variable of a\nsecret has a twin with _FILE that names a file holding it. An unknown SYNTHOOK_\nvariable is refused.\n\n")
	for _, s := range settings.Table() {
		name := s.Variable()
		if s.Secret {
			name += "[_FILE]"
		}
		fmt.Fprintf(&b, "  %-36s %s\n", name, s.Help)
	}
	return &cobra.Command{Use: "environment", Short: "The variables that stand for flags", Long: strings.TrimRight(b.String(), "\n")}
}
