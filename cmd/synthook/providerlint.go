package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/providers"
)

func (a *app) providerLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE|FOLDER…",
		Short: "Check connector files; print every problem with its line",
		Long: `Checks connector files and prints every problem as FILE:LINE:COLUMN: MESSAGE.
Of a folder, its *.yaml and *.yml are checked as --connectors reads them: names that two
files take are a problem, too. Exit status 0: no problem; 1: there are some.`,
		Example: "  synthook provider lint ./acme.yaml\n  synthook provider lint ./connectors",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			problems := []lintProblem{}
			for _, file := range args {
				found, err := lint(file)
				if err != nil {
					return err
				}
				for _, p := range found {
					problems = append(problems, lintProblem{p.File, p.Line, p.Column, p.Message})
				}
			}
			if err := a.print(problems, func(w io.Writer) {
				for _, p := range problems {
					fmt.Fprintf(w, "%s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
				}
			}); err != nil {
				return err
			}
			if len(problems) > 0 {
				return errors.New(counted(len(problems), "problem"))
			}
			a.note("no problems")
			return nil
		},
	}
}

// lint finds the problems of a file, or of a folder's.
func lint(path string) ([]providers.Problem, error) {
	if about, err := os.Stat(path); err == nil && about.IsDir() {
		yaml, _ := filepath.Glob(filepath.Join(path, "*.yaml"))
		yml, _ := filepath.Glob(filepath.Join(path, "*.yml"))
		if len(yaml)+len(yml) == 0 {
			return nil, usageError("check connectors: there is no *.yaml or *.yml in %s", path)
		}
		_, problems, err := providers.Load(path)
		if err != nil {
			return nil, &statusError{exitUsage, err}
		}
		return problems, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError("read connector: %w", err)
	}
	_, problems := providers.Parse(path, data)
	return problems, nil
}

type lintProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}
