// Package session keeps who is logged in to the dashboard.
//
// It owns the table sessions. A session is a random token in a cookie and a row that
// knows its hash: logging out ends it for whoever holds the cookie. It never outlives
// the key it was opened with: an API key that is deleted, or another admin key, ends it.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
)

// Lifetime is how long a session lasts, used or not.
const Lifetime = 7 * 24 * time.Hour

// ErrNone is returned for a token that opens no session, or no longer.
var ErrNone = errors.New("not logged in")

// Session is somebody who is logged in.
type Session struct {
	Admin   bool
	Project string // that is looked at; an API key's own
	KeyName string // of an API key
	Prefix  string // of an API key: its first characters
	hash    []byte
}

// Sessions are those of a database.
type Sessions struct {
	db   *sql.DB
	keys *keys.Keys
}

// New returns the sessions that db keeps.
func New(db *sql.DB, k *keys.Keys) *Sessions { return &Sessions{db, k} }

// OpenAdmin opens a session for who has shown the admin key, and returns its token.
func (s *Sessions) OpenAdmin(ctx context.Context, project string) (string, error) {
	return s.open(ctx, nil, s.keys.AdminMark(), project)
}

// OpenKey opens a session for who has shown an API key, and returns its token.
func (s *Sessions) OpenKey(ctx context.Context, k keys.APIKey) (string, error) {
	return s.open(ctx, k.ID, nil, k.ProjectID)
}

func (s *Sessions) open(ctx context.Context, keyID any, mark []byte, project string) (string, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	now := time.Now().UTC()
	if _, err := s.db.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at < $1`, now); err != nil {
		return "", fmt.Errorf("forget old sessions: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(random[:])
	if _, err := s.db.ExecContext(ctx, `INSERT INTO sessions (token_hash, api_key_id, admin_mark, project_id, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		hash(token), keyID, mark, project, now.Add(Lifetime)); err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	return token, nil
}

// Find returns the session that a token opens. ErrNone.
func (s *Sessions) Find(ctx context.Context, token string) (Session, error) {
	if token == "" {
		return Session{}, ErrNone
	}
	v := Session{hash: hash(token)}
	var mark []byte
	var name, prefix sql.NullString
	err := s.db.QueryRowContext(ctx, `SELECT s.admin_mark, s.project_id, k.name, k.prefix
		FROM sessions s LEFT JOIN api_keys k ON k.id = s.api_key_id
		WHERE s.token_hash = $1 AND s.expires_at > $2`, v.hash, time.Now().UTC()).Scan(&mark, &v.Project, &name, &prefix)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, ErrNone
	}
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	if mark != nil && !s.keys.IsAdminMark(mark) {
		return Session{}, ErrNone
	}
	v.Admin, v.KeyName, v.Prefix = mark != nil, name.String, prefix.String
	return v, nil
}

// LookAt changes the project that an admin's session looks at.
func (s *Sessions) LookAt(ctx context.Context, v Session, project string) error {
	if _, err := s.db.ExecContext(ctx, `UPDATE sessions SET project_id = $1 WHERE token_hash = $2 AND api_key_id IS NULL`, project, v.hash); err != nil {
		return fmt.Errorf("change project of session: %w", err)
	}
	return nil
}

// Close ends a session.
func (s *Sessions) Close(ctx context.Context, v Session) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = $1`, v.hash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
