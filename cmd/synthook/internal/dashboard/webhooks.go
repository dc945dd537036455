package dashboard

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// webhooksPage lists webhooks.
type webhooksPage struct {
	frame.Frame
	Webhooks []api.Webhook
	Next     string
}

func (d *Dashboard) webhooks(w http.ResponseWriter, r *http.Request) error {
	page := &webhooksPage{Frame: d.frameOf(w, r, "webhooks", "Webhooks")}
	found, err := client.Get[api.Page[api.Webhook]](r.Context(), d.API, "/v1/webhooks?limit=50&cursor="+urlEscape(r.FormValue("after")))
	if err != nil {
		return err
	}
	page.Webhooks = found.Items
	if found.Next != "" {
		page.Next = with(r.URL, "after", found.Next)
	}
	return d.show(w, r, "webhooks", page)
}

// eventGroup is the events of one category, as a form offers them.
type eventGroup struct {
	Title string
	Types []eventType
}

// eventType is the events of one record type: hris_employees.created, …
type eventType struct {
	Prefix string // hris_employees
	Name   string // employees
	Events []eventChoice
}

// eventChoice is one event.
type eventChoice struct {
	Name, Action string
	Chosen       bool
}

// groupTitles are the categories, in the order in which they are shown.
var groupTitles = []struct{ prefix, title string }{
	{"hris", "HRIS"}, {"ats", "ATS"}, {"account", "Account"},
}

// eventGroups are all events there are, with those ticked that the names or patterns
// choose.
func (d *Dashboard) eventGroups(ctx context.Context, chosen []string) ([]eventGroup, error) {
	all, err := client.Get[api.Page[api.Provider]](ctx, d.API, "/v1/providers?limit=1000")
	if err != nil {
		return nil, err
	}
	names := []string{"account.created", "account.updated", "account.deleted"}
	for _, p := range all.Items {
		for _, s := range p.Streams {
			names = append(names, s.Events...)
		}
	}
	var groups []eventGroup
	types := map[string]*eventType{}
	var order []string
	for _, name := range names {
		prefix, action, _ := strings.Cut(name, ".")
		t := types[prefix]
		if t == nil {
			_, recordType, ok := strings.Cut(prefix, "_")
			if !ok {
				recordType = "accounts"
			}
			t = &eventType{Prefix: prefix, Name: frame.Words(recordType)}
			types[prefix] = t
			order = append(order, prefix)
		}
		if !slices.ContainsFunc(t.Events, func(c eventChoice) bool { return c.Name == name }) {
			t.Events = append(t.Events, eventChoice{name, action, covers(chosen, name)})
		}
	}
	for _, g := range groupTitles {
		group := eventGroup{Title: g.title}
		for _, prefix := range order {
			if category, _, _ := strings.Cut(prefix, "_"); category == g.prefix {
				group.Types = append(group.Types, *types[prefix])
				delete(types, prefix)
			}
		}
		groups = append(groups, group)
	}
	other := eventGroup{Title: "Other"}
	for _, prefix := range order {
		if t := types[prefix]; t != nil {
			other.Types = append(other.Types, *t)
		}
	}
	return slices.DeleteFunc(append(groups, other), func(g eventGroup) bool { return len(g.Types) == 0 }), nil
}

// covers says whether names or patterns choose an event.
func covers(chosen []string, name string) bool {
	prefix, _, _ := strings.Cut(name, ".")
	return slices.Contains(chosen, "*") || slices.Contains(chosen, name) || slices.Contains(chosen, prefix+".*")
}

// chosenEvents are the events that a form names: all, or those that are ticked.
func chosenEvents(r *http.Request) []string {
	if r.PostFormValue("all") != "" {
		return []string{"*"}
	}
	return append([]string{}, r.PostForm["events"]...)
}

// webhookForm is a webhook as it was typed: a new one, or changes of one.
type webhookForm struct {
	frame.Frame
	ID     string // "": a new one
	URL    string
	All    bool
	From   string
	Groups []eventGroup
	Wrong  form.Wrong

	Settings webhookSettings
}

func (d *Dashboard) newWebhook(w http.ResponseWriter, r *http.Request) error {
	page := &webhookForm{Frame: d.frameOf(w, r, "webhooks", "Add webhook"), From: "now", All: true}
	var err error
	if page.Groups, err = d.eventGroups(r.Context(), nil); err != nil {
		return err
	}
	return d.show(w, r, "webhook-new", page)
}

func (d *Dashboard) createWebhook(w http.ResponseWriter, r *http.Request) error {
	page := &webhookForm{URL: strings.TrimSpace(r.PostFormValue("url")), From: r.PostFormValue("from"), All: r.PostFormValue("all") != ""}
	events := chosenEvents(r)
	typed, chosen, mistyped := readSettings(r)
	page.Settings = typed
	if len(mistyped) > 0 {
		return d.webhookAgain(w, r, page, events, mistyped)
	}
	made, err := client.Send[api.Webhook](r.Context(), d.API, http.MethodPost, "/v1/webhooks", api.NewWebhook{
		URL: page.URL, Events: events, From: page.From, WebhookSettings: chosen, Secret: strings.TrimSpace(r.PostFormValue("secret")),
	})
	if wrong, ok := form.Refused(err); ok {
		return d.webhookAgain(w, r, page, events, chooseSome(wrong, events))
	}
	if err != nil {
		return err
	}
	return d.done(w, r, frame.Path("webhooks", made.ID), secretNotice("Webhook added. This is its signing secret: give it to the consumer.", made))
}

func (d *Dashboard) webhookAgain(w http.ResponseWriter, r *http.Request, page *webhookForm, events []string, wrong form.Wrong) error {
	page.Wrong, page.Frame = wrong, d.frameOf(w, r, "webhooks", "Add webhook")
	var err error
	if page.Groups, err = d.eventGroups(r.Context(), events); err != nil {
		return err
	}
	return d.again(w, r, "webhook-new", page)
}

// chooseSome says in a form's words that no event was ticked.
func chooseSome(wrong form.Wrong, events []string) form.Wrong {
	if len(events) == 0 {
		wrong["events"] = "choose at least one event, or all"
	}
	return wrong
}

func secretNotice(text string, w api.Webhook) frame.Notice {
	return frame.Notice{Tone: "ok", Text: text, Name: "Signing secret", Secret: w.Secret, Also: w.StandardSecret}
}
