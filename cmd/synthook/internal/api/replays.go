package api

import (
	"context"
	"errors"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/eventlog"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
)

func (a *API) replayRoutes() {
	serve(a, route{pattern: "GET /v1/replays", access: forProject, summary: "List the replays, newest first"},
		func(ctx context.Context, in *Listing) (Page[Replay], error) {
			found, err := a.Webhooks.Replays(ctx, projectOf(ctx), in.Cursor, in.Limit+1)
			return pageOf(found, in.Limit, showReplay, func(r dispatch.Replay) string { return r.ID }), err
		})
	create(a, route{pattern: "POST /v1/replays", access: forProject, summary: "Send events of the log again"},
		func(ctx context.Context, in *struct{ Body NewReplay }) (ReplayResult, error) {
			if in.Body.DryRun {
				changeOf(ctx).none = true
			}
			request, err := a.replayRequest(ctx, in.Body)
			if err != nil {
				return ReplayResult{}, err
			}
			replays, err := a.Webhooks.Replay(ctx, request)
			if err != nil {
				return ReplayResult{}, err
			}
			return showReplays(replays, in.Body.DryRun), nil
		})
	serve(a, route{pattern: "GET /v1/replays/{id}", access: forProject, summary: "Show a replay, resync or reconciliation and how far it is"},
		func(ctx context.Context, in *ReplayPath) (Replay, error) {
			r, err := a.Webhooks.GetReplay(ctx, projectOf(ctx), in.ID)
			return showReplay(r), err
		})
	serve(a, route{pattern: "DELETE /v1/replays/{id}", access: forProject, summary: "Cancel a replay, resync or reconciliation; what it sent stays sent"},
		func(ctx context.Context, in *ReplayPath) (Replay, error) {
			r, err := a.Webhooks.CancelReplay(ctx, projectOf(ctx), in.ID)
			return showReplay(r), err
		})
}

// ReplayPath is in the path of what belongs to a replay.
type ReplayPath struct {
	ID string `path:"id"`
}

func showReplays(replays []dispatch.Replay, dryRun bool) ReplayResult {
	result := ReplayResult{DryRun: dryRun, Replays: []Replay{}}
	for _, r := range replays {
		result.Events += r.Events
		result.Replays = append(result.Replays, showReplay(r))
	}
	return result
}

func (a *API) replayRequest(ctx context.Context, n NewReplay) (dispatch.ReplayRequest, error) {
	r := dispatch.ReplayRequest{
		ProjectID: projectOf(ctx), WebhookID: n.WebhookID, Dead: n.Dead, Missed: n.Missed, RateLimit: n.RateLimit, DryRun: n.DryRun,
		Filter: dispatch.Filter{
			Names: n.Events, AccountID: n.AccountID, RecordType: n.RecordType, RecordID: n.RecordID, Changed: n.Fields,
			Since: valueOf(n.Since), Until: valueOf(n.Until),
		},
	}
	if n.EventID != "" {
		if n.FirstEvent+n.LastEvent != "" {
			return r, invalid("body.event_id", "and first_event or last_event exclude each other")
		}
		id, err := a.sequenceOf(ctx, "body.event_id", n.EventID)
		r.After, r.Through = id-1, id
		return r, err
	}
	first, err := a.sequenceOf(ctx, "body.first_event", n.FirstEvent)
	if err != nil {
		return r, err
	}
	r.After = max(0, first-1)
	r.Through, err = a.sequenceOf(ctx, "body.last_event", n.LastEvent)
	return r, err
}

// sequenceOf is the place of an event in the log; 0 where none is named.
func (a *API) sequenceOf(ctx context.Context, location, id string) (int64, error) {
	if id == "" {
		return 0, nil
	}
	e, err := a.Events.EventByUID(ctx, projectOf(ctx), id)
	if errors.Is(err, hashstore.ErrNotFound) {
		return 0, invalid(location, "the log has no such event")
	}
	return e.ID, err
}

func valueOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func showReplay(r dispatch.Replay) Replay {
	return Replay{
		ID: r.ID, Kind: string(r.Kind), WebhookID: r.WebhookID, AccountID: r.AccountID, RecordType: r.RecordType, Events: r.Events, Sent: r.Sent,
		RateLimit: r.RateLimit, State: string(r.State), CreatedAt: optional(r.CreatedAt), FinishedAt: optional(r.FinishedAt),
	}
}

// deliveries are those of one event.
func (a *API) deliveries(ctx context.Context, e hashstore.Event) ([]Delivery, error) {
	event, err := eventlog.Convert(e)
	if err != nil {
		return nil, err
	}
	found, err := a.Webhooks.Deliveries(ctx, event)
	shown := make([]Delivery, 0, len(found))
	for _, d := range found {
		delivery := Delivery{WebhookID: d.WebhookID, State: string(d.State), NextAt: optional(d.NextAt), Attempts: []Attempt{}}
		for _, t := range d.Attempts {
			delivery.Attempts = append(delivery.Attempts, Attempt{
				At: t.At, DurationMS: t.Duration.Milliseconds(), Status: t.Status, Error: t.Error, ResponseBytes: t.ResponseBytes, Answer: t.Answer,
			})
		}
		shown = append(shown, delivery)
	}
	return shown, err
}
