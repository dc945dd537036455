package dispatch

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// admit takes a delivery in hand. Of each record only the first goes on; the others
// follow it one by one.
func (w *worker) admit(d *delivery) {
	if last := w.records[d.key]; last != nil {
		last.next = d
		w.records[d.key] = d
		return
	}
	w.records[d.key] = d
	w.advance(d)
}

// leave ends a delivery: its cursor may pass it, and the next of its record goes on.
func (w *worker) leave(d *delivery) {
	d.settled = true
	if d.next == nil {
		delete(w.records, d.key)
		return
	}
	w.advance(d.next)
}

// advance queues a delivery whose turn it is within its record, unless an older event
// of the record is parked: then it is parked behind that, and so are its followers.
func (w *worker) advance(d *delivery) {
	for {
		parked := w.pending[d.key]
		_, own := slices.BinarySearch(parked, d.event.ID)
		switch {
		case d.source == fromRetries && (!own || parked[0] != d.event.ID):
			// It was delivered by a replay meanwhile, or one has revived an older one.
			delete(w.taken, d.event.ID)
		case d.source == fromReplay && d.replay != w.replay:
			// Its replay was cancelled.
		case len(parked) > 0 && parked[0] < d.event.ID:
			if !own {
				w.keep(d, retryRow{due: elderFirst})
			}
		default:
			w.queues[d.source] = append(w.queues[d.source], d)
			return
		}
		d.settled = true
		if d.next == nil {
			delete(w.records, d.key)
			return
		}
		d = d.next
	}
}

// keep writes a parked event's row, and remembers which of its record are parked.
func (w *worker) keep(d *delivery, r retryRow) {
	r.event, r.key = d.event.ID, d.key
	if r.event < 0 {
		r.content = marshal(d.event)
	}
	w.changed()
	delete(w.batch.removed, r.event)
	w.batch.parked[r.event] = r
	if r.dead {
		w.unpark(d)
		return
	}
	parked := w.pending[d.key]
	if i, own := slices.BinarySearch(parked, r.event); !own {
		w.pending[d.key] = slices.Insert(parked, i, r.event)
	}
}

// unpark forgets that an event is parked. Those that waited behind it are due.
func (w *worker) unpark(d *delivery) {
	parked := w.pending[d.key]
	i, own := slices.BinarySearch(parked, d.event.ID)
	if !own {
		return
	}
	if len(parked) == 1 {
		delete(w.pending, d.key)
		return
	}
	w.pending[d.key] = slices.Delete(parked, i, i+1)
	w.batch.released = append(w.batch.released, d.key)
}

// park sends a delivery to the retries after a failed attempt, or buries it when its
// schedule is used up.
func (w *worker) park(d *delivery, o outcome, now time.Time) {
	r := retryRow{attempts: d.attempts + 1, due: now, lastError: o.String()}
	if r.dead = r.attempts >= len(w.config.Schedule) || o.verdict() == unsendable; r.dead {
		w.logger.Warn().Str("event_uid", d.event.UID).Int("attempts", r.attempts).Str("last_error", r.lastError).Msg("delivery given up")
	} else {
		wait := jitter(w.config.Schedule[r.attempts])
		if o.overloaded() {
			wait = max(wait, w.config.OverloadWait)
		}
		r.due = now.Add(waitAtLeast(wait, o.retryAfter))
	}
	w.keep(d, r)
	w.leave(d)
	if r.dead {
		w.disableIfHopeless(now)
	}
}

// send fills the webhook's slots; while its endpoint is down there is one, for a probe
// at a time.
func (w *worker) send(working context.Context, now time.Time) {
	if w.breaker.down() {
		if w.inflight == 0 && !now.Before(w.breaker.probeAt) {
			if d := w.pickProbe(); d != nil {
				d.probe = true
				w.attempt(working, d)
			}
		}
		return
	}
	w.paceAt = time.Time{}
	for w.inflight < w.concurrency {
		if wait := w.pace.wait(now); wait > 0 {
			w.paceAt = now.Add(wait)
			break
		}
		d := w.pick(now)
		if d == nil {
			break
		}
		d.probe = false
		w.pace.spend(now)
		w.attempt(working, d)
	}
	if w.inflight == 0 && len(w.held) > 0 && w.pace.wait(now) == 0 {
		// Nothing else will tell whose fault it was: it is retried on its own schedule.
		w.parkHeld(now)
	}
}

