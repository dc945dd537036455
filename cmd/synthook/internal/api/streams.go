package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/poller"
)

// StreamPath is in the path of what belongs to a stream.
type StreamPath struct {
	AccountPath
	RecordType string `path:"record_type"`
}

const streamRoute = "/v1/accounts/{account_id}/streams/{record_type}"

func (a *API) streamRoutes() {
	serve(a, route{pattern: "GET /v1/streams", access: forProject, summary: "List the streams"},
		func(ctx context.Context, in *struct {
			Listing
			AccountID string `query:"account_id"`
		}) (Page[Stream], error) {
			after, err := in.after()
			if err != nil {
				return Page[Stream]{}, err
			}
			found, err := a.Streams.List(ctx, projectOf(ctx), poller.StreamQuery{AccountID: in.AccountID, After: after, Limit: in.Limit + 1})
			return pageOf(found, in.Limit, StreamOf, func(s poller.Stream) string { return strconv.FormatInt(s.ID, 10) }), err
		})
	serve(a, route{pattern: "GET " + streamRoute, access: forProject, summary: "Show a stream"}, a.stream)
	type change struct {
		StreamPath
		Body StreamUpdate
	}
	update(a, route{pattern: "PATCH " + streamRoute, access: forProject, summary: "Change a stream: what is present, the rest stays"},
		func(ctx context.Context, in *change) (Stream, error) { return a.stream(ctx, &in.StreamPath) },
		func(ctx context.Context, in *change) (Stream, error) {
			s, err := a.Streams.Update(ctx, projectOf(ctx), in.AccountID, in.RecordType, poller.StreamUpdate(in.Body))
			return StreamOf(s), err
		})
	serve(a, route{pattern: "POST " + streamRoute + "/approve", access: forProject, summary: "Believe what is quarantined"},
		func(ctx context.Context, in *StreamPath) (Stream, error) {
			return a.decided(ctx, in, a.Streams.Approve(ctx, projectOf(ctx), in.AccountID, in.RecordType))
		})
	serve(a, route{pattern: "POST " + streamRoute + "/reject", access: forProject, summary: "Drop what is quarantined"},
		func(ctx context.Context, in *StreamPath) (Stream, error) {
			return a.decided(ctx, in, a.Streams.Reject(ctx, projectOf(ctx), in.AccountID, in.RecordType))
		})
	serve(a, route{pattern: "GET " + streamRoute + "/volatile-fields", access: forProject, summary: "List the fields that seem to change by themselves, with the polls that show it"},
		a.volatileFields)
	a.pollRoutes()
	a.doctorRoutes()
}

func (a *API) stream(ctx context.Context, in *StreamPath) (Stream, error) {
	s, err := a.Streams.Get(ctx, projectOf(ctx), in.AccountID, in.RecordType)
	return StreamOf(s), err
}

func (a *API) volatileFields(ctx context.Context, in *struct {
	StreamPath
	Listing
}) (Page[VolatileField], error) {
	s, err := a.Streams.Get(ctx, projectOf(ctx), in.AccountID, in.RecordType)
	if err != nil {
		return Page[VolatileField]{}, err
	}
	found, err := a.Streams.VolatileFields(ctx, s)
	return pageOf(found, len(found), showVolatile, nil), err // a few: always one page
}

func showVolatile(f poller.VolatileField) VolatileField {
	shown := VolatileField{Path: f.Path, Polls: f.Polls, Of: f.Of, Records: f.Records, Most: []FieldEvidence{}}
	for _, e := range f.Most {
		shown.Most = append(shown.Most, FieldEvidence(e))
	}
	return shown
}

// decided answers a decision on a quarantine. That there is none is no fault of the
// request's form but of the stream's state.
func (a *API) decided(ctx context.Context, in *StreamPath, err error) (Stream, error) {
	if none, ok := errors.AsType[*poller.InvalidError](err); ok {
		return Stream{}, problem(http.StatusConflict, none.Message)
	}
	if err != nil {
		return Stream{}, err
	}
	return a.stream(ctx, in)
}

func (a *API) pollRoutes() {
	poll := route{pattern: "POST " + streamRoute + "/poll", access: forProject, quiet: true, summary: "Poll a stream now"}.operation(http.StatusOK)
	poll.Responses = map[string]*huma.Response{"202": {Description: "The poll is requested; the answer is null."}}
	huma.Register(a.huma, poll, func(ctx context.Context, in *pollRequest) (*pollAnswer, error) {
		out, err := a.poll(ctx, in)
		if err != nil {
			return nil, a.refuse(ctx, err)
		}
		return out, nil
	})
	serve(a, route{pattern: "GET " + streamRoute + "/polls", access: forProject, summary: "List the polls that found, doubted or failed something, newest first"},
		func(ctx context.Context, in *struct {
			StreamPath
			Listing
		}) (Page[Poll], error) {
			before, err := in.after()
			if err != nil {
				return Page[Poll]{}, err
			}
			s, err := a.Streams.Get(ctx, projectOf(ctx), in.AccountID, in.RecordType)
			if err != nil {
				return Page[Poll]{}, err
			}
			found, err := a.Streams.Polls(ctx, s.ID, before, in.Limit+1)
			return pageOf(found, in.Limit, showPoll, func(p poller.Poll) string { return strconv.FormatInt(p.ID, 10) }), err
		})
}

