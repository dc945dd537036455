package api

import (
	"context"
	"strconv"

	"github.com/synthook/synthook/cmd/synthook/internal/audit"
)

func (a *API) auditRoutes() {
	serve(a, route{pattern: "GET /v1/audit", access: forProject, summary: "List who changed what in the project, newest first"},
		func(ctx context.Context, in *Listing) (Page[Change], error) {
			before, err := in.after()
			if err != nil {
				return Page[Change]{}, err
			}
			found, err := a.Audit.List(ctx, projectOf(ctx), before, in.Limit+1)
			return pageOf(found, in.Limit, showChange, func(e audit.Entry) string { return strconv.FormatInt(e.ID, 10) }), err
		})
}

func showChange(e audit.Entry) Change {
	return Change{At: e.At, Actor: e.Actor, Via: e.Via, Action: e.Action, Target: e.Target}
}
