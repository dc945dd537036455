package main

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func (a *app) eventCommands() *cobra.Command {
	return a.group("event COMMAND", "The event log", "", a.eventListCommand(), a.eventTailCommand(), a.eventShowCommand())
}

// eventFilter are the flags that say which events are meant.
type eventFilter struct {
	names                         []string
	account, recordType, recordID string
	changed                       string
	since, until                  instant
}

func (f *eventFilter) bind(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.names, "event", nil, "Only this `EVENT`: a name or a pattern such as 'hris_employees.*' (repeat for several)")
	flags.StringVar(&f.account, "account", "", "Only those of this account")
	flags.StringVar(&f.recordType, "record-type", "", "Only those of this record type")
	flags.StringVar(&f.recordID, "record-id", "", "Only those of this record")
	flags.Var(&f.since, "since", "Only those since then: "+instantForm)
}

func (f *eventFilter) bindUntil(flags *pflag.FlagSet) {
	flags.Var(&f.until, "until", "Only those before then, in the same forms")
}

func (f *eventFilter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	for _, name := range f.names {
		q.Add("event", name)
	}
	set("account_id", f.account)
	set("record_type", f.recordType)
	set("record_id", f.recordID)
	set("field", f.changed)
	if !f.since.IsZero() {
		q.Set("since", f.since.Format(time.RFC3339Nano))
	}
	if !f.until.IsZero() {
		q.Set("until", f.until.Format(time.RFC3339Nano))
	}
	return q
}

func (a *app) eventListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events, the latest last",
		Long: `Lists events, the latest last. CHANGED names the fields of an update that changed; * stands
for what has no name: a field that few records have, or whose key may be data itself.`,
		Example: `  synthook event list --since 2h --event 'hris_employees.*'
  synthook event list --limit 20 --field department
  synthook event list --record-id 3223323715753018140 --json`,
		Args: arguments(),
	}
	var f eventFilter
	f.bind(cmd.Flags())
	f.bindUntil(cmd.Flags())
	cmd.Flags().StringVar(&f.changed, "field", "", "Only updates in which this `FIELD` changed, as events name it")
	limit := cmd.Flags().Uint32("limit", 0, "Only the latest so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		unnamed := false
		err := printAll(a, a.events(cmd, f.query(), int(*limit)), table[api.Event]{
			columns: []string{"TIME", "ID", "EVENT", "ACCOUNT", "RECORD", "CHANGED"},
			row: func(e api.Event) []string {
				unnamed = unnamed || slices.Contains(e.Fields, "*")
				return []string{moment(e.EventDate), e.ID, e.Event, e.AccountID, e.RecordID, strings.Join(e.Fields, " ")}
			},
			none: "no events",
		})
		if unnamed {
			a.note("CHANGED *: what changed has no name: fewer than half of the records have the field, or its key may be data itself")
		}
		return err
	}
	return cmd
}

// events are those of the query in the log's order: all, or the latest.
func (a *app) events(cmd *cobra.Command, query url.Values, limit int) iter.Seq2[api.Event, error] {
	if limit == 0 {
		query.Set("order", "asc")
		query.Set("limit", "1000")
		return list[api.Event](a, cmd, query, "v1", "events")
	}
	query.Set("order", "desc")
	query.Set("limit", strconv.Itoa(min(limit, 1000)))
	return func(yield func(api.Event, error) bool) {
		var latest []api.Event
		for e, err := range list[api.Event](a, cmd, query, "v1", "events") {
			if err != nil {
				yield(api.Event{}, err)
				return
			}
			if latest = append(latest, e); len(latest) == limit {
				break
			}
		}
		for _, e := range slices.Backward(latest) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (a *app) eventShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show EVENT_ID",
		Short:   "Show an event and its deliveries",
		Example: "  synthook event show evt_01JD0V6H2E8Q4R5T6Y7U8I9O0P",
		Args:    arguments("EVENT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, get("v1", "events", args[0]), describeEvent)
		},
	}
}