type pollRequest struct {
	StreamPath
	Wait bool `query:"wait" doc:"Answer when the poll has ended, with its outcome (200). Otherwise the answer comes at once (202) and says nothing yet."`
}

type pollAnswer struct {
	Status int
	Body   *PollResult // nil: not yet known
}

func (a *API) poll(ctx context.Context, in *pollRequest) (*pollAnswer, error) {
	if !in.Wait {
		return &pollAnswer{Status: http.StatusAccepted}, a.Streams.RequestPoll(ctx, projectOf(ctx), in.AccountID, in.RecordType)
	}
	s, err := a.Streams.Get(ctx, projectOf(ctx), in.AccountID, in.RecordType)
	if err != nil {
		return nil, err
	}
	// A caller who goes away ends the poll: its stream is given back, and stays due as it was.
	ctx, end := a.untilClosing(ctx)
	defer end()
	result, err := a.Poller.Poll(ctx, s.ID)
	if errors.Is(context.Cause(ctx), errClosing) {
		err = errClosing
	}
	shown := PollResult(result)
	return &pollAnswer{http.StatusOK, &shown}, err
}

// untilClosing is ctx, which ends with errClosing when the server shuts down.
func (a *API) untilClosing(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(a.closing, func() { cancel(errClosing) })
	return ctx, func() {
		forget()
		cancel(nil)
	}
}

func showPoll(p poller.Poll) Poll {
	return Poll{ID: p.ID, StartedAt: p.StartedAt, PollResult: PollResult(p.Result), Fields: p.Fields}
}

// StreamOf describes a stream.
func StreamOf(s poller.Stream) Stream {
	shown := Stream{
		AccountID: s.AccountID, RecordType: s.RecordType, Provider: s.Provider, State: s.State,
		Schedule: s.Schedule, ScheduleFrom: s.ScheduleFrom, IncrementalSchedule: s.IncrementalSchedule, Baseline: s.Baseline, IgnorePaths: orEmpty(s.IgnorePaths),
		ChangedFields: s.ChangedFields, DigestPaths: orEmpty(s.DigestPaths),
		QuarantineThreshold: s.QuarantineThreshold, ReleaseAfter: s.ReleaseAfter,
		NextPollAt: optional(s.NextPollAt), LastPollAt: optional(s.LastPollAt), LastCompleteAt: optional(s.LastCompleteAt), LastChangeAt: optional(s.LastChangeAt),
		LastDurationMS: s.LastDurationMS, LastError: s.LastError, Failures: s.Failures, Polls: s.Polls, Records: s.Records, Suspected: s.Suspected, Hidden: s.Hidden, HiddenSample: s.HiddenSample,
		Polling: s.Polling, Progress: showProgress(s.Progress),
	}
	if s.Quarantine != nil {
		q := Quarantine(*s.Quarantine)
		q.Sample, q.Fields = orEmpty(q.Sample), orEmpty(q.Fields)
		shown.Quarantine = &q
	}
	return shown
}

func showProgress(p *poller.Progress) *Progress {
	if p == nil {
		return nil
	}
	shown := &Progress{Running: p.Running, Since: p.Since, UpdatedAt: p.UpdatedAt, Pages: p.Pages, Records: p.Records, Resumed: p.Resumed, PerSecond: p.PerSecond}
	if p.Total >= 0 {
		shown.Total = &p.Total
		if p.PerSecond > 0 {
			left := int64(float64(max(p.Total-p.Records, 0)) / p.PerSecond)
			shown.RemainingSeconds = &left
		}
	}
	return shown
}

func (a *API) scheduleRoutes() {
	serve(a, route{pattern: "GET /v1/schedules", access: forProject, summary: "List the schedules of record types"},
		func(ctx context.Context, _ *Listing) (Page[RecordTypeSchedule], error) {
			found, err := a.Streams.Schedules(ctx, projectOf(ctx)) // one a record type: always one page
			return pageOf(found, len(found), func(s poller.RecordTypeSchedule) RecordTypeSchedule { return RecordTypeSchedule(s) }, nil), err
		})
	serve(a, route{pattern: "PUT /v1/schedules/{record_type}", access: forProject, summary: "Set the schedule of a record type"},
		func(ctx context.Context, in *struct {
			RecordType string `path:"record_type"`
			Body       struct {
				RecordType          string `json:"record_type,omitempty" doc:"As in the path."`
				Schedule            string `json:"schedule" example:"15m" doc:"Empty: removed, the incremental one, too."`
				IncrementalSchedule string `json:"incremental_schedule,omitempty" example:"5m" doc:"Of polls between the complete listings, which ask for what changed since, in the streams whose connectors have a proven filter. Absent: there are none."`
			}
		}) (RecordTypeSchedule, error) {
			if in.Body.RecordType != "" && in.Body.RecordType != in.RecordType {
				return RecordTypeSchedule{}, invalid("body.record_type", "differs from the path")
			}
			set := RecordTypeSchedule{RecordType: in.RecordType, Schedule: in.Body.Schedule, IncrementalSchedule: in.Body.IncrementalSchedule}
			return set, a.Streams.SetSchedule(ctx, projectOf(ctx), poller.RecordTypeSchedule(set))
		})
}
