package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/providers"
)

func (a *app) providerCommands() *cobra.Command {
	return a.group("provider COMMAND", "The catalogue of connectors, and your own",
		"The connectors that are built in, and those of a folder of yours (--connectors).",
		a.providerListCommand(), a.providerShowCommand(), a.providerLintCommand(), a.providerTryCommand(),
		a.providerSchemaCommand(), a.providerInitCommand())
}

// catalog loads the connectors of the settings. Broken files of the user's are noted.
func (a *app) catalog(cmd *cobra.Command) (*providers.Catalog, error) {
	s, err := a.settings(cmd)
	if err != nil {
		return nil, err
	}
	catalog, problems, err := providers.Load(s.Connectors)
	for _, p := range problems {
		a.note("left out: %s", p)
	}
	if err != nil {
		return nil, &statusError{exitUsage, err}
	}
	return catalog, nil
}

func (a *app) providerListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the connectors",
		Example: "  synthook provider list\n  synthook provider list --json --connectors ./connectors",
		Args:    arguments(),
	}
	a.bindSettings(cmd, "connectors")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		catalog, err := a.catalog(cmd)
		if err != nil {
			return err
		}
		return printAll(a, func(yield func(api.Provider, error) bool) {
			for _, c := range catalog.Connectors() {
				if !yield(api.ProviderOf(c), nil) {
					return
				}
			}
		}, table[api.Provider]{
			columns: []string{"NAME", "TITLE", "CATEGORY", "RECORD TYPES", "VERIFIED"},
			row: func(p api.Provider) []string {
				return []string{p.Name, p.Title, p.Category, strings.Join(p.RecordTypes, " "), p.Verified}
			},
		})
	}
	return cmd
}

func (a *app) providerShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show NAME|FILE",
		Short:   "Show a connector: its credentials and record types",
		Example: "  synthook provider show bamboohr\n  synthook provider show ./connectors/mine.yaml",
		Args:    arguments("NAME or FILE"),
	}
	a.bindSettings(cmd, "connectors")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		connector, err := a.connector(cmd, args[0])
		if err != nil {
			return err
		}
		p := api.ProviderOf(connector)
		return a.print(p, func(w io.Writer) { describeProvider(w, p) })
	}
	return cmd
}

func describeProvider(w io.Writer, p api.Provider) {
	field(w, "name", p.Name)
	field(w, "title", p.Title)
	field(w, "category", p.Category)
	field(w, "base URL", p.BaseURL)
	field(w, "verified", p.Verified)
	for _, c := range p.Common() {
		describeCredential(w, c)
	}
	for _, way := range p.Ways {
		fmt.Fprintln(w)
		field(w, "way", way.Name+"  "+way.Title)
		field(w, "verified", way.Verified)
		for _, c := range p.Own(way) {
			describeCredential(w, c)
		}
	}
	for _, s := range p.Streams {
		fmt.Fprintln(w)
		field(w, "record type", s.RecordType)
		field(w, "events", strings.Join(s.Events, " "))
		field(w, "verified", s.Verified)
		field(w, "schedule", s.Schedule)
		field(w, "ignored paths", strings.Join(s.Ignore, " "))
		field(w, "sets", strings.Join(s.Sets, " "))
	}
}

func describeCredential(w io.Writer, c api.ProviderCredential) {
	var marks []string
	if c.Secret {
		marks = append(marks, "secret")
	}
	if c.Optional {
		marks = append(marks, "optional")
	}
	field(w, "credential", strings.TrimSpace(fmt.Sprintf("%s  %s  %s", c.Name, strings.Join(marks, ", "), c.Description)))
}
