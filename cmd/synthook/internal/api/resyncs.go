package api

import (
	"bufio"
	"context"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/poller"
)

// reconciliationsPath is where reconciliations are.
const reconciliationsPath = "/v1/reconciliations"

func (a *API) resyncRoutes() {
	create(a, route{pattern: "POST /v1/resyncs", access: forProject, summary: "Send the present state of streams to a webhook, as created events"}, a.resync)
	create(a, route{pattern: "POST " + reconciliationsPath, access: forProject, summary: "Begin a reconciliation: hand in ids next, then start it", status: http.StatusCreated},
		func(ctx context.Context, in *struct{ Body NewReconciliation }) (Replay, error) {
			n := in.Body
			stream, err := a.Streams.Get(ctx, projectOf(ctx), n.AccountID, n.RecordType)
			if err != nil {
				return Replay{}, err
			}
			r, err := a.Webhooks.Reconcile(ctx, dispatch.ReconcileRequest{
				ProjectID: projectOf(ctx), WebhookID: n.WebhookID, Stream: a.streamOf(stream), RateLimit: n.RateLimit,
			})
			return showReplay(r), err
		})
	serve(a, route{pattern: "POST " + reconciliationsPath + "/{id}/ids", access: forProject, summary: "Hand in ids: one a line, any number, in any number of requests (text/plain)"},
		func(ctx context.Context, in *idUpload) (HandedIDs, error) {
			n, err := a.Webhooks.HandIn(ctx, projectOf(ctx), in.ID, lines(in.body))
			return HandedIDs{n}, err
		})
	a.huma.OpenAPI().Paths[reconciliationsPath+"/{id}/ids"].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}, Example: "17\n4711\n"}},
	}
	serve(a, route{pattern: "POST " + reconciliationsPath + "/{id}/start", access: forProject, summary: "Compare the ids with what is known, and send what differs"},
		func(ctx context.Context, in *struct {
			ReplayPath
			Body *ReconciliationStart
		}) (Reconciliation, error) {
			changeOf(ctx).none = in.Body != nil && in.Body.DryRun
			found, err := a.Webhooks.StartReconcile(ctx, projectOf(ctx), in.ID, in.Body != nil && in.Body.DryRun)
			return Reconciliation{showReplay(found.Replay), found.Created, found.Deleted}, err
		})
}

func (a *API) resync(ctx context.Context, in *struct{ Body NewResync }) (ReplayResult, error) {
	n := in.Body
	changeOf(ctx).none = n.DryRun
	request := dispatch.ResyncRequest{ProjectID: projectOf(ctx), WebhookID: n.WebhookID, RateLimit: n.RateLimit, DryRun: n.DryRun}
	for q := (poller.StreamQuery{AccountID: n.AccountID, Limit: 1000}); ; {
		page, err := a.Streams.List(ctx, projectOf(ctx), q)
		if err != nil {
			return ReplayResult{}, err
		}
		for _, s := range page {
			q.After = s.ID
			if n.RecordType == "" || n.RecordType == s.RecordType {
				request.Streams = append(request.Streams, a.streamOf(s))
			}
		}
		if len(page) < q.Limit {
			break
		}
	}
	if len(request.Streams) == 0 {
		return ReplayResult{}, missing("stream not found")
	}
	replays, err := a.Webhooks.Resync(ctx, request)
	return showReplays(replays, n.DryRun), err
}

// streamOf is a stream as dispatch has it.
func (a *API) streamOf(s poller.Stream) dispatch.Stream {
	stream := dispatch.Stream{ID: s.ID, AccountID: s.AccountID, Provider: s.Provider, RecordType: s.RecordType, Prefix: s.RecordType}
	for _, name := range a.Catalog.EventNames() {
		if prefix, _, _ := strings.Cut(name, "."); strings.HasSuffix(prefix, "_"+s.RecordType) {
			stream.Prefix = prefix
		}
	}
	return stream
}

// idUpload is a request whose body is read as it comes.
type idUpload struct {
	ReplayPath
	body io.Reader
}

// Resolve implements huma.Resolver.
func (u *idUpload) Resolve(ctx huma.Context) []error {
	u.body = ctx.BodyReader()
	return nil
}

// lines are the lines of a text that are not empty.
func lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		scanner := bufio.NewScanner(r)
		for scanner.Scan() {
			if line := strings.TrimSuffix(scanner.Text(), "\r"); line != "" && !yield(line, nil) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield("", invalid("body", "can't be read: expected ids, one a line"))
		}
	}
}
