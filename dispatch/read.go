package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// read takes more deliveries in hand where there is room for them.
func (w *worker) read(ctx context.Context, now time.Time) {
	w.readLog(ctx)
	w.readRetries(ctx, now)
	w.chooseReplay(ctx)
	w.readReplay(ctx)
}

func (w *worker) readLog(ctx context.Context) {
	t := &w.log
	if t.reading {
		return // and what is unread stays so until it is over
	}
	if w.unread.Swap(false) {
		t.behind = true
	}
	w.hear()
	t.position()
	if !t.behind || len(t.open) > window-readLimit {
		return
	}
	t.reading = true
	after := t.covered
	w.beside(ctx, func(ctx context.Context) func() {
		events, covered, err := w.config.Log.Read(ctx, w.projectID, w.choice(), after, 0, readLimit)
		return func() {
			t.reading = false
			if err != nil {
				w.pause(err)
				return
			}
			w.resume()
			t.covered, t.behind = max(t.covered, covered), len(events) == readLimit || covered-after > readLimit
			for _, e := range events {
				w.take(e)
			}
		}
	})
}

// take takes an event of the log in hand.
func (w *worker) take(e Event) {
	d := &delivery{event: e, spot: e.ID, key: w.orderOf(e), source: fromLog}
	w.log.open = append(w.log.open, d)
	if _, d.settled = w.ahead[e.ID]; d.settled {
		delete(w.ahead, e.ID)
	} else {
		w.replay.tell(e)
		w.admit(d)
	}
}

// readRetries takes due retries in hand. While the endpoint is down it takes one only
// when there is nothing else to probe with, due or not.
func (w *worker) readRetries(ctx context.Context, now time.Time) {
	if w.parking || len(w.queues[fromRetries]) > 0 {
		return
	}
	limit, until := readLimit, now
	if w.breaker.down() {
		if w.inflight > 0 || now.Before(w.breaker.probeAt) || len(w.held)+w.queued() > 0 || w.log.reading || len(w.pending) == 0 {
			return
		}
		limit, until = 1, elderFirst.Add(-1)
	} else if w.dueAt.IsZero() || now.Before(w.dueAt) {
		return
	}
	w.dueAt = time.Time{}
	if len(w.pending) == 0 {
		return
	}
	w.parking, w.stale = true, map[int64]struct{}{}
	w.beside(ctx, func(ctx context.Context) func() {
		rows, events, next, err := w.dueRetries(ctx, until, limit)
		return func() {
			w.parking = false
			if err != nil {
				w.lookForRetries(now)
				w.pause(err)
				return
			}
			w.resume()
			w.takeRetries(rows, events)
			w.lookForRetries(next)
			if len(rows) > 0 {
				w.lookForRetries(now.Add(w.config.Poll)) // there may be more than these
			}
		}
	})
}

// lookForRetries makes readRetries look at the given time, or earlier.
func (w *worker) lookForRetries(at time.Time) {
	if !at.IsZero() && (w.dueAt.IsZero() || at.Before(w.dueAt)) {
		w.dueAt = at
	}
}

func (w *worker) dueRetries(ctx context.Context, until time.Time, limit int) (rows []retryRow, events []Event, next time.Time, err error) {
	if rows, err = w.store.due(ctx, w.lease.webhook, until, limit); err != nil {
		return nil, nil, next, err
	}
	if events, err = eventsOf(ctx, w.config.Log, rows); err != nil {
		return nil, nil, next, err
	}
	next, err = w.store.nextDue(ctx, w.lease.webhook, until)
	return rows, events, next, err
}

func (w *worker) takeRetries(rows []retryRow, events []Event) {
	for _, r := range rows {
		if _, ok := w.taken[r.event]; ok {
			continue
		}
		if _, ok := w.stale[r.event]; ok {
			w.lookForRetries(time.Now())
			continue
		}
		d := &delivery{event: Event{ID: r.event}, key: r.key, source: fromRetries, attempts: r.attempts}
		i := slices.IndexFunc(events, func(e Event) bool { return e.ID == r.event })
		if i < 0 {
			w.keep(d, retryRow{dead: true, attempts: r.attempts, due: time.Now(), lastError: classExpired})
			continue
		}
		d.event = events[i]
		w.taken[r.event] = struct{}{}
		w.admit(d)
	}
	if w.breaker.down() && len(w.held)+w.queued() == 0 {
		// All in hand and about to be written: there is nothing to probe with yet.
		w.breaker.probeAt = time.Now().Add(w.config.ProbeFirst)
	}
}