func describeEvent(w io.Writer, e api.Event) {
	field(w, "id", e.ID)
	field(w, "event", e.Event)
	field(w, "date", moment(e.EventDate))
	field(w, "project", e.ProjectID)
	field(w, "account", e.AccountID)
	field(w, "record type", e.RecordType)
	field(w, "record", e.RecordID)
	field(w, "changed fields", strings.Join(e.Fields, " "))
	if e.PollID > 0 {
		field(w, "found by poll", foundBy(e))
	}
	for _, d := range e.Deliveries {
		fmt.Fprintln(w)
		field(w, "webhook", d.WebhookID)
		field(w, "state", d.State)
		field(w, "next attempt", momentOf(d.NextAt))
		for _, t := range d.Attempts {
			field(w, "attempt", fmt.Sprintf("%s  %s  %s, %s", moment(t.At), milliseconds(t.DurationMS), outcome(t.Status, t.Error), counted(t.ResponseBytes, "byte")))
			field(w, "answer", t.Answer)
		}
	}
}

// foundBy tells of the poll that found an event.
func foundBy(e api.Event) string {
	if e.Poll == nil {
		return strconv.FormatInt(e.PollID, 10)
	}
	return fmt.Sprintf("%d  %s, %s, %s", e.PollID, moment(e.Poll.StartedAt), counted(int64(e.Poll.Pages), "page"), counted(int64(e.Poll.Records), "record"))
}

// outcome tells of an attempt: what was answered, else why nothing was.
func outcome(status int, failure string) string {
	if status > 0 {
		return "answered " + strconv.Itoa(status)
	}
	switch failure {
	case "connect":
		return "no connection"
	case "dns":
		return "the host has no address"
	case "timeout":
		return "no answer in time"
	case "tls":
		return "no trusted connection"
	case "cut":
		return "the connection broke before an answer"
	case "refused_address":
		return "the address is not one that may be sent to"
	}
	return cmp.Or(plain(failure), "no answer")
}

const (
	tailWait                    = "30s" // a listing waits for an event
	shortestRetry, longestRetry = 250 * time.Millisecond, 5 * time.Second
)

func (a *app) eventTailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print events as they come, until Ctrl-C",
		Long: `Prints events as they enter the log, until Ctrl-C. With --since it begins with those since
then. A service that goes away is waited for; nothing is left out.`,
		Example: "  synthook event tail\n  synthook event tail --event 'ats_candidates.*' --since 1h --json",
		Args:    arguments(),
	}
	var f eventFilter
	f.bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		err := a.tail(cmd, f)
		if cmd.Context().Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		return err
	}
	return cmd
}

func (a *app) tail(cmd *cobra.Command, f eventFilter) error {
	after, err := a.tailStart(cmd, f)
	if err != nil {
		return err
	}
	query := f.query()
	query.Set("order", "asc")
	query.Set("limit", "1000")
	query.Set("wait", tailWait)
	for retry := time.Duration(0); ; {
		query.Set("after", strconv.FormatInt(after, 10))
		c := get("v1", "events")
		c.path += "?" + query.Encode()
		page, err := ask[api.Page[api.Event]](a, cmd, c)
		if exitStatus(err) == exitUnreachable {
			if retry == 0 {
				a.note("%v; trying again until it answers", err)
			}
			retry = min(max(2*retry, shortestRetry), longestRetry)
			select {
			case <-time.After(retry):
				continue
			case <-cmd.Context().Done():
			}
		}
		if err != nil {
			return err
		}
		retry = 0
		for _, e := range page.Items {
			after = e.Sequence
			if err := a.print(e, func(w io.Writer) { fmt.Fprintln(w, eventLine(e)) }); err != nil {
				return err
			}
		}
	}
}

// tailStart is the place in the log to begin after: its end, or its beginning where
// --since says from when.
func (a *app) tailStart(cmd *cobra.Command, f eventFilter) (int64, error) {
	if !f.since.IsZero() {
		return 0, nil
	}
	for e, err := range a.events(cmd, url.Values{}, 1) {
		return e.Sequence, err
	}
	return 0, nil
}

func eventLine(e api.Event) string {
	line := fmt.Sprintf("%s  %s  %-28s  %s  %s", moment(e.EventDate), e.ID, e.Event, e.AccountID, plain(e.RecordID))
	if len(e.Fields) > 0 {
		line += "  (" + plain(strings.Join(e.Fields, " ")) + ")"
	}
	return line
}
