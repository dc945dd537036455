package dispatch

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// SecretState is where a secret stands in its rotation.
type SecretState string

// A secret that was added waits, is activated, and stays valid for an overlap once
// another took its place.
const (
	SecretWaiting  SecretState = "waiting"
	SecretActive   SecretState = "active"
	SecretRetiring SecretState = "retiring"
)

// SecretStanding is a secret of a webhook, without its text.
type SecretStanding struct {
	ID        string
	State     SecretState
	CreatedAt time.Time
	ExpiresAt time.Time // of a retiring one
}

// Secrets lists the secrets of a webhook that sign, in the order in which they were
// added. ErrNotFound.
func (m *Webhooks) Secrets(ctx context.Context, projectID, id string) ([]SecretStanding, error) {
	if _, err := m.Get(ctx, projectID, id); err != nil {
		return nil, err
	}
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT id, active, created_at, expires_at FROM webhook_secrets
		WHERE webhook_id = $1 AND (active OR expires_at IS NULL OR expires_at > $2) ORDER BY created_at, id`, id, time.Now().UTC())
	all, err := collect(rows, err, func(rows *sql.Rows) (s SecretStanding, err error) {
		var active bool
		var expires sql.NullTime
		err = rows.Scan(&s.ID, &active, &s.CreatedAt, &expires)
		switch {
		case active:
			s.State = SecretActive
		case expires.Valid:
			s.State, s.ExpiresAt = SecretRetiring, expires.Time
		default:
			s.State = SecretWaiting
		}
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	return all, nil
}

// SecretVerification is what an endpoint did with test events that one secret alone has
// signed, in both styles.
type SecretVerification struct {
	Waiting TestOutcome // delivered: the consumer knows the secret that waits
	Active  TestOutcome // delivered: and still the one that is active
	Wrong   TestOutcome // delivered: it accepts any signature, so the other two prove nothing
}

// VerifySecret finds out whether a webhook's consumer knows the secret that waits, by
// test events: one signed with that alone, one with the active secret, and one with a
// secret that nobody knows. ErrNotFound, *InvalidError.
func (m *Webhooks) VerifySecret(ctx context.Context, projectID, id string) (v SecretVerification, err error) {
	w, err := m.Get(ctx, projectID, id)
	if err != nil {
		return v, err
	}
	secrets, err := m.store.secrets(ctx, id, m.config.Sealer)
	if err != nil {
		return v, err
	}
	waiting := slices.IndexFunc(secrets, func(s signingSecret) bool { return !s.active && s.expiresAt.IsZero() })
	active := slices.IndexFunc(secrets, func(s signingSecret) bool { return s.active })
	if waiting < 0 || active < 0 {
		return v, errNoneWaits
	}
	for _, try := range []struct {
		secret string
		to     *TestOutcome
	}{{secrets[waiting].secret, &v.Waiting}, {secrets[active].secret, &v.Active}, {NewSecret(), &v.Wrong}} {
		if *try.to, err = m.test(ctx, w, []signingSecret{{secret: try.secret, active: true}}); err != nil {
			return v, err
		}
	}
	return v, nil
}

// RetireSecrets ends the overlap: what waits or is retiring signs nothing any more, and is
// forgotten. ErrNotFound.
func (m *Webhooks) RetireSecrets(ctx context.Context, projectID, id string) (Webhook, error) {
	if _, err := m.Get(ctx, projectID, id); err != nil {
		return Webhook{}, err
	}
	err := m.store.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM webhook_secrets WHERE webhook_id = $1 AND NOT active`, id); err != nil {
			return fmt.Errorf("retire secrets: %w", err)
		}
		return touch(ctx, tx, id)
	})
	if err != nil {
		return Webhook{}, err
	}
	m.config.Changed()
	return m.Get(ctx, projectID, id)
}
