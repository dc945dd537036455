package dispatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// attemptRow is an attempt on record.
type attemptRow struct {
	event int64
	outcome
}

// batch is what a worker writes in one transaction.
type batch struct {
	status
	attempts []attemptRow
	parked   map[int64]retryRow // by event
	removed  map[int64]struct{} // parked events that are delivered
	released []int64            // records whose parked events wait for nothing any more
	disable  string             // the reason to disable the webhook
	noticeAt time.Time          // when the operator is to be told of that
	replay   string             // the replay that made progress
	position int64
	sent     int64
	done     bool
	since    time.Time // of the first change in it; zero: nothing to write but perhaps the cursor
}

// changed notes that there is something to write.
func (w *worker) changed() {
	if w.batch.since.IsZero() {
		w.batch.since = time.Now()
	}
}

// writeAt is when the next write is due; zero: when something changes.
func (w *worker) writeAt() time.Time {
	switch b := w.batch; {
	case w.busy:
		return time.Time{}
	case w.writing != nil:
		return w.pauseTill
	case b.since.IsZero():
		if w.log.position() == w.cursor {
			return time.Time{}
		}
		return w.lastWrite.Add(cursorStep)
	case len(b.attempts) >= batchLimit:
		return b.since
	case w.inflight == 0 && w.queued() == 0 && w.lastEnd.Add(w.config.Flush/5).Before(b.since.Add(w.config.Flush)):
		return w.lastEnd.Add(w.config.Flush / 5)
	default:
		return b.since.Add(w.config.Flush)
	}
}

// write stores what has happened, a batch at a time.
func (w *worker) write(ctx context.Context, now time.Time) {
	at := w.writeAt()
	if at.IsZero() || now.Before(at) {
		return
	}
	if w.writing == nil {
		w.seal(w.batch)
		w.writing, w.batch = w.batch, newBatch()
	}
	b := w.writing
	w.busy = true
	w.beside(ctx, func(ctx context.Context) func() {
		err := w.store.write(ctx, w.lease, b)
		return func() { w.written(b, err) }
	})
}

// seal puts the webhook's state of this moment into a batch.
func (w *worker) seal(b *batch) {
	b.status = status{
		cursor: w.log.position(), settled: encodeSettled(w.log.position(), w.log.settledAbove(w.ahead)), lastSuccess: w.lastSuccess, lastError: w.lastError,
		failures: w.breaker.failures, failingSince: w.breaker.failingSince, probeAt: w.breaker.probeAt,
	}
	if r := w.replay; r != nil {
		b.replay, b.position, b.sent = r.id, r.position(), r.passed
		b.done = b.position >= r.through
	}
}

func (w *worker) written(b *batch, err error) {
	w.busy = false
	w.lastWrite = time.Now()
	if errors.Is(err, errLeaseLost) {
		w.logger.Info().Msg("webhook lease lost")
		w.lost = true
		return
	}
	w.unwritten = err != nil
	if err != nil {
		w.pause(err)
		return
	}
	w.resume()
	w.writing = nil
	w.cursor = b.cursor
	for event := range b.parked {
		w.letGo(event)
	}
	for event := range b.removed {
		w.letGo(event)
	}
	if len(b.parked)+len(b.removed)+len(b.released) > 0 {
		w.lookForRetries(w.lastWrite)
	}
	if r := w.replay; r != nil && b.done && b.replay == r.id {
		w.wanted.CompareAndSwap(w.wanted.Load(), new(string))
		w.replay = nil
	}
}

// letGo ends a parked event's time in hand: its row is written.
func (w *worker) letGo(event int64) {
	delete(w.taken, event)
	if w.parking {
		w.stale[event] = struct{}{}
	}
}

// write stores a batch if the lease still holds.
func (s store) write(ctx context.Context, l lease, b *batch) error {
	now := time.Now().UTC()
	return s.transact(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `
			UPDATE webhooks SET cursor_id = $1, settled = $2, failures = $3, failing_since = $4, probe_at = $5, last_success_at = $6, last_error = $7
			WHERE id = $8 AND fence = $9`,
			b.cursor, b.settled, b.failures, nullable(b.failingSince), nullable(b.probeAt), nullable(b.lastSuccess), b.lastError, l.webhook, l.fence))
		if err != nil {
			return fmt.Errorf("write cursor: %w", err)
		}
		if n == 0 {
			return errLeaseLost
		}
		if err := s.insertAttempts(ctx, tx, l.webhook, b.attempts); err != nil {
			return fmt.Errorf("write attempts: %w", err)
		}
		if err := s.writeRetries(ctx, tx, l.webhook, b); err != nil {
			return fmt.Errorf("write retries: %w", err)
		}
		if b.replay != "" {
			if err := s.writeReplay(ctx, tx, b, now); err != nil {
				return fmt.Errorf("write replay: %w", err)
			}
		}
		if b.disable != "" {
			_, err := tx.ExecContext(ctx, `
				UPDATE webhooks SET enabled = false, disabled_reason = $1, updated_at = $2, disabled_at = $2, notice_at = $3 WHERE id = $4`,
				b.disable, now, nullable(b.noticeAt), l.webhook)
			if err != nil {
				return fmt.Errorf("disable webhook: %w", err)
			}
		}
		return nil
	})
}

