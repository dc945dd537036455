package api

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/cmd/synthook/internal/audit"
)

// Caller is who makes a request.
type Caller struct {
	Admin   bool
	Project string // that the request acts in
	Name    string // as the audit log has it
	Via     string // audit.ViaAPI or audit.ViaDashboard
}

type callerKey struct{}

// WithCaller is a context in which requests are those of a caller whom this process has
// identified by itself: they need no key. Nothing that comes over the network has it.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// projectOf is the project that the request acts in. Every handler of a project's route
// takes it from here and from nowhere else.
func projectOf(ctx context.Context) string {
	return ctx.Value(callerKey{}).(Caller).Project
}

type changeKey struct{}

// change is what a handler tells of itself to the audit log.
type change struct {
	none bool   // nothing changed after all
	made string // the id of what was made
}

// changeOf is the change of a request; where none is asked for, it is nobody's.
func changeOf(ctx context.Context) *change {
	if c, ok := ctx.Value(changeKey{}).(*change); ok {
		return c
	}
	return &change{}
}

// named is an answer that has an id.
type named interface{ id() string }

func (v Account) id() string { return v.ID }
func (v Webhook) id() string { return v.ID }
func (v Project) id() string { return v.ID }
func (v APIKey) id() string  { return v.ID }

// audited runs a request and, where it changed something, remembers who did it.
func (a *API) audited(ctx huma.Context, caller Caller, next func(huma.Context)) {
	quiet, _ := ctx.Operation().Metadata["quiet"].(bool)
	if quiet || ctx.Method() == http.MethodGet {
		next(ctx)
		return
	}
	var did change
	next(huma.WithValue(ctx, changeKey{}, &did))
	if status := cmp.Or(ctx.Status(), http.StatusOK); did.none || status >= 300 {
		return
	}
	action, target := actionOf(ctx.Operation(), ctx.Param)
	if !strings.Contains(target, did.made) {
		target = strings.TrimSpace(target + " " + did.made)
	}
	err := a.Audit.Add(context.WithoutCancel(ctx.Context()), audit.Entry{
		ProjectID: caller.Project, Actor: caller.Name, Via: caller.Via, Action: action, Target: target,
	})
	if err != nil {
		a.Logger.Error().Err(err).Str("action", action).Msg("change not in the audit log")
	}
}

// actionOf names a change and what was changed, from the route alone: "webhook enable",
// "account created", "stream changed".
func actionOf(op *huma.Operation, param func(string) string) (action, target string) {
	var words, ids []string
	segments := strings.SplitSeq(strings.TrimPrefix(op.Path, "/v1/"), "/")
	for s := range segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			ids = append(ids, param(strings.TrimSuffix(name, "}")))
		} else {
			words = append(words, strings.TrimSuffix(s, "s"))
		}
	}
	last := path.Base(op.Path)
	itself := strings.HasPrefix(last, "{") || strings.HasSuffix(last, "s") // the thing itself, not something done to it
	if len(words) > 1 && (words[0] == "account" || words[0] == "project") {
		words = words[1:] // streams and keys are known by their own name
		if !itself && len(words) == 1 {
			words = append([]string{"account"}, words...)
		}
	}
	if itself {
		words = append(words, map[string]string{
			http.MethodPost: "created", http.MethodPut: "set", http.MethodPatch: "changed", http.MethodDelete: "deleted",
		}[op.Method])
	}
	return strings.Join(words, " "), strings.Join(ids, " ")
}
