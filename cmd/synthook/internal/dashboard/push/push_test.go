package push

import (
	"net/http/httptest"
	"testing"
)

// What is sent arrives as browsers read it, at once, and a piece of news of several lines
// as one.
func TestSend(t *testing.T) {
	w := httptest.NewRecorder()
	to := Begin(w)
	for _, events := range [][]Event{{}, {{ID: "7", Data: []byte("<li>\n  one\n</li>\n")}, {Data: []byte("two")}}} {
		if err := to.Send(events...); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := w.Body.String(), ": nothing new\n\nid: 7\ndata: <li>   one </li>\n\ndata: two\n\n"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	if !w.Flushed || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("flushed %t, %v", w.Flushed, w.Header())
	}
}
