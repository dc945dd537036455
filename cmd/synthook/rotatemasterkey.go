package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/migrations"
)

func (a *app) rotateMasterKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-master-key",
		Short: "Replace the master key",
		Long: `Seals the database's data key under another master key; everything else stays as it is,
so it takes a moment, whatever the size. Services that run on PostgreSQL go on: their next
start needs the new key. A service on the embedded database has to be stopped first.

Where the master key is a setting, --new-master-key-file holds the new one; it is made
where there is none. Where it is in the key file beside the embedded database, a new key
takes that file's place.

Who has an old backup and its master key can open what is sealed since, too: after such
a leak, replace the credentials and signing secrets themselves.`,
		Example: `  synthook rotate-master-key --database-url synthook.db
  synthook rotate-master-key --database-url postgres://synthook@localhost/synthook --master-key-file ./master.key --new-master-key-file ./new.key`,
		Args: arguments(),
	}
	a.bindSettings(cmd, "database-url", "master-key")
	newFile := cmd.Flags().String("new-master-key-file", "", "File that holds the new master key, or gets it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.settings(cmd)
		if err != nil {
			return err
		}
		config := keys.Config{MasterKey: s.MasterKey.Reveal()}
		if config.MasterKey != "" && *newFile == "" {
			return usageError("--new-master-key-file is missing: where the new master key is, or should be written")
		}
		return a.withExisting(cmd, func(ctx context.Context, db *migrations.DB) error {
			if db.Path != "" {
				config.KeyFile = db.Path + ".key"
			}
			if config.MasterKey == "" && config.KeyFile != "" && *newFile != "" {
				return usageError("the master key is in %s, which a new one replaces: leave --new-master-key-file out", config.KeyFile)
			}
			next := ""
			if *newFile != "" {
				if next, err = keys.NewMasterKey(*newFile); err != nil {
					return err
				}
			}
			file, err := keys.Rotate(ctx, db.DB, config, next)
			if err != nil {
				return err
			}
			if file == "" {
				file = *newFile
			}
			return a.print(map[string]string{"master_key_file": file}, func(w io.Writer) {
				fmt.Fprintf(w, "replaced: the master key is now the one in %s. Back it up; the old one opens nothing any more\n", file)
			})
		})
	}
	return cmd
}
