package api

import (
	"context"
	"net/http"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/poller"
)

// ProjectPath is in the path of what belongs to a project. (Like the other inputs that
// are embedded it is exported because huma overlooks those that are not.)
type ProjectPath struct {
	ID string `path:"id"`
}

func (a *API) projectRoutes() {
	serve(a, route{pattern: "GET /v1/projects", access: forAdmin, summary: "List the projects"},
		func(ctx context.Context, in *Listing) (Page[Project], error) {
			found, err := a.Projects.List(ctx, in.Cursor, in.Limit+1)
			return pageOf(found, in.Limit, showProject, func(p poller.Project) string { return p.ID }), err
		})
	create(a, route{pattern: "POST /v1/projects", access: forAdmin, summary: "Make a project", status: http.StatusCreated},
		func(ctx context.Context, in *struct{ Body NewProject }) (Project, error) {
			p, err := a.Projects.Create(ctx, in.Body.ID, in.Body.Name)
			return showProject(p), err
		})
	serve(a, route{pattern: "GET /v1/projects/{id}", access: forAdmin, summary: "Show a project"},
		func(ctx context.Context, in *ProjectPath) (Project, error) {
			p, err := a.Projects.Get(ctx, in.ID)
			return showProject(p), err
		})
	serve(a, route{pattern: "POST /v1/projects/{id}/rotate-key", access: forAdmin, summary: "Give a project another hash key: its streams follow silently, each with its next complete listing"},
		func(ctx context.Context, in *ProjectPath) (KeyRotation, error) {
			following, err := a.Projects.RotateKey(ctx, in.ID)
			return KeyRotation{StreamsFollowing: following}, err
		})
}

func showProject(p poller.Project) Project { return Project{p.ID, p.Name, p.CreatedAt} }

func (a *API) apiKeyRoutes() {
	serve(a, route{pattern: "GET /v1/projects/{id}/api-keys", access: forAdmin, summary: "List the API keys of a project"},
		func(ctx context.Context, in *struct {
			ProjectPath
			Listing
		}) (Page[APIKey], error) {
			if _, err := a.Projects.Get(ctx, in.ID); err != nil {
				return Page[APIKey]{}, err
			}
			found, err := a.APIKeys.List(ctx, in.ID, in.Cursor, in.Limit+1)
			return pageOf(found, in.Limit, showAPIKey, func(k keys.APIKey) string { return k.ID }), err
		})
	create(a, route{pattern: "POST /v1/projects/{id}/api-keys", access: forAdmin, summary: "Make an API key; the answer holds it, once", status: http.StatusCreated},
		func(ctx context.Context, in *struct {
			ProjectPath
			Body NewAPIKey
		}) (APIKey, error) {
			if _, err := a.Projects.Get(ctx, in.ID); err != nil {
				return APIKey{}, err
			}
			made, key, err := a.APIKeys.Create(ctx, in.ID, in.Body.Name)
			shown := showAPIKey(made)
			shown.Key = key
			return shown, err
		})
	do(a, route{pattern: "DELETE /v1/projects/{id}/api-keys/{key_id}", access: forAdmin, summary: "Delete an API key; it ends at once"},
		func(ctx context.Context, in *struct {
			ProjectPath
			KeyID string `path:"key_id"`
		}) error {
			return a.APIKeys.Delete(ctx, in.ID, in.KeyID)
		})
}

func showAPIKey(k keys.APIKey) APIKey {
	return APIKey{ID: k.ID, ProjectID: k.ProjectID, Name: k.Name, Prefix: k.Prefix, CreatedAt: k.CreatedAt}
}
