// Package eventlog lets dispatch read the event log that hashstore writes.
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

// Read implements dispatch.Log.
func (l Log) Read(ctx context.Context, projectID string, f dispatch.Filter, after, through int64, limit int) (events []dispatch.Event, covered int64, err error) {
	// The end of the log before it is read: what is appended meanwhile may be missed.
	covered, err = l.Store.LastID(ctx)
	if err != nil {
		return nil, 0, err
	}
	if through > 0 {
		covered = min(covered, through)
	}
	covered = max(covered, after)
	q := query(projectID, f, after, through)
	q.Limit = limit
	found, err := l.Store.Events(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if len(found) > 0 {
		last := found[len(found)-1].ID
		if covered = max(covered, last); len(found) == limit {
			covered = last
		}
	}
	events, err = convert(found)
	return events, covered, err
}

// Count implements dispatch.Log.
func (l Log) Count(ctx context.Context, projectID string, f dispatch.Filter, after, through int64) (int64, error) {
	return l.Store.Count(ctx, query(projectID, f, after, through))
}

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
		Name: e.Name, RecordType: e.RecordType, RecordID: e.RecordID, OccurredAt: e.OccurredAt,
	}
	if len(e.Details) > 0 {
		event.Account = &dispatch.AccountDetails{}
		if err := json.Unmarshal(e.Details, event.Account); err != nil {
			return dispatch.Event{}, fmt.Errorf("read details of event %s: they are not an account's", e.UID)
		}
	}
	return event, nil
}