// pickProbe takes the oldest delivery for the first probe and any one after that: an
// event at which the receiver always stumbles must not be its only chance.
func (w *worker) pickProbe() *delivery {
	owed := slices.Clone(w.held)
	for _, q := range w.queues {
		owed = append(owed, q...)
	}
	if len(owed) == 0 {
		return nil
	}
	d := owed[rand.IntN(len(owed))]
	if w.breaker.probes <= 1 {
		d = slices.MinFunc(owed, func(a, b *delivery) int { return cmp.Compare(a.event.ID, b.event.ID) })
	}
	w.held = slices.DeleteFunc(w.held, func(o *delivery) bool { return o == d })
	w.unqueue(d)
	return d
}

func (w *worker) attempt(working context.Context, d *delivery) {
	w.inflight++
	t := w.target
	w.joined.Go(func() { w.results <- attemptResult{d, w.sender.post(working, t, d.event)} })
}

// finish decides what came of an attempt.
func (w *worker) finish(r attemptResult) {
	w.inflight--
	d, o, now := r.d, r.o, time.Now()
	w.lastEnd = now
	v := o.verdict()
	if v == cancelled {
		return // still owed, to whoever delivers next
	}
	wasDown := w.breaker.down()
	quiet := v == failing && d.probe && w.breaker.steady() && w.lastError == o.String()
	w.report(d, o)
	w.observe(d, o)
	if w.settings.LogAttempts && d.event.ID > 0 && (v != failing || !d.probe) {
		// While the endpoint is down its probes are only counted.
		w.batch.attempts = append(w.batch.attempts, attemptRow{d.event.ID, o})
	}
	if !quiet {
		w.changed()
	}
	if v == delivered {
		w.lastError = ""
	} else {
		w.lastError = o.String()
	}
	switch v {
	case delivered:
		w.lastSuccess = now
		w.breaker.succeed()
		w.complete(d)
		w.settleHeld(wasDown, now)
	case refused, unsendable:
		w.breaker.refuse(now)
		w.park(d, o, now)
		if wasDown {
			w.settleHeld(wasDown, now)
		}
	case failing:
		w.breaker.fail(now, d.event.ID, o, d.probe)
		d.last = o
		d.failures++
		w.held = append(w.held, d)
		if w.breaker.down() && w.breaker.failures >= failuresToDisable {
			w.disableIfHopeless(now)
		}
	case gone:
		w.breaker.fails(now)
		w.disable("the endpoint answered 410 Gone")
	}
	if down := w.breaker.down(); down != wasDown {
		w.logger.Warn().Bool("down", down).Str("last_error", w.lastError).Time("probe_at", w.breaker.probeAt).Msg("endpoint changed state")
	}
}

// complete ends a delivered delivery. A replayed event may have been parked or dead.
func (w *worker) complete(d *delivery) {
	if d.source != fromLog {
		delete(w.batch.parked, d.event.ID)
		w.batch.removed[d.event.ID] = struct{}{}
		w.unpark(d)
	}
	w.leave(d)
}

// settleHeld decides about the held deliveries when the endpoint has answered: if it
// was down they are simply sent again, else they failed alone and are parked. So are
// those that fail whenever they are sent again.
func (w *worker) settleHeld(wasDown bool, now time.Time) {
	if !wasDown {
		w.parkHeld(now)
		return
	}
	held := w.held
	w.held = nil
	w.lookForRetries(now)
	for _, d := range slices.Backward(held) {
		if d.failures >= failuresToOpen {
			w.park(d, d.last, now)
		} else {
			w.queues[d.source] = slices.Insert(w.queues[d.source], 0, d)
		}
	}
}

func (w *worker) parkHeld(now time.Time) {
	held := w.held
	w.held = nil
	for _, d := range held {
		w.park(d, d.last, now)
	}
}

// disableIfHopeless disables the webhook after days of nothing but failures.
func (w *worker) disableIfHopeless(now time.Time) {
	since := w.breaker.failingSince
	if !since.IsZero() && now.Sub(since) >= w.config.DisableAfter {
		w.disable("nothing but failures since " + since.UTC().Format(time.RFC3339) + ": " + w.lastError)
	}
}

func (w *worker) disable(reason string) {
	w.changed()
	w.batch.disable = reason
	if w.config.NoticeURL != "" {
		w.batch.noticeAt = time.Now()
	}
	w.logger.Error().Str("disabled_reason", reason).Msg("webhook disabled")
}

func (w *worker) report(d *delivery, o outcome) {
	level := zerolog.DebugLevel
	if o.class != "" {
		level = zerolog.InfoLevel
	}
	w.logger.WithLevel(level).Str("event_uid", d.event.UID).Str("name", d.event.Name).Int("status", o.status).Str("error", o.class).
		Int64("duration_ms", o.duration.Milliseconds()).Int64("response_bytes", o.bytes).Int("attempts", d.attempts+1).
		Bool("probe", d.probe).Msg("attempt")
}
