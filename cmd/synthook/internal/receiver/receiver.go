// Package receiver is a consumer of webhooks for development and for tests: it
// verifies each request in every way a real consumer may, and reports what it found.
//
// It owns no state but the ids it has accepted. It never fetches a record, never
// forwards anything, and keeps no body.
package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// DefaultTolerance is how far webhook-timestamp may be off, in both directions
	// (Standard Webhooks, "Verifying webhook authenticity").
	DefaultTolerance = 5 * time.Minute
	maxBody          = 1 << 20
	// remembered bounds the accepted ids by which duplicates are told.
	remembered = 200_000
)

// Options configure a Receiver.
type Options struct {
	// Secrets that may have signed a request: one, or two during a rotation.
	Secrets []string
	// FailEvery answers 500 to every nth request, to see retries; 0: never.
	FailEvery int
	// Tolerance of webhook-timestamp; 0: DefaultTolerance.
	Tolerance time.Duration
	// OnReceipt is told of every POST, one at a time, before it is answered; nil: nobody is.
	OnReceipt func(Receipt)
}

// Counts are totals since the start.
type Counts struct {
	Requests   int `json:"requests"`
	Verified   int `json:"verified"`
	Bad        int `json:"bad"`        // verified in one of the ways, or in none
	Duplicates int `json:"duplicates"` // verified, and accepted before
	Failed     int `json:"failed"`     // answered 500 on purpose
}

// Receiver is an http.Handler that takes webhooks on every path.
type Receiver struct {
	options Options

	mu     sync.Mutex
	counts Counts
	seen   map[string]struct{}
	oldest []string // the keys of seen as a ring, the oldest at next
	next   int
}

// New makes a receiver.
func New(o Options) *Receiver {
	if o.Tolerance == 0 {
		o.Tolerance = DefaultTolerance
	}
	return &Receiver{options: o, seen: map[string]struct{}{}}
}

// Counts returns the totals so far.
func (r *Receiver) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// ServeHTTP answers 204 to a request that verifies, 401 to one that doesn't, and 500
// where FailEvery says so.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	at := time.Now().UTC()
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "body exceeds 1 MiB", http.StatusRequestEntityTooLarge)
		}
		return // else the sender hung up: no one is there to be answered
	}
	receipt := inspect(req.Header, bytes.Clone(body), at, r.options)
	w.WriteHeader(r.settle(req.URL.Path, &receipt))
}

// settle counts a receipt, decides the answer and tells OnReceipt. What is answered
// with an error is not remembered: its retry is no duplicate.
func (r *Receiver) settle(path string, receipt *Receipt) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Requests++
	key := path + "\x00" + receipt.ID
	if receipt.OK() {
		r.counts.Verified++
		_, receipt.Duplicate = r.seen[key]
		receipt.Status = http.StatusNoContent
	} else {
		r.counts.Bad++
		receipt.Status = http.StatusUnauthorized
	}
	if receipt.Duplicate {
		r.counts.Duplicates++
	}
	if n := r.options.FailEvery; n > 0 && r.counts.Requests%n == 0 {
		r.counts.Failed++
		receipt.Status = http.StatusInternalServerError
	}
	if receipt.Status == http.StatusNoContent && !receipt.Duplicate {
		r.remember(key)
	}
	if r.options.OnReceipt != nil {
		r.options.OnReceipt(*receipt)
	}
	return receipt.Status
}

func (r *Receiver) remember(key string) {
	r.seen[key] = struct{}{}
	if len(r.oldest) < remembered {
		r.oldest = append(r.oldest, key)
		return
	}
	delete(r.seen, r.oldest[r.next])
	r.oldest[r.next] = key
	r.next = (r.next + 1) % remembered
}

// Serve receives on l until ctx ends, then lets the requests under way finish. It
// closes l, and returns nil when ctx ended it.
func (r *Receiver) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("receive webhooks: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			return errors.Join(fmt.Errorf("stop receiving: %w", err), server.Close())
		}
		return nil
	})
	return g.Wait()
}
