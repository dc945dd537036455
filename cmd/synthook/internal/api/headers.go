package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/cmd/synthook/internal/once"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	longestKey        = 255
)

type requestKey struct{}

// withRequest lets handlers see the headers of the request, and set some of the answer's.
func withRequest(ctx huma.Context, next func(huma.Context)) {
	next(huma.WithValue(ctx, requestKey{}, ctx))
}

func requestOf(ctx context.Context) huma.Context { return ctx.Value(requestKey{}).(huma.Context) }

// create adds a route that makes something. Under an Idempotency-Key it is made once,
// and whoever repeats the request gets the first answer.
func create[I, T any](a *API, r route, handle func(context.Context, *I) (T, error)) {
	r.creates = true
	serve(a, r, func(ctx context.Context, in *I) (T, error) {
		request := requestOf(ctx)
		key := request.Header(idempotencyHeader)
		if key == "" {
			return handle(ctx, in)
		}
		if len(key) > longestKey {
			return *new(T), invalid("header."+idempotencyHeader, "is longer than 255 characters")
		}
		content := once.Request{ProjectID: projectOf(ctx), Key: key, Content: struct {
			Route string
			Input *I
		}{r.pattern, in}}
		out, again, err := once.Do(ctx, a.Once, content, func() (T, error) { return handle(ctx, in) })
		switch {
		case again:
			changeOf(ctx).none = true
			request.SetHeader(replayedHeader, "true")
		case errors.Is(err, once.ErrOther):
			err = invalid("header."+idempotencyHeader, "was used for another request within a day: take a new key for each thing to make")
		case errors.Is(err, once.ErrUnderWay):
			err = problem(http.StatusConflict, "a request under this "+idempotencyHeader+" is under way: try again in a moment")
		}
		return out, err
	})
}

// versioned is an answer that can be updated. Its version is what of it an update
// changes: what polls and deliveries do to it does not count.
type versioned interface{ version() any }

func (v Account) version() any {
	v.State, v.StateReason, v.NextCheckAt, v.BlockedUntil, v.Check = "", "", nil, nil, nil
	return v
}

func (v Stream) version() any {
	v.State = map[bool]string{true: v.State}[v.State == "paused"]
	v.NextPollAt, v.LastPollAt, v.LastCompleteAt, v.LastChangeAt = nil, nil, nil, nil
	v.LastDurationMS, v.LastError, v.Failures, v.Polls, v.Records, v.Suspected, v.Quarantine = 0, "", 0, 0, 0, 0, nil
	return v
}

func (v Webhook) version() any {
	v.State, v.LastError, v.FailingSince, v.ProbeAt, v.LastSuccessAt = "", "", nil, nil, nil
	v.Backlog, v.Retrying, v.Dead, v.Secret, v.StandardSecret = 0, 0, 0, "", ""
	return v
}

// tag is the ETag of an answer; "" where it has none.
func tag(v any) string {
	versioned, ok := v.(versioned)
	if !ok {
		return ""
	}
	text, err := json.Marshal(versioned.version())
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// update adds a route that changes something. With If-Match it does so only when the
// thing still has one of the versions that are named.
func update[I, T any](a *API, r route, current, handle func(context.Context, *I) (T, error)) {
	r.updates = true
	serve(a, r, func(ctx context.Context, in *I) (T, error) {
		request := requestOf(ctx)
		end, err := a.turns.take(ctx, request.URL().Path)
		if err != nil {
			return *new(T), err
		}
		defer end()
		if wanted := request.Header("If-Match"); wanted != "" {
			now, err := current(ctx, in)
			if err != nil {
				return *new(T), err
			}
			if !matches(wanted, tag(now)) {
				request.SetHeader("ETag", tag(now))
				return *new(T), problem(http.StatusPreconditionFailed, "it was changed since: get it again, and its ETag, then decide anew")
			}
		}
		return handle(ctx, in)
	})
}

// matches compares the tags of an If-Match with a tag. A proxy that compresses may have
// weakened one; it names the same version.
func matches(header, tag string) bool {
	return slices.ContainsFunc(strings.Split(header, ","), func(one string) bool {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		return one == "*" || one == tag
	})
}
