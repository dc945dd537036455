package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// pollPage is one poll on record.
type pollPage struct {
	frame.Frame
	Stream  streamRow
	Account api.Account
	Poll    api.Poll
	Changed []fieldShare
	Events  string // URL of those that it told
}

// Took is how long the poll took.
func (p *pollPage) Took() time.Duration { return time.Duration(p.Poll.DurationMS) * time.Millisecond }

func (d *Dashboard) poll(w http.ResponseWriter, r *http.Request) error {
	ctx, page := r.Context(), &pollPage{}
	id, err := strconv.ParseInt(r.PathValue("poll"), 10, 64)
	if err != nil {
		d.fail(w, r, http.StatusNotFound, "There is no such poll.")
		return nil
	}
	here := streamPath(r)
	s, err := client.Get[api.Stream](ctx, d.API, here)
	if err == nil {
		page.Account, err = client.Get[api.Account](ctx, d.API, client.Path("v1", "accounts", s.AccountID))
	}
	if err != nil {
		return err
	}
	page.Stream = rowOfStream(s)
	if page.Poll, err = d.findPoll(r, here, id); errors.Is(err, errNoPoll) {
		d.fail(w, r, http.StatusNotFound, "This poll is not on record any more: polls are kept as long as events are.")
		return nil
	} else if err != nil {
		return err
	}
	page.Changed = changedFields([]api.Poll{page.Poll}, 0)
	page.Events = eventsOf(s, page.Poll)
	page.Frame = d.frameOf(w, r, "streams", "Poll "+r.PathValue("poll"))
	return d.show(w, r, "poll", page)
}

var errNoPoll = errors.New("no such poll")

// findPoll is the poll with an id: the first of those up to it.
func (d *Dashboard) findPoll(r *http.Request, stream string, id int64) (api.Poll, error) {
	found, err := client.Get[api.Page[api.Poll]](r.Context(), d.API, stream+"/polls?limit=1&cursor="+strconv.FormatInt(id+1, 10))
	if err != nil {
		return api.Poll{}, err
	}
	if len(found.Items) == 0 || found.Items[0].ID != id {
		return api.Poll{}, errNoPoll
	}
	return found.Items[0], nil
}

// eventsOf is where the log has a poll's events: all bear one time while it ran.
func eventsOf(s api.Stream, p api.Poll) string {
	const exact = "2006-01-02T15:04:05"
	end := p.StartedAt.Add(time.Duration(p.DurationMS)*time.Millisecond + 2*time.Second)
	return "/events?" + url.Values{
		"account": {s.AccountID}, "type": {s.RecordType},
		"since": {p.StartedAt.UTC().Format(exact)}, "until": {end.UTC().Format(exact)},
	}.Encode()
}
