package poller

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// succeed ends a poll whose listing was complete: all that an unchanged poll writes.
func (a *attempt) succeed(ctx context.Context, db execer, after doubts) error {
	now := a.time()
	changed := a.result.Created+a.result.Updated+a.result.Deleted > 0
	result, err := db.ExecContext(ctx, `UPDATE streams SET lease_owner = '', lease_until = NULL, failures = 0, last_error = '', polls = polls + 1, requests = requests + $10,
		next_poll_at = CASE WHEN next_poll_at IS NOT DISTINCT FROM $1 THEN $2 ELSE next_poll_at END,
		last_poll_at = $3, last_complete_at = $4, last_change_at = CASE WHEN $5 THEN $4 ELSE last_change_at END,
		last_duration_ms = $6, records = $7
		WHERE id = $8 AND fence = $9`,
		a.due, a.next(now, after), a.started, now, changed, now.Sub(a.started).Milliseconds(), a.result.Records, a.streamID, a.fence, a.result.Requests)
	if err != nil {
		return fmt.Errorf("end poll: %w", err)
	}
	return held(result)
}

// next is when the stream is due again: as scheduled, or soon when a suspicion waits
// for its confirmation. A provider whose listings always lack something is not asked
// ever faster: each further listing in a row that is left with suspects waits twice as
// long as the one before.
func (a *attempt) next(now time.Time, after doubts) time.Time {
	next := a.schedule.Next(now, a.key())
	if len(after.suspected) == 0 || after.holds() {
		return next
	}
	soon := now.Add(a.ConfirmDelay << min(after.polls-1, 16))
	if soon.Before(next) {
		return soon
	}
	return next
}

// record ends a poll that found or doubted something. It returns the poll's id.
func (a *attempt) record(ctx context.Context, tx *sql.Tx, after doubts) (int64, error) {
	if err := a.succeed(ctx, tx, after); err != nil {
		return 0, err
	}
	if err := a.doubt(ctx, tx, after); err != nil {
		return 0, err
	}
	return a.remember(ctx, tx)
}

