package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/service"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// startup is what serve --json prints when it is ready: where it is, and what can't be
// had again.
type startup struct {
	URL      string `json:"url"`
	AdminKey string `json:"admin_key,omitempty"` // made by this start
	KeyFile  string `json:"key_file,omitempty"`  // made by this start
}

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "The service: polls, delivers, answers the API",
		Long: `Runs the service until Ctrl-C: polls what is due, delivers events, answers the HTTP API.
Without --database-url it keeps everything in ./synthook.db, and makes a key file beside
it. The first start prints the admin key, once. On PostgreSQL any number of processes
may serve the same database; give them the same SYNTHOOK_MASTER_KEY.`,
		Example: "  synthook serve\n  synthook serve --database-url postgres://synthook@localhost/synthook --listen 127.0.0.1:8080",
		Args:    arguments(),
	}
	settings.Bind(cmd.Flags(), settings.Service)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.settings(cmd)
		if err != nil {
			return err
		}
		running, err := service.Start(cmd.Context(), service.Options{Settings: s, Logger: service.Logger(s, a.stderr), Version: thisBuild().Version})
		if errors.Is(err, keys.ErrNoMasterKey) || errors.Is(err, keys.ErrWrongMasterKey) {
			return &statusError{exitUsage, err}
		}
		if err != nil {
			return err
		}
		ready := startup{running.URL(), running.NewAdminKey, running.NewKeyFile}
		if err := a.print(ready, func(w io.Writer) { _ = running.Announce(w) }); err != nil {
			return errors.Join(err, running.Close())
		}
		return running.Run(cmd.Context())
	}
	return cmd
}
