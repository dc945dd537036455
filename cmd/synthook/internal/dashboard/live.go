package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/push"
	"github.com/synthook/synthook/poller"
)

const (
	liveWait  = "25s" // for an event, before a sign of life
	liveLimit = 50    // events at once
)

// live is the tail of the log: each event a row, written here, that the page puts on top.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.ParseInt(r.FormValue("after"), 10, 64)
	if err != nil || after < 0 {
		after = 0
	}
	if last, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = max(after, last)
	}
	for to := push.Begin(w); ; {
		page, err := client.Get[api.Page[api.Event]](r.Context(), d.API,
			fmt.Sprintf("/v1/events?order=asc&after=%d&limit=%d&wait=%s", after, liveLimit, liveWait))
		if err != nil {
			return nil // the browser comes again
		}
		var news []push.Event
		for _, e := range page.Items {
			after = e.Sequence
			var row bytes.Buffer
			if err := d.renderer.Part(&row, "overview", "tail-row", e); err != nil {
				return nil
			}
			news = append(news, push.Event{ID: strconv.FormatInt(after, 10), Data: row.Bytes()})
		}
		if to.Send(news...) != nil || d.closing() {
			return nil
		}
	}
}

func (d *Dashboard) closing() bool {
	select {
	case <-d.Closing:
		return true
	default:
		return false
	}
}

const (
	watchBusy = 200 * time.Millisecond // between two looks at streams that are polled
	watchCalm = 2 * time.Second        // and at others
	watchSign = 25 * time.Second       // at most between two signs of life
)

// watch tells the page of an account, or of one of its streams, whenever something about
// its polls has moved on since what it shows: it brings its moving part up to date then.
func (d *Dashboard) watch(w http.ResponseWriter, r *http.Request) error {
	filter := poller.StreamFilter{AccountIDs: []string{r.PathValue("account")}, RecordType: r.PathValue("type"), Limit: 1 << 20}
	told, last := r.FormValue("seen"), time.Now()
	if brought := r.Header.Get("Last-Event-ID"); brought != "" {
		told = brought
	}
	to := push.Begin(w)
	if to.Send() != nil {
		return nil
	}
	for !d.closing() {
		mark, busy, err := d.markOf(r.Context(), sessionOf(r).Project, filter)
		if err != nil {
			return nil
		}
		switch {
		case mark != told:
			err = to.Send(push.Event{ID: mark, Data: []byte("moved")})
			told, last = mark, time.Now()
		case time.Since(last) > watchSign:
			err = to.Send()
			last = time.Now()
		}
		if err != nil {
			return nil
		}
		wait := watchCalm
		if busy {
			wait = watchBusy
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-d.Closing:
		case <-time.After(wait):
		}
	}
	return nil
}

func (d *Dashboard) markOf(ctx context.Context, project string, f poller.StreamFilter) (mark string, busy bool, err error) {
	found, err := d.Config.Streams.Find(ctx, project, f)
	rows := make([]streamRow, 0, len(found))
	for _, s := range found {
		rows = append(rows, rowOf(s))
	}
	mark, busy = markOf(rows)
	return mark, busy, err
}
