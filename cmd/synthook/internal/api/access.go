package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/poller"
)

// access is who may call a route.
type access string

const (
	forAnyone  access = "anyone"
	forProject access = "project" // a key of the project, or the admin key
	forAdmin   access = "admin"   // the admin key only
)

// DefaultProject is the project that exists from the start, and the one the admin key
// acts in where no other is named.
const DefaultProject = poller.DefaultProject

const projectHeader = "X-Project-Id"

type projectKey struct{}

// projectOf is the project that the request acts in. Every handler of a project's route
// takes it from here and from nowhere else.
func projectOf(ctx context.Context) string {
	return ctx.Value(projectKey{}).(string)
}

// authorize lets a request through to its route, or refuses it.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	need, _ := ctx.Operation().Metadata["access"].(access)
	if need == forAnyone {
		next(ctx)
		return
	}
	project, refused := a.identify(ctx, need)
	if refused == nil {
		next(huma.WithValue(ctx, projectKey{}, project))
		return
	}
	if refused.Status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", "Bearer")
	}
	_ = huma.WriteErr(a.huma, ctx, refused.Status, refused.Detail) // fails only when the caller is gone
}

// identify tells which project the request acts in: the one of its key, or with the
// admin key the one that it names.
func (a *API) identify(ctx huma.Context, need access) (project string, refused *huma.ErrorModel) {
	scheme, key, _ := strings.Cut(ctx.Header("Authorization"), " ")
	key = strings.TrimSpace(key)
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return "", problem(http.StatusUnauthorized, "no key: send the header Authorization: Bearer KEY")
	}
	named := ctx.Header(projectHeader)
	if a.Keys.IsAdmin(key) {
		if named != "" && need == forProject {
			if _, err := a.Projects.Get(ctx.Context(), named); err != nil {
				return "", a.refuse(ctx.Context(), err)
			}
		}
		return cmp.Or(named, DefaultProject), nil
	}
	project, err := a.APIKeys.Project(ctx.Context(), key)
	switch {
	case errors.Is(err, keys.ErrNoKey):
		return "", problem(http.StatusUnauthorized, "the key is not valid")
	case err != nil:
		return "", a.refuse(ctx.Context(), err)
	case need == forAdmin:
		return "", problem(http.StatusForbidden, "this needs the admin key")
	case named != "" && named != project:
		return "", problem(http.StatusForbidden, fmt.Sprintf("the key is not one of project %q", named))
	}
	return project, nil
}
