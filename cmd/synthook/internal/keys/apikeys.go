package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// APIKeys are the keys of projects. A key is shk_ and 43 random characters.
type APIKeys struct{ db *sql.DB }

// NewAPIKeys manages the keys that db keeps.
func NewAPIKeys(db *sql.DB) *APIKeys { return &APIKeys{db} }

// APIKey is a key without the key.
type APIKey struct {
	ID, ProjectID, Name string
	Prefix              string // its first characters, to tell keys apart
	CreatedAt           time.Time
}

// ErrNoKey is returned for a key that is not, or no longer, there.
var ErrNoKey = errors.New("no such API key")

const (
	keyPrefix   = "shk_"
	prefixShown = len(keyPrefix) + 6
)

// Create makes a key of a project. The second result is the key itself: it can't be
// had again.
func (a *APIKeys) Create(ctx context.Context, projectID, name string) (APIKey, string, error) {
	key := newKey(keyPrefix)
	k := APIKey{
		ID: newKey("key_")[:20], ProjectID: projectID, Name: name,
		Prefix: key[:prefixShown], CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
	if _, err := a.db.ExecContext(ctx, `INSERT INTO api_keys (id, project_id, name, prefix, key_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.ID, k.ProjectID, k.Name, k.Prefix, hash(key), k.CreatedAt); err != nil {
		return APIKey{}, "", fmt.Errorf("store API key: %w", err)
	}
	return k, key, nil
}

// List returns up to limit keys of a project in the order of their ids, after one.
func (a *APIKeys) List(ctx context.Context, projectID, after string, limit int) ([]APIKey, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, project_id, name, prefix, created_at FROM api_keys WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
		projectID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	defer rows.Close()
	var list []APIKey
	for rows.Next() {
		var k APIKey
		if err := rows.Scan(&k.ID, &k.ProjectID, &k.Name, &k.Prefix, &k.CreatedAt); err != nil {
			return nil, fmt.Errorf("list API keys: %w", err)
		}
		list = append(list, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return list, nil
}

// Delete ends a key at once.
func (a *APIKeys) Delete(ctx context.Context, projectID, id string) error {
	deleted, err := a.db.ExecContext(ctx, `DELETE FROM api_keys WHERE project_id = $1 AND id = $2`, projectID, id)
	if err != nil {
		return fmt.Errorf("delete API key: %w", err)
	}
	if n, err := deleted.RowsAffected(); err != nil {
		return fmt.Errorf("delete API key: %w", err)
	} else if n == 0 {
		return ErrNoKey
	}
	return nil
}

// Find returns the API key that a key is. It is found by its SHA-256, so the time the
// look-up takes tells nothing about the key. ErrNoKey.
func (a *APIKeys) Find(ctx context.Context, key string) (APIKey, error) {
	var k APIKey
	err := a.db.QueryRowContext(ctx, `SELECT id, project_id, name, prefix, created_at FROM api_keys WHERE key_hash = $1`, hash(key)).
		Scan(&k.ID, &k.ProjectID, &k.Name, &k.Prefix, &k.CreatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return APIKey{}, ErrNoKey
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("look up API key: %w", err)
	}
	return k, nil
}
