package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// docs/cli.md is written from the commands, so it can't miss one.
func TestDocumentation(t *testing.T) {
	golden(t, "../../docs/cli.md", documentation())
}

// Every command that a user sees says in a line what it does and shows how; every flag
// says what it is for.
func TestEveryCommandIsExplained(t *testing.T) {
	walk(tree(), func(c *cobra.Command) {
		if !c.IsAvailableCommand() {
			return
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text %q is no line without a full stop", c.CommandPath(), c.Short)
		}
		if !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if continued := strings.HasPrefix(line, "    "); !continued && !strings.Contains(line, "synthook ") {
				t.Errorf("%s: the example %q is no command of ours", c.CommandPath(), line)
			}
		}
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s is not explained", c.CommandPath(), f.Name)
			}
		})
	})
}

// Every line of an example is a command line that parses.
func TestExamplesParse(t *testing.T) {
	walk(tree(), func(c *cobra.Command) {
		for line := range strings.Lines(strings.ReplaceAll(c.Example, "\\\n", "")) {
			_, line, _ = strings.Cut(line, "synthook ")
			if err := parses(line); err != nil {
				t.Errorf("%s: synthook %s: %v", c.CommandPath(), line, err)
			}
		}
	})
}

// So is every command that a document shows.
func TestCommandsInDocumentsParse(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	shown := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
			command, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "go run ./cmd/"), "synthook ")
			if !ok || strings.HasPrefix(strings.TrimSpace(line), "synthook:") {
				continue
			}
			if shown++; parses(command) != nil {
				t.Errorf("%s: synthook %s: %v", file, command, parses(command))
			}
		}
	}
	if shown < 20 {
		t.Errorf("the documents show only %d commands", shown)
	}
}

// parses tells why a command line, without its first word, does not parse.
func parses(line string) error {
	line, _, _ = strings.Cut(line, "  ")
	line, _, _ = strings.Cut(line, "<")
	line, _, _ = strings.Cut(line, "#")
	args := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(line))
	found, rest, err := tree().Find(args)
	if err == nil {
		err = found.ParseFlags(rest)
	}
	if err == nil && found.Args != nil {
		err = found.ValidateArgs(found.Flags().Args())
	}
	return err
}

func tree() *cobra.Command {
	return (&app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}).root()
}

func documentation() string {
	var b strings.Builder
	root := tree()
	b.WriteString(`# The command line

Written from the commands themselves (` + "`go test ./cmd/synthook -update`" + `). ` + "`synthook COMMAND --help`" + ` says the same.

- The commands that manage a service talk to its HTTP API: ` + "`--server`" + ` says where, ` + "`SYNTHOOK_API_KEY`" + ` (or ` + "`SYNTHOOK_API_KEY_FILE`" + `) with which key. With the admin key, ` + "`--project`" + ` says in which project. ` + "`--api-key`" + ` works too, but leaves the key in the shell's history.
- ` + "`--json`" + ` prints JSON on standard output and nothing else there: of a listing one array of all items, of anything else one object, of ` + "`event tail` and `listen`" + ` one object a line. Notes and errors go to standard error.
- Times are UTC.

## Exit statuses

| status | meaning |
| --- | --- |
`)
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "| %d | %s |\n", e.status, e.meaning)
	}
	b.WriteString("\n## Flags of the commands that talk to a service\n\n")
	writeFlags(&b, clientFlags(root))
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == group.ID {
				walk(c, func(c *cobra.Command) {
					if c.IsAvailableCommand() {
						writeCommand(&b, c)
					}
				})
			}
		}
	}
	return b.String()
}

func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n", c.CommandPath(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.ReplaceAll(c.Long, "\n", " "))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	var flags []*pflag.Flag
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags = append(flags, f)
		}
	})
	if len(flags) > 0 {
		fmt.Fprintf(b, "\nUsage: `%s`\n\n", c.UseLine())
		writeFlags(b, flags)
	}
}

func writeFlags(b *strings.Builder, flags []*pflag.Flag) {
	b.WriteString("| flag | |\n| --- | --- |\n")
	for _, f := range flags {
		kind, usage := pflag.UnquoteUsage(f)
		text := "--" + f.Name
		if kind != "" {
			text += " " + kind
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" {
			usage += ". Default: `" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", text, strings.ReplaceAll(usage, "|", `\|`))
	}
}
