package benchdispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/service"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/hashstore"
)

// The keys of the services, for a database that lives as long as the bench.
const (
	masterKey = "the master key of a bench, 32 characters"
	adminKey  = "the admin key of a bench"
)

// served is `synthook serve` as a part.
type served struct {
	*service.Service
	stop    context.CancelFunc
	ended   chan error
	ready   time.Duration // CPU until then
	profile *os.File
}

func serve(ctx context.Context, o order) (follow, error) {
	started, err := service.Start(ctx, service.Options{Version: "bench", Logger: zerolog.New(io.Discard).Level(zerolog.InfoLevel), Settings: settings.Settings{
		DatabaseURL: settings.Secret(o.Location), Listen: "127.0.0.1:0", MasterKey: masterKey, AdminKey: adminKey,
		AllowPrivateNetworks: true, MinInterval: time.Minute, PollConcurrency: 1, ShutdownTimeout: time.Minute,
	}})
	if err != nil {
		return nil, err
	}
	s := &served{Service: started, ended: make(chan error, 1)}
	if o.Profile != "" {
		if err := s.startProfile(o.Profile); err != nil {
			return nil, errors.Join(err, started.Close())
		}
	}
	s.ready, _ = cpu()
	running, stop := context.WithCancel(ctx)
	s.stop = stop
	go func() { s.ended <- s.Run(running) }() // joined by the order to stop; else the process ends with it
	return s.follow, nil
}

func (s *served) startProfile(path string) (err error) {
	if s.profile, err = os.Create(path); err != nil {
		return fmt.Errorf("make the profile's file: %w", err)
	}
	return pprof.StartCPUProfile(s.profile)
}

func (s *served) follow(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case "append":
		return s.appendSteadily(ctx, o)
	case "heap":
		return answer{HeapBytes: liveHeap()}, nil
	case "stop":
		s.stop()
		err := <-s.ended
		if s.profile != nil {
			pprof.StopCPUProfile()
			err = errors.Join(err, s.profile.Close())
		}
		used, known := cpu()
		return answer{CPU: used - s.ready, CPUUnknown: !known}, err
	}
	return answer{URL: s.URL()}, nil
}

// appendSteadily appends events at a rate, a hundred commits a second at most, and
// answers when each event's commit began.
func (s *served) appendSteadily(ctx context.Context, o order) (answer, error) {
	size := max(1, o.Rate/100)
	pause := time.Second * time.Duration(size) / time.Duration(o.Rate)
	times := make([]int64, 0, o.Events)
	began := time.Now()
	for n := 0; len(times) < o.Events; n++ {
		if err := until(ctx, began.Add(time.Duration(n)*pause)); err != nil {
			return answer{}, err
		}
		var batch []hashstore.Event
		at := time.Now()
		for len(batch) < size && len(times)+len(batch) < o.Events {
			batch = append(batch, event(o, len(times)+len(batch), size, at))
		}
		committing, err := s.Append(ctx, slices.Values(batch))
		if err != nil {
			return answer{}, err
		}
		for range batch {
			times = append(times, committing.UnixNano())
		}
	}
	return answer{Times: times, Reached: float64(o.Events) / time.Since(began).Seconds()}, nil
}

func until(ctx context.Context, at time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(at)):
		return nil
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what pools held is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
