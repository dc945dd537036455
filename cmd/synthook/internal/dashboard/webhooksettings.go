package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
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
func readSettings(r *http.Request) (v webhookSettings, s api.WebhookSettings, wrong form.Wrong) {
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	v = webhookSettings{
		Accounts: text("accounts"), Providers: text("providers"), Fields: text("fields"), Concurrency: text("concurrency"), RateLimit: text("rate_limit"),
		Unordered: text("unordered") != "", Unlogged: text("unlogged") != "", KeepAnswers: text("keep_answers") != "",
	}
	wrong = form.Wrong{}
	accounts, providers, fields := form.Lines(v.Accounts), form.Lines(v.Providers), form.Lines(v.Fields)
	ordered, logged := !v.Unordered, !v.Unlogged
	concurrency, ok := form.Whole(v.Concurrency)
	if !ok {
		wrong["concurrency"] = "must be a whole number"
	}
	rate, ok := form.Number(v.RateLimit)
	if !ok {
		wrong["rate_limit"] = "must be a number"
	}
	return v, api.WebhookSettings{
		Accounts: &accounts, Providers: &providers, Fields: &fields, Concurrency: &concurrency, RateLimit: &rate,
		Ordered: &ordered, LogAttempts: &logged, KeepAnswers: &v.KeepAnswers,
	}, wrong
}
