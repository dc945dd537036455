package dashboard

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
)

const (
	liveWait  = "25s"            // for an event, before a sign of life
	liveLimit = 50               // events at once
	liveFor   = 30 * time.Minute // then the browser comes again, and shows its cookie
)

// live is the tail of the log as server-sent events: each a row, written here, that the
// page puts on top.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.ParseInt(r.FormValue("after"), 10, 64)
	if err != nil || after < 0 {
		after = 0
	}
	if last, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = max(after, last)
	}
	control := http.NewResponseController(w)
	// The server's limits are for answers that end.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	end := time.Now().Add(liveFor)
	for time.Now().Before(end) {
		page, err := client.Get[api.Page[api.Event]](r.Context(), d.API,
			fmt.Sprintf("/v1/events?order=asc&after=%d&limit=%d&wait=%s", after, liveLimit, liveWait))
		if err != nil {
			return nil // the browser comes again
		}
		var b bytes.Buffer
		for _, e := range page.Items {
			after = e.Sequence
			fmt.Fprintf(&b, "id: %d\ndata: ", e.Sequence)
			var row bytes.Buffer
			if err := d.renderer.Part(&row, "overview", "tail-row", e); err != nil {
				return nil
			}
			b.Write(bytes.ReplaceAll(bytes.TrimSpace(row.Bytes()), []byte("\n"), []byte(" ")))
			b.WriteString("\n\n")
		}
		if len(page.Items) == 0 {
			b.WriteString(": nothing new\n\n")
		}
		if _, err := w.Write(b.Bytes()); err != nil {
			return nil
		}
		if control.Flush() != nil {
			return nil
		}
		select {
		case <-d.Closing:
			return nil
		default:
		}
	}
	return nil
}
