package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/netguard"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/providers"
)

// checkup gathers what serve would stumble over, without changing anything.
type checkup struct {
	OK       bool                 `json:"ok"`
	Findings []finding            `json:"findings"`
	Settings []settings.Effective `json:"settings"` // in force, secrets redacted
}

type finding struct {
	Area string `json:"area"` // configuration, connectors, database, keys or accounts
	OK   bool   `json:"ok"`
	Note string `json:"note"`
}

func (c *checkup) good(area, format string, args ...any) {
	c.Findings = append(c.Findings, finding{area, true, fmt.Sprintf(format, args...)})
}

// bad adds the problems of an error that may be several, joined.
func (c *checkup) bad(area string, err error) {
	c.OK = false
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			c.Findings = append(c.Findings, finding{area, false, line})
		}
	}
}

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, database, connectors and credentials",
		Long: `Looks at everything that serve with the same flags and variables would stand on, changes
nothing, and reports all problems at once: the configuration, the connectors, the
database and its schema, the keys, and accounts that need attention. Exit status 0: no
problem; 1: there are some.`,
		Example: "  synthook check --database-url postgres://synthook@localhost/synthook\n  synthook check --json",
		Args:    arguments(),
	}
	settings.Bind(cmd.Flags(), settings.Service)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c := checkup{OK: true}
		s, err := settings.Load(cmd.Flags(), a.environ)
		if err != nil {
			c.bad("configuration", err)
		} else {
			c.good("configuration", "every setting is valid")
			if _, err := netguard.New(s.Network()); err != nil {
				c.bad("network", err)
			}
		}
		c.Settings = serviceSettings(s)
		catalog := c.connectors(s)
		c.database(cmd.Context(), s, catalog)
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		if err := a.print(c, c.describe); err != nil || c.OK {
			return err
		}
		return errors.New("there are problems")
	}
	return cmd
}

func serviceSettings(s settings.Settings) []settings.Effective {
	group := map[string]settings.Group{}
	for _, row := range settings.Table() {
		group[row.Name] = row.Group
	}
	return slices.DeleteFunc(s.Effective(), func(e settings.Effective) bool { return group[e.Name] != settings.Service })
}

func (c *checkup) connectors(s settings.Settings) *providers.Catalog {
	catalog, problems, err := providers.Load(s.Connectors)
	for _, p := range problems {
		c.bad("connectors", errors.New(p.String()))
	}
	if err != nil {
		c.bad("connectors", err)
	} else {
		c.good("connectors", "%d can be used", len(catalog.Connectors()))
	}
	return catalog
}

func (c checkup) describe(w io.Writer) {
	for _, f := range c.Findings {
		mark := "ok"
		if !f.OK {
			mark = "PROBLEM"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, f.Area, plain(f.Note))
	}
	fmt.Fprintln(w, "\nSETTING\tVALUE\tFROM")
	for _, s := range c.Settings {
		writeRow(w, []string{s.Name, s.Value, s.Source})
	}
}
