// Package push tells an open page of news: server-sent events.
//
// It owns how they are written, and for how long. What is told, and when, is the page's.
package push

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// longest is how long one answer goes on. Then the browser comes again by itself, and
// shows its cookie.
const longest = 30 * time.Minute

// ErrOver says that the answer has gone on for long enough.
var ErrOver = errors.New("long enough")

// Writer writes events to one browser.
type Writer struct {
	to      http.ResponseWriter
	control *http.ResponseController
	end     time.Time
}

// Begin begins an answer that goes on until its handler returns.
func Begin(w http.ResponseWriter) *Writer {
	control := http.NewResponseController(w)
	// The server's limits are for answers that end.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	return &Writer{w, control, time.Now().Add(longest)}
}

// Event is one piece of news. What the browser got last it names, when it comes again, by
// its ID; "": it has none.
type Event struct {
	ID   string
	Data []byte
}

// Send writes events; none: a sign of life. An error is the end of the answer.
func (w *Writer) Send(events ...Event) error {
	var b bytes.Buffer
	for _, e := range events {
		if e.ID != "" {
			fmt.Fprintf(&b, "id: %s\n", e.ID)
		}
		b.WriteString("data: ")
		b.Write(bytes.ReplaceAll(bytes.TrimSpace(e.Data), []byte("\n"), []byte(" ")))
		b.WriteString("\n\n")
	}
	if len(events) == 0 {
		b.WriteString(": nothing new\n\n")
	}
	if _, err := w.to.Write(b.Bytes()); err != nil {
		return err
	}
	if err := w.control.Flush(); err != nil {
		return err
	}
	if time.Now().After(w.end) {
		return ErrOver
	}
	return nil
}
