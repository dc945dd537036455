package poller

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/providers"
)

// An account that needs attention, and a stream that alone is refused, are asked again by
// themselves, see recheck: the cause may be gone without anybody telling us. Of a stream
// that is its next poll; of an account one small request for its longest waiting stream,
// whose claim keeps other processes from asking, too. No event tells of either: to
// consumers nothing has changed.

// ofList tells a refusal of one list from one of the credentials.
func ofList(e *providers.Error) bool {
	return e.Kind == providers.Auth && (e.Fault == providers.FaultScope || e.Fault == providers.FaultPlan)
}

// callForAttention stops the polls of an account that was in a state until its next check,
// unless another poll has, or somebody has changed it. All streams wait for that: the
// search for due ones never meets them. What keeps a check from being answered is no new
// reason.
func (a *attempt) callForAttention(ctx context.Context, tx *sql.Tx, was string, next time.Time) error {
	result, err := tx.ExecContext(ctx, `UPDATE accounts SET state = 'needs_attention', state_reason = CASE WHEN $1 THEN $2 ELSE state_reason END,
			checks = checks + 1, next_check_at = $3
		WHERE id = $4 AND state = $5 AND updated_at = $6`,
		a.outcome == "needs_attention", a.result.Error, next, a.account.id, was, a.account.updatedAt)
	if err != nil {
		return fmt.Errorf("mark account: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE streams SET next_poll_at = $1 WHERE account_id = $2 AND id <> $3`, next, a.account.id, a.streamID); err != nil {
		return fmt.Errorf("mark account: %w", err)
	}
	return nil
}

// askAgain makes one small request for an account that needs attention. Where the
// credentials are taken, the account is polled again, and this poll goes on.
func (a *attempt) askAgain(ctx context.Context) error {
	err := a.client.Probe(ctx, a.recordType)
	a.result.Requests++
	refusal, ok := errors.AsType[*providers.Error](err)
	if err != nil && !(ok && ofList(refusal)) {
		return err
	}
	if err := a.recovered(ctx); err != nil {
		return err
	}
	a.attention = false
	return err
}

// recovered makes the account active and its other streams due, if the lease still holds.
func (a *attempt) recovered(ctx context.Context) error {
	done := false
	err := a.inTx(ctx, func(tx *sql.Tx) (err error) {
		if done, err = a.core.recovered(ctx, tx, a.account, a.streamID); err != nil {
			return err
		}
		return a.renew(ctx, tx, a.claim)
	})
	if err != nil || !done {
		return err
	}
	a.Logger.Info().Str("account_id", a.account.id).Str("provider", a.account.provider).Msg("account recovered")
	a.woken()
	return nil
}

// recovered ends an account's need for attention, and makes its streams due but for one
// (0: none); false where it has none any more.
func (k *core) recovered(ctx context.Context, tx *sql.Tx, account accountFacts, but int64) (bool, error) {
	result, err := tx.ExecContext(ctx, `UPDATE accounts SET state = 'active', state_reason = '', next_check_at = NULL
		WHERE id = $1 AND state = 'needs_attention' AND updated_at = $2`, account.id, account.updatedAt)
	if err != nil {
		return false, fmt.Errorf("mark account: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE streams SET next_poll_at = `+k.now+`, full_poll_at = NULL WHERE account_id = $1 AND id <> $2`, account.id, but); err != nil {
		return false, fmt.Errorf("make streams due: %w", err)
	}
	return true, nil
}

// reassured forgets the checks that were in vain, once a poll has succeeded: a request
// that is answered proves less.
func (a *attempt) reassured(ctx context.Context) {
	if _, err := a.DB.ExecContext(ctx, `UPDATE accounts SET checks = 0 WHERE id = $1 AND state = 'active' AND checks = $2`, a.account.id, a.account.checks); err != nil {
		a.Logger.Warn().Err(err).Str("account_id", a.account.id).Msg("checks in vain not forgotten")
	}
}
