package dispatch

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Settings are how a webhook wants its deliveries, and which of the events that it
// subscribes to it takes.
type Settings struct {
	Concurrency int     // attempts in flight at most; 0: Config.Concurrency
	RateLimit   float64 // attempts a second at most; 0: as many as go
	// Ordered makes an event wait for older ones of its record, also while they are
	// retried. Without it nothing waits for anything.
	Ordered     bool
	LogAttempts bool // keep a row of each attempt
	KeepAnswers bool // and in it the beginning of the answer, see KeptAnswer
	Narrowing
}

// DefaultSettings are those of a webhook for which none are given.
func DefaultSettings() Settings { return Settings{Ordered: true, LogAttempts: true} }

// MostConcurrency is the most attempts in flight that a webhook may ask for.
const MostConcurrency = 256

// Narrowing leaves out events of the names that a webhook subscribes to. An empty list
// leaves out nothing.
type Narrowing struct {
	Accounts  []string `json:"accounts,omitempty"`  // ids
	Providers []string `json:"providers,omitempty"` // names
	Fields    []string `json:"fields,omitempty"`    // see Filter
}

// SettingsUpdate changes what is set.
type SettingsUpdate struct {
	Concurrency *int
	RateLimit   *float64
	Ordered     *bool
	LogAttempts *bool
	KeepAnswers *bool
	Accounts    *[]string // empty: all
	Providers   *[]string
	Fields      *[]string
}

// apply returns the settings with what u changes. *InvalidError.
func (u SettingsUpdate) apply(s Settings) (Settings, error) {
	set(&s.Concurrency, u.Concurrency)
	set(&s.RateLimit, u.RateLimit)
	set(&s.Ordered, u.Ordered)
	set(&s.LogAttempts, u.LogAttempts)
	set(&s.KeepAnswers, u.KeepAnswers)
	for _, list := range []struct {
		field string
		to    *[]string
		from  *[]string
	}{{"accounts", &s.Accounts, u.Accounts}, {"providers", &s.Providers, u.Providers}, {"fields", &s.Fields, u.Fields}} {
		if list.from == nil {
			continue
		}
		*list.to = slices.Compact(slices.Sorted(slices.Values(*list.from)))
		if slices.Contains(*list.to, "") {
			return s, &InvalidError{list.field, "holds an empty text"}
		}
	}
	switch {
	case s.Concurrency < 0 || s.Concurrency > MostConcurrency:
		return s, &InvalidError{"concurrency", fmt.Sprintf("must be 1 to %d, or 0 for the default", MostConcurrency)}
	case checkRate(s.RateLimit) != nil:
		return s, checkRate(s.RateLimit)
	case s.KeepAnswers && !s.LogAttempts:
		return s, &InvalidError{"keep_answers", "needs log_attempts: answers stay with their attempts"}
	}
	return s, nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// checkRate judges a number of deliveries a second.
func checkRate(limit float64) error {
	if limit != 0 && !(limit >= 0.001 && limit <= 1e6) { // and not NaN
		return &InvalidError{"rate_limit", "must be 0.001 to 1000000 deliveries a second, or 0 for none"}
	}
	return nil
}

// settingsColumns are those of webhooks that hold Settings, in the order of columns.
const settingsColumns = `concurrency, rate_limit, ordered, log_attempts, keep_answers, narrowed`

func (s Settings) columns() []any {
	return []any{s.Concurrency, s.RateLimit, s.Ordered, s.LogAttempts, s.KeepAnswers, marshal(s.Narrowing)}
}

// targets are where to scan settingsColumns; narrowed is read once they are.
func (s *Settings) targets(narrowed *string) []any {
	return []any{&s.Concurrency, &s.RateLimit, &s.Ordered, &s.LogAttempts, &s.KeepAnswers, narrowed}
}

func (n *Narrowing) read(narrowed string) error {
	if err := json.Unmarshal([]byte(narrowed), n); err != nil {
		return fmt.Errorf("parse what a webhook is narrowed to: %w", err)
	}
	return nil
}

// choice is the filter of a webhook: what it subscribes to, as far as it takes it.
func choice(names []string, n Narrowing) Filter {
	return Filter{Names: names, Accounts: n.Accounts, Providers: n.Providers, Fields: n.Fields}
}

func parseFilter(text string) (f Filter, err error) {
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, fmt.Errorf("parse filter: %w", err)
	}
	return f, nil
}
