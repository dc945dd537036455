package dispatch

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultOverlap is how long a secret stays valid after another took its place.
const DefaultOverlap = 24 * time.Hour

// SecretRotation is what RotateSecret takes.
type SecretRotation struct {
	Secret   string        // "": generated
	Activate bool          // at once, instead of waiting for ActivateSecret
	Overlap  time.Duration // how long the old one stays valid then; 0: DefaultOverlap
}

// RotateSecret adds a secret, in place of one that was still waiting. Until it is
// activated the old one signs x-stackone-signature; webhook-signature is made with
// every valid one. The answer holds the new secret. ErrNotFound, *InvalidError.
func (m *Webhooks) RotateSecret(ctx context.Context, projectID, id string, r SecretRotation) (Webhook, error) {
	w, err := m.Get(ctx, projectID, id)
	if err != nil {
		return w, err
	}
	secret := cmp.Or(r.Secret, NewSecret())
	if err := checkSecret(secret); err != nil {
		return w, &InvalidError{"secret", err.Error()}
	}
	err = m.store.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			DELETE FROM webhook_secrets WHERE webhook_id = $1 AND NOT active AND (expires_at IS NULL OR expires_at < $2)`,
			id, time.Now().UTC())
		if err != nil {
			return fmt.Errorf("remove old secrets: %w", err)
		}
		if err := m.insertSecret(ctx, tx, id, secret, false); err != nil {
			return err
		}
		if r.Activate {
			return activate(ctx, tx, id, r.Overlap)
		}
		return touch(ctx, tx, id)
	})
	if err != nil {
		return w, err
	}
	m.config.Changed()
	w, err = m.Get(ctx, projectID, id)
	w.Secret = Secret(secret)
	return w, err
}

// ActivateSecret makes the secret that waits sign x-stackone-signature; the old one
// stays valid for the overlap (0: DefaultOverlap). ErrNotFound, *InvalidError.
func (m *Webhooks) ActivateSecret(ctx context.Context, projectID, id string, overlap time.Duration) (Webhook, error) {
	if _, err := m.Get(ctx, projectID, id); err != nil {
		return Webhook{}, err
	}
	if err := m.store.transact(ctx, func(tx *sql.Tx) error { return activate(ctx, tx, id, overlap) }); err != nil {
		return Webhook{}, err
	}
	m.config.Changed()
	return m.Get(ctx, projectID, id)
}

// Secret returns the active secret. ErrNotFound.
func (m *Webhooks) Secret(ctx context.Context, projectID, id string) (Secret, error) {
	if _, err := m.Get(ctx, projectID, id); err != nil {
		return "", err
	}
	secrets, err := m.store.secrets(ctx, id, m.config.Sealer)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(secrets, func(s signingSecret) bool { return s.active })
	if i < 0 {
		return "", ErrNotFound
	}
	return Secret(secrets[i].secret), nil
}

func (m *Webhooks) insertSecret(ctx context.Context, tx *sql.Tx, webhook, secret string, active bool) error {
	sealed, err := m.config.Sealer.Seal([]byte(secret), secretPurpose(webhook))
	if err != nil {
		return fmt.Errorf("seal secret: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO webhook_secrets (id, webhook_id, secret, active, created_at) VALUES ($1, $2, $3, $4, $5)`,
		"sec_"+strings.ToLower(rand.Text()), webhook, sealed, active, time.Now().UTC())
	if err != nil {
		return fmt.Errorf("insert secret: %w", err)
	}
	return nil
}

func secretPurpose(webhook string) string { return "webhook:" + webhook + ":secret" }

var errNoneWaits = &InvalidError{"secret", "there is none that waits: rotate first"}

// activate swaps the active secret for the one that waits.
func activate(ctx context.Context, tx *sql.Tx, webhook string, overlap time.Duration) error {
	var waiting string
	err := tx.QueryRowContext(ctx, `SELECT id FROM webhook_secrets WHERE webhook_id = $1 AND NOT active AND expires_at IS NULL`, webhook).Scan(&waiting)
	if err == sql.ErrNoRows {
		return errNoneWaits
	}
	if err != nil {
		return fmt.Errorf("find waiting secret: %w", err)
	}
	now := time.Now().UTC()
	_, err = tx.ExecContext(ctx, `UPDATE webhook_secrets SET active = false, expires_at = $1 WHERE webhook_id = $2 AND active`,
		now.Add(cmp.Or(overlap, DefaultOverlap)), webhook)
	if err != nil {
		return fmt.Errorf("retire secret: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE webhook_secrets SET active = true WHERE id = $1`, waiting); err != nil {
		return fmt.Errorf("activate secret: %w", err)
	}
	return touch(ctx, tx, webhook)
}

// touch makes the webhook's worker load it again.
func touch(ctx context.Context, tx *sql.Tx, webhook string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE webhooks SET updated_at = $1 WHERE id = $2`, time.Now().UTC(), webhook); err != nil {
		return fmt.Errorf("touch webhook: %w", err)
	}
	return nil
}
