package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/benchdispatch"
)

func (a *app) benchDispatchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dispatch",
		Short: "Measure deliveries, beside a bare net/http loop",
		Long: `Measures, for capacity planning, how fast events of the log are delivered on your
machine and database, and what a delivery costs: whole services in processes of their
own, to a receiver on loopback in another. In turns with them, a bare net/http loop
posts the same signed bodies to the same receiver over as many connections: the floor.
Then events are appended at a steady rate, for the time from commit to receipt.
The events are spread over the webhooks, each in a project of its own.
On PostgreSQL it works in a schema of its own that is dropped at the end, Ctrl-C
included. Where a service uses the same database, its event log waits for the bench's
commits. CPU is that of our processes and, where the server is on this machine, of its
sessions; the receiver's is not counted.`,
		Example: "  synthook bench dispatch --events 20000 --webhooks 1 --database-url postgres://synthook@localhost/synthook\n" +
			"  synthook bench dispatch --webhooks 100 --processes 2 --database-url postgres://synthook@localhost/synthook --json\n" +
			"  synthook bench dispatch --slow 1 --no-attempts\n" +
			"  synthook bench dispatch --parked 1000000",
		Args: arguments(),
	}
	o := benchdispatch.Options{Note: a.note}
	flags := cmd.Flags()
	flags.IntVar(&o.Events, "events", 20_000, "Events delivered in every run, over all webhooks, 1 to 10,000,000")
	flags.IntVar(&o.Webhooks, "webhooks", 1, "Webhooks that share them, 1 to 1000")
	flags.IntVar(&o.Slow, "slow", 0, "Webhooks beside them, for the same events, that take 2 s to answer; the figures are those of the others")
	flags.IntVar(&o.Processes, "processes", 1, "Services on the database, 1 to 16; the embedded one takes one")
	flags.BoolVar(&o.NoAttempts, "no-attempts", false, "Keep no attempt on record, as a webhook with --log-attempts=false does")
	flags.IntVar(&o.Runs, "runs", 3, "Runs of each way; what is printed are their medians")
	flags.IntVar(&o.Rate, "rate", 1000, "Events appended a second while latency is measured, 1 to 20,000")
	flags.DurationVar(&o.RateFor, "rate-for", 5*time.Second, "How long latency is measured")
	flags.IntVar(&o.Parked, "parked", 0, "Measure this many events behind an endpoint that is down, too, and how they leave")
	flags.StringVar(&o.CPUProfile, "cpu-profile", "", "File for a CPU profile (pprof) of a service in the last run")
	flags.StringVar(&o.DatabaseURL, "database-url", "", "PostgreSQL to measure; default: an embedded database in a temporary directory")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDispatchBench(o); err != nil {
			return err
		}
		report, err := benchdispatch.Run(cmd.Context(), o)
		if err != nil {
			return err
		}
		return a.print(report, func(w io.Writer) { describeDispatchBench(w, report) })
	}
	return cmd
}

// benchPartCommand is what the bench starts.
func (a *app) benchPartCommand() *cobra.Command {
	return &cobra.Command{
		Use:    benchdispatch.PartArgs[1],
		Hidden: true,
		Args:   arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return benchdispatch.Part(cmd.Context(), a.stdin, a.stdout)
		},
	}
}

func checkDispatchBench(o benchdispatch.Options) error {
	for _, n := range []struct {
		flag               string
		value, least, most int
	}{
		{"events", o.Events, 1, benchdispatch.MaxEvents},
		{"webhooks", o.Webhooks, 1, benchdispatch.MaxWebhooks},
		{"slow", o.Slow, 0, benchdispatch.MaxWebhooks},
		{"processes", o.Processes, 1, benchdispatch.MaxProcesses},
		{"runs", o.Runs, 1, 1000},
		{"rate", o.Rate, 1, benchdispatch.MaxRate},
		{"parked", o.Parked, 0, benchdispatch.MaxEvents},
	} {
		if n.value < n.least || n.value > n.most {
			return usageError("--%s is %d: expected %d to %d", n.flag, n.value, n.least, n.most)
		}
	}
	if o.RateFor < time.Second || o.RateFor > time.Hour {
		return usageError("--rate-for is %s: expected 1s to 1h", o.RateFor)
	}
	if o.DatabaseURL == "" && o.Processes > 1 {
		return usageError("--processes is %d: the embedded database takes one; for several give --database-url", o.Processes)
	}
	return nil
}

func describeDispatchBench(w io.Writer, r benchdispatch.Report) {
	fmt.Fprintf(w, "%s: %s to %s, %s. Medians of %s of each way, %s.\n\n", r.Database, counted(r.Events, "event"),
		counted(r.Webhooks, "webhook"), counted(r.Processes, "service"), counted(r.Runs, "run"), counted(r.Concurrency, "connection"))
	line := func(name string, cells ...string) { writeRow(w, append([]string{name}, cells...)) }
	line("deliveries", "ours", "bare net/http")
	line("a second", whole(r.DeliveriesPerS), whole(r.FloorPerS))
	line("a second, least and most", whole(r.Spread.DeliveriesPerS[0])+" to "+whole(r.Spread.DeliveriesPerS[1]), whole(r.Spread.FloorPerS[0])+" to "+whole(r.Spread.FloorPerS[1]))
	line("CPU of one, ms", optionalMS(r.CPUMS), optionalMS(r.FloorCPUMS))
	line("of it PostgreSQL's, ms", optionalMS(r.DatabaseCPUMS), "")
	line("rows written for 1,000", strconv.FormatFloat(r.RowsWritten, 'f', 1, 64), "")
	fmt.Fprintf(w, "\nOurs makes %.3g of the floor (%.3g to %.3g). At %.0f events/s the time from commit to receipt is\n%.2f ms at p50, %.2f ms at p95, %.2f ms at p99",
		r.Ratio, r.Spread.Ratio[0], r.Spread.Ratio[1], r.RatePerS, r.P50MS, r.P95MS, r.P99MS)
	if r.Slow > 0 {
		fmt.Fprintf(w, ", beside %s", counted(r.Slow, "slow webhook"))
	}
	fmt.Fprintln(w, ".")
	if p := r.Parked; p != nil {
		rows := "rows not counted"
		if p.RowsWritten != nil {
			rows = counted(*p.RowsWritten, "row") + " written meanwhile"
		}
		fmt.Fprintf(w, "\n%s behind an endpoint that is down: %s, %d of them stand for an event, %.1f MB of heap;\nthen they leave at %s/s.\n",
			counted(p.Events, "event"), rows, p.Retries, float64(p.HeapBytes)/1e6, whole(p.DeliveriesPerS))
	}
}

func whole(x float64) string { return strconv.FormatFloat(x, 'f', 0, 64) }

func optionalMS(ms *float64) string {
	if ms == nil {
		return ""
	}
	return strconv.FormatFloat(*ms, 'f', 4, 64)
}
