package dashboard

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/snippet"
	"github.com/synthook/synthook/dispatch"
)

// eventPage is one event's whole story.
type eventPage struct {
	frame.Frame
	Event      api.Event
	Account    *api.Account // nil: deleted since
	Deliveries []deliveryView
	Sent       *sentView
	Snippets   []snippet.Snippet
}

// deliveryView is a delivery and where it goes.
type deliveryView struct {
	api.Delivery
	URL string
}

// sentView is one attempt's request, as it went over the wire.
type sentView struct {
	dispatch.Request
	WebhookID string
	At        time.Time
	Attempt   bool   // false: not sent yet, written as it would be now
	Text      string // of the body
}

// Path is what of the URL a request's first line names.
func (s *sentView) Path() string {
	_, rest, _ := strings.Cut(s.URL, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// Host is the URL's.
func (s *sentView) Host() string {
	_, rest, _ := strings.Cut(s.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

func (d *Dashboard) event(w http.ResponseWriter, r *http.Request) error {
	ctx, page := r.Context(), &eventPage{Frame: d.frameOf(w, r, "events", "Event"), Snippets: snippet.All()}
	var err error
	if page.Event, err = client.Get[api.Event](ctx, d.API, client.Path("v1", "events", r.PathValue("event"))); err != nil {
		return err
	}
	page.Title = page.Event.Event
	if account, err := client.Get[api.Account](ctx, d.API, client.Path("v1", "accounts", page.Event.AccountID)); err == nil {
		page.Account = &account
	}
	hooks, err := client.Get[api.Page[api.Webhook]](ctx, d.API, "/v1/webhooks?limit=100")
	if err != nil {
		return err
	}
	urls := map[string]string{}
	for _, h := range hooks.Items {
		urls[h.ID] = h.URL
	}
	for _, delivery := range page.Event.Deliveries {
		page.Deliveries = append(page.Deliveries, deliveryView{delivery, cmp.Or(urls[delivery.WebhookID], delivery.WebhookID)})
		if delivery.State == "waiting" || delivery.State == "retrying" {
			page.Refresh = 5
		}
	}
	if page.Sent, err = d.sent(r, page); err != nil {
		return err
	}
	return d.show(w, r, "event", page)
}

// sent writes the request of the attempt that is asked for, else of the newest one.
func (d *Dashboard) sent(r *http.Request, page *eventPage) (*sentView, error) {
	var view *sentView
	for _, delivery := range page.Deliveries {
		if wanted := r.FormValue("webhook"); wanted != "" && wanted != delivery.WebhookID {
			continue
		}
		if view == nil {
			view = &sentView{WebhookID: delivery.WebhookID, At: time.Now()}
		}
		for _, a := range delivery.Attempts {
			if !view.Attempt || a.At.After(view.At) {
				view = &sentView{WebhookID: delivery.WebhookID, At: a.At, Attempt: true}
			}
		}
	}
	if view == nil {
		return nil, nil
	}
	e := page.Event
	event := dispatch.Event{ID: e.Sequence, UID: e.ID, ProjectID: e.ProjectID, AccountID: e.AccountID, Name: e.Event, RecordType: e.RecordType, RecordID: e.RecordID, OccurredAt: e.EventDate}
	if err := accountDetails(&event, e.Details); err != nil {
		return nil, err
	}
	var err error
	view.Request, err = d.Config.Deliveries.Sent(r.Context(), page.Project, view.WebhookID, event, view.At)
	view.Text = string(view.Body)
	return view, err
}
