package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// route describes one route: "GET /v1/accounts/{account_id}".
type route struct {
	pattern string
	access  access
	summary string
	status  int  // of success; 0: 200, or 204 where nothing is answered
	creates bool // see create
	updates bool // see update
	quiet   bool // changes nothing, though it is no GET: not for the audit log
}

// answer is a body, as huma wants it.
type answer[T any] struct{ Body T }

// empty is the input of a route that takes none.
type empty struct{}

// serve adds a route that answers something. Its errors become problem details here and
// nowhere else.
func serve[I, T any](a *API, r route, handle func(context.Context, *I) (T, error)) {
	huma.Register(a.huma, r.operation(http.StatusOK), func(ctx context.Context, in *I) (*answer[T], error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.refuse(ctx, err)
		}
		if tag := tag(out); tag != "" {
			requestOf(ctx).SetHeader("ETag", tag)
		}
		if made, ok := any(out).(named); ok {
			changeOf(ctx).made = made.id()
		}
		return &answer[T]{out}, nil
	})
}

// do adds a route that answers nothing.
func do[I any](a *API, r route, handle func(context.Context, *I) error) {
	huma.Register(a.huma, r.operation(http.StatusNoContent), func(ctx context.Context, in *I) (*struct{}, error) {
		if err := handle(ctx, in); err != nil {
			return nil, a.refuse(ctx, err)
		}
		return nil, nil
	})
}

func (r route) operation(status int) huma.Operation {
	if r.status != 0 {
		status = r.status
	}
	method, path, _ := strings.Cut(r.pattern, " ")
	op := huma.Operation{
		OperationID:     operationID(method, path),
		Method:          method,
		Path:            path,
		Summary:         r.summary,
		DefaultStatus:   status,
		Metadata:        map[string]any{"access": r.access, "creates": r.creates, "updates": r.updates, "quiet": r.quiet},
		Errors:          []int{http.StatusServiceUnavailable},
		BodyReadTimeout: readTimeout, // huma's own would cancel a handler after 5 seconds
	}
	if r.access != forAnyone {
		op.Security = []map[string][]string{{"key": {}}}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(path, "{") {
		op.Errors = append(op.Errors, http.StatusNotFound)
	}
	if r.creates {
		op.Errors = append(op.Errors, http.StatusConflict)
	}
	if r.updates {
		op.Errors = append(op.Errors, http.StatusPreconditionFailed)
	}
	return op
}

// operationID is get-v1-accounts-account_id: stable for whoever generates a client.
func operationID(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path)
}

// Listing is what every listing takes.
type Listing struct {
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Items a page."`
	Cursor string `query:"cursor" doc:"The next of the page before."`
}

// after is the cursor where it is a number; 0: none.
func (l Listing) after() (int64, error) {
	if l.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(l.Cursor, 10, 64)
	if err != nil || n < 1 {
		return 0, invalid("query.cursor", "is not the next of a page of this listing")
	}
	return n, nil
}

// pageOf makes a page of items that were asked for with one more than its limit.
func pageOf[S, T any](found []S, limit int, show func(S) T, cursor func(S) string) Page[T] {
	page := Page[T]{Items: make([]T, 0, min(len(found), limit))}
	if len(found) > limit {
		found = found[:limit]
		page.Next = cursor(found[limit-1])
	}
	for _, item := range found {
		page.Items = append(page.Items, show(item))
	}
	return page
}
