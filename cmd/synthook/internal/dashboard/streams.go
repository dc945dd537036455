package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/chart"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/poller"
)

// streamRow is a stream and how fresh it is.
type streamRow struct {
	api.Stream
	Owner string // the account's, where it was read
	Gauge template.HTML
	Typed string // an interval that was refused
	Wrong string // and why
}

func rowOf(s poller.Stream) streamRow { return rowOfStream(api.StreamOf(s)) }

func rowOfStream(s api.Stream) streamRow {
	return streamRow{Stream: s, Gauge: gaugeOf(s, time.Now())}
}

// Path is where the stream's page is.
func (s streamRow) Path() string { return frame.Path("accounts", s.AccountID, "streams", s.RecordType) }

// Own is the interval that was set for this stream alone; "": it is inherited.
func (s streamRow) Own() string {
	if s.ScheduleFrom == poller.FromStream {
		return s.Schedule
	}
	return ""
}

// From says where the interval in force comes from.
func (s streamRow) From() string {
	switch s.ScheduleFrom {
	case poller.FromStream:
		return "set here"
	case poller.FromAccount:
		return "of the account"
	case poller.FromRecordType:
		return "of " + frame.Words(s.RecordType)
	case poller.FromProvider:
		return "of the provider"
	}
	return "default"
}

// Busy says that a poll is due or under way.
func (s streamRow) Busy() bool {
	polled := s.State != poller.StreamPaused && s.State != poller.StreamNeedsAttention
	return polled && s.NextPollAt != nil && time.Until(*s.NextPollAt) < 0
}

// Under says how far the poll under way is, "" where that is not known (yet).
func (s streamRow) Under() string {
	p := s.Progress
	if p == nil {
		return ""
	}
	text := frame.Plural(p.Pages, "page") + ", "
	if p.Total != nil && *p.Total >= p.Records { // a first listing may be read twice
		text += frame.Number(p.Records) + " of " + frame.Plural(*p.Total, "record")
	} else {
		text += frame.Plural(p.Records, "record")
	}
	if p.RemainingSeconds != nil && *p.RemainingSeconds > 9 {
		text += ", about " + frame.Duration(time.Duration(*p.RemainingSeconds)*time.Second) + " left"
	}
	return text
}

// Found says what came of the last poll.
func (s streamRow) Found() string {
	switch {
	case s.LastPollAt == nil:
		return ""
	case s.Failures > 0:
		return "failed"
	case s.Quarantine != nil:
		return "held in quarantine"
	case s.LastChangeAt != nil && !s.LastChangeAt.Before(*s.LastPollAt):
		return "found changes"
	}
	return "nothing new"
}

// markOf stands for all that pages show of polls of some streams: it differs when that has
// moved on. busy says that it will soon.
func markOf(rows []streamRow) (mark string, busy bool) {
	var h xxhash.Digest
	h.Reset()
	for _, s := range rows {
		busy = busy || s.Busy() || s.Polling
		var reached [2]int64
		if s.Progress != nil {
			reached = [2]int64{s.Progress.Pages, s.Progress.Records}
		}
		fmt.Fprint(&h, s.RecordType, s.State, s.Busy(), s.Polling, reached, s.Polls, s.LastPollAt, s.LastError, "\n")
	}
	return strconv.FormatUint(h.Sum64(), 36), busy
}

// gaugeOf draws the age of what is known of a stream against its interval.
func gaugeOf(s api.Stream, now time.Time) template.HTML {
	if s.LastCompleteAt == nil {
		return ""
	}
	schedule, err := poller.ParseSchedule(s.Schedule, 0)
	if err != nil {
		return ""
	}
	interval := max(schedule.Interval(now), time.Second)
	age := max(now.Sub(*s.LastCompleteAt), 0)
	ratio := age.Seconds() / interval.Seconds()
	class := "ok"
	switch {
	case s.State == poller.StreamPaused:
		class = "calm"
	case ratio > 2 && age > interval+time.Minute:
		class = "bad"
	case ratio > 1.1 && age > interval+time.Minute:
		class = "warn"
	}
	return chart.Gauge(ratio, class, "known as of "+frame.Duration(age)+" ago, polled every "+frame.Duration(interval))
}

// streamsPage lists streams.
type streamsPage struct {
	frame.Frame
	State, RecordType, Provider string // the filter
	RecordTypes                 []string
	Providers                   []api.Provider
	Streams                     []streamRow
	Next                        string
}

// Filtered says that not all streams were asked for.
func (p *streamsPage) Filtered() bool { return p.State+p.RecordType+p.Provider != "" }

func (d *Dashboard) streams(w http.ResponseWriter, r *http.Request) error {
	page := &streamsPage{
		Frame: d.frameOf(w, r, "streams", "Streams"),
		State: r.FormValue("state"), RecordType: r.FormValue("type"), Provider: r.FormValue("provider"),
	}
	filter := poller.StreamFilter{RecordType: page.RecordType, Provider: page.Provider, Limit: rowsShown + 1}
	switch page.State {
	case "":
	case "attention":
		filter.States = wanting
	default:
		filter.States = []string{page.State}
	}
	filter.After, _ = strconv.ParseInt(r.FormValue("after"), 10, 64)
	found, err := d.Config.Streams.Find(r.Context(), page.Project, filter)
	if err != nil {
		return err
	}
	if len(found) > rowsShown {
		found = found[:rowsShown]
		page.Next = with(r.URL, "after", strconv.FormatInt(found[rowsShown-1].ID, 10))
	}
	if page.Streams, err = d.rowsOf(r.Context(), page.Project, found); err != nil {
		return err
	}
	if page.Providers, err = d.catalogue(r); err != nil {
		return err
	}
	page.RecordTypes = recordTypes(page.Providers)
	return d.show(w, r, "streams", page)
}

// rowsOf are streams with the names of their accounts' owners.
func (d *Dashboard) rowsOf(ctx context.Context, project string, found []poller.Stream) ([]streamRow, error) {
	var ids []string
	for _, s := range found {
		if !slices.Contains(ids, s.AccountID) {
			ids = append(ids, s.AccountID)
		}
	}
	names, err := d.Config.Accounts.Names(ctx, project, ids)
	rows := make([]streamRow, 0, len(found))
	for _, s := range found {
		row := rowOf(s)
		row.Owner = names[s.AccountID]
		rows = append(rows, row)
	}
	return rows, err
}

// recordTypes are those that some connector serves.
func recordTypes(all []api.Provider) []string {
	var types []string
	for _, p := range all {
		types = append(types, p.RecordTypes...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}