// remember writes the poll's own row.
func (a *attempt) remember(ctx context.Context, tx *sql.Tx) (id int64, err error) {
	r := a.result
	fields := ""
	if len(a.fields) > 0 {
		text, err := json.Marshal(a.fields)
		if err != nil {
			return 0, fmt.Errorf("remember poll: %w", err)
		}
		fields = string(text)
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO polls (stream_id, started_at, duration_ms, complete, pages, records, created, updated, deleted,
			suspected, quarantined, events, error, fields, number)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, (SELECT polls FROM streams WHERE id = $1)) RETURNING id`,
		a.streamID, a.started, a.time().Sub(a.started).Milliseconds(), r.Complete, r.Pages, r.Records, r.Created, r.Updated, r.Deleted,
		r.Suspected, r.Quarantined, r.Events, r.Error, fields).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("remember poll: %w", err)
	}
	return id, nil
}

// doubt writes what is doubted now.
func (a *attempt) doubt(ctx context.Context, tx *sql.Tx, after doubts) error {
	if after.none() {
		if !a.doubted {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM doubts WHERE stream_id = $1`, a.streamID); err != nil {
			return fmt.Errorf("clear doubts: %w", err)
		}
		return nil
	}
	fields, err := json.Marshal(append([]string{}, after.fields...))
	if err != nil {
		return fmt.Errorf("write doubts: %w", err)
	}
	sample, err := json.Marshal(append([]string{}, after.sample...))
	if err != nil {
		return fmt.Errorf("write doubts: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO doubts (stream_id, suspected, quarantined, approved, reason, sample, created, updated, polls, since_at, stormed, fields)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (stream_id) DO UPDATE SET suspected = excluded.suspected, quarantined = excluded.quarantined, approved = excluded.approved,
			reason = excluded.reason, sample = excluded.sample, created = excluded.created, updated = excluded.updated,
			polls = excluded.polls, since_at = excluded.since_at, stormed = excluded.stormed, fields = excluded.fields`,
		a.streamID, encodePlaces(after.suspected), encodePlaces(after.quarantined), after.approved, after.reason, string(sample),
		after.created, after.updated, after.polls, after.since, encodePlaces(after.stormed), string(fields))
	if err != nil {
		return fmt.Errorf("write doubts: %w", err)
	}
	return nil
}

// loadDoubts reads what the stream's last poll doubted and a person has said since.
func loadDoubts(ctx context.Context, db *sql.DB, streamID int64) (doubts, error) {
	var d doubts
	var suspected, quarantined, stormed []byte
	err := db.QueryRowContext(ctx, `SELECT suspected, quarantined, stormed, approved, polls, since_at FROM doubts WHERE stream_id = $1`, streamID).
		Scan(&suspected, &quarantined, &stormed, &d.approved, &d.polls, &d.since)
	if errors.Is(err, sql.ErrNoRows) { // rejected since the claim
		return doubts{}, nil
	}
	if err == nil {
		d.suspected, err = decodePlaces(suspected)
	}
	if err == nil {
		d.quarantined, err = decodePlaces(quarantined)
	}
	if err == nil {
		d.stormed, err = decodePlaces(stormed)
	}
	if err != nil {
		return doubts{}, fmt.Errorf("load doubts: %w", err)
	}
	return d, nil
}

// fail ends a poll that did not get to its end: nothing of it counts, the next attempt
// backs off. It returns an error when that could not be written.
func (a *attempt) fail(ctx context.Context, cause error) error {
	a.result = Result{Pages: a.result.Pages, Requests: a.result.Requests, Error: fmt.Sprintf("%.500s", cause.Error())}
	a.outcome = "failed"
	now, counts := a.time(), 1
	next := now.Add(backoff(a.failures+1, a.inForce().Interval(now)))
	refusal, _ := errors.AsType[*providers.Error](cause)
	switch {
	case refusal == nil:
		if errors.Is(cause, hashstore.ErrConflict) {
			a.outcome, counts = "conflict", 0
		}
	case refusal.Kind == providers.Auth:
		a.outcome = "needs_attention"
	case refusal.Kind == providers.Throttled && !refusal.RetryAt.IsZero():
		a.outcome, counts = "throttled", 0
		next = refusal.RetryAt.Add(a.clock).UTC()
		if err := a.block(ctx, a.account.id, refusal.RetryAt); err != nil {
			return err
		}
	}
	return a.inTx(ctx, func(tx *sql.Tx) error {
		// The account's row before the stream's: the order in which everybody locks them.
		if a.outcome == "needs_attention" {
			if err := a.callForAttention(ctx, tx); err != nil {
				return err
			}
		}
		result, err := tx.ExecContext(ctx, `UPDATE streams SET lease_owner = '', lease_until = NULL, failures = failures + $1, last_error = $2,
			polls = polls + 1, requests = requests + $9, next_poll_at = CASE WHEN next_poll_at IS NOT DISTINCT FROM $3 THEN $4 ELSE next_poll_at END,
			last_poll_at = $5, last_duration_ms = $6
			WHERE id = $7 AND fence = $8`,
			counts, a.result.Error, a.due, next, a.started, now.Sub(a.started).Milliseconds(), a.streamID, a.fence, a.result.Requests)
		if err != nil {
			return fmt.Errorf("record failed poll: %w", err)
		}
		if err := held(result); err != nil {
			return err
		}
		_, err = a.remember(ctx, tx)
		return err
	})
}

// callForAttention stops the account's polls, unless somebody has changed it since.
func (a *attempt) callForAttention(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE accounts SET state = 'needs_attention', state_reason = $1
		WHERE id = $2 AND state = 'active' AND updated_at = $3`, a.result.Error, a.account.id, a.account.updatedAt); err != nil {
		return fmt.Errorf("mark account: %w", err)
	}
	return nil
}

// inForce is the stream's schedule, also where its plan could not be made.
func (a *attempt) inForce() Schedule {
	if a.plan != nil {
		return a.schedule
	}
	s, _ := a.schedules.inForce(a.levels.stream, a.levels.account, a.levels.recordType, "")
	return s
}

// firstRetry is the wait after a first failure.
const firstRetry = 30 * time.Second

// backoff is the wait before the next attempt: twice as long after each failure in a
// row, never longer than the interval, and not the same for all.
func backoff(failures int, interval time.Duration) time.Duration {
	wait := min(firstRetry<<min(failures-1, 16), interval)
	wait = time.Duration(float64(wait) * (0.75 + rand.Float64()/2))
	return max(min(wait, interval), shortest)
}
