// Package trace tells a collector of polls and deliveries, as OpenTelemetry spans: OTLP
// over HTTP, in its JSON form.
//
// It owns the sending: spans wait in a bounded queue, go in batches, and are dropped
// when the collector is away for long: a trace is never worth a delay. It never holds
// more of a poll or an attempt than their log lines do. (The SDK of OpenTelemetry brings
// gRPC and fifteen more modules for the one POST that this is.)
package trace

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/poller"
)

const (
	waiting  = 4096            // spans, at most
	together = 512             // spans in one request
	every    = 2 * time.Second // a request, when there is something to tell
	timeout  = 10 * time.Second
)

// Exporter sends spans. It is safe for concurrent use; its methods never block.
type Exporter struct {
	url     string
	version string
	log     zerolog.Logger
	client  *http.Client
	queue   chan span
	failing bool
}

// New returns an exporter to a collector at an endpoint such as http://localhost:4318,
// whose path /v1/traces takes them.
func New(endpoint, version string, log zerolog.Logger) *Exporter {
	return &Exporter{
		url: strings.TrimRight(endpoint, "/") + "/v1/traces", version: version, log: log,
		client: &http.Client{Timeout: timeout}, queue: make(chan span, waiting),
	}
}

// Poll tells of a poll that ended. Each is a trace of its own.
func (e *Exporter) Poll(r poller.Report) {
	var id [16]byte
	_, _ = rand.Read(id[:])
	e.add(span{
		TraceID: hex.EncodeToString(id[:]), Name: "poll " + r.RecordType, Kind: kindClient,
		start: r.StartedAt, end: r.StartedAt.Add(time.Duration(r.DurationMS) * time.Millisecond), failed: !r.Complete,
		Attributes: []attribute{
			text("synthook.account_id", r.AccountID), text("synthook.provider", r.Provider), text("synthook.record_type", r.RecordType),
			text("synthook.outcome", r.Outcome), number("synthook.pages", r.Pages), number("synthook.requests", r.Requests), number("synthook.records", r.Records),
			number("synthook.created", r.Created), number("synthook.updated", r.Updated), number("synthook.deleted", r.Deleted),
		},
	})
}

// Attempt tells of a POST to a webhook. All attempts of an event are one trace.
func (e *Exporter) Attempt(r dispatch.Report) {
	id := sha256.Sum256([]byte(r.EventUID))
	s := span{
		TraceID: hex.EncodeToString(id[:16]), Name: "deliver " + r.EventName, Kind: kindClient,
		start: r.At, end: r.At.Add(r.Duration), failed: r.Error != "",
		Attributes: []attribute{text("synthook.webhook_id", r.WebhookID), text("synthook.event_id", r.EventUID), text("synthook.event", r.EventName), text("http.request.method", http.MethodPost)},
	}
	if r.Status != 0 {
		s.Attributes = append(s.Attributes, number("http.response.status_code", r.Status))
	}
	if r.Error != "" {
		s.Attributes = append(s.Attributes, text("error.type", r.Error))
	}
	e.add(s)
}

func (e *Exporter) add(s span) {
	var id [8]byte
	_, _ = rand.Read(id[:])
	s.SpanID = hex.EncodeToString(id[:])
	s.Start, s.End = strconv.FormatInt(s.start.UnixNano(), 10), strconv.FormatInt(s.end.UnixNano(), 10)
	s.Status.Code = statusUnset
	if s.failed {
		s.Status.Code = statusError
	}
	select {
	case e.queue <- s:
	default: // the collector is away
	}
}

// Run sends what is queued until ctx ends, and then what is left, once.
func (e *Exporter) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if ctx.Err() == nil {
				e.flush(ctx)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), every)
			defer cancel()
			e.flush(last)
			return nil
		}
	}
}

// flush sends batches until the queue is empty or one can't be sent.
func (e *Exporter) flush(ctx context.Context) {
	for {
		var batch []span
		for len(batch) < together {
			select {
			case s := <-e.queue:
				batch = append(batch, s)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 {
			return
		}
		if err := e.send(ctx, batch); err != nil {
			if !e.failing && ctx.Err() == nil {
				e.log.Warn().Err(err).Msg("traces not sent")
			}
			e.failing = true
			return
		}
		e.failing = false
	}
}

func (e *Exporter) send(ctx context.Context, batch []span) error {
	body, err := json.Marshal(export(batch, e.version))
	if err != nil {
		return fmt.Errorf("write traces: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "synthook/"+e.version)
	answer, err := e.client.Do(request)
	if err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("send traces: the collector answered %d", answer.StatusCode)
	}
	return nil
}
