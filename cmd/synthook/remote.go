package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
)

// call is one request of a command to the service.
type call struct {
	method, path string
	body         any // nil: none
}

func get(segments ...string) call {
	return call{method: http.MethodGet, path: client.Path(segments...)}
}

func post(body any, segments ...string) call {
	return call{http.MethodPost, client.Path(segments...), body}
}

func patch(body any, segments ...string) call {
	return call{http.MethodPatch, client.Path(segments...), body}
}

func (a *app) client(cmd *cobra.Command) (*client.Client, error) {
	s, err := a.settings(cmd)
	if err != nil {
		return nil, err
	}
	return client.New(s.Server, s.APIKey.Reveal(), s.Project), nil
}

// ask makes a call and reads its answer.
func ask[T any](a *app, cmd *cobra.Command, c call) (answer T, err error) {
	service, err := a.client(cmd)
	if err != nil {
		return answer, err
	}
	answer, err = client.Send[T](cmd.Context(), service, c.method, c.path, c.body)
	return answer, remoteError(err)
}

// askAndPrint makes a call and prints its answer.
func askAndPrint[T any](a *app, cmd *cobra.Command, c call, human func(io.Writer, T)) error {
	answer, err := ask[T](a, cmd, c)
	if err != nil {
		return err
	}
	return a.print(answer, func(w io.Writer) { human(w, answer) })
}

// tell makes a call whose answer says nothing.
func (a *app) tell(cmd *cobra.Command, c call) error {
	service, err := a.client(cmd)
	if err != nil {
		return err
	}
	return remoteError(service.Do(cmd.Context(), c.method, c.path, c.body, nil))
}

// remove deletes what the path names; done is what the answer calls that.
func (a *app) remove(cmd *cobra.Command, done string, segments ...string) error {
	if err := a.tell(cmd, call{method: http.MethodDelete, path: client.Path(segments...)}); err != nil {
		return err
	}
	id := segments[len(segments)-1]
	return a.print(map[string]any{"id": id, done: true}, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n", done, id) })
}

// confirm asks on standard input; an error is everything but a yes.
func (a *app) confirm(format string, args ...any) error {
	fmt.Fprintf(a.stderr, format+" [y/N] ", args...)
	answer, _ := bufio.NewReader(a.stdin).ReadString('\n') // what was not typed is no yes
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not confirmed: nothing was changed (--yes confirms beforehand)")
}

// list reads all pages of a listing.
func list[T any](a *app, cmd *cobra.Command, query url.Values, segments ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		service, err := a.client(cmd)
		if err != nil {
			yield(*new(T), err)
			return
		}
		for item, err := range client.List[T](cmd.Context(), service, client.Path(segments...), query) {
			if !yield(item, remoteError(err)) {
				return
			}
		}
	}
}

// remoteError gives what the client returns its exit status: a refusal by what it
// refuses, anything else is a service that can't be talked to.
func remoteError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	refusal, ok := errors.AsType[*client.Error](err)
	if !ok {
		return &statusError{exitUnreachable, err}
	}
	switch refusal.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return &statusError{exitUsage, err}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &statusError{exitUnreachable, err}
	default:
		return &statusError{exitFailed, err}
	}
}
