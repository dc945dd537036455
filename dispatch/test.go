package dispatch

import (
	"context"
	"crypto/rand"
	"strings"
	"time"
)

// testID stands for account and record of a test event.
const testID = "synthook-test"

// TestOutcome is what came of a test event.
type TestOutcome struct {
	Delivered bool
	Status    int // 0: no answer
	Duration  time.Duration
	Error     string // class; "" when delivered
	Answer    string // its beginning, see KeptAnswer; it is kept nowhere
}

// Test sends one event to a webhook now, enabled or not: the first that it subscribes
// to, of an invented record. It is neither in the log nor among the attempts, and is
// not tried again. ErrNotFound.
func (m *Webhooks) Test(ctx context.Context, projectID, id string) (TestOutcome, error) {
	w, err := m.Get(ctx, projectID, id)
	if err != nil {
		return TestOutcome{}, err
	}
	secrets, err := m.store.secrets(ctx, id, m.config.Sealer)
	if err != nil {
		return TestOutcome{}, err
	}
	return m.test(ctx, w, secrets)
}

func (m *Webhooks) test(ctx context.Context, w Webhook, secrets []signingSecret) (TestOutcome, error) {
	o := m.sender.post(ctx, target{url: w.URL, secrets: secrets, keep: true}, testEvent(w.ProjectID, m.firstName(w.Events)))
	if o.class == classCancelled {
		return TestOutcome{}, ctx.Err()
	}
	return TestOutcome{Delivered: o.class == "", Status: o.status, Duration: o.duration, Error: o.class, Answer: o.answer}, nil
}

// firstName is the first event that the first pattern covers, one of a record if it
// covers any.
func (m *Webhooks) firstName(patterns []string) string {
	var first string
	for _, name := range m.config.Names() {
		if matchName(patterns[0], name) && (first == "" || strings.HasPrefix(first, "account.")) {
			first = name
		}
	}
	if first == "" {
		return patterns[0] // its connector is gone
	}
	return first
}

func testEvent(projectID, name string) Event {
	e := Event{
		UID: "evt_test_" + strings.ToLower(rand.Text()), ProjectID: projectID, AccountID: testID, Name: name, RecordID: testID,
		OccurredAt: time.Now(),
	}
	subject, _, _ := strings.Cut(name, ".")
	_, e.RecordType, _ = strings.Cut(subject, "_")
	if e.RecordType == "" {
		e.RecordType = subject // account
		e.Account = &AccountDetails{Provider: testID}
	}
	return e
}
