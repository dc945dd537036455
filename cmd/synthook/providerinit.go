package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/draft"
)

func (a *app) providerSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of connector files",
		Long: `Prints the JSON Schema of connector files, with which an editor completes and checks them
as they are written.`,
		Example: "  synthook provider schema",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			schema, err := providers.Schema()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(schema)
			return err
		},
	}
}

func (a *app) providerInitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init NAME",
		Short: "Draft a connector from a provider's OpenAPI document",
		Long: `Drafts a connector file from a provider's OpenAPI 3 document, in JSON or YAML: base URL,
the ways to authenticate, and for each record type the list that looks like it, with its
paging, its parent and the id of its records. What the document doesn't tell stands in
comments. Read it, correct it, and try it with "synthook provider try".`,
		Example: "  synthook provider init acme --openapi ./acme.json",
		Args:    arguments("NAME"),
	}
	file := cmd.Flags().String("openapi", "", "The OpenAPI document; required")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *file == "" {
			return usageError("--openapi is missing: the provider's OpenAPI document")
		}
		document, err := os.ReadFile(*file)
		if err != nil {
			return usageError("read OpenAPI document: %w", err)
		}
		text, err := draft.FromOpenAPI(args[0], document)
		if err != nil {
			return &statusError{exitUsage, err}
		}
		_, err = io.WriteString(a.stdout, text)
		return err
	}
	return cmd
}
