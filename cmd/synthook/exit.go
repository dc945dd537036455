package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synthook/synthook/cmd/synthook/internal/scratch"
)

// The exit statuses, and what `synthook help exit-codes` says of them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitInterrupted = 130
)

var exitMeanings = []struct {
	status  int
	meaning string
}{
	{exitOK, "done; also a service, listener or tail that was ended with Ctrl-C"},
	{exitFailed, "failed, or the answer is no: a signature that does not match, a connector or a configuration with problems, a poll that did not complete, a demo that missed something"},
	{exitUsage, "the command line or what it carries is wrong: an unknown flag or command, a malformed value, anything the service refuses as invalid"},
	{exitUnreachable, "the service or the database can't be reached, or is not ready: try again later"},
	{exitInterrupted, "interrupted before the answer was there"},
}

// statusError is an error with the exit status it deserves.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// usageError says that the command line, not the world, is wrong.
func usageError(format string, args ...any) error {
	return &statusError{exitUsage, fmt.Errorf(format, args...)}
}

// exitStatus finds the status of what run returned.
func exitStatus(err error) int {
	if err == nil {
		return exitOK
	}
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.status
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitFailed
}

// explained puts what the database's driver says of a failed connection, an attempt a
// line, in one line with what to do, and finds what is wrong with the command line after all.
func explained(err error) error {
	if errors.Is(err, scratch.ErrURL) {
		return &statusError{exitUsage, err}
	}
	failed, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		return err
	}
	reason, _, _ := strings.Cut(failed.Unwrap().Error(), "\n")
	if refusal, ok := errors.AsType[*pgconn.PgError](failed); ok {
		reason = refusal.Message
	} else if network, ok := errors.AsType[*net.OpError](failed); ok {
		reason = network.Err.Error()
	}
	return &statusError{exitUnreachable, fmt.Errorf("reach database at %s:%d: %s; check --database-url (SYNTHOOK_DATABASE_URL)", failed.Config.Host, failed.Config.Port, reason)}
}
