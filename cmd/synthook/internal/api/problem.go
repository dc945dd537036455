package api

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/poller"
)

// problem is an answer that refuses (RFC 9457).
func problem(status int, detail string, fields ...*huma.ErrorDetail) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail, Errors: fields}
}

// invalid is a field that passed the schema and still can't be taken. location is as
// huma writes it: body.url, query.since.
func invalid(location, message string) *huma.ErrorModel {
	return problem(http.StatusUnprocessableEntity, "validation failed", &huma.ErrorDetail{Location: location, Message: message})
}

// AccountProblem begins the type of a problem that programs may want to tell apart: behind
// it stands one of Finding's faults, or unexpected_answer.
const AccountProblem = "urn:synthook:account:"

// withoutValues drops what was sent from the answer that refuses it: it may be a
// credential, and answers end up in logs.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	if refused, ok := v.(*huma.ErrorModel); ok {
		for _, field := range refused.Errors {
			if field != nil {
				field.Value = nil
			}
		}
	}
	return v, nil
}

// missing is something that the project doesn't have.
func missing(detail string) *huma.ErrorModel { return problem(http.StatusNotFound, detail) }

// errClosing ends requests that wait when the server shuts down.
var errClosing = errors.New("the service is stopping")

// refuse turns an error into its answer: the one place that knows the rooms' errors.
func (a *API) refuse(ctx context.Context, err error) *huma.ErrorModel {
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok {
		return p
	}
	if v, ok := errors.AsType[*poller.InvalidError](err); ok {
		refusal := invalid("body."+v.Field, v.Message)
		if v.Code != "" {
			refusal.Type, refusal.Detail = AccountProblem+v.Code, "the provider was asked, and the account can't be read like this"
		}
		return refusal
	}
	if v, ok := errors.AsType[*dispatch.InvalidError](err); ok {
		return invalid("body."+v.Field, v.Message)
	}
	switch {
	case errors.Is(err, poller.ErrNotFound), errors.Is(err, hashstore.ErrNotFound), errors.Is(err, keys.ErrNoKey):
		return problem(http.StatusNotFound, err.Error())
	case errors.Is(err, dispatch.ErrNotFound):
		return problem(http.StatusNotFound, "webhook or replay not found")
	case errors.Is(err, errClosing):
		return problem(http.StatusServiceUnavailable, err.Error()+"; try again")
	}
	return a.internal(ctx, err)
}

// internal answers for an error that is nobody's fault but ours, and logs it: here is
// where its way up ends.
func (a *API) internal(ctx context.Context, err error) *huma.ErrorModel {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return problem(499, "the caller went away") // nobody reads it
	}
	a.Logger.Error().Err(err).Str("request_id", requestID(ctx)).Msg("request failed")
	if databaseGone(err) {
		return problem(http.StatusServiceUnavailable, "the database can't be reached; try again")
	}
	return problem(http.StatusInternalServerError, "something went wrong here; the service's log has it under request id "+requestID(ctx))
}

// databaseGone recognises that a statement failed for the want of a connection.
func databaseGone(err error) bool {
	if _, connect := errors.AsType[*pgconn.ConnectError](err); connect {
		return true // whatever the server gave as its reason
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(p.Code, "57P") || strings.HasPrefix(p.Code, "08") || p.Code == "53300"
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
