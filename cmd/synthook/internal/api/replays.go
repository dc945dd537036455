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
			result := ReplayResult{DryRun: in.Body.DryRun, Replays: []Replay{}}
			for _, r := range replays {
				result.Events += r.Events
				result.Replays = append(result.Replays, showReplay(r))
			}
			return result, nil
		})
	serve(a, route{pattern: "DELETE /v1/replays/{id}", access: forProject, summary: "Cancel a replay; what it sent stays sent"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (Replay, error) {
			r, err := a.Webhooks.CancelReplay(ctx, projectOf(ctx), in.ID)
			return showReplay(r), err
		})
}

func (a *API) replayRequest(ctx context.Context, n NewReplay) (dispatch.ReplayRequest, error) {
	r := dispatch.ReplayRequest{
		ProjectID: projectOf(ctx), WebhookID: n.WebhookID, Dead: n.Dead, DryRun: n.DryRun,
		Filter: dispatch.Filter{
			Names: n.Events, AccountID: n.AccountID, RecordType: n.RecordType, RecordID: n.RecordID,
			Since: valueOf(n.Since), Until: valueOf(n.Until),
		},
	}
	if n.EventID == "" {
		return r, nil
	}
	e, err := a.Events.EventByUID(ctx, projectOf(ctx), n.EventID)
	if errors.Is(err, hashstore.ErrNotFound) {
		return r, invalid("body.event_id", "the log has no such event")
	}
	r.After, r.Through = e.ID-1, e.ID
	return r, err
}

func valueOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func showReplay(r dispatch.Replay) Replay {
	return Replay{ID: r.ID, WebhookID: r.WebhookID, Events: r.Events, Sent: r.Sent, State: string(r.State), CreatedAt: optional(r.CreatedAt), FinishedAt: optional(r.FinishedAt)}
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
				At: t.At, DurationMS: t.Duration.Milliseconds(), Status: t.Status, Error: t.Error, ResponseBytes: t.ResponseBytes,
			})
		}
		shown = append(shown, delivery)
	}
	return shown, err
}
