package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/chart"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/cmd/synthook/internal/tally"
	"github.com/synthook/synthook/poller"
)

// overviewPage answers one question: is everything all right?
type overviewPage struct {
	frame.Frame
	Accounts, Paused int
	Streams, Fresh   int
	Records          int64
	Types            []typeRow
	Problems         []problem
	More             bool // there are more problems than are shown
	Webhooks         []api.Webhook
	Backlog          int64
	Day              day
	Tail             []api.Event // newest first
	After            int64       // the newest sequence of the tail

	refused bool               // some account needs attention
	wanting map[string][]int64 // streams, by the state that needs attention
}

// typeRow is one record type's streams.
type typeRow struct {
	RecordType             string
	Streams, OK, Attention int
	Records                int64
	Strip                  template.HTML
}

// problem is one thing that needs attention, and where that is given.
type problem struct {
	Tone, What, Why, Where string
}

// day is what happened in 24 hours.
type day struct {
	Counted           bool
	Events, Delivered int64
	Failed            int64
	EventsChart       template.HTML
	DeliveriesChart   template.HTML
}

const (
	problemsShown = 8
	tailShown     = 12
)

// wanting are the states of streams that need attention.
var wanting = []string{poller.StreamNeedsAttention, poller.StreamQuarantined, poller.StreamFailing, poller.StreamLate}

func (d *Dashboard) overview(w http.ResponseWriter, r *http.Request) error {
	ctx, page := r.Context(), &overviewPage{Frame: d.frameOf(w, r, "overview", "Overview")}
	page.Refresh = 30
	if err := d.countStreams(ctx, page); err != nil {
		return err
	}
	hooks, err := client.Get[api.Page[api.Webhook]](ctx, d.API, "/v1/webhooks?limit=100")
	if err != nil {
		return err
	}
	page.Webhooks = hooks.Items
	if err := d.findProblems(ctx, page); err != nil {
		return err
	}
	tail, err := client.Get[api.Page[api.Event]](ctx, d.API, fmt.Sprintf("/v1/events?limit=%d", tailShown))
	if err != nil {
		return err
	}
	if page.Tail = tail.Items; len(tail.Items) > 0 {
		page.After = tail.Items[0].Sequence
	}
	page.Day = dayOf(d.Activity.Last(ctx, page.Project))
	return d.show(w, r, "overview", page)
}

func (d *Dashboard) countStreams(ctx context.Context, page *overviewPage) error {
	states, err := d.Config.Accounts.AccountStates(ctx, page.Project)
	if err != nil {
		return err
	}
	for state, n := range states {
		page.Accounts += n
		if state == poller.StatePaused {
			page.Paused = n
		}
	}
	health, err := d.Config.Streams.Health(ctx, page.Project)
	if err != nil {
		return err
	}
	page.refused, page.wanting = states[poller.StateNeedsAttention] > 0, health.Wanting
	for _, h := range health.Types {
		row := typeRow{
			RecordType: h.RecordType, Streams: h.Streams(), Records: h.Records,
			OK:        h.States[poller.StreamOK] - min(h.Late, h.States[poller.StreamOK]),
			Attention: h.States[poller.StreamNeedsAttention] + h.States[poller.StreamQuarantined] + h.States[poller.StreamFailing] + h.Late,
		}
		row.Strip = chart.Strip([]chart.Share{
			{Class: "ok", Name: "fresh", N: row.OK}, {Class: "new", Name: "new", N: h.States[poller.StreamNew]},
			{Class: "calm", Name: "paused", N: h.States[poller.StreamPaused]},
			{Class: "warn", Name: "late or quarantined", N: h.Late + h.States[poller.StreamQuarantined]},
			{Class: "bad", Name: "failing", N: h.States[poller.StreamFailing] + h.States[poller.StreamNeedsAttention]},
		})
		page.Types = append(page.Types, row)
		page.Streams += row.Streams
		page.Fresh += row.OK
		page.Records += row.Records
	}
	return nil
}

