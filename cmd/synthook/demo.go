package main

import (
	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Everything on this machine, nothing to set up",
		Long: `Starts sample providers over an invented company that lives, the service, and receivers
that verify every signature; prints where the dashboard is, and each event in a line. At the end it compares the
company's own journal with what was received, record by record. Exit status 1 when
anything was missed, false or badly signed.`,
		Example: "  synthook demo\n  synthook demo --for 30s --json",
		Args:    arguments(),
	}
	o := demo.Options{Version: thisBuild().Version, Out: a.stdout, Err: a.stderr}
	cmd.Flags().DurationVar(&o.For, "for", 0, "End by itself after this long; 0: at Ctrl-C")
	cmd.Flags().StringVar(&o.DatabaseURL, "database-url", "", "PostgreSQL to run on, in a schema of its own that is dropped at the end; default: an embedded database in a temporary directory")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.For < 0 {
			return usageError("--for is negative")
		}
		o.JSON = a.json
		return demo.Run(cmd.Context(), o)
	}
	return cmd
}
