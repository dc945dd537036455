package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/migrations"
)

func (a *app) migrateCommands() *cobra.Command {
	up := &cobra.Command{
		Use:   "up",
		Short: "Apply what is missing",
		Long: `Brings the schema of the database up to this program's, one process at a time. serve
does the same when it starts; run it by hand to choose the moment.`,
		Example: `  synthook migrate up --database-url postgres://synthook@localhost/synthook`,
		Args:    arguments(),
	}
	a.bindSettings(up, "database-url")
	up.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.withDatabase(cmd, func(ctx context.Context, db *migrations.DB) error {
			before, after, err := migrations.Up(ctx, db.DB)
			if err != nil {
				return err
			}
			result := map[string]int64{"before": before, "after": after}
			return a.print(result, func(w io.Writer) {
				if before == after {
					fmt.Fprintf(w, "nothing to do: the schema is at version %d\n", after)
				} else {
					fmt.Fprintf(w, "migrated from version %d to %d\n", before, after)
				}
			})
		})
	}
	status := &cobra.Command{
		Use:     "status",
		Short:   "Show the schema's version and this program's",
		Example: `  synthook migrate status --json`,
		Args:    arguments(),
	}
	a.bindSettings(status, "database-url")
	status.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.withExisting(cmd, func(ctx context.Context, db *migrations.DB) error {
			v, err := migrations.Status(ctx, db.DB)
			if err != nil {
				return err
			}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "database:\tversion %d\nprogram:\tversion %d\n", v.Current, v.Latest)
				switch {
				case v.Current < v.Latest:
					fmt.Fprintln(w, "behind: run synthook migrate up, or start synthook serve")
				case v.Current > v.Latest:
					fmt.Fprintln(w, "ahead: run a newer synthook")
				}
			})
		})
	}
	return a.group("migrate COMMAND", "The database's schema", "", up, status)
}

// withExisting is withDatabase for what has no business making a database.
func (a *app) withExisting(cmd *cobra.Command, use func(context.Context, *migrations.DB) error) error {
	s, err := a.settings(cmd)
	if err != nil {
		return err
	}
	if path, missing := missingFile(s.DatabaseURL.Reveal()); missing {
		return fmt.Errorf("there is no database %s: the first start of synthook serve makes it", path)
	}
	return a.withDatabase(cmd, use)
}

// withDatabase opens the database of the settings for as long as use takes.
func (a *app) withDatabase(cmd *cobra.Command, use func(context.Context, *migrations.DB) error) error {
	s, err := a.settings(cmd)
	if err != nil {
		return err
	}
	db, err := migrations.Open(cmd.Context(), s.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	return errors.Join(use(cmd.Context(), db), db.Close())
}