// findProblems gathers what needs attention: what stops most comes first.
func (d *Dashboard) findProblems(ctx context.Context, page *overviewPage) error {
	if page.refused {
		accounts, err := d.Config.Accounts.Find(ctx, page.Project, poller.AccountFilter{State: poller.StateNeedsAttention, Limit: problemsShown + 1})
		if err != nil {
			return err
		}
		for _, a := range accounts {
			page.Problems = append(page.Problems, problem{"bad", "Account " + nameOf(a.OriginOwnerName, a.ID) + " is not polled", a.StateReason, frame.Path("accounts", a.ID)})
		}
	}
	for _, h := range page.Webhooks {
		page.Backlog += h.Backlog
		page.Problems = append(page.Problems, webhookProblems(h)...)
	}
	for _, state := range wanting[1:] { // the first is an account's
		if len(page.wanting[state]) == 0 || len(page.Problems) > problemsShown {
			continue
		}
		streams, err := d.Config.Streams.Find(ctx, page.Project, poller.StreamFilter{IDs: page.wanting[state], Limit: problemsShown + 1})
		if err != nil {
			return err
		}
		rows, err := d.rowsOf(ctx, page.Project, streams)
		if err != nil {
			return err
		}
		for _, s := range rows {
			if state != poller.StreamLate && s.State != state {
				continue // it has got well meanwhile
			}
			page.Problems = append(page.Problems, streamProblem(s, state))
		}
	}
	if len(page.Problems) > problemsShown {
		page.Problems, page.More = page.Problems[:problemsShown], true
	}
	return nil
}

func webhookProblems(h api.Webhook) []problem {
	where := frame.Path("webhooks", h.ID)
	switch {
	case h.State == "down":
		return []problem{{"bad", "Webhook " + h.URL + " is down", "Its endpoint does not take events: " + h.LastError + ". It is probed; what it misses is delivered when it is back.", where}}
	case !h.Enabled && h.DisabledReason != "by its owner":
		return []problem{{"bad", "Webhook " + h.URL + " was disabled", h.DisabledReason, where}}
	case h.Dead > 0:
		return []problem{{"warn", "Webhook " + h.URL + " refused " + frame.Plural(h.Dead, "event"), "They were retried for days and given up; a replay sends them again.", where}}
	}
	return nil
}

func streamProblem(s streamRow, state string) problem {
	p := problem{Tone: "warn", Where: s.Path()}
	name := strings.ToUpper(s.RecordType[:1]) + frame.Words(s.RecordType[1:]) + " of " + nameOf(s.Owner, s.AccountID)
	switch state {
	case poller.StreamQuarantined:
		p.What, p.Why = name+": "+held(s.Quarantine)+" held", "Too many to believe at once. Look at the evidence, then approve or reject."
	case poller.StreamFailing:
		p.Tone, p.What, p.Why = "bad", name+" could not be polled", s.LastError
	default:
		p.What, p.Why = name+" is late", "It is due and was not polled: this service may have too little room for its polls."
	}
	return p
}

// held is what a quarantine holds most of.
func held(q *api.Quarantine) string {
	if q.Missing == 0 {
		return frame.Plural(q.Updated, "update")
	}
	return frame.Plural(q.Missing, "missing record")
}

func nameOf(name, id string) string {
	if name != "" {
		return name
	}
	return id
}

func dayOf(s tally.Series) day {
	v := day{Counted: s.Counted}
	events := chart.Bars{Classes: []string{"created", "updated", "deleted", "account"}}
	deliveries := chart.Bars{Classes: []string{"delivered", "failed"}}
	for _, slot := range s.Slots {
		at := slot.Start.Format("15:04")
		events.Bars = append(events.Bars, chart.Bar{
			Label: fmt.Sprintf("%s UTC: %d created, %d updated, %d deleted, %d of accounts", at, slot.Created, slot.Updated, slot.Deleted, slot.Accounts),
			Parts: []int64{slot.Created, slot.Updated, slot.Deleted, slot.Accounts},
		})
		deliveries.Bars = append(deliveries.Bars, chart.Bar{
			Label: fmt.Sprintf("%s UTC: %d delivered, %d failed attempts", at, slot.Delivered, slot.Failed),
			Parts: []int64{slot.Delivered, slot.Failed},
		})
		v.Events += slot.Created + slot.Updated + slot.Deleted + slot.Accounts
		v.Delivered += slot.Delivered
		v.Failed += slot.Failed
	}
	events.Ticks = []string{"24 h ago", "18 h", "12 h", "6 h", "now"}
	deliveries.Ticks = events.Ticks
	events.Label = fmt.Sprintf("Events of the last 24 hours: %d", v.Events)
	deliveries.Label = fmt.Sprintf("Attempts of the last 24 hours: %d delivered, %d failed", v.Delivered, v.Failed)
	v.EventsChart, v.DeliveriesChart = events.SVG(), deliveries.SVG()
	return v
}
