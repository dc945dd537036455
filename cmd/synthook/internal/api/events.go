package api

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/poller"
)

// longestWait bounds how long a listing of events waits for one.
const longestWait = time.Minute

// lookEvery is the net under the waking: a waiting listing looks again after it.
const lookEvery = 2 * time.Second

type eventQuery struct {
	Listing
	Events     []string  `query:"event,explode" doc:"Names (hris_employees.created), patterns (hris_employees.*) or *; any of them."`
	AccountID  string    `query:"account_id"`
	RecordType string    `query:"record_type"`
	RecordID   string    `query:"record_id"`
	Field      string    `query:"field" example:"department" doc:"Changed in it, by its name in changed_fields."`
	Since      time.Time `query:"since" doc:"Detected at this time or later."`
	Until      time.Time `query:"until" doc:"Detected before it."`
	After      int64     `query:"after" minimum:"0" doc:"Only what stands behind this sequence in the log."`
	Order      string    `query:"order" enum:"asc,desc" default:"desc" doc:"By place in the log: newest first, or oldest first."`
	Wait       string    `query:"wait" example:"30s" doc:"Where nothing matches yet, wait for it, at most a minute; oldest first only."`
}

func (a *API) eventRoutes() {
	serve(a, route{pattern: "GET /v1/events", access: forProject, summary: "List events; with wait, follow the log"}, a.listEvents)
	serve(a, route{pattern: "GET /v1/events/{id}", access: forProject, summary: "Show an event and its deliveries"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (Event, error) {
			e, err := a.Events.EventByUID(ctx, projectOf(ctx), in.ID)
			if err != nil {
				return Event{}, err
			}
			shown := showEvent(e)
			if shown.Poll, err = a.pollOf(ctx, e); err == nil {
				shown.Deliveries, err = a.deliveries(ctx, e)
			}
			return shown, err
		})
}

// pollOf is the poll that found an event; nil: none did, or it is not on record any more.
func (a *API) pollOf(ctx context.Context, e hashstore.Event) (*Poll, error) {
	if e.PollID == 0 {
		return nil, nil
	}
	stream, err := a.Streams.Get(ctx, projectOf(ctx), e.AccountID, e.RecordType)
	if errors.Is(err, poller.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	polls, err := a.Streams.Polls(ctx, stream.ID, e.PollID+1, 1)
	if err != nil || len(polls) == 0 || polls[0].ID != e.PollID {
		return nil, err
	}
	shown := showPoll(polls[0])
	return &shown, nil
}

func (a *API) listEvents(ctx context.Context, in *eventQuery) (Page[Event], error) {
	q, err := in.query(projectOf(ctx))
	if err == nil && len(q.Names) > 0 {
		err = a.knownNames(q.Names)
	}
	if err != nil {
		return Page[Event]{}, err
	}
	next := func(e hashstore.Event) string { return strconv.FormatInt(e.ID, 10) }
	if q.Descending {
		next = func(e hashstore.Event) string { return strconv.FormatInt(e.ID-1, 10) } // through which the next page goes
	}
	wait, err := in.wait()
	if err != nil {
		return Page[Event]{}, err
	}
	over := time.After(wait)
	for {
		news := a.news.wait()
		found, err := a.Events.Events(ctx, q)
		if err != nil || len(found) > 0 || wait == 0 {
			return pageOf(found, in.Limit, showEvent, next), err
		}
		select {
		case <-news:
		case <-time.After(lookEvery):
		case <-over:
			return Page[Event]{Items: []Event{}}, nil
		case <-a.closing.Done():
			return Page[Event]{Items: []Event{}}, nil
		case <-ctx.Done():
			return Page[Event]{}, ctx.Err()
		}
	}
}

// knownNames refuses what is the name of no event: it would find nothing, silently.
func (a *API) knownNames(names []string) error {
	err := a.Webhooks.CheckNames("event", names)
	if v, ok := errors.AsType[*dispatch.InvalidError](err); ok {
		return invalid("query."+v.Field, v.Message)
	}
	return err
}

func (in *eventQuery) query(project string) (hashstore.EventQuery, error) {
	q := hashstore.EventQuery{
		ProjectID: project, After: in.After, Since: in.Since, Until: in.Until, Names: in.Events,
		AccountID: in.AccountID, RecordType: in.RecordType, RecordID: in.RecordID, Field: in.Field,
		Limit: in.Limit + 1, Descending: in.Order != "asc",
	}
	cursor, err := in.after()
	if q.Descending {
		q.Through = cursor
	} else {
		q.After = max(q.After, cursor)
	}
	return q, err
}

func (in *eventQuery) wait() (time.Duration, error) {
	if in.Wait == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(in.Wait)
	if err != nil || wait <= 0 {
		return 0, invalid("query.wait", "expected a duration such as 30s")
	}
	if in.Order != "asc" {
		return 0, invalid("query.wait", "only with order=asc")
	}
	return min(wait, longestWait), nil
}

func showEvent(e hashstore.Event) Event {
	return Event{
		ID: e.UID, Sequence: e.ID, ProjectID: e.ProjectID, AccountID: e.AccountID, Event: e.Name, RecordType: e.RecordType, RecordID: e.RecordID,
		EventDate: e.OccurredAt, PollID: e.PollID, Fields: e.Fields, Details: e.Details,
	}
}
