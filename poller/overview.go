package poller

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StreamLate is what StreamFilter takes beside the states: streams that are due and
// were not polled.
const StreamLate = "late"

// lateAfter is how long after its time a poll may begin without being late.
const lateAfter = time.Minute

// Health is how the streams of a project are.
type Health struct {
	Types   []TypeHealth       // by record type
	Wanting map[string][]int64 // by state, or StreamLate: the first streams that need attention, at most wantingKept of each
}

// TypeHealth is how the streams of one record type are.
type TypeHealth struct {
	RecordType string
	States     map[string]int // streams by state
	Late       int            // of those that are ok or new: due, and not polled for a minute
	Records    int64          // in the last complete listings
}

// wantingKept is as many as anybody looks at one by one.
const wantingKept = 10

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

// Health tells how a project's streams are. Streams that are well are only counted, which
// is most of the work saved: nearly all of them are.
func (s *Streams) Health(ctx context.Context, projectID string) (Health, error) {
	h := Health{Wanting: map[string][]int64{}}
	types := map[string]*TypeHealth{}
	err := s.eachRow(ctx, "sum up streams", func(rows *sql.Rows) error {
		t := TypeHealth{States: map[string]int{}}
		var streams int
		err := rows.Scan(&t.RecordType, &streams, &t.Records)
		t.States[StreamOK] = streams
		h.Types = append(h.Types, t)
		return err
	}, `SELECT s.record_type, count(*), sum(s.records) FROM accounts a JOIN streams s ON s.account_id = a.id
		WHERE a.project_id = $1 GROUP BY s.record_type ORDER BY s.record_type`, projectID)
	for i := range h.Types {
		types[h.Types[i].RecordType] = &h.Types[i]
	}
	if err != nil {
		return h, err
	}
	err = s.eachRow(ctx, "sum up streams", func(rows *sql.Rows) error {
		var id int64
		var recordType, state string
		var late bool
		if err := rows.Scan(&id, &recordType, &state, &late); err != nil {
			return err
		}
		if t := types[recordType]; t != nil { // else it is newer than the sums
			t.States[StreamOK]--
			t.States[state]++
			if late {
				t.Late++
			}
		}
		h.want(id, state, late)
		return nil
	}, `SELECT s.id, s.record_type, `+stateOf+`, `+s.isLate("$1")+`
		FROM accounts a JOIN streams s ON s.account_id = a.id LEFT JOIN doubts d ON d.stream_id = s.id
		WHERE a.project_id = $2 AND (s.failures > 0 OR s.paused OR s.last_complete_at IS NULL OR s.next_poll_at < `+s.after("$1")+` OR a.state <> 'active' OR d.stream_id IS NOT NULL)
		ORDER BY s.id`, -lateAfter.Microseconds(), projectID)
	return h, err
}

func (h *Health) want(id int64, state string, late bool) {
	keep := func(state string) {
		if len(h.Wanting[state]) < wantingKept {
			h.Wanting[state] = append(h.Wanting[state], id)
		}
	}
	switch state {
	case StreamNeedsAttention, StreamQuarantined, StreamFailing:
		keep(state)
	}
	if late {
		keep(StreamLate)
	}
}

// eachRow visits the rows of a query; what is being done stands before its errors.
func (s *Streams) eachRow(ctx context.Context, what string, visit func(rows *sql.Rows) error, query string, args ...any) error {
	rows, err := s.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// StreamFilter selects streams of a project; an empty field selects all.
type StreamFilter struct {
	IDs                  []int64
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
	if len(f.IDs) > 0 {
		var ids []string
		for _, id := range f.IDs {
			ids = append(ids, strconv.FormatInt(id, 10))
		}
		where = append(where, `s.id IN (`+strings.Join(ids, ", ")+`)`)
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

// Names are the names of the owners of some accounts of a project, by id; an account
// without one is left out.
func (a *Accounts) Names(ctx context.Context, projectID string, ids []string) (map[string]string, error) {
	names := map[string]string{}
	if len(ids) == 0 {
		return names, nil
	}
	args, placeholders := []any{projectID}, []string{}
	for _, id := range ids {
		args = append(args, id)
		placeholders = append(placeholders, fmt.Sprintf("$%d", len(args)))
	}
	rows, err := a.DB.QueryContext(ctx, `SELECT id, origin_owner_name FROM accounts
		WHERE project_id = $1 AND origin_owner_name <> '' AND id IN (`+strings.Join(placeholders, ", ")+`)`, args...)
	if err != nil {
		return nil, fmt.Errorf("read names of accounts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, fmt.Errorf("read names of accounts: %w", err)
		}
		names[id] = name
	}
	return names, rows.Err()
}

// CredentialNames are the names of the credentials that an account has, and nothing of
// their values: none of those that can't be unsealed, which have to be given anew.
// ErrNotFound.
func (a *Accounts) CredentialNames(ctx context.Context, projectID, id string) ([]string, error) {
	_, sealed, err := a.read(ctx, projectID, id)
	if err != nil {
		return nil, err
	}
	credentials, err := openCredentials(a.Sealer, id, sealed)
	if err != nil {
		a.Logger.Warn().Err(err).Str("account_id", id).Msg("credentials can't be read")
	}
	return slices.Sorted(maps.Keys(credentials)), nil
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
