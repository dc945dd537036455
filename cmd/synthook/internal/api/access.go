package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/cmd/synthook/internal/audit"
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

// authorize lets a request through to its route, or refuses it.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	need, _ := ctx.Operation().Metadata["access"].(access)
	if need == forAnyone {
		next(ctx)
		return
	}
	caller, refused := a.identify(ctx, need)
	if refused == nil {
		a.audited(huma.WithValue(ctx, callerKey{}, caller), caller, next)
		return
	}
	if refused.Status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", "Bearer")
	}
	_ = huma.WriteErr(a.huma, ctx, refused.Status, refused.Detail) // fails only when the caller is gone
}

// identify tells who makes the request and which project it acts in: the one of the
// key, or with the admin key the one that it names.
func (a *API) identify(ctx huma.Context, need access) (caller Caller, refused *huma.ErrorModel) {
	if known, ok := callerOf(ctx.Context()); ok {
		if need == forAdmin && !known.Admin {
			return Caller{}, problem(http.StatusForbidden, "this needs the admin key")
		}
		return known, nil
	}
	scheme, key, _ := strings.Cut(ctx.Header("Authorization"), " ")
	key = strings.TrimSpace(key)
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return Caller{}, problem(http.StatusUnauthorized, "no key: send the header Authorization: Bearer KEY")
	}
	named := ctx.Header(projectHeader)
	if a.Keys.IsAdmin(key) {
		if named != "" && need == forProject {
			if _, err := a.Projects.Get(ctx.Context(), named); err != nil {
				return Caller{}, a.refuse(ctx.Context(), err)
			}
		}
		return Caller{Admin: true, Project: cmp.Or(named, DefaultProject), Name: "admin key", Via: audit.ViaAPI}, nil
	}
	found, err := a.APIKeys.Find(ctx.Context(), key)
	switch {
	case errors.Is(err, keys.ErrNoKey):
		return Caller{}, problem(http.StatusUnauthorized, "the key is not valid")
	case err != nil:
		return Caller{}, a.refuse(ctx.Context(), err)
	case need == forAdmin:
		return Caller{}, problem(http.StatusForbidden, "this needs the admin key")
	case named != "" && named != found.ProjectID:
		return Caller{}, problem(http.StatusForbidden, fmt.Sprintf("the key is not one of project %q", named))
	}
	return Caller{Project: found.ProjectID, Name: fmt.Sprintf("API key %s (%s…)", found.Name, found.Prefix), Via: audit.ViaAPI}, nil
}
