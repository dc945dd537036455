// Package eventlog lets dispatch read the event log, and the records known of a stream,
// that hashstore keeps.
//
// It owns how an entry of the one becomes an event of the other, and nothing else: the
// two rooms don't know each other.
package eventlog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
)

// Log is a dispatch.Log over a hashstore.Store.
type Log struct{ Store *hashstore.Store }

// scanLimit is how many events Read looks at, about, before it says how far it came.
const scanLimit = 20_000

// Read implements dispatch.Log.
func (l Log) Read(ctx context.Context, projectID string, f dispatch.Filter, after, through int64, limit int) (events []dispatch.Event, covered int64, err error) {
	covered = after
	for scanned := 0; len(events) < limit && scanned < scanLimit; {
		page, to, more, err := l.page(ctx, query(projectID, f, covered, through), limit)
		if err != nil {
			return nil, 0, err
		}
		scanned += len(page)
		covered = to
		for i, e := range page {
			if !f.Match(e) {
				continue
			}
			if events = append(events, e); len(events) == limit && (more || i < len(page)-1) {
				return events, e.ID, nil
			}
		}
		if !more {
			break
		}
	}
	return events, covered, nil
}

// page reads up to limit events that q selects, and tells how far that covers the log and
// whether there may be more.
func (l Log) page(ctx context.Context, q hashstore.EventQuery, limit int) (events []dispatch.Event, covered int64, more bool, err error) {
	// The end of the log before it is read: what is appended meanwhile may be missed.
	if covered, err = l.Store.LastID(ctx); err != nil {
		return nil, 0, false, err
	}
	if q.Through > 0 {
		covered = min(covered, q.Through)
	}
	covered = max(covered, q.After)
	q.Limit = limit
	found, err := l.Store.Events(ctx, q)
	if err != nil {
		return nil, 0, false, err
	}
	if more = len(found) == limit; more {
		covered = found[limit-1].ID
	} else if len(found) > 0 {
		covered = max(covered, found[len(found)-1].ID)
	}
	events, err = convert(found)
	return events, covered, more, err
}

// Count implements dispatch.Log.
func (l Log) Count(ctx context.Context, projectID string, f dispatch.Filter, after, through int64) (n int64, err error) {
	q := query(projectID, f, after, through)
	q.Accounts, q.Providers = f.Accounts, f.Providers
	if len(f.Fields)+len(f.Changed) == 0 {
		return l.Store.Count(ctx, q)
	}
	for more := true; more; {
		var page []dispatch.Event
		if page, q.After, more, err = l.page(ctx, q, countPage); err != nil {
			return 0, err
		}
		for _, e := range page {
			if f.Match(e) {
				n++
			}
		}
	}
	return n, nil
}

const countPage = 5000

// Last implements dispatch.Log.
func (l Log) Last(ctx context.Context) (int64, error) { return l.Store.LastID(ctx) }

// Get implements dispatch.Log.
func (l Log) Get(ctx context.Context, ids []int64) ([]dispatch.Event, error) {
	found, err := l.Store.EventsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return convert(found)
}

// query is as much of a filter as the store can apply.
func query(projectID string, f dispatch.Filter, after, through int64) hashstore.EventQuery {
	return hashstore.EventQuery{
		ProjectID: projectID, After: after, Through: through, Since: f.Since, Until: f.Until,
		Names: f.Names, AccountID: f.AccountID, RecordType: f.RecordType, RecordID: f.RecordID,
	}
}

func convert(found []hashstore.Event) ([]dispatch.Event, error) {
	events := make([]dispatch.Event, 0, len(found))
	for _, e := range found {
		event, err := Convert(e)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

// Convert gives an entry of the log as dispatch has it.
func Convert(e hashstore.Event) (dispatch.Event, error) {
	event := dispatch.Event{
		ID: e.ID, UID: e.UID, ProjectID: e.ProjectID, AccountID: e.AccountID,
		Name: e.Name, RecordType: e.RecordType, RecordID: e.RecordID, Provider: e.Provider, OccurredAt: e.OccurredAt, Fields: e.Fields,
	}
	if len(e.Details) > 0 {
		event.Account = &dispatch.AccountDetails{}
		if err := json.Unmarshal(e.Details, event.Account); err != nil {
			return dispatch.Event{}, fmt.Errorf("read details of event %s: they are not an account's", e.UID)
		}
	}
	return event, nil
}
