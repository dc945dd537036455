package dashboard

import (
	"net/http"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// replayPlan is a replay that was counted and not begun.
type replayPlan struct {
	api.NewReplay
	Since, Until string // as they were typed
	Event, Field string
	Rate         string
	Events       int64
	Counted      bool
	Wrong        form.Wrong
}

// planReplay counts what a replay would send.
func (d *Dashboard) planReplay(w http.ResponseWriter, r *http.Request) error {
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Plan = "replay", readPlan(r, page.Webhook.ID)
	if len(page.Plan.Wrong) == 0 {
		page.Plan.DryRun = true
		result, err := client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/replays", page.Plan.NewReplay)
		if wrong, ok := form.Refused(err); ok {
			page.Plan.Wrong = wrong
		} else if err != nil {
			return err
		}
		page.Plan.Events, page.Plan.Counted = result.Events, len(page.Plan.Wrong) == 0
	}
	if len(page.Plan.Wrong) > 0 {
		return d.again(w, r, "webhook", page)
	}
	return d.show(w, r, "webhook", page)
}

// readPlan reads what a replay should cover, from a query or a form.
func readPlan(r *http.Request, webhook string) *replayPlan {
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	p := &replayPlan{Since: text("since"), Until: text("until"), Event: text("event"), Wrong: form.Wrong{}}
	p.NewReplay = api.NewReplay{WebhookID: webhook, AccountID: text("account_id"), RecordType: text("record_type"), RecordID: text("record_id"), Dead: text("dead") != "", Missed: text("missed") != ""}
	p.Field, p.Rate = text("field"), text("rate_limit")
	if p.Field != "" {
		p.NewReplay.Fields = form.Lines(p.Field)
	}
	var ok bool
	if p.NewReplay.RateLimit, ok = form.Number(p.Rate); !ok {
		p.Wrong["rate_limit"] = "must be a number"
	}
	if p.Event != "" {
		p.NewReplay.Events = form.Lines(p.Event)
	}
	for name, to := range map[string]**time.Time{"since": &p.NewReplay.Since, "until": &p.NewReplay.Until} {
		t, err := form.Time(text(name))
		if err != nil {
			p.Wrong[name] = err.Error()
		} else if !t.IsZero() {
			*to = &t
		}
	}
	return p
}

func (d *Dashboard) replay(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("webhook")
	plan := readPlan(r, id)
	var result api.ReplayResult
	err := error(nil)
	if len(plan.Wrong) == 0 {
		result, err = client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/replays", plan.NewReplay)
		if wrong, ok := form.Refused(err); ok {
			plan.Wrong, err = wrong, nil
		}
	}
	if err != nil {
		return err
	}
	if len(plan.Wrong) > 0 {
		page, err := d.webhookPage(w, r)
		if err != nil {
			return err
		}
		page.Open, page.Plan = "replay", plan
		return d.again(w, r, "webhook", page)
	}
	notice := frame.Notice{Tone: "ok", Text: "Replay begun: " + frame.Plural(result.Events, "event") + "."}
	if result.Events == 0 {
		notice = frame.Notice{Tone: "warn", Text: "Nothing to replay: no event of the log matches."}
	}
	return d.done(w, r, frame.Path("webhooks", id), notice)
}

func (d *Dashboard) cancelReplay(w http.ResponseWriter, r *http.Request) error {
	replay, err := client.Send[api.Replay](r.Context(), d.API, http.MethodDelete, client.Path("v1", "replays", r.PathValue("replay")), nil)
	return d.after(w, r, frame.Path("webhooks", replay.WebhookID), "Replay cancelled. What it sent stays sent.", err)
}

// resyncPlan is a resync that was counted and not begun.
type resyncPlan struct {
	AccountID, RecordType, RateLimit string
	Events                           int64
	Counted                          bool
	Wrong                            form.Wrong
}

// resync counts what a resync would send (a GET), or begins it.
func (d *Dashboard) resync(w http.ResponseWriter, r *http.Request) error {
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	id := r.PathValue("webhook")
	plan := resyncPlan{AccountID: text("account_id"), RecordType: text("record_type"), RateLimit: text("rate_limit")}
	dry := r.Method == http.MethodGet
	rate, ok := form.Number(plan.RateLimit)
	if !ok {
		plan.Wrong = form.Wrong{"rate_limit": "must be a number"}
	}
	if ok {
		result, err := client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/resyncs",
			api.NewResync{WebhookID: id, AccountID: plan.AccountID, RecordType: plan.RecordType, RateLimit: rate, DryRun: dry})
		if wrong, refused := form.Refused(err); refused {
			plan.Wrong = wrong
		} else if err != nil {
			return err
		} else if !dry {
			return d.done(w, r, frame.Path("webhooks", id), frame.Notice{Tone: "ok", Text: "Resync begun: " + frame.Plural(result.Events, "record") + "."})
		}
		plan.Events, plan.Counted = result.Events, len(plan.Wrong) == 0
	}
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Resync = "resync", plan
	if len(plan.Wrong) > 0 {
		return d.again(w, r, "webhook", page)
	}
	return d.show(w, r, "webhook", page)
}