func (s store) insertAttempts(ctx context.Context, tx *sql.Tx, webhook string, attempts []attemptRow) error {
	if len(attempts) == 0 {
		return nil
	}
	const insert = `INSERT INTO attempts (webhook_id, event_id, attempted_at, duration_ms, status, error, response_bytes, answer) `
	if !s.postgres {
		statement, err := tx.PrepareContext(ctx, insert+`VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
		if err != nil {
			return err
		}
		defer func() { _ = statement.Close() }()
		for _, a := range attempts {
			if _, err := statement.ExecContext(ctx, webhook, a.event, a.at.UTC(), a.duration.Milliseconds(), a.status, a.class, a.bytes, a.answer); err != nil {
				return err
			}
		}
		return nil
	}
	n := len(attempts)
	events, at, took := make([]int64, n), make([]time.Time, n), make([]int32, n)
	statuses, classes, bytes, answers := make([]int32, n), make([]string, n), make([]int64, n), make([]string, n)
	for i, a := range attempts {
		events[i], at[i], took[i] = a.event, a.at.UTC(), int32(a.duration.Milliseconds())
		statuses[i], classes[i], bytes[i], answers[i] = int32(a.status), a.class, a.bytes, a.answer
	}
	_, err := tx.ExecContext(ctx, insert+`
		SELECT $1, a.* FROM unnest($2::bigint[], $3::timestamptz[], $4::integer[], $5::integer[], $6::text[], $7::bigint[], $8::text[]) AS a`,
		webhook, events, at, took, statuses, classes, bytes, answers)
	return err
}

func (s store) writeRetries(ctx context.Context, tx *sql.Tx, webhook string, b *batch) error {
	if err := s.park(ctx, tx, webhook, b.parked); err != nil {
		return err
	}
	if len(b.removed) > 0 {
		removed := make([]int64, 0, len(b.removed))
		for event := range b.removed {
			removed = append(removed, event)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM retries WHERE webhook_id = $1 AND event_id`+s.among("$2"), webhook, s.ids(removed))
		if err != nil {
			return err
		}
	}
	if len(b.released) > 0 {
		_, err := tx.ExecContext(ctx, `
			UPDATE retries SET due_at = $1
			WHERE webhook_id = $2 AND state = 'pending' AND due_at = $3 AND record_key`+s.among("$4"),
			time.Now().UTC(), webhook, elderFirst, s.ids(b.released))
		if err != nil {
			return err
		}
	}
	return nil
}

// park writes parked and dead events. One that is there already, pending or dead,
// takes what is given: a replay revives it.
func (s store) park(ctx context.Context, tx *sql.Tx, webhook string, parked map[int64]retryRow) error {
	if len(parked) == 0 {
		return nil
	}
	const insert = `INSERT INTO retries (webhook_id, created_at, event_id, record_key, state, attempts, due_at, last_error, event) `
	const conflict = ` ON CONFLICT (webhook_id, event_id) DO UPDATE
		SET state = excluded.state, attempts = excluded.attempts, due_at = excluded.due_at, last_error = excluded.last_error`
	now := time.Now().UTC()
	n := len(parked)
	events, keys, states := make([]int64, 0, n), make([]int64, 0, n), make([]string, 0, n)
	attempts, due, lastErrors, contents := make([]int32, 0, n), make([]time.Time, 0, n), make([]string, 0, n), make([]string, 0, n)
	for _, r := range parked {
		state := "pending"
		if r.dead {
			state = "dead"
		}
		events, keys, states = append(events, r.event), append(keys, r.key), append(states, state)
		attempts, due, lastErrors = append(attempts, int32(r.attempts)), append(due, r.due.UTC()), append(lastErrors, r.lastError)
		contents = append(contents, r.content)
	}
	if s.postgres {
		_, err := tx.ExecContext(ctx, insert+`
			SELECT $1, $2::timestamptz, r.* FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::integer[], $7::timestamptz[], $8::text[], $9::text[]) AS r`+conflict,
			webhook, now, events, keys, states, attempts, due, lastErrors, contents)
		return err
	}
	statement, err := tx.PrepareContext(ctx, insert+`VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`+conflict)
	if err != nil {
		return err
	}
	defer func() { _ = statement.Close() }()
	for i := range events {
		if _, err := statement.ExecContext(ctx, webhook, now, events[i], keys[i], states[i], attempts[i], due[i], lastErrors[i], contents[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s store) writeReplay(ctx context.Context, tx *sql.Tx, b *batch, now time.Time) error {
	state, finished := "running", time.Time{}
	if b.done {
		state, finished = "done", now
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE replays SET cursor_id = $1, sent = $2, state = $3, finished_at = $4 WHERE id = $5 AND state = 'running'`,
		b.position, b.sent, state, nullable(finished), b.replay)
	if err == nil && b.done {
		err = s.forgetHanded(ctx, tx, b.replay)
	}
	return err
}
