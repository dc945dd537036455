package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// eventsPage searches the log.
type eventsPage struct {
	frame.Frame
	Event, Account, RecordType, RecordID string // the filter
	Field, Since, Until                  string
	Names                                []string // to choose from
	Events                               []api.Event
	Next                                 string // URL of what is older
	Back                                 *time.Time
	Partial                              bool // the search ended at Back, not at the log's beginning
	Wrong                                form.Wrong
}

// Filtered says that not all events were asked for.
func (p *eventsPage) Filtered() bool {
	return p.Event+p.Account+p.RecordType+p.RecordID+p.Field+p.Since+p.Until != ""
}

const (
	searchWindow = 10_000                // events looked through at once
	searchTime   = 15 * time.Millisecond // after which no further window is begun
)

func (d *Dashboard) events(w http.ResponseWriter, r *http.Request) error {
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	page := &eventsPage{
		Frame: d.frameOf(w, r, "events", "Events"),
		Event: text("event"), Account: text("account"), RecordType: text("type"), RecordID: text("record"), Field: text("field"),
		Since: text("since"), Until: text("until"), Wrong: form.Wrong{},
	}
	groups, err := d.eventGroups(r.Context(), nil)
	if err != nil {
		return err
	}
	for _, g := range groups {
		for _, t := range g.Types {
			page.Names = append(page.Names, t.Prefix+".*")
			for _, e := range t.Events {
				page.Names = append(page.Names, e.Name)
			}
		}
	}
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("event", page.Event)
	set("account_id", page.Account)
	set("record_type", page.RecordType)
	set("record_id", page.RecordID)
	set("field", page.Field)
	for name, value := range map[string]string{"since": page.Since, "until": page.Until} {
		t, err := form.Time(value)
		if err != nil {
			page.Wrong[name] = err.Error()
		} else if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339))
		}
	}
	if len(page.Wrong) == 0 {
		err := d.search(r, page, q)
		wrong, ok := form.Refused(err)
		if err != nil && !ok {
			return err
		}
		page.Wrong = wrong
	}
	if len(page.Wrong) > 0 {
		return d.again(w, r, "events", page)
	}
	return d.show(w, r, "events", page)
}

// search looks through the log from its end, or from where the page before ended, window
// by window until the page is full, the log is at its beginning or the time is up: what
// is rare in a big log is found by going on.
func (d *Dashboard) search(r *http.Request, page *eventsPage, q url.Values) error {
	began := time.Now()
	through, _ := strconv.ParseInt(r.FormValue("through"), 10, 64)
	if through <= 0 {
		newest, err := client.Get[api.Page[api.Event]](r.Context(), d.API, "/v1/events?limit=1")
		if err != nil || len(newest.Items) == 0 {
			return err
		}
		through = newest.Items[0].Sequence
	}
	for through > 0 {
		after := max(through-searchWindow, 0)
		q.Set("cursor", strconv.FormatInt(through, 10))
		q.Set("after", strconv.FormatInt(after, 10))
		q.Set("limit", strconv.Itoa(rowsShown-len(page.Events)))
		found, err := client.Get[api.Page[api.Event]](r.Context(), d.API, "/v1/events?"+q.Encode())
		if err != nil {
			return err
		}
		page.Events = append(page.Events, found.Items...)
		if found.Next != "" { // the page is full
			page.Next = with(r.URL, "through", found.Next)
			return nil
		}
		if through = after; through > 0 && (len(page.Events) >= rowsShown || time.Since(began) > searchTime) {
			page.Next, page.Partial = with(r.URL, "through", strconv.FormatInt(through, 10)), true
			return d.reached(r, page, through)
		}
	}
	return nil
}

// reached tells how far back a search went.
func (d *Dashboard) reached(r *http.Request, page *eventsPage, through int64) error {
	at, err := client.Get[api.Page[api.Event]](r.Context(), d.API, fmt.Sprintf("/v1/events?limit=1&cursor=%d", through))
	if err == nil && len(at.Items) > 0 {
		page.Back = &at.Items[0].EventDate
	}
	return err
}

func (d *Dashboard) resend(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("event")
	result, err := client.Send[api.ReplayResult](r.Context(), d.API, http.MethodPost, "/v1/replays",
		api.NewReplay{EventID: id, WebhookID: r.PostFormValue("webhook")})
	if err != nil {
		return d.after(w, r, frame.Path("events", id), "", err)
	}
	notice := frame.Notice{Tone: "ok", Text: "Sent again to " + frame.Plural(receivers(result.Replays), "webhook") + ", under the same webhook-id."}
	if result.Events == 0 {
		notice = frame.Notice{Tone: "warn", Text: "No enabled webhook subscribes to this event: nothing was sent."}
	}
	return d.done(w, r, frame.Path("events", id), notice)
}

func receivers(replays []api.Replay) int {
	return len(slices.DeleteFunc(slices.Clone(replays), func(r api.Replay) bool { return r.Events == 0 }))
}
