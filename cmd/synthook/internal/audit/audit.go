// Package audit keeps who changed what, and when.
//
// It owns the table audit. An entry names what was done and to what, and who did it; it
// never holds what was sent: that may be a credential.
package audit

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"
)

// Ways in which a change comes.
const (
	ViaAPI       = "api"
	ViaDashboard = "dashboard"
)

// Entry is one change.
type Entry struct {
	ID        int64
	ProjectID string
	At        time.Time
	Actor     string // "admin key", or an API key by its name and first characters
	Via       string
	Action    string // account created, webhook enable, …
	Target    string // ids, as they stand in the path
}

// Trail is the audit log of a database.
type Trail struct{ db *sql.DB }

// New returns the audit log that db keeps.
func New(db *sql.DB) *Trail { return &Trail{db} }

// Add writes an entry; its ID and At are given here.
func (t *Trail) Add(ctx context.Context, e Entry) error {
	_, err := t.db.ExecContext(ctx, `INSERT INTO audit (project_id, at, actor, via, action, target) VALUES ($1, $2, $3, $4, $5, $6)`,
		e.ProjectID, time.Now().UTC(), e.Actor, e.Via, e.Action, e.Target)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// List returns up to limit entries of a project, the newest first, before the one with
// the given id (0: from the newest).
func (t *Trail) List(ctx context.Context, projectID string, before int64, limit int) ([]Entry, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := t.db.QueryContext(ctx, `SELECT id, project_id, at, actor, via, action, target FROM audit
		WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, projectID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.ID, &e.ProjectID, &e.At, &e.Actor, &e.Via, &e.Action, &e.Target); err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return entries, nil
}

// Retention is how long entries are kept.
const Retention = 400 * 24 * time.Hour

// Purge forgets entries made before a time and returns how many.
func (t *Trail) Purge(ctx context.Context, before time.Time) (int64, error) {
	result, err := t.db.ExecContext(ctx, `DELETE FROM audit WHERE at < $1`, before.UTC())
	if err != nil {
		return 0, fmt.Errorf("purge audit log: %w", err)
	}
	return result.RowsAffected()
}
