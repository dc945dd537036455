// Package client talks to the HTTP API of a running service, with the API's own types.
//
// It owns how a refusal becomes an error that says what was wrong, where, and what to do
// next. It never retries: whoever calls knows whether that is safe.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// Client talks to one service with one key. Safe for concurrent use.
type Client struct {
	server, key, project string
	http                 *http.Client
}

// New makes a client. project is for the admin key only; "" is the project "default".
func New(server, key, project string) *Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &Client{
		server: strings.TrimRight(server, "/"), key: key, project: project,
		// No time limit beside the context's: a poll that is waited for may take long.
		http: &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}},
	}
}

// Within makes a client of the API of this very process. Its requests are those of the
// caller that their context has (api.WithCaller).
func Within(handler http.Handler) *Client {
	return &Client{server: "http://synthook.invalid", http: &http.Client{Transport: within{handler}}}
}

// Path joins segments to a path, each escaped: Path("v1", "accounts", id).
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// Get reads one thing.
func Get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return Send[T](ctx, c, http.MethodGet, path, nil)
}

// Send calls a route with a JSON body (nil: none) and reads its answer.
func Send[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var out T
	return out, c.Do(ctx, method, path, body, &out)
}

// List reads a listing, page after page, as it is ranged over. It ends after an error.
func List[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query := url.Values(http.Header(query).Clone())
		if query == nil {
			query = url.Values{}
		}
		for {
			page, err := Get[api.Page[T]](ctx, c, path+"?"+query.Encode())
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

// Do calls a route. in and out may be nil; an io.Reader is sent as text, as it is read.
// An answer that is no success is an *Error.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	body, kind := io.Reader(nil), "application/json"
	switch in := in.(type) {
	case nil:
	case io.Reader:
		body, kind = in, "text/plain"
	default:
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return fmt.Errorf("the server's address %q is no URL: set --server or SYNTHOOK_SERVER, such as http://127.0.0.1:8080", c.server)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "synthook-client")
	if in != nil {
		request.Header.Set("Content-Type", kind)
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.project != "" {
		request.Header.Set("X-Project-Id", c.project)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return c.refusal(answer)
	}
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("read the answer of %s (is it a synthook server of this version?): %w", c.server, err)
	}
	return nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no synthook server at %s: start one with `synthook serve`, or set SYNTHOOK_SERVER (--server)", c.server)
	}
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err // without the URL and its query
	}
	return fmt.Errorf("reach the synthook server at %s (SYNTHOOK_SERVER, --server): %w", c.server, err)
}

func (c *Client) refusal(answer *http.Response) error {
	e := &Error{Status: answer.StatusCode, server: c.server, hadKey: c.key != ""}
	data, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(data, e) != nil {
		return fmt.Errorf("%s answered %d and does not seem to be a synthook server: check SYNTHOOK_SERVER (--server)", c.server, answer.StatusCode)
	}
	return e
}
