package benchdispatch

import (
	"context"
	"slices"
	"time"
)

// latency is from the beginning of an event's commit to its first arrival.
type latency struct {
	all     []time.Duration // ascending
	reached float64         // events a second
}

func (b *bench) measureLatency(ctx context.Context) error {
	b.round++
	events := max(1, int(b.RateFor.Seconds()*float64(b.Rate)))
	if err := b.expect(b.round, events); err != nil {
		return err
	}
	started, err := b.services(ctx, "")
	if err != nil {
		return err
	}
	appended, err := started[0].ask(order{Do: "append", Names: b.names(), Round: b.round, Events: events, Rate: b.Rate})
	if err != nil {
		return err
	}
	if _, err := b.await(ctx, events); err != nil {
		return err
	}
	arrived, err := b.receiver.ask(order{Do: "arrivals"})
	if err != nil {
		return err
	}
	for i, at := range arrived.Times {
		b.latency.all = append(b.latency.all, time.Duration(at-appended.Times[i]))
	}
	slices.Sort(b.latency.all)
	b.latency.reached = appended.Reached
	for _, s := range started {
		if _, err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// at is the latency that a share of the deliveries stayed within.
func (l latency) at(share float64) time.Duration {
	if len(l.all) == 0 {
		return 0
	}
	return l.all[min(len(l.all)-1, int(share*float64(len(l.all))))]
}
