package poller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// StreamLate is what StreamFilter takes beside the states: streams that are due and
// were not polled.
const StreamLate = "late"

// lateAfter is how long after its time a poll may begin without being late.
const lateAfter = time.Minute

// TypeHealth is how the streams of one record type of a project are.
type TypeHealth struct {
	RecordType string
	States     map[string]int // streams by state
	Late       int            // of those that are ok or new: due, and not polled for a minute
	Records    int64          // in the last complete listings
}

// Streams is how many there are.
func (h TypeHealth) Streams() int {
	n := 0
	for _, count := range h.States {
		n += count
	}
	return n
}

// stateOf is Stream.State in SQL, of the streams s, accounts a and doubts d.
const stateOf = `CASE WHEN s.paused OR a.state = 'paused' THEN 'paused' WHEN a.state = 'needs_attention' OR s.refusals > 0 THEN 'needs_attention'
	WHEN length(d.quarantined) + length(d.stormed) > 0 THEN 'quarantined' WHEN s.failures > 0 THEN 'failing' WHEN s.last_complete_at IS NULL THEN 'new' ELSE 'ok' END`

// isLate says in SQL that a stream that should be polled is not; parameter is lateAfter
// in microseconds, negative.
func (k *core) isLate(parameter string) string {
	return `(coalesce(s.next_poll_at < ` + k.after(parameter) + `, false) AND s.failures = 0 AND NOT s.paused AND a.state = 'active' AND coalesce(length(d.quarantined) + length(d.stormed), 0) = 0)`
}

// Health tells how a project's streams are, by record type.
func (s *Streams) Health(ctx context.Context, projectID string) ([]TypeHealth, error) {
	rows, err := s.DB.QueryContext(ctx, `SELECT record_type, state, late, count(*), sum(records) FROM (
			SELECT s.record_type, `+stateOf+` AS state, `+s.isLate("$1")+` AS late, s.records
			FROM accounts a JOIN streams s ON s.account_id = a.id LEFT JOIN doubts d ON d.stream_id = s.id
			WHERE a.project_id = $2) AS streams
		GROUP BY record_type, state, late ORDER BY record_type`, -lateAfter.Microseconds(), projectID)
	if err != nil {
		return nil, fmt.Errorf("sum up streams: %w", err)
	}
	defer rows.Close()
	var all []TypeHealth
	for rows.Next() {
		var recordType, state string
		var late bool
		var streams int
		var records int64
		if err := rows.Scan(&recordType, &state, &late, &streams, &records); err != nil {
			return nil, fmt.Errorf("sum up streams: %w", err)
		}
		if len(all) == 0 || all[len(all)-1].RecordType != recordType {
			all = append(all, TypeHealth{RecordType: recordType, States: map[string]int{}})
		}
		h := &all[len(all)-1]
		h.States[state] += streams
		h.Records += records
		if late {
			h.Late += streams
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum up streams: %w", err)
	}
	return all, nil
}

// StreamFilter selects streams of a project; an empty field selects all.
type StreamFilter struct {
	States               []string // one of them, or StreamLate
	RecordType, Provider string
	AccountIDs           []string
	After                int64 // behind the one with this id
	Limit                int
}

// Find returns streams by id.
func (s *Streams) Find(ctx context.Context, projectID string, f StreamFilter) ([]Stream, error) {
	args := []any{projectID, f.After}
	where := []string{`a.project_id = $1`, `s.id > $2`}
	among := func(column string, values []string) string {
		var placeholders []string
		for _, v := range values {
			args = append(args, v)
			placeholders = append(placeholders, fmt.Sprintf("$%d", len(args)))
		}
		return column + ` IN (` + strings.Join(placeholders, ", ") + `)`
	}
	if len(f.States) > 0 {
		chosen := among(stateOf, f.States)
		if slices.Contains(f.States, StreamLate) {
			args = append(args, -lateAfter.Microseconds())
			chosen = `(` + chosen + ` OR ` + s.isLate(fmt.Sprintf("$%d", len(args))) + `)`
		}
		where = append(where, chosen)
	}
	if f.RecordType != "" {
		where = append(where, among("s.record_type", []string{f.RecordType}))
	}
	if f.Provider != "" {
		where = append(where, among("a.provider", []string{f.Provider}))
	}
	if len(f.AccountIDs) > 0 {
		where = append(where, among("s.account_id", f.AccountIDs))
	}
	args = append(args, f.Limit)
	return s.streams(ctx, strings.Join(where, " AND ")+fmt.Sprintf(` ORDER BY s.id LIMIT $%d`, len(args)), args...)
}

// AccountFilter selects accounts of a project; an empty field selects all.
type AccountFilter struct {
	Text            string // in the id, the owner's id or name, or the user name; in any case
	Provider, State string
	After           string // behind the one with this id
	Limit           int
}

// Find returns accounts by id.
func (a *Accounts) Find(ctx context.Context, projectID string, f AccountFilter) ([]Account, error) {
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(f.Text)) + "%"
	return selectAccounts(ctx, a.DB, `a.id IN (SELECT id FROM accounts WHERE project_id = $1 AND id > $2
			AND ($3 = '' OR provider = $3) AND ($4 = '' OR state = $4)
			AND ($5 = '%%' OR lower(id) LIKE $5 ESCAPE '\' OR lower(origin_owner_id) LIKE $5 ESCAPE '\'
				OR lower(origin_owner_name) LIKE $5 ESCAPE '\' OR lower(origin_username) LIKE $5 ESCAPE '\')
			ORDER BY id LIMIT $6)`, projectID, f.After, f.Provider, f.State, pattern, f.Limit)
}

// AccountStates counts a project's accounts by state.
func (a *Accounts) AccountStates(ctx context.Context, projectID string) (map[string]int, error) {
	rows, err := a.DB.QueryContext(ctx, `SELECT state, count(*) FROM accounts WHERE project_id = $1 GROUP BY state`, projectID)
	if err != nil {
		return nil, fmt.Errorf("count accounts: %w", err)
	}
	defer rows.Close()
	states := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count accounts: %w", err)
		}
		states[state] = n
	}
	return states, rows.Err()
}
