package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"
)

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// ServeHTTP is every request's way: an id, the headers that all answers have, problem
// details for what no route takes, and one line in the log (without the URL's query).
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started, id := time.Now(), rand.Text()[:16]
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	recorder := &recorder{ResponseWriter: w}
	r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
	defer func() {
		a.recovered(recorder, r, recover())
		a.Logger.Debug().Str("request_id", id).Str("method", r.Method).Str("path", r.URL.Path).
			Int("status", recorder.status).Dur("duration_ms", time.Since(started)).Msg("request")
	}()
	if waits(r) {
		// The server's limits would end the wait: the one for writing closes the connection, the
		// one for reading cancels the request's context.
		control := http.NewResponseController(w)
		_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	}
	handler, pattern := a.mux.Handler(r)
	switch {
	case pattern != "":
		a.mux.ServeHTTP(recorder, r)
	case a.Pages != nil && !strings.HasPrefix(r.URL.Path, "/v1/"):
		a.Pages.ServeHTTP(recorder, r)
	default:
		a.noRoute(recorder, r, handler)
	}
}

// noRoute answers where no route takes the request, as the mux would: 404, or 405 with
// the methods that are allowed.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	refusal := &recorder{ResponseWriter: discard{http.Header{}}}
	handler.ServeHTTP(refusal, r)
	if allow := refusal.Header().Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		a.write(w, problem(http.StatusMethodNotAllowed, r.Method+" is not for this path; allowed: "+allow))
		return
	}
	a.write(w, problem(http.StatusNotFound, "no such path; /openapi.json lists what there is"))
}

// recovered keeps a panic of one request from being more than that.
func (a *API) recovered(w *recorder, r *http.Request, cause any) {
	if cause == nil {
		return
	}
	a.Logger.Error().Str("request_id", requestID(r.Context())).Type("panic", cause).Bytes("stack", debug.Stack()).Msg("request panicked")
	if w.status == 0 {
		a.write(w, problem(http.StatusInternalServerError, "something went wrong here; the service's log has it under request id "+requestID(r.Context())))
	}
}

func (a *API) write(w http.ResponseWriter, p *huma.ErrorModel) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // fails only when the caller is gone
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// discard is a writer for an answer that only tells what the mux thinks.
type discard struct{ header http.Header }

func (d discard) Header() http.Header            { return d.header }
func (d discard) Write(data []byte) (int, error) { return len(data), nil }
func (d discard) WriteHeader(int)                {}

// readTimeout is what a request may take to arrive, and a handler that does not wait to
// answer. Requests that wait have no limit of the server's.
const readTimeout = 30 * time.Second

// Server is the API as an HTTP server. When it shuts down, whoever waits for something
// is answered at once.
func (a *API) Server() *http.Server {
	s := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      2 * readTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(serverLog{a.Logger}, "", 0),
	}
	s.RegisterOnShutdown(a.close)
	return s
}

// serverLog takes what net/http has to say: TLS handshakes, broken requests.
type serverLog struct{ zerolog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.Debug().Bytes("error", bytes.TrimSpace(line)).Msg("http server")
	return len(line), nil
}
