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

// end ends a poll that found nothing: all that an unchanged poll writes.
func (a *attempt) end(ctx context.Context) error {
	if !a.hasRow() {
		return a.succeed(ctx, a.DB, a.before)
	}
	return a.inTx(ctx, func(tx *sql.Tx) error { return a.succeed(ctx, tx, a.before) })
}

// succeed ends a poll whose listing reached its end.
func (a *attempt) succeed(ctx context.Context, db execer, after doubts) error {
	now, r := a.time(), a.result
	next, full := a.next(now, after)
	if !after.calm() {
		a.memory = nil // what is doubted must be listed
	}
	result, err := db.ExecContext(ctx, `UPDATE streams SET lease_owner = '', lease_until = NULL, failures = 0, refusals = 0, last_error = '', polls = polls + 1, requests = requests + $14,
		incremental_polls = incremental_polls + CASE WHEN $9 THEN 1 ELSE 0 END, incremental_requests = incremental_requests + CASE WHEN $9 THEN $14 ELSE 0 END,
		incremental_ms = CASE WHEN $9 THEN $11 ELSE incremental_ms END, complete_ms = CASE WHEN $9 THEN complete_ms ELSE $11 END,
		next_poll_at = CASE WHEN next_poll_at IS NOT DISTINCT FROM $1 THEN $2 ELSE next_poll_at END,
		full_poll_at = CASE WHEN next_poll_at IS NOT DISTINCT FROM $1 THEN $3 ELSE full_poll_at END,
		since_at = $4, validators = $5, last_poll_at = $6, last_change_at = CASE WHEN $7 THEN $8 ELSE last_change_at END,
		last_complete_at = CASE WHEN $9 THEN last_complete_at ELSE $8 END, records = CASE WHEN $9 THEN records ELSE $10 END, last_duration_ms = $11
		WHERE id = $12 AND fence = $13`,
		a.due, next, full, a.askSince(after), a.memory, a.started, r.Created+r.Updated+r.Deleted > 0, now,
		r.Incremental, r.Records, now.Sub(a.started).Milliseconds(), a.streamID, a.fence, r.Requests)
	if err != nil {
		return fmt.Errorf("end poll: %w", err)
	}
	if err := held(result); err != nil || !a.hasRow() {
		return err
	}
	return a.dropListing(ctx, db, true)
}

// askSince is from when on the next listing of changes has to ask. What is held or not
// believed has to be asked for again.
func (a *attempt) askSince(after doubts) sql.NullTime {
	if !a.info.Since || a.relist || after.holds() || a.asOf.IsZero() {
		return a.since
	}
	return sql.NullTime{Time: a.asOf.UTC(), Valid: true}
}

// next is when the stream is due again, and, where it has two speeds, when for a complete
// listing: as scheduled, or soon when a suspicion waits for its confirmation. A provider
// whose listings always lack something is not asked ever faster: each further listing in
// a row that is left with suspects waits twice as long as the one before.
func (a *attempt) next(now time.Time, after doubts) (next time.Time, full sql.NullTime) {
	next = a.schedule.Next(now, a.key())
	switch {
	case a.relist:
		next = now
	case after.holds():
	case len(after.suspected) > 0:
		if soon := now.Add(a.ConfirmDelay << min(after.polls-1, 16)); soon.Before(next) {
			next = soon
		}
	case a.result.Incremental && a.full.Valid:
		next = a.full.Time
	}
	if a.fast == nil {
		return next, full
	}
	full = sql.NullTime{Time: next, Valid: true}
	if fast := a.fast.Next(now, a.key()); fast.Before(next) && after.calm() && !a.relist {
		next = fast
	}
	return next, full
}

// record ends a poll that found or doubted something.
func (a *attempt) record(ctx context.Context, tx *sql.Tx, after doubts) error {
	if err := a.succeed(ctx, tx, after); err != nil {
		return err
	}
	if err := a.doubt(ctx, tx, after); err != nil {
		return err
	}
	return a.remember(ctx, tx, a.result.Error)
}

