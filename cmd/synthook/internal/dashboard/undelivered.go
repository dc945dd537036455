package dashboard

import (
	"context"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/explain"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/dispatch"
)

// findWebhookProblems counts what is not delivered, and says of each webhook why.
func (d *Dashboard) findWebhookProblems(ctx context.Context, page *overviewPage) error {
	for _, h := range page.Webhooks {
		page.Undelivered += h.Backlog + h.Retrying + h.Dead
		page.Retrying += h.Retrying
		page.Dead += h.Dead
		if len(page.Problems) > problemsShown {
			continue
		}
		p, err := d.webhookProblem(ctx, page.Project, h)
		if err != nil {
			return err
		}
		if p != nil {
			page.Problems = append(page.Problems, *p)
		}
	}
	return nil
}

// webhookProblem is what most needs to be known of a webhook; nil: nothing does.
func (d *Dashboard) webhookProblem(ctx context.Context, project string, h api.Webhook) (*problem, error) {
	where := frame.Path("webhooks", h.ID)
	switch {
	case h.State == "down":
		return &problem{"bad", "Webhook " + h.URL + " is down", "Its endpoint does not take events: the last attempt " + explain.Said(h.LastError) + ". " + explain.Last(h.LastError) + " It is probed; what it misses is delivered when it is back.", where}, nil
	case !h.Enabled && h.DisabledReason == "by its owner":
		return nil, nil
	case !h.Enabled:
		return &problem{"bad", "Webhook " + h.URL + " was disabled", frame.Sentence(h.DisabledReason), where}, nil
	case h.Retrying+h.Dead > 0:
		parked, err := d.Config.Deliveries.Parked(ctx, project, h.ID, 1)
		return refusals(h, parked, where+"#undelivered"), err
	case h.LastError != "":
		return &problem{"warn", "Webhook " + h.URL + " failed at the last attempt", "It " + explain.Said(h.LastError) + ". " + explain.Last(h.LastError), where}, nil
	}
	return nil, nil
}

// standing is a webhook's state as it is shown: an endpoint that is up and refused the last
// event, which is kept to be sent again or was given up, is not "ok".
func standing(h api.Webhook) string {
	if h.State == "ok" && h.LastError != "" && h.Retrying+h.Dead > 0 {
		return "refusing"
	}
	return h.State
}

// refusals says how many events a webhook did not take, what becomes of them and what it
// answered to one of them.
func refusals(h api.Webhook, parked []dispatch.Parked, where string) *problem {
	p := &problem{Tone: "warn", What: "Webhook " + h.URL + " did not take " + frame.Plural(h.Retrying+h.Dead, "event"), Where: where}
	if h.Retrying > 0 {
		p.Why += frame.Number(h.Retrying) + " " + are(h.Retrying) + " sent again on the schedule of retries. "
	}
	if h.Dead > 0 {
		p.Tone = "bad"
		p.Why += frame.Number(h.Dead) + " " + are(h.Dead) + " given up after days of retries: a replay sends them again. "
	}
	for _, one := range parked {
		if one.LastError != "" {
			p.Why += "It " + explain.Said(one.LastError) + ". " + explain.Last(one.LastError)
			break
		}
	}
	return p
}

func are(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// parkedShown is how many events of a webhook are shown that are retried, and that were
// given up.
const parkedShown = 10

// findParked shows what a webhook did not take.
func (d *Dashboard) findParked(ctx context.Context, page *webhookPage) (err error) {
	if page.Webhook.Retrying+page.Webhook.Dead == 0 {
		return nil
	}
	page.Parked, err = d.Config.Deliveries.Parked(ctx, page.Project, page.Webhook.ID, parkedShown)
	return err
}
