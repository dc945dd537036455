package benchdispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// receiver answers 204 and notes when each event of a round first arrived. A second
// address is slow, or down.
type receiver struct {
	round       atomic.Pointer[arrivals]
	connections atomic.Int64
	most        atomic.Int64 // connections at a time
	down        atomic.Bool
	probes      atomic.Int64
}

// arrivals are those of the events of one round.
type arrivals struct {
	round []byte
	at    []atomic.Int64 // by the event's number; 0: not yet
	count atomic.Int64
	all   chan struct{}
}

// recordID is the id that the round's nth event has: the receiver knows it by that.
func recordID(round, n int) string { return fmt.Sprintf("%08d-b1d0-4c3e-9d2b-%012d", round, n) }

var idKey = []byte(`"record_id":"`)

const idLength = 36

// take notes an arrival.
func (a *arrivals) take(body []byte) {
	at := bytes.Index(body, idKey)
	if at < 0 || len(body) < at+len(idKey)+idLength {
		return
	}
	id := body[at+len(idKey):][:idLength]
	n, err := strconv.Atoi(string(id[24:]))
	if err != nil || n >= len(a.at) || !bytes.Equal(id[:8], a.round) {
		return // of another round
	}
	if a.at[n].CompareAndSwap(0, time.Now().UnixNano()) && int(a.count.Add(1)) == len(a.at) {
		close(a.all)
	}
}

func receive(ctx context.Context, _ order) (follow, error) {
	r := &receiver{}
	r.expect(order{})
	fast, err := r.listen(ctx, r.answer, true)
	if err != nil {
		return nil, err
	}
	odd := http.NewServeMux()
	odd.HandleFunc("/slow/", func(w http.ResponseWriter, request *http.Request) {
		select {
		case <-request.Context().Done():
		case <-time.After(SlowAnswer):
			w.WriteHeader(http.StatusNoContent)
		}
	})
	odd.HandleFunc("/parked/", func(w http.ResponseWriter, request *http.Request) {
		if r.down.Load() {
			r.probes.Add(1)
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		r.answer(w, request)
	})
	slow, err := r.listen(ctx, odd.ServeHTTP, false)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, o order) (answer, error) {
		switch o.Do {
		case "expect":
			r.expect(o)
		case "down":
			r.down.Store(o.Down)
		case "await":
			return r.await(), nil
		case "arrivals":
			a := r.await()
			for i := range r.round.Load().at {
				a.Times = append(a.Times, r.round.Load().at[i].Load())
			}
			return a, nil
		}
		return answer{URL: fast, OddURL: slow}, nil
	}, nil
}

// listen serves until the process ends.
func (r *receiver) listen(ctx context.Context, handler http.HandlerFunc, count bool) (url string, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for deliveries: %w", err)
	}
	server := &http.Server{Handler: handler}
	if count {
		server.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if n := r.connections.Add(1); n > r.most.Load() {
					r.most.Store(n)
				}
			case http.StateClosed, http.StateHijacked:
				r.connections.Add(-1)
			}
		}
	}
	go func() { _ = server.Serve(l) }() // for as long as the process lives
	return "http://" + l.Addr().String(), nil
}

func (r *receiver) answer(w http.ResponseWriter, request *http.Request) {
	var buffer [2048]byte
	n, err := io.ReadFull(request.Body, buffer[:])
	if err == nil || errors.Is(err, io.EOF) {
		http.Error(w, "", http.StatusBadRequest) // empty, or bigger than any body of ours
		return
	}
	r.round.Load().take(buffer[:n])
	w.WriteHeader(http.StatusNoContent)
}

// expect begins a round.
func (r *receiver) expect(o order) {
	a := &arrivals{round: []byte(recordID(o.Round, 0)[:8]), at: make([]atomic.Int64, o.Events), all: make(chan struct{})}
	r.round.Store(a)
	r.most.Store(r.connections.Load())
	r.probes.Store(0)
}

// await waits a moment for the last arrival.
func (r *receiver) await() answer {
	a := r.round.Load()
	select {
	case <-a.all:
	case <-time.After(time.Second):
	}
	result := answer{Arrived: int(a.count.Load()), Connections: int(r.most.Load()), Probes: int(r.probes.Load())}
	for i := range a.at {
		if at := a.at[i].Load(); at != 0 {
			if result.First == 0 || at < result.First {
				result.First = at
			}
			result.Last = max(result.Last, at)
		}
	}
	return result
}