// chooseReplay takes up the replay that the dispatcher wants, and drops one that was
// cancelled.
func (w *worker) chooseReplay(ctx context.Context) {
	wanted := w.wanted.Load()
	if w.loading || *wanted == w.replayID() {
		return
	}
	if w.replay != nil {
		queue := w.queues[fromReplay]
		w.replay, w.queues[fromReplay] = nil, nil
		for _, d := range queue {
			w.leave(d)
		}
	}
	if *wanted == "" {
		return
	}
	w.loading = true
	w.beside(ctx, func(ctx context.Context) func() {
		r, err := w.loadReplay(ctx, *wanted)
		return func() {
			w.loading = false
			if err != nil {
				w.pause(err)
				return
			}
			w.resume()
			if r == nil {
				w.wanted.CompareAndSwap(wanted, new(string)) // it is over
				return
			}
			if r.empty {
				r.covered = r.through
			}
			w.replay = r
		}
	})
}

func (w *worker) replayID() string {
	if w.replay == nil {
		return ""
	}
	return w.replay.id
}

// readReplay reads on in the replay, but never past the webhook's own cursor: what
// that has not passed yet would come before its elders.
func (w *worker) readReplay(ctx context.Context) {
	r := w.replay
	if r == nil {
		return
	}
	if r.position() >= r.through {
		if !r.ended {
			r.ended = true
			w.changed()
		}
		return
	}
	if r.walked != nil {
		w.readWalk(ctx)
		return
	}
	through := min(r.through, w.log.position())
	limit := min(r.room(), readLimit)
	if r.reading || r.covered >= through || limit <= 0 || limit < readLimit && r.pace == nil {
		return
	}
	r.reading = true
	after := r.covered
	w.beside(ctx, func(ctx context.Context) func() {
		events, covered, err := w.replayed(ctx, r, after, through, limit)
		return func() {
			r.reading = false
			if err != nil {
				w.pause(err)
				return
			}
			w.resume()
			r.covered = covered
			if r != w.replay {
				return // cancelled meanwhile
			}
			for _, e := range events {
				d := &delivery{event: e, spot: e.ID, key: w.orderOf(e), source: fromReplay, replay: r}
				r.open = append(r.open, d)
				w.admit(d)
			}
		}
	})
}

// replayed reads what a replay sends next.
func (w *worker) replayed(ctx context.Context, r *replay, after, through int64, limit int) (events []Event, covered int64, err error) {
	if !r.dead {
		events, covered, err = w.config.Log.Read(ctx, w.projectID, r.filter, after, through, limit)
		if covered <= after {
			covered = through // the log ends before it
		}
		if err == nil && r.missed {
			events, err = w.store.missed(ctx, w.lease.webhook, events)
		}
		return events, covered, err
	}
	rows, err := w.store.deadEvents(ctx, w.lease.webhook, after, through, limit)
	if err != nil {
		return nil, 0, err
	}
	covered = through
	if len(rows) == limit {
		covered = rows[len(rows)-1].event
	}
	events, err = getMatching(ctx, w.config.Log, rows, r.filter)
	return events, covered, err
}

// getMatching returns those of the parked events that f chooses, in the log's order.
func getMatching(ctx context.Context, log Log, rows []retryRow, f Filter) ([]Event, error) {
	events, err := eventsOf(ctx, log, rows)
	if err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return !f.Match(e) })
	slices.SortFunc(events, func(a, b Event) int { return cmp.Compare(a.ID, b.ID) })
	return events, nil
}

// eventsOf returns parked events, in any order, as far as they are in the log or kept
// with their rows.
func eventsOf(ctx context.Context, log Log, rows []retryRow) (events []Event, err error) {
	var ids []int64
	for _, r := range rows {
		if r.content == "" {
			ids = append(ids, r.event)
			continue
		}
		var e Event
		if err := json.Unmarshal([]byte(r.content), &e); err != nil {
			return nil, fmt.Errorf("read parked event %d: %w", r.event, err)
		}
		events = append(events, e)
	}
	if len(ids) == 0 {
		return events, nil
	}
	found, err := log.Get(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read parked events: %w", err)
	}
	return append(events, found...), nil
}
