package service

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/synthook/synthook/cmd/synthook/internal/metrics"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/poller"
)

// MetricsAddr is the host:port that serves the metrics to everybody; "": none does.
func (s *Service) MetricsAddr() string {
	if s.scraped == nil {
		return ""
	}
	return s.scraped.Addr().String()
}

func (s *Service) onPoll(r poller.Report) {
	s.metrics.Poll(r)
	if s.traces != nil {
		s.traces.Poll(r)
	}
}

func (s *Service) onAttempt(r dispatch.Report) {
	s.metrics.Attempt(r)
	if s.traces != nil {
		s.traces.Attempt(r)
	}
}

// state reads what the metrics show of the database.
func (s *Service) state(ctx context.Context) (v metrics.State, err error) {
	if v.Streams, err = s.streams.Sums(ctx); err != nil {
		return v, err
	}
	if v.Accounts, err = s.accounts.Sums(ctx); err != nil {
		return v, err
	}
	if v.LogEnd, err = s.store.LastID(ctx); err != nil {
		return v, err
	}
	if v.Deliveries, err = s.webhooks.Sums(ctx); err != nil {
		return v, err
	}
	v.LogLag, err = s.lag(ctx, v.LogEnd, v.Deliveries.Webhooks)
	return v, err
}

// lag is the age of the oldest event that an enabled webhook has yet to get past.
func (s *Service) lag(ctx context.Context, end int64, webhooks []dispatch.WebhookSum) (time.Duration, error) {
	behind := int64(0)
	for _, w := range webhooks {
		if w.State != dispatch.StateDisabled {
			behind = max(behind, w.Behind)
		}
	}
	if behind == 0 {
		return 0, nil
	}
	oldest, err := s.store.Events(ctx, hashstore.EventQuery{After: max(end-behind, 0), Limit: 1})
	if err != nil || len(oldest) == 0 {
		return 0, err
	}
	return max(time.Since(oldest[0].OccurredAt), 0), nil
}

// serveMetrics answers scrapes until ctx ends.
func (s *Service) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	var closing errgroup.Group
	stop := make(chan struct{})
	closing.Go(func() error {
		select {
		case <-ctx.Done():
		case <-stop:
		}
		return server.Close() // a scrape that is cut off is made again
	})
	err := server.Serve(s.scraped)
	close(stop)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, closing.Wait())
}
