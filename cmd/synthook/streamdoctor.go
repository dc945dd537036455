package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// consultation is a diagnosis, and what to do about it.
type consultation struct {
	api.Diagnosis
	Advice []string `json:"advice"`
}

func (a *app) streamDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor ACCOUNT_ID RECORD_TYPE",
		Short: "List a stream twice in a row; name what differs though nothing happened",
		Long: `Lets the service list a stream twice, one right after the other, under the stream's
present rules, and names what would make updates that mean nothing: paths with other
values, arrays that come back in another order, ids that repeat, records that only one
listing has, totals that don't match. Shows paths, counts and record ids, never another
value, and says what to do. Changes nothing; the stream is not polled meanwhile. Ctrl-C
ends it. The exit status is 0 also where something differs, and 1 when a listing did not
reach its end.`,
		Example: `  synthook stream doctor ACCOUNT_ID employees
  synthook stream doctor ACCOUNT_ID employees --json`,
		Args: arguments("ACCOUNT_ID", "RECORD_TYPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !a.json {
				a.note("listing %s of %s twice (Ctrl-C ends it)", args[1], args[0])
			}
			d, err := ask[api.Diagnosis](a, cmd, post(nil, "v1", "accounts", args[0], "streams", args[1], "doctor"))
			if err != nil {
				return err
			}
			c := consultation{d, advice(d)}
			if err := a.print(c, c.describe); err != nil || d.Error == "" {
				return err
			}
			return errors.New("a listing did not reach its end")
		},
	}
}

// advice says what to do about a diagnosis, in commands where there are some.
func advice(d api.Diagnosis) []string {
	list := []string{}
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	stream := quoted(d.AccountID) + " " + quoted(d.RecordType)
	if d.Error != "" {
		say("A listing did not reach its end: nothing of such a poll is believed. Mend that first: synthook stream explain %s", stream)
	}
	often, rarely := shared(d)
	if len(often) > 0 {
		say("Ignore what differs by itself: synthook stream update %s%s", stream, ignoring(often))
	}
	if len(rarely) > 0 {
		say("What differs in few records may have changed indeed. Run this again; what is named again can be ignored: synthook stream update %s%s", stream, ignoring(rarely))
	}
	if len(d.Reordered) > 0 {
		var paths []string
		for _, p := range d.Reordered {
			paths = append(paths, strconv.Quote(p.Path))
		}
		say("Say in the connector's file that the order means nothing, at streams.%s: sets: [%s]. Where the file is not yours, such an array can be ignored as a whole, with what changes in it.", d.RecordType, strings.Join(paths, ", "))
	}
	if d.Repeated.Count > 0 {
		say("Ids repeat: either records move between pages while they are listed (a sort parameter in the connector's request keeps them in place), or the id is not the record's own (records.id takes several paths).")
	}
	if d.OnlyFirst.Count+d.OnlySecond.Count > 0 {
		say("One listing lacks records of the other: they came or went meanwhile, or the paging skips some. Run this again; if it is not rare, give the connector's request a sort parameter.")
	}
	if d.Sampled {
		say("The stream is bigger than what is compared: the first %s were.", counted(d.Compared, "record"))
	}
	if len(often)+len(rarely)+len(d.Reordered) > 0 {
		say("Then run this again: what differs can hide what is beside it.")
	}
	return list
}

// shared parts the paths that differ into those of at least one record in a hundred and
// the others. A path below another one that comes before it goes with it.
func shared(d api.Diagnosis) (often, rarely []string) {
	for _, p := range d.Differ {
		below := func(above string) bool { return strings.HasPrefix(p.Path, above+".") }
		switch {
		case p.Records*100 < d.Compared:
			rarely = append(rarely, p.Path)
		case !slices.ContainsFunc(often, below):
			often = append(often, p.Path)
		}
	}
	return often, rarely
}

func ignoring(paths []string) string {
	var flags strings.Builder
	for _, path := range paths {
		flags.WriteString(" --ignore " + quoted(path))
	}
	return flags.String()
}

var noQuotes = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if noQuotes.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (c consultation) describe(w io.Writer) {
	for i, l := range c.Listings {
		end := "complete"
		if !l.Complete {
			end = "not complete"
		}
		fmt.Fprintf(w, "listing %d: %s: %s on %s; %s\n", i+1, end, counted(l.Records, "record"), counted(l.Pages, "page"), milliseconds(l.DurationMS))
	}
	if c.Error != "" {
		fmt.Fprintln(w, plain(c.Error))
	}
	fmt.Fprintf(w, "%s compared, %d of them differ\n", counted(c.Compared, "record"), c.Unstable)
	if len(c.Differ)+len(c.Reordered) > 0 {
		fmt.Fprintln(w, "\nPATH\tWHAT DIFFERS\tRECORDS")
	}
	c.rows(w, "its values", c.Differ)
	c.rows(w, "its order only", c.Reordered)
	for _, r := range []struct {
		name string
		of   api.CountedRecords
	}{{"more than once in a listing", c.Repeated}, {"in the first listing only", c.OnlyFirst}, {"in the second listing only", c.OnlySecond}} {
		if r.of.Count > 0 {
			fmt.Fprintf(w, "\n%s %s: %s\n", counted(r.of.Count, "record"), r.name, plain(strings.Join(r.of.Sample, " ")))
		}
	}
	if c.Healthy {
		fmt.Fprintln(w, "nothing differs: an update of this stream means something")
	}
	for _, sentence := range c.Advice {
		fmt.Fprintln(w, "\n"+sentence)
	}
}

func (c consultation) rows(w io.Writer, what string, paths []api.UnstablePath) {
	for _, p := range paths {
		writeRow(w, []string{p.Path, what, fmt.Sprintf("%d of %d", p.Records, c.Compared)})
	}
}
