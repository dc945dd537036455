package benchdispatch

import (
	"context"
	"fmt"
	"net/http"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/migrations"
)

// Parked is what events cost that wait behind an endpoint that is down, and how they
// leave when it is back.
type Parked struct {
	Events         int     `json:"events"`
	RowsWritten    *int64  `json:"rows_written"` // while they wait: the webhook's state and lease; nil on SQLite
	Retries        int64   `json:"retries"`      // rows that stand for one of them
	HeapBytes      int64   `json:"heap_bytes"`   // live, of the service, beyond one that waits for nothing
	DeliveriesPerS float64 `json:"deliveries_per_s"`
}

// probes are how many an endpoint that is down must have seen before anything is counted.
const probes = 1

func (b *bench) measureParked(ctx context.Context) error {
	b.Note("appending %d events behind an endpoint that is down …", b.Parked)
	b.round++
	p := &Parked{Events: b.Parked}
	idle, err := b.idleHeap(ctx)
	if err != nil {
		return err
	}
	if err := b.db.fill(ctx, order{Names: []string{parkedProject}, Round: b.round, Events: b.Parked}); err != nil {
		return err
	}
	if err := b.down(true); err != nil {
		return err
	}
	before, err := b.db.written(ctx)
	if err != nil {
		return err
	}
	s, err := b.service(ctx, "")
	if err != nil {
		return err
	}
	b.Note("waiting for the endpoint to be down for it …")
	if err := b.awaitProbes(ctx, s); err != nil {
		return err
	}
	heap, err := s.ask(order{Do: "heap"})
	if err != nil {
		return err
	}
	p.HeapBytes = heap.HeapBytes - idle
	if _, err := s.stop(); err != nil {
		return err
	}
	after, err := b.db.written(ctx)
	if err != nil {
		return err
	}
	if b.db.postgres {
		rows := after - before
		p.RowsWritten = &rows
	}
	if p.Retries, err = b.db.retries(ctx); err != nil {
		return err
	}
	b.parked = p
	return b.drain(ctx)
}

// idleHeap is what a service needs without work.
func (b *bench) idleHeap(ctx context.Context) (int64, error) {
	s, err := b.service(ctx, "")
	if err != nil {
		return 0, err
	}
	heap, err := s.ask(order{Do: "heap"})
	if err != nil {
		return 0, err
	}
	_, err = s.stop()
	return heap.HeapBytes, err
}

func (b *bench) down(down bool) error {
	if _, err := b.receiver.ask(order{Do: "expect", Round: b.round, Events: b.Parked}); err != nil {
		return err
	}
	_, err := b.receiver.ask(order{Do: "down", Down: down})
	return err
}

// awaitProbes waits until the webhook is down and was probed since.
func (b *bench) awaitProbes(ctx context.Context, s *part) error {
	c := client.New(s.began.URL, adminKey, parkedProject)
	for seen := -1; ; {
		hook, err := client.Get[api.Webhook](ctx, c, client.Path("v1", "webhooks", b.parking))
		if err != nil {
			return fmt.Errorf("look at the webhook: %w", err)
		}
		a, err := b.receiver.ask(order{Do: "await"}) // a second
		if err != nil {
			return err
		}
		if hook.State == "down" && seen < 0 {
			seen = a.Probes
		}
		if seen >= 0 && a.Probes >= seen+probes {
			return nil
		}
	}
}

// drain delivers what has waited.
func (b *bench) drain(ctx context.Context) error {
	if err := b.down(false); err != nil {
		return err
	}
	s, err := b.service(ctx, "")
	if err != nil {
		return err
	}
	c := client.New(s.began.URL, adminKey, parkedProject)
	if err := c.Do(ctx, http.MethodPost, client.Path("v1", "webhooks", b.parking, "enable"), nil, nil); err != nil {
		return fmt.Errorf("try the endpoint again: %w", err)
	}
	arrived, err := b.await(ctx, b.Parked)
	if err != nil {
		return err
	}
	b.parked.DeliveriesPerS = arrived.perSecond()
	_, err = s.stop()
	return err
}

func (db *database) retries(ctx context.Context) (n int64, err error) {
	err = db.within(ctx, func(opened *migrations.DB) error {
		if err := opened.QueryRowContext(ctx, `SELECT count(*) FROM retries`).Scan(&n); err != nil {
			return fmt.Errorf("count retries: %w", err)
		}
		return nil
	})
	return n, err
}
