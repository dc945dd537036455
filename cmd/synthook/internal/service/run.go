package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/synthook/synthook/cmd/synthook/internal/audit"
)

// part is something that runs as long as the service does.
type part struct {
	name    string
	run     func(ctx context.Context) error
	running atomic.Bool
}

func (p *part) state() error {
	if !p.running.Load() {
		return errors.New("does not run")
	}
	return nil
}

// Run answers, polls and delivers until ctx ends, then ends everything in order: who
// waits for an answer gets one, polls are given back, deliveries under way finish. The
// error is nil then, or says which part failed, or that the end took longer than the
// settings allow. It closes the service.
func (s *Service) Run(ctx context.Context) error {
	running, ctx := errgroup.WithContext(ctx)
	for _, p := range s.parts {
		running.Go(func() error {
			p.running.Store(true)
			defer p.running.Store(false)
			if err := p.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			return nil
		})
	}
	s.log.Info().Str("address", s.Addr()).Bool("postgres", s.db.Path == "").Msg("service started")
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }() // joined below, unless the time is up
	<-ctx.Done()
	s.log.Info().Msg("service stops")
	select {
	case err := <-ended:
		err = errors.Join(err, s.Close())
		s.log.Info().Msg("service stopped")
		return err
	case <-time.After(s.settings.ShutdownTimeout):
		return fmt.Errorf("the service did not end within %s (--shutdown-timeout): what was under way is taken up by the next start", s.settings.ShutdownTimeout)
	}
}

// serve answers the API until ctx ends, and then what is being asked.
func (s *Service) serve(ctx context.Context) error {
	server := s.api.Server()
	var closing errgroup.Group
	stop := make(chan struct{})
	closing.Go(func() error {
		select {
		case <-ctx.Done():
		case <-stop:
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.ShutdownTimeout/2)
		defer cancel()
		if server.Shutdown(limit) == nil {
			return nil
		}
		return server.Close() // whoever is not answered by now is cut off
	})
	err := server.Serve(s.listener)
	close(stop)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, closing.Wait())
}

// listen wakes who waits for events whenever any process appended some. A connection
// that breaks is made anew; meanwhile everybody looks by themselves now and then.
func (s *Service) listen(ctx context.Context) error {
	const shortest, longest = 100 * time.Millisecond, 30 * time.Second
	wait := shortest
	for ctx.Err() == nil {
		began := time.Now()
		err := s.listenOnce(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > longest {
			wait = shortest
		}
		s.log.Warn().Err(err).Dur("retry_in", wait).Msg("notifications interrupted")
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
	return nil
}

func (s *Service) listenOnce(ctx context.Context) error {
	pooled, err := s.db.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	conn := pooled.Hijack() // it listens for as long as it lives: no other use of it
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(end)
	}()
	if _, err := conn.Exec(ctx, `LISTEN synthook_events`); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		s.wake() // first for what came while nobody listened
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("wait for notification: %w", err)
		}
	}
}

// cleanEvery is how often what is too old is removed.
const cleanEvery = time.Hour

func (s *Service) clean(ctx context.Context) error {
	for {
		if err := s.cleanOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Dur("retry_in", cleanEvery).Msg("what is too old was not removed")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(cleanEvery):
		}
	}
}

// abandonedAfter is the age at which a reconciliation that was not started is cancelled,
// and the ids that were handed in are forgotten.
const abandonedAfter = 24 * time.Hour

// cleanOnce removes events, as far as no live webhook needs them, the polls that found
// them, and attempts.
func (s *Service) cleanOnce(ctx context.Context, now time.Time) error {
	var events, polls, attempts int64
	if _, err := s.once.Purge(ctx); err != nil {
		return err
	}
	if age := s.settings.EventRetention; age > 0 {
		needed, err := s.webhooks.Needed(ctx)
		if err != nil {
			return err
		}
		if events, err = s.store.Prune(ctx, now.Add(-age), needed); err != nil {
			return err
		}
		if polls, err = s.streams.PurgePolls(ctx, now.Add(-age)); err != nil {
			return err
		}
	}
	if _, err := s.webhooks.CancelAbandoned(ctx, now.Add(-abandonedAfter)); err != nil {
		return err
	}
	if age := s.settings.AttemptRetention; age > 0 {
		var err error
		if attempts, err = s.webhooks.PurgeAttempts(ctx, now.Add(-age)); err != nil {
			return err
		}
	}
	if _, err := s.audit.Purge(ctx, now.Add(-audit.Retention)); err != nil {
		return err
	}
	if events+polls+attempts > 0 {
		s.log.Info().Int64("events", events).Int64("polls", polls).Int64("attempts", attempts).Msg("removed what is too old")
	}
	return nil
}
