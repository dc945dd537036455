package main

import (
	"errors"
	"fmt"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// unknownCommand names the nearest command there is.
func unknownCommand(parent *cobra.Command, name string) error {
	var names []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return errors.New(didYouMean(fmt.Sprintf("unknown command %q", name), name, "", names))
}

// flagError names the nearest flag there is.
func flagError(cmd *cobra.Command, err error) error {
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	name := missing.GetSpecifiedName()
	if missing.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("unknown flag -%s", name)
	}
	return errors.New(didYouMean("unknown flag --"+name, name, "--", names))
}

// didYouMean adds the nearest of names to a message, unless all are far.
func didYouMean(message, name, prefix string, names []string) string {
	best, least := "", max(2, len(name)/2)
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(name, candidate); d <= least {
			best, least = candidate, d-1
		}
	}
	if best == "" {
		return message
	}
	return message + ": did you mean " + prefix + best + "?"
}
