package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/dispatch"
)

func (m *Metrics) text(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scraped %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// A database that can't be read takes its gauges with it and nothing else; when it is
// back they are. Scrapes at short intervals share one reading.
func TestStateComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var failure error
		readings := 0
		m := New(Options{Version: "1", Logger: zerolog.New(&log), State: func(context.Context) (State, error) {
			readings++
			return State{LogEnd: 7}, failure
		}})
		expect := func(up string, end bool) {
			t.Helper()
			text := m.text(t)
			if !strings.Contains(text, "\nsynthook_state_up "+up+"\n") || strings.Contains(text, "synthook_log_end 7") != end || !strings.Contains(text, "synthook_build_info") {
				t.Errorf("want up %s and the log's end: %v, got\n%s", up, end, text)
			}
		}
		expect("1", true)
		expect("1", true)
		if readings != 1 {
			t.Errorf("%d readings for two scrapes", readings)
		}
		failure = errors.New("the database can't be reached")
		expect("1", true) // of a moment ago
		time.Sleep(stateFor)
		expect("0", false)
		if !strings.Contains(log.String(), failure.Error()) {
			t.Errorf("the log does not say why: %s", log.String())
		}
		failure = nil
		expect("1", true)
	})
}

// However many webhooks there are, they make a bounded number of series, and the rest is
// not lost.
func TestWebhookSeriesAreBounded(t *testing.T) {
	var sums dispatch.Sums
	for i := range 250 {
		sums.Webhooks = append(sums.Webhooks, dispatch.WebhookSum{ID: fmt.Sprintf("wh_%03d", i), State: dispatch.StateOK, Behind: int64(i)})
	}
	sums.Webhooks = append(sums.Webhooks, dispatch.WebhookSum{ID: "wh_off", State: dispatch.StateDisabled, Behind: 1000})
	text := New(Options{State: func(context.Context) (State, error) { return State{Deliveries: sums}, nil }}).text(t)
	if n := strings.Count(text, "\nsynthook_webhook_backlog_events{"); n != webhookLimit+1 {
		t.Errorf("%d series", n)
	}
	for _, want := range []string{
		`synthook_webhook_backlog_events{webhook_id="wh_249"} 249`, `synthook_webhook_backlog_events{webhook_id="wh_150"} 150`,
		`synthook_webhook_backlog_events{webhook_id="other"} 11175`, `synthook_webhooks{state="disabled"} 1`, `synthook_webhooks{state="down"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "wh_off") {
		t.Error("a disabled webhook has a backlog")
	}
}
