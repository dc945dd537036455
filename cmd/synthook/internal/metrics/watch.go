package metrics

import (
	"cmp"
	"fmt"
	"time"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/poller"
)

// Poll counts a poll that ended. It is made for poller.Config.OnPoll.
func (m *Metrics) Poll(r poller.Report) {
	m.polls.WithLabelValues(r.Provider, r.RecordType, r.Outcome).Inc()
	m.pollSeconds.WithLabelValues(r.Provider, r.RecordType).Observe((time.Duration(r.DurationMS) * time.Millisecond).Seconds())
	m.pollRequests.WithLabelValues(r.Provider, r.RecordType).Add(float64(r.Requests))
	m.pollRecords.WithLabelValues(r.Provider, r.RecordType).Add(float64(r.Records))
	for action, n := range map[string]int{"created": r.Created, "updated": r.Updated, "deleted": r.Deleted} {
		m.changes.WithLabelValues(r.Provider, r.RecordType, action).Add(float64(n))
	}
}

// Silence counts a provider's wish for silence. It is made for poller.Config.OnSilence.
func (m *Metrics) Silence(provider string) { m.silences.WithLabelValues(provider).Inc() }

// Attempt counts a POST to a webhook. It is made for dispatch.Config.OnAttempt.
func (m *Metrics) Attempt(r dispatch.Report) {
	m.attempts.WithLabelValues(outcome(r)).Inc()
	m.attemptTime.Observe(r.Duration.Seconds())
	if r.Error == "" && r.Latency > 0 {
		m.latency.Observe(r.Latency.Seconds())
	}
}

// outcome is delivered, the class of what went wrong, or of an answer that is no success
// the class of its status: status_4xx.
func outcome(r dispatch.Report) string {
	if class := r.Status / 100; r.Error == "status" {
		return fmt.Sprintf("status_%dxx", class)
	}
	return cmp.Or(r.Error, "delivered")
}