// remember writes the poll's own row.
func (a *attempt) remember(ctx context.Context, tx *sql.Tx, reason string) (err error) {
	r := a.result
	fields := ""
	if len(a.fields) > 0 {
		text, err := json.Marshal(a.fields)
		if err != nil {
			return fmt.Errorf("remember poll: %w", err)
		}
		fields = string(text)
	}
	number := "polls"
	if reason == interrupted {
		number = "polls + 1" // it is not over yet
	}
	values := []any{a.time().Sub(a.started).Milliseconds(), r.Complete, r.Incremental, r.Pages, r.Records, r.Created, r.Updated, r.Deleted,
		r.Suspected, r.Quarantined, r.Events, reason, fields}
	if a.pollID != 0 {
		_, err = tx.ExecContext(ctx, `UPDATE polls SET duration_ms = $1, complete = $2, incremental = $3, pages = $4, records = $5, created = $6,
			updated = $7, deleted = $8, suspected = $9, quarantined = $10, events = $11, error = $12, fields = $13 WHERE id = $14`, append(values, a.pollID)...)
	} else {
		err = tx.QueryRowContext(ctx, `INSERT INTO polls (duration_ms, complete, incremental, pages, records, created, updated, deleted,
				suspected, quarantined, events, error, fields, stream_id, started_at, number)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, (SELECT `+number+` FROM streams WHERE id = $14)) RETURNING id`,
			append(values, a.streamID, a.started)...).Scan(&a.pollID)
	}
	if err != nil {
		return fmt.Errorf("remember poll: %w", err)
	}
	return nil
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
	hiddenSample, err := json.Marshal(append([]string{}, after.hiddenSample...))
	if err != nil {
		return fmt.Errorf("write doubts: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO doubts (stream_id, suspected, quarantined, approved, reason, sample, created, updated, polls, since_at,
			stormed, fields, hidden, hidden_sample)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (stream_id) DO UPDATE SET suspected = excluded.suspected, quarantined = excluded.quarantined, approved = excluded.approved,
			reason = excluded.reason, sample = excluded.sample, created = excluded.created, updated = excluded.updated,
			polls = excluded.polls, since_at = excluded.since_at, stormed = excluded.stormed, fields = excluded.fields,
			hidden = excluded.hidden, hidden_sample = excluded.hidden_sample`,
		a.streamID, encodePlaces(after.suspected), encodePlaces(after.quarantined), after.approved, after.reason, string(sample),
		after.created, after.updated, after.polls, after.since, encodePlaces(after.stormed), string(fields), encodeHidden(after.hidden), string(hiddenSample))
	if err != nil {
		return fmt.Errorf("write doubts: %w", err)
	}
	return nil
}

// loadDoubts reads what the stream's last poll doubted and a person has said since.
func loadDoubts(ctx context.Context, db *sql.DB, streamID int64) (doubts, error) {
	var d doubts
	var suspected, quarantined, stormed, hidden []byte
	var hiddenSample string
	err := db.QueryRowContext(ctx, `SELECT suspected, quarantined, stormed, approved, polls, since_at, hidden, hidden_sample FROM doubts WHERE stream_id = $1`, streamID).
		Scan(&suspected, &quarantined, &stormed, &d.approved, &d.polls, &d.since, &hidden, &hiddenSample)
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
	if err == nil {
		d.hidden, err = decodeHidden(hidden)
	}
	if err == nil {
		err = json.Unmarshal([]byte(hiddenSample), &d.hiddenSample)
	}
	if err != nil {
		return doubts{}, fmt.Errorf("load doubts: %w", err)
	}
	return d, nil
}

// fail ends a poll that did not get to its end: nothing of it counts but what checkpoints
// have told, the next attempt backs off. It returns an error when that could not be written.
func (a *attempt) fail(ctx context.Context, cause error) error {
	a.result = Result{
		Incremental: a.result.Incremental, Pages: a.result.Pages, Requests: a.result.Requests,
		Created: a.early.created, Updated: a.early.updated, Events: a.early.events, Error: fmt.Sprintf("%.500s", cause.Error()),
	}
	now, was := a.time(), StateActive
	if a.attention {
		was = StateNeedsAttention
	}
	refusal, _ := errors.AsType[*providers.Error](cause)
	back, err := a.setBack(ctx, cause, refusal)
	if err != nil {
		return err
	}
	return a.inTx(ctx, func(tx *sql.Tx) error {
		// The account's row before the stream's: the order in which everybody locks them.
		if a.attention {
			if err := a.callForAttention(ctx, tx, was, back.next); err != nil {
				return err
			}
		}
		result, err := tx.ExecContext(ctx, `UPDATE streams SET lease_owner = '', lease_until = NULL, failures = failures + $1, refusals = refusals + $11, last_error = $2,
			polls = polls + 1, requests = requests + $9, incremental_polls = incremental_polls + CASE WHEN $10 THEN 1 ELSE 0 END,
			incremental_requests = incremental_requests + CASE WHEN $10 THEN $9 ELSE 0 END, next_poll_at = CASE WHEN next_poll_at IS NOT DISTINCT FROM $3 THEN $4 ELSE next_poll_at END,
			last_poll_at = $5, last_duration_ms = $6
			WHERE id = $7 AND fence = $8`,
			back.counts, a.result.Error, a.due, back.next, a.started, now.Sub(a.started).Milliseconds(), a.streamID, a.fence, a.result.Requests, a.result.Incremental, back.refused)
		if err != nil {
			return fmt.Errorf("record failed poll: %w", err)
		}
		if err := held(result); err != nil {
			return err
		}
		if a.hasRow() {
			if err := a.dropListing(ctx, tx, refusal != nil && worthless(refusal)); err != nil {
				return err
			}
		}
		return a.remember(ctx, tx, a.result.Error)
	})
}

// setback is what a failure means for the times to come.
type setback struct {
	next    time.Time
	counts  int // as a failure in a row: 0 or 1
	refused int // as a refusal of this list alone
}

// setBack decides what a failure means. It sets the outcome, and whether the account needs
// attention.
func (a *attempt) setBack(ctx context.Context, cause error, refusal *providers.Error) (setback, error) {
	now := a.time()
	interval := a.inForce().Interval(now)
	b := setback{next: now.Add(backoff(a.failures+1, interval)), counts: 1}
	a.outcome = "failed"
	switch {
	case refusal == nil:
		if errors.Is(cause, hashstore.ErrConflict) {
			a.outcome, b.counts = "conflict", 0
		}
	case refusal.Kind == providers.Auth:
		a.outcome = "needs_attention"
		if a.attention = a.attention || !ofList(refusal); !a.attention {
			b.refused = 1
		}
	case refusal.Kind == providers.Throttled && !refusal.RetryAt.IsZero():
		a.outcome, b.counts, b.next = "throttled", 0, refusal.RetryAt.Add(a.clock).UTC()
		return b, a.block(ctx, a.account.id, refusal.RetryAt)
	}
	switch {
	case a.attention:
		b.next = now.Add(recheck(a.account.checks, interval))
	case a.refusals+b.refused > 0:
		b.next = now.Add(recheck(a.refusals, interval))
	}
	return b, nil
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
