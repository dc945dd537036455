package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// bindSettings gives a command some of the service's settings, as flags of the same
// name that a.settings reads.
func (a *app) bindSettings(cmd *cobra.Command, names ...string) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings.Bind(all, settings.Service)
	for _, name := range names {
		cmd.Flags().AddFlag(all.Lookup(name))
		if file := all.Lookup(name + "-file"); file != nil {
			cmd.Flags().AddFlag(file)
		}
	}
}

// settings are those whose flags the command has.
func (a *app) settings(cmd *cobra.Command) (settings.Settings, error) {
	s, err := settings.Load(cmd.Flags(), a.environ)
	if err != nil {
		return s, &statusError{exitUsage, err}
	}
	return s, nil
}

// givesAny says whether any flag of the command's own was given.
func givesAny(cmd *cobra.Command) (given bool) {
	cmd.Flags().Visit(func(f *pflag.Flag) { given = given || cmd.InheritedFlags().Lookup(f.Name) == nil })
	return given
}

// instant is a flag for a moment: RFC 3339, a date, or how long ago (2h, 7d).
type instant struct{ time.Time }

const instantForm = "a time (2026-11-22T00:00:00Z), a date (2026-11-22, UTC) or how long ago (90m, 2h, 7d)"

func (i *instant) Set(text string) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			i.Time = t.UTC()
			return nil
		}
	}
	ago, err := parseAge(text)
	if err != nil || ago < 0 {
		return fmt.Errorf("expected %s", instantForm)
	}
	i.Time = time.Now().UTC().Add(-ago)
	return nil
}

func (i *instant) String() string { return moment(i.Time) }
func (i *instant) Type() string   { return "time" }

// pointer is nil where the flag was not given.
func (i *instant) pointer() *time.Time {
	if i.IsZero() {
		return nil
	}
	return &i.Time
}

// parseAge is time.ParseDuration with whole days.
func parseAge(text string) (time.Duration, error) {
	var n int
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if _, err := fmt.Sscanf(days+"\n", "%d\n", &n); err != nil {
			return 0, fmt.Errorf("parse days: %w", err)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}
