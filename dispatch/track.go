package dispatch

import (
	"slices"
	"time"
)

// source says where a delivery comes from.
type source uint8

const (
	fromRetries source = iota // a parked event
	fromLog                   // at the webhook's cursor
	fromReplay
	sources
)

// delivery is an event in the worker's hands.
type delivery struct {
	event    Event
	spot     int64 // where its track has it: the event's id, or in a walk that of its record
	key      int64 // of its record
	source   source
	replay   *replay   // of a replayed one
	attempts int       // made so far, as far as its schedule counts them
	next     *delivery // the next of the same record
	settled  bool      // delivered, parked, or not wanted: the cursor may pass
	probe    bool
	failures int // of the endpoint, when this was sent
	last     outcome
}

// track is a cursor: over the log, or over a replay's part of it.
type track struct {
	covered int64       // read up to here
	open    []*delivery // read, in the log's order; the first is not settled
	passed  int64       // deliveries that the cursor has passed
	reading bool
	behind  bool // there may be more to read
}

// position is the highest id below which everything is settled.
func (t *track) position() int64 {
	n := 0
	for n < len(t.open) && t.open[n].settled {
		t.open[n] = nil
		n++
	}
	t.open = t.open[n:]
	t.passed += int64(n)
	if len(t.open) > 0 {
		return t.open[0].spot - 1
	}
	return t.covered
}

// settledAbove returns the ids of what is settled though the cursor has not passed it:
// the next worker must not send it again. ahead is what an earlier one has left.
func (t *track) settledAbove(ahead map[int64]struct{}) []int64 {
	var ids []int64
	for id := range ahead {
		if id > t.covered {
			ids = append(ids, id)
		}
	}
	for _, d := range t.open {
		if d.settled {
			ids = append(ids, d.event.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// replay is one that runs.
type replay struct {
	track
	id      string
	filter  Filter
	dead    bool // only deliveries that were given up
	missed  bool // only what the webhook never got
	pace    *pace
	through int64
	empty   bool // its filter and the webhook's have nothing in common
	ended   bool // and that is being written
	*walked      // a resync or reconciliation; nil: a replay of the log
}

// room is how many more events a replay may take in hand. One with a pace takes a
// second's worth: what the log says of their records waits for them.
func (r *replay) room() int {
	if r.pace == nil {
		return window - len(r.open)
	}
	return min(window, max(1, int(r.pace.bucket.Limit()))) - len(r.open)
}

// retryRow is a parked event as the database has it.
type retryRow struct {
	event, key int64
	content    string // of an event that is not in the log
	dead       bool
	attempts   int
	due        time.Time
	lastError  string
}

// queued counts the deliveries that wait for nothing but a slot.
func (w *worker) queued() int {
	n := 0
	for _, q := range w.queues {
		n += len(q)
	}
	return n
}

// pick takes the next delivery, from each source in turn: a replay and the log don't
// starve each other. A replay's own pace may hold it back until paceAt.
func (w *worker) pick(now time.Time) *delivery {
	for range sources {
		w.turn = (w.turn + 1) % sources
		if q := w.queues[w.turn]; len(q) > 0 {
			if r := w.replay; w.turn == fromReplay && r != nil {
				if wait := r.pace.wait(now); wait > 0 {
					w.paceAt = now.Add(wait)
					continue
				}
				r.pace.spend(now)
			}
			d := q[0]
			q[0] = nil
			w.queues[w.turn] = q[1:]
			return d
		}
	}
	return nil
}

func (w *worker) unqueue(d *delivery) {
	q := &w.queues[d.source]
	*q = slices.DeleteFunc(*q, func(o *delivery) bool { return o == d })
}
