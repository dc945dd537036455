// Package servicetest runs a whole service for tests, on a database of their own.
//
// It owns what such a service is set to: loopback allowed, a schedule of a second, keys
// that the test knows. It never stands between a test and the service's HTTP API.
package servicetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/service"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// The keys of every service here.
const (
	MasterKey = "a master key for tests, 32 characters or more"
	AdminKey  = "the admin key of tests"
)

// Rig is a running service.
type Rig struct {
	*service.Service
	Log *Log
	t   testing.TB
	end func() error
}

// Settings are those of a service for tests.
func Settings(location string) settings.Settings {
	return settings.Settings{
		DatabaseURL: settings.Secret(location), Listen: "127.0.0.1:0", MasterKey: MasterKey, AdminKey: AdminKey,
		AllowPrivateNetworks: true, MinInterval: time.Second, PollConcurrency: 4, ShutdownTimeout: 20 * time.Second,
		EventRetention: 24 * time.Hour, AttemptRetention: 24 * time.Hour,
	}
}

// Start starts a service and runs it until the test ends, or End.
func Start(t testing.TB, s settings.Settings) *Rig {
	t.Helper()
	r := &Rig{Log: &Log{}, t: t}
	var err error
	r.Service, err = service.Start(t.Context(), service.Options{Settings: s, Logger: zerolog.New(r.Log), Version: "test"})
	if err != nil {
		t.Fatalf("start service: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }() // joined by end
	r.end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := r.End(); err != nil {
			t.Errorf("service ended: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the service:\n%s", r.Log)
		}
	})
	return r
}

// End ends the service and waits for that.
func (r *Rig) End() error { return r.end() }

// Admin is a client with the admin key, in a project ("": the default one).
func (r *Rig) Admin(project string) *client.Client { return client.New(r.URL(), AdminKey, project) }

// Answer is what a route answered.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Decode reads the body into v.
func (a Answer) Decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("answer %d %s: %v", a.Status, a.Body, err)
	}
}

// Call calls a route ("GET /v1/accounts") as it is, with a key ("": none), a body ("":
// none) and headers ("Name: value").
func (r *Rig) Call(route, key, body string, headers ...string) Answer {
	r.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.URL()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatalf("%s: %v", route, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatalf("%s: %v", route, err)
	}
	return Answer{answer.StatusCode, answer.Header, string(data)}
}

// Eventually looks until what is asked holds, and fails the test when it does not soon.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within two minutes: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Log is a log that is read while it is written.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

// String is all of it so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
