package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/bench"
)

func (a *app) benchCommands() *cobra.Command {
	return a.group("bench", "Measure on your machine and database", "", a.benchPollCommand(), a.benchDispatchCommand(), a.benchPartCommand())
}

func (a *app) benchPollCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "poll",
		Short: "Measure the store's part of a poll, beside a row per record",
		Long: `Measures, for capacity planning, what the database's part of a poll costs on your
machine and database: synthook's way and, in turns in the same run, a row per record
(load all of the stream, compare, write the changes in batches). Requests to a provider
and hashing are not measured, and building the listing isn't either.
On PostgreSQL it works in a schema of its own that is dropped at the end, Ctrl-C
included, and touches no other table. It makes a checkpoint before every measured poll,
if it may. Bytes of WAL are the whole server's: of the runs, the fewest count. Where a
service uses the same database, its event log waits for the bench's bigger commits.`,
		Example: "  synthook bench poll --records 100000 --changed 1%\n" +
			"  synthook bench poll --records 1000000 --first --database-url postgres://synthook@localhost/synthook --json\n" +
			"  synthook bench poll --changed 1% --polls 200",
		Args: arguments(),
	}
	o := bench.Options{Note: a.note}
	changed := percentage(1)
	cmd.Flags().IntVar(&o.Records, "records", 100_000, "Records of the stream, 1 to 10,000,000")
	cmd.Flags().Var(&changed, "changed", "How many of them are updated in every poll")
	fields := onOff(false)
	cmd.Flags().Var(&fields, "fields", fmt.Sprintf("on: as for a stream that tells changed fields, with %d fields a record", bench.FieldsARecord))
	cmd.Flags().BoolVar(&o.First, "first", false, "Measure first listings, with a created event for every record, instead")
	cmd.Flags().IntVar(&o.Runs, "runs", 5, "Measured polls of each way; what is printed are their medians")
	cmd.Flags().IntVar(&o.Polls, "polls", 3, "Polls of the same rate before the measured ones, vacuumed in between when autovacuum would")
	cmd.Flags().StringVar(&o.DatabaseURL, "database-url", "", "PostgreSQL to measure; default: an embedded database in a temporary directory")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.Records < 1 || o.Records > bench.MaxRecords:
			return usageError("--records is %d: expected 1 to 10,000,000", o.Records)
		case o.Runs < 1:
			return usageError("--runs is %d: expected at least 1", o.Runs)
		case o.Polls < 0:
			return usageError("--polls is negative")
		case o.First && (cmd.Flags().Changed("changed") || cmd.Flags().Changed("polls")):
			return usageError("--first lists anew every time: --changed and --polls have no meaning with it")
		}
		if o.First {
			changed, o.Polls = 100, 0
		}
		o.Percent, o.Fields = float64(changed), bool(fields)
		report, err := bench.Run(cmd.Context(), o)
		if err != nil {
			return err
		}
		return a.print(report, func(w io.Writer) { describeBench(w, report) })
	}
	return cmd
}

// percentage is a flag for a share: 1%, 0.1%.
type percentage float64

func (p *percentage) Set(text string) error {
	number, ok := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(share >= 0 && share <= 100) {
		return fmt.Errorf("expected a percentage from 0%% to 100%%, like 1%% or 0.1%%")
	}
	*p = percentage(share)
	return nil
}

func (p *percentage) String() string { return strconv.FormatFloat(float64(*p), 'f', -1, 64) + "%" }
func (p *percentage) Type() string   { return "percentage" }

// onOff is a flag that is on or off.
type onOff bool

func (o *onOff) Set(text string) error {
	if text != "on" && text != "off" {
		return fmt.Errorf("expected on or off")
	}
	*o = text == "on"
	return nil
}

func (o *onOff) String() string {
	if *o {
		return "on"
	}
	return "off"
}

func (o *onOff) Type() string { return "on|off" }

func describeBench(w io.Writer, r bench.Report) {
	what := fmt.Sprintf("%d updated in every poll, %d polls before", r.Changed, r.Polls)
	if r.First {
		what = "first listing"
	}
	if r.Fields {
		what += fmt.Sprintf(", %d fields a record", bench.FieldsARecord)
	}
	checkpoint := "a checkpoint before each"
	if !r.Checkpointed {
		checkpoint = "no checkpoints: not permitted"
	}
	fmt.Fprintf(w, "%s: %s, %s. Medians of %s of each way, %s.\n\n", r.Database, counted(r.Records, "record"), what, counted(r.Runs, "poll"), checkpoint)
	line := func(name string, cells ...string) { writeRow(w, append([]string{name}, cells...)) }
	line("a poll", "ours", "row per record", "the events alone")
	line("store, ms", benchMS(r.Ours.StoreMS), benchMS(r.RowPerRecord.StoreMS), benchMS(r.Events.StoreMS))
	line("statements", fmt.Sprint(r.Ours.Statements), fmt.Sprint(r.RowPerRecord.Statements), fmt.Sprint(r.Events.Statements))
	line("WAL, bytes", optional(r.Ours.WALBytes), optional(r.RowPerRecord.WALBytes), optional(r.Events.WALBytes))
	line("stored, bytes a record", fmt.Sprint(r.Ours.BytesPerRecord), fmt.Sprint(r.RowPerRecord.BytesPerRecord), "")
	line("live heap, bytes", fmt.Sprint(r.Ours.HeapBytes), fmt.Sprint(r.RowPerRecord.HeapBytes), "")
	fmt.Fprintf(w, "\nA row per record takes %.4g times as long", r.Ratio)
	if r.WALRatio != nil {
		fmt.Fprintf(w, " and writes %.4g times as much WAL beyond the events' own", *r.WALRatio)
	}
	fmt.Fprintln(w, ".")
}

func benchMS(ms float64) string { return strconv.FormatFloat(ms, 'f', 2, 64) }

func optional(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}
