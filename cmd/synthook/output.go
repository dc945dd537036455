package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// note tells people what is going on, where programs don't read.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

// printJSON prints one value as one line.
func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	return nil
}

// print prints a value as JSON, or what human writes of it.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.json {
		return a.printJSON(v)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	human(w)
	return flush(w)
}

// flushRows is how many rows a table aligns together: a listing may be longer than
// memory should be.
const flushRows = 1000

// table is a listing for people: its columns, and a row of an item.
type table[T any] struct {
	columns []string
	row     func(T) []string
	none    string // said on standard error when there is nothing
}

// printAll prints a listing as it comes: one JSON array, or a table.
func printAll[T any](a *app, items iter.Seq2[T, error], t table[T]) error {
	if a.json {
		return printArray(a, items)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	n := 0
	for item, err := range items {
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintln(w, strings.Join(t.columns, "\t"))
		}
		if n++; n%flushRows == 0 {
			if err := flush(w); err != nil {
				return err
			}
		}
		writeRow(w, t.row(item))
	}
	if n == 0 && t.none != "" {
		a.note("%s", t.none)
	}
	return flush(w)
}

// writeRow writes the cells of a line. Nothing shows as a dash; what a provider or a
// consumer chose can't steer a terminal.
func writeRow(w io.Writer, cells []string) {
	for i, text := range cells {
		cells[i] = cmp.Or(plain(text), "-")
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func printArray[T any](a *app, items iter.Seq2[T, error]) error {
	separator := "["
	for item, err := range items {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(a.stdout, separator); err != nil {
			return fmt.Errorf("print answer: %w", err)
		}
		if err := a.printJSON(item); err != nil {
			return err
		}
		separator = ","
	}
	if separator == "[" {
		_, err := io.WriteString(a.stdout, "[]\n")
		return err
	}
	_, err := io.WriteString(a.stdout, "]\n")
	return err
}

func flush(w *tabwriter.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	return nil
}

// field writes a line of a description; an empty value is left out.
func field(w io.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(w, "%s:\t%s\n", name, plain(value))
	}
}

// moment is a time for people: UTC, to the second; "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func momentOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

// counted is "1 event", "2 events".
func counted[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
