package poller

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
)

// A project's hash key is followed by another one without anybody noticing: the next
// complete listing of a stream compares by fingerprints of the old key and keeps those of
// the new one. The old key goes with the last stream that has followed.

// RotateKey gives a project another hash key. It returns how many streams have yet to
// follow. The error is ErrNotFound where there is no such project.
func (p *Projects) RotateKey(ctx context.Context, id string) (following int, err error) {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	sealed, err := p.Sealer.Seal(key, hashKeyPurpose(id))
	if err != nil {
		return 0, fmt.Errorf("seal hash key: %w", err)
	}
	err = p.inTx(ctx, func(tx *sql.Tx) error {
		var former []byte
		err := tx.QueryRowContext(ctx, `SELECT hash_key FROM projects WHERE id = $1`+p.forUpdate, id).Scan(&former)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("project")
		}
		if err != nil {
			return fmt.Errorf("read hash key: %w", err)
		}
		plain, err := p.Sealer.Open(former, hashKeyPurpose(id))
		if err != nil {
			return fmt.Errorf("open the project's hash key: %w", err)
		}
		for _, change := range [...]struct {
			text string
			args []any
		}{
			{`INSERT INTO former_keys (project_id, key_id, hash_key) VALUES ($1, $2, $3)`, []any{id, keyID(plain), former}},
			{`UPDATE projects SET hash_key = $1 WHERE id = $2`, []any{sealed, id}},
			// Polls under way would keep fingerprints of a key that nobody follows.
			{`UPDATE streams SET fence = fence + 1, lease_owner = '', lease_until = NULL, full_poll_at = NULL
				WHERE account_id IN (SELECT id FROM accounts WHERE project_id = $1)`, []any{id}},
		} {
			if _, err := tx.ExecContext(ctx, change.text, change.args...); err != nil {
				return fmt.Errorf("rotate hash key: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := p.dropUnused(ctx, id); err != nil {
		return 0, err
	}
	return p.Following(ctx, id)
}

// Following is how many of a project's streams have fingerprints of a former key.
func (p *Projects) Following(ctx context.Context, id string) (n int, err error) {
	err = p.DB.QueryRowContext(ctx, `SELECT count(*) FROM stream_states t
		JOIN streams s ON s.id = t.stream_id JOIN accounts a ON a.id = s.account_id
		JOIN former_keys k ON k.project_id = a.project_id AND `+uses+` WHERE a.project_id = $1`, id).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count streams of former keys: %w", err)
	}
	return n, nil
}

// uses tells whether the recipe of a state t names the key k.
const uses = `t.recipe LIKE '%"key":"' || k.key_id || '"%'`

// dropUnused forgets the former keys that no stream's fingerprints need any more.
func (k *core) dropUnused(ctx context.Context, projectID string) error {
	_, err := k.DB.ExecContext(ctx, `DELETE FROM former_keys AS k WHERE k.project_id = $1 AND NOT EXISTS (SELECT 1 FROM stream_states t
		JOIN streams s ON s.id = t.stream_id JOIN accounts a ON a.id = s.account_id WHERE a.project_id = $1 AND `+uses+`)`, projectID)
	if err != nil {
		return fmt.Errorf("forget former hash keys: %w", err)
	}
	return nil
}

// dropKeys forgets former keys once a stream has followed. The last one to do so sees
// what all have committed.
func (a *attempt) dropKeys(ctx context.Context) {
	if err := a.dropUnused(ctx, a.account.projectID); err != nil && ctx.Err() == nil {
		a.Logger.Warn().Err(err).Str("project_id", a.account.projectID).Msg("former hash keys not forgotten")
	}
}

// formerKey finds a former key by the id that recipes name it by; nil: it is gone.
func (a *attempt) formerKey(ctx context.Context, projectID, id string) ([]byte, error) {
	var sealed []byte
	err := a.DB.QueryRowContext(ctx, `SELECT hash_key FROM former_keys WHERE project_id = $1 AND key_id = $2`, projectID, id).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read former hash key: %w", err)
	}
	key, err := a.Sealer.Open(sealed, hashKeyPurpose(projectID))
	if err != nil {
		return nil, fmt.Errorf("open the project's former hash key: %w", err)
	}
	return key, nil
}
