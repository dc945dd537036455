package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// webhookSettings are a webhook's settings as a form has them.
type webhookSettings struct {
	Accounts, Providers, Fields      string // one a line
	Concurrency, RateLimit           string
	Unordered, KeepAnswers, Unlogged bool
	Narrowed                         bool // it gets less than its events choose
}

// settingsOf spells out what holds.
func settingsOf(s api.WebhookSettings) webhookSettings {
	lines := func(list *[]string) string {
		if list == nil {
			return ""
		}
		return strings.Join(*list, "\n")
	}
	v := webhookSettings{Accounts: lines(s.Accounts), Providers: lines(s.Providers), Fields: lines(s.Fields)}
	if s.Concurrency != nil && *s.Concurrency > 0 {
		v.Concurrency = strconv.Itoa(*s.Concurrency)
	}
	if s.RateLimit != nil && *s.RateLimit > 0 {
		v.RateLimit = strconv.FormatFloat(*s.RateLimit, 'g', -1, 64)
	}
	v.Unordered = s.Ordered != nil && !*s.Ordered
	v.Unlogged = s.LogAttempts != nil && !*s.LogAttempts
	v.KeepAnswers = s.KeepAnswers != nil && *s.KeepAnswers
	v.Narrowed = v.Accounts+v.Providers+v.Fields != ""
	return v
}

// readSettings takes what was typed.
func readSettings(r *http.Request) (v webhookSettings, s api.WebhookSettings, wrong Wrong) {
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	v = webhookSettings{
		Accounts: text("accounts"), Providers: text("providers"), Fields: text("fields"), Concurrency: text("concurrency"), RateLimit: text("rate_limit"),
		Unordered: text("unordered") != "", Unlogged: text("unlogged") != "", KeepAnswers: text("keep_answers") != "",
	}
	wrong = Wrong{}
	accounts, providers, fields := splitLines(v.Accounts), splitLines(v.Providers), splitLines(v.Fields)
	ordered, logged := !v.Unordered, !v.Unlogged
	concurrency, ok := whole(v.Concurrency)
	if !ok {
		wrong["concurrency"] = "must be a whole number"
	}
	rate, ok := number(v.RateLimit)
	if !ok {
		wrong["rate_limit"] = "must be a number"
	}
	return v, api.WebhookSettings{
		Accounts: &accounts, Providers: &providers, Fields: &fields, Concurrency: &concurrency, RateLimit: &rate,
		Ordered: &ordered, LogAttempts: &logged, KeepAnswers: &v.KeepAnswers,
	}, wrong
}

// number reads a number that may be left out.
func number(text string) (n float64, ok bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// resyncPlan is a resync that was counted and not begun.
type resyncPlan struct {
	AccountID, RecordType, RateLimit string
	Events                           int64
	Counted                          bool
	Wrong                            Wrong
}

// resync counts what a resync would send (a GET), or begins it.
func (d *Dashboard) resync(w http.ResponseWriter, r *http.Request) error {
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	id := r.PathValue("webhook")
	plan := resyncPlan{AccountID: text("account_id"), RecordType: text("record_type"), RateLimit: text("rate_limit")}
	dry := r.Method == http.MethodGet
	rate, ok := number(plan.RateLimit)
	if !ok {
		plan.Wrong = Wrong{"rate_limit": "must be a number"}
	}
	if ok {
		result, err := client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/resyncs",
			api.NewResync{WebhookID: id, AccountID: plan.AccountID, RecordType: plan.RecordType, RateLimit: rate, DryRun: dry})
		if wrong, refused := wrongOf(err); refused {
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
