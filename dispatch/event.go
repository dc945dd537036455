// Package dispatch delivers the events of the log to webhooks: signed, in the order
// of each record, retried, and replayable.
//
// It owns webhooks, their secrets and cursors, retries, attempts and replays. It never
// writes the event log, which it reads through Log, it never keeps a body, sent or
// answered, and it never decides what an event is.
//
// Words: a delivery is an event on its way to a webhook; an attempt is one POST of it;
// an event is parked when it leaves the cursor's way for the retries; a parked event is
// dead when its schedule is used up; a webhook is down while its endpoint answers nobody.
package dispatch

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Event is an entry of the event log as a webhook gets it.
type Event struct {
	ID         int64  // its place in the log
	UID        string // stable: the webhook-id of every delivery
	ProjectID  string
	AccountID  string
	Name       string // hris_employees.updated
	RecordType string // employees
	RecordID   string
	Provider   string // of the account
	OccurredAt time.Time
	Fields     []string        // names of those that changed; nil: not known
	Account    *AccountDetails // of account events only
}

// AccountDetails are the further keys of an account event; empty ones are left out of
// the body. As JSON it is what the event log keeps of them.
type AccountDetails struct {
	Provider         string          `json:"provider,omitempty"`
	OriginOwnerID    string          `json:"origin_owner_id,omitempty"`
	OriginOwnerName  string          `json:"origin_owner_name,omitempty"`
	OriginUsername   string          `json:"origin_username,omitempty"`
	SetupInformation json.RawMessage `json:"setup_information,omitempty"` // a flat object, see appendSetup
}

// recordKey stands for the event's record wherever order is kept. Two records with
// one key would only wait for each other.
func (e Event) recordKey() int64 {
	var h xxhash.Digest
	h.Reset()
	for _, part := range []string{e.AccountID, e.RecordType, e.RecordID} {
		_, _ = h.WriteString(part)
		_, _ = h.Write([]byte{0})
	}
	return int64(h.Sum64())
}

// Log is the event log. Its ids are in the order of commits: what has once been read
// up to an id never gets another event below it.
type Log interface {
	// Read returns up to limit events of a project ("": of all) with after < id ≤ through
	// (0: no bound) that match f, ascending. Every matching event up to covered is in the
	// answer. With fewer than limit events that is through, or the end of the log as it
	// was when the events were read, or (where few events match) more than limit ids
	// further: then there may be more.
	Read(ctx context.Context, projectID string, f Filter, after, through int64, limit int) (events []Event, covered int64, err error)
	// Count counts the events that Read would return.
	Count(ctx context.Context, projectID string, f Filter, after, through int64) (int64, error)
	// Last is the id of the newest event, 0 when there is none.
	Last(ctx context.Context) (int64, error)
	// Get returns those of the events that are still in the log, in any order.
	Get(ctx context.Context, ids []int64) ([]Event, error)
}

// Sealer encrypts what must not stand in the database. Purpose binds a sealed text to
// its place: it opens only under the purpose it was sealed for.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Filter chooses events. Zero values don't bound.
type Filter struct {
	Names      []string `json:"names,omitempty"` // exact, prefix.* or *
	Accounts   []string `json:"accounts,omitempty"`
	Providers  []string `json:"providers,omitempty"`
	AccountID  string   `json:"account_id,omitempty"`
	RecordType string   `json:"record_type,omitempty"`
	RecordID   string   `json:"record_id,omitempty"`
	// Fields leaves out updates in which none of these fields changed. What is no update
	// passes, and so does an update of which it isn't known what changed: a webhook must
	// not miss one because of that.
	Fields []string `json:"fields,omitempty"`
	// Changed chooses only updates of which it is known that one of these fields changed.
	Changed []string `json:"changed,omitempty"`
	// Since ≤ OccurredAt < Until.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Match says whether f chooses e.
func (f Filter) Match(e Event) bool {
	return (len(f.Names) == 0 || slices.ContainsFunc(f.Names, func(p string) bool { return matchName(p, e.Name) })) &&
		(len(f.Accounts) == 0 || slices.Contains(f.Accounts, e.AccountID)) &&
		(len(f.Providers) == 0 || slices.Contains(f.Providers, e.Provider)) &&
		(f.AccountID == "" || f.AccountID == e.AccountID) &&
		(f.RecordType == "" || f.RecordType == e.RecordType) &&
		(f.RecordID == "" || f.RecordID == e.RecordID) &&
		(len(f.Fields) == 0 || len(e.Fields) == 0 || !strings.HasSuffix(e.Name, updated) || e.changed(f.Fields)) &&
		(len(f.Changed) == 0 || strings.HasSuffix(e.Name, updated) && e.changed(f.Changed)) &&
		(f.Since.IsZero() || !e.OccurredAt.Before(f.Since)) &&
		(f.Until.IsZero() || e.OccurredAt.Before(f.Until))
}

// The ends of the names of record events.
const (
	created = ".created"
	updated = ".updated"
	deleted = ".deleted"
)

// changed says whether one of the fields is known to have changed.
func (e Event) changed(fields []string) bool {
	return slices.ContainsFunc(e.Fields, func(name string) bool { return slices.Contains(fields, name) })
}

// matchName says whether the pattern (exact, prefix.* or *) covers a name or another
// pattern entirely.
func matchName(pattern, name string) bool {
	if pattern == "*" || pattern == name {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasSuffix(prefix, ".") && strings.HasPrefix(name, prefix)
}

// intersectNames returns patterns for what both lists cover; an empty result covers
// nothing (unlike Filter.Names).
func intersectNames(a, b []string) []string {
	var both []string
	for _, x := range a {
		for _, y := range b {
			switch {
			case matchName(x, y):
				both = append(both, y)
			case matchName(y, x):
				both = append(both, x)
			}
		}
	}
	slices.Sort(both)
	return slices.Compact(both)
}
