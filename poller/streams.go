package poller

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// States of a stream, the first that fits.
const (
	StreamPaused         = "paused"          // it, or its account
	StreamNeedsAttention = "needs_attention" // it, or its account: the provider refuses it
	StreamQuarantined    = "quarantined"
	StreamFailing        = "failing" // its last poll failed
	StreamNew            = "new"     // never listed completely
	StreamOK             = "ok"
)

// Stream is one account × one record type. Zero times: not yet, or not scheduled.
type Stream struct {
	ID                                       int64
	AccountID, RecordType, Provider          string
	State                                    string
	Schedule, ScheduleFrom                   string // the one in force
	IncrementalSchedule                      string // of polls that ask for changes alone; "": there are none
	Baseline                                 string // silent or emit
	IgnorePaths                              []string
	ChangedFields                            bool     // are told
	DigestPaths                              []string // whose changes are told apart, beside the connector's
	QuarantineThreshold                      int      // percent: more of the records missing in one poll (and more than ten) are held
	ReleaseAfter                             int      // listings that miss the very same records decide a quarantine; 0: only a person does
	NextPollAt                               time.Time
	LastPollAt, LastCompleteAt, LastChangeAt time.Time
	LastDurationMS                           int64
	LastError                                string
	Failures                                 int // in a row
	Polls                                    int64
	Records                                  int64 // in the last complete listing
	Suspected                                int
	Hidden                                   int      // missing, but there when asked for
	HiddenSample                             []string // ids of some of them
	Quarantine                               *Quarantine
	Polling                                  bool      // a poll is under way
	Progress                                 *Progress // of its complete listing, or of one that was interrupted
}

// Quarantine is a change too big to believe, held for a decision.
type Quarantine struct {
	Reason           string
	Missing          int
	Created, Updated int64    // held with it
	Fields           []string // of a storm of updates: those that changed in most records
	Polls            int      // listings that found the same set
	Since            time.Time
	Sample           []string // ids of some that are missing, or updated where none is
	Approved         bool     // by a person; the next poll acts on it
}

// Streams manages streams and the schedules of record types. Errors are ErrNotFound and
// *InvalidError where the caller is to blame.
type Streams struct{ *core }

// NewStreams returns the streams of a database.
func NewStreams(c Config) *Streams { return &Streams{newCore(c)} }

// StreamQuery selects streams of a project: of one account or ("") all, behind the one
// with the id After, at most Limit.
type StreamQuery struct {
	AccountID string
	After     int64
	Limit     int
}

// List returns streams by id.
func (s *Streams) List(ctx context.Context, projectID string, q StreamQuery) ([]Stream, error) {
	return s.streams(ctx, `a.project_id = $1 AND ($2 = '' OR s.account_id = $2) AND s.id > $3 ORDER BY s.id LIMIT $4`, projectID, q.AccountID, q.After, q.Limit)
}

// Get returns one stream.
func (s *Streams) Get(ctx context.Context, projectID, accountID, recordType string) (Stream, error) {
	streams, err := s.streams(ctx, `a.project_id = $1 AND s.account_id = $2 AND s.record_type = $3`, projectID, accountID, recordType)
	if err != nil {
		return Stream{}, err
	}
	if len(streams) == 0 {
		return Stream{}, s.noStream(ctx, projectID, accountID)
	}
	return streams[0], nil
}

// noStream says which streams the account has instead.
func (s *Streams) noStream(ctx context.Context, projectID, accountID string) error {
	accounts, err := selectAccounts(ctx, s.DB, `a.project_id = $1 AND a.id = $2`, projectID, accountID)
	switch {
	case err != nil:
		return err
	case len(accounts) == 0:
		return notFound("account")
	}
	return fmt.Errorf("%w: the account has %s", notFound("stream"), strings.Join(accounts[0].RecordTypes, ", "))
}

func (s *Streams) streams(ctx context.Context, where string, args ...any) ([]Stream, error) {
	rows, err := s.DB.QueryContext(ctx, `SELECT s.id, s.account_id, s.record_type, a.provider, a.state, s.paused, s.refusals,
			s.schedule, `+incrementalInForce+`, a.schedule AS account_schedule, coalesce(r.schedule, '') AS type_schedule,
			CASE WHEN s.baseline = '' THEN a.baseline ELSE s.baseline END AS baseline, s.ignore_paths, s.changed_fields, s.digest_paths, s.quarantine_percent, s.release_after,
			s.next_poll_at, s.last_poll_at, s.last_complete_at, s.last_change_at, s.last_duration_ms, s.last_error, s.failures, s.polls, s.records,
			coalesce(length(d.suspected) / 8, 0) AS suspected, coalesce(length(d.quarantined) / 8, 0) AS quarantined,
			coalesce(length(d.stormed) / 8, 0) AS stormed, coalesce(d.fields, '[]') AS fields,
			coalesce(d.approved, false) AS approved, coalesce(d.reason, '') AS reason, coalesce(d.sample, '[]') AS sample,
			coalesce(d.created, 0) AS created, coalesce(d.updated, 0) AS updated, coalesce(d.polls, 0) AS listings, d.since_at AS doubted_since,
			coalesce(length(d.hidden) / 16, 0) AS hidden, coalesce(d.hidden_sample, '[]') AS hidden_sample,
			coalesce(s.lease_until >= `+s.now+`, false) AS running, l.started_at, l.updated_at, coalesce(l.pages, 0) AS pages_read,
			coalesce(l.records, 0) AS records_read, coalesce(l.total, -1) AS total, coalesce(l.resumed, 0) AS resumed, l.position IS NOT NULL AS resumable
		FROM streams s
		JOIN accounts a ON a.id = s.account_id
		LEFT JOIN record_type_schedules r ON r.project_id = a.project_id AND r.record_type = s.record_type
		LEFT JOIN doubts d ON d.stream_id = s.id
		LEFT JOIN listings l ON l.stream_id = s.id
		WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read streams: %w", err)
	}
	defer rows.Close()
	var streams []Stream
	for rows.Next() {
		stream, err := s.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read streams: %w", err)
		}
		streams = append(streams, stream)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read streams: %w", err)
	}
	return streams, nil
}

func (s *Streams) scan(rows *sql.Rows) (Stream, error) {
	var v Stream
	var q Quarantine
	var accountState, own, account, recordType, ignore, digest, sample, hiddenSample, fields string
	var paused, resumable bool
	var stormed, refusals int
	var next, last, complete, change, since, started, updated sql.NullTime
	var p Progress
	if err := rows.Scan(&v.ID, &v.AccountID, &v.RecordType, &v.Provider, &accountState, &paused, &refusals, &own, &v.IncrementalSchedule, &account, &recordType, &v.Baseline, &ignore, &v.ChangedFields, &digest, &v.QuarantineThreshold, &v.ReleaseAfter,
		&next, &last, &complete, &change, &v.LastDurationMS, &v.LastError, &v.Failures, &v.Polls, &v.Records,
		&v.Suspected, &q.Missing, &stormed, &fields, &q.Approved, &q.Reason, &sample, &q.Created, &q.Updated, &q.Polls, &since,
		&v.Hidden, &hiddenSample, &p.Running, &started, &updated, &p.Pages, &p.Records, &p.Total, &p.Resumed, &resumable); err != nil {
		return Stream{}, err
	}
	for _, list := range []struct {
		text string
		into *[]string
	}{{ignore, &v.IgnorePaths}, {digest, &v.DigestPaths}, {sample, &q.Sample}, {fields, &q.Fields}} {
		if err := json.Unmarshal([]byte(list.text), list.into); err != nil {
			return Stream{}, err
		}
	}
	if err := json.Unmarshal([]byte(hiddenSample), &v.HiddenSample); err != nil {
		return Stream{}, err
	}
	v.Polling, v.Progress = p.Running, progressOf(started, updated, p, resumable)
	if here, listing := s.Underway.of(v.ID); here {
		v.Polling, v.Progress = true, cmp.Or(listing, v.Progress)
	}
	v.NextPollAt, v.LastPollAt, v.LastCompleteAt, v.LastChangeAt = next.Time, last.Time, complete.Time, change.Time
	if q.Since = since.Time; q.Missing+stormed > 0 {
		v.Quarantine = &q
	}
	info := s.streamOf(v.Provider, v.RecordType)
	if !info.Since {
		v.IncrementalSchedule = ""
	}
	schedule, from := s.schedules.inForce(own, account, recordType, info.Schedule)
	v.Schedule, v.ScheduleFrom = schedule.String(), from
	switch {
	case paused || accountState == StatePaused:
		v.State = StreamPaused
	case accountState == StateNeedsAttention || refusals > 0:
		v.State = StreamNeedsAttention
	case v.Quarantine != nil:
		v.State = StreamQuarantined
	case v.Failures > 0:
		v.State = StreamFailing
	case !complete.Valid:
		v.State = StreamNew
	default:
		v.State = StreamOK
	}
	return v, nil
}

// streamOf is what the connector says of its streams; nothing where it is gone from the
// catalogue: their polls say so.
func (k *core) streamOf(provider, recordType string) (info providers.StreamInfo) {
	if connector, err := k.Catalog.Connector(provider); err == nil {
		info, _ = connector.Stream(recordType)
	}
	return info
}

// incrementalInForce is the incremental schedule of a stream (s, of an account a) in SQL:
// its own, or that of the record type (r) where the record type's schedule is in force.
const incrementalInForce = `CASE WHEN s.incremental_schedule = '' AND s.schedule = '' AND a.schedule = '' THEN coalesce(r.incremental_schedule, '')
	ELSE s.incremental_schedule END AS incremental_schedule`

// StreamUpdate changes what is not nil; an empty schedule or baseline returns to the
// next in precedence.
type StreamUpdate struct {
	Schedule            *string
	IncrementalSchedule *string // "": none
	Baseline            *string
	IgnorePaths         *[]string // added to the connector's
	ChangedFields       *bool     // tell them
	DigestPaths         *[]string // added to the connector's
	QuarantineThreshold *int      // percent, 1 to 100
	ReleaseAfter        *int      // 2 or more; 0: never
	Paused              *bool
}

const maxReleaseAfter = 1000

// Update changes a stream. Polls under way are revoked where they would end otherwise
// than the update wants.
func (s *Streams) Update(ctx context.Context, projectID, accountID, recordType string, u StreamUpdate) (Stream, error) {
	stream, err := s.Get(ctx, projectID, accountID, recordType)
	if err != nil {
		return Stream{}, err
	}
	if err := s.checkUpdate(ctx, stream, u); err != nil {
		return Stream{}, err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error { return s.update(ctx, tx, stream.ID, u) })
	if err != nil {
		return Stream{}, err
	}
	s.woken()
	return s.Get(ctx, projectID, accountID, recordType)
}

func (s *Streams) update(ctx context.Context, tx *sql.Tx, id int64, u StreamUpdate) error {
	set := func(what string, err error) error {
		if err != nil {
			return fmt.Errorf("set stream's %s: %w", what, err)
		}
		return nil
	}
	if u.Baseline != nil {
		_, err := tx.ExecContext(ctx, `UPDATE streams SET baseline = $1 WHERE id = $2`, *u.Baseline, id)
		if err := set("baseline", err); err != nil {
			return err
		}
	}
	if u.IgnorePaths != nil {
		paths, err := json.Marshal(append([]string{}, *u.IgnorePaths...))
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE streams SET ignore_paths = $1, fence = fence + 1, lease_owner = '', lease_until = NULL WHERE id = $2`, string(paths), id)
		}
		if err := set("ignored paths", err); err != nil {
			return err
		}
	}
	if u.ChangedFields != nil || u.DigestPaths != nil {
		if err := set("fields", s.updateFields(ctx, tx, id, u)); err != nil {
			return err
		}
	}
	if u.QuarantineThreshold != nil || u.ReleaseAfter != nil {
		_, err := tx.ExecContext(ctx, `UPDATE streams SET quarantine_percent = coalesce($1, quarantine_percent), release_after = coalesce($2, release_after),
			fence = fence + 1, lease_owner = '', lease_until = NULL WHERE id = $3`, u.QuarantineThreshold, u.ReleaseAfter, id)
		if err := set("quarantine", err); err != nil {
			return err
		}
	}
	if u.Schedule != nil || u.IncrementalSchedule != nil {
		_, err := tx.ExecContext(ctx, `UPDATE streams SET schedule = coalesce($1, schedule), incremental_schedule = coalesce($2, incremental_schedule) WHERE id = $3`,
			u.Schedule, u.IncrementalSchedule, id)
		if err := set("schedule", err); err != nil {
			return err
		}
		if err := s.reschedule(ctx, tx, `s.id = $1`, id); err != nil {
			return err
		}
	}
	if u.Paused != nil {
		_, err := tx.ExecContext(ctx, `UPDATE streams SET paused = $1, fence = fence + 1, lease_owner = '', lease_until = NULL, next_poll_at = `+s.now+`, full_poll_at = NULL
			WHERE id = $2 AND paused <> $1`, *u.Paused, id)
		return set("pause", err)
	}
	return nil
}

func (s *Streams) checkUpdate(ctx context.Context, stream Stream, u StreamUpdate) error {
	if u.Schedule != nil && *u.Schedule != "" {
		if _, err := ParseSchedule(*u.Schedule, s.MinInterval); err != nil {
			return invalid("schedule", "%s", err)
		}
	}
	if err := s.checkIncremental(ctx, stream, u); err != nil {
		return err
	}
	if u.Baseline != nil && *u.Baseline != "" && *u.Baseline != BaselineSilent && *u.Baseline != BaselineEmit {
		return invalid("baseline", "must be silent, emit or empty")
	}
	if p := u.QuarantineThreshold; p != nil && (*p < 1 || *p > 100) {
		return invalid("quarantine_threshold", "must be a percentage from 1 to 100")
	}
	if n := u.ReleaseAfter; n != nil && *n != 0 && (*n < 2 || *n > maxReleaseAfter) {
		return invalid("release_after", "must be 2 to %d listings, or 0 for never", maxReleaseAfter)
	}
	var info providers.StreamInfo
	if connector, err := s.Catalog.Connector(stream.Provider); err == nil {
		info, _ = connector.Stream(stream.RecordType)
	}
	if u.DigestPaths != nil {
		if err := checkDigestPaths(info, *u.DigestPaths); err != nil {
			return invalid("digest_paths", "%s", err)
		}
	}
	if u.IgnorePaths != nil {
		if _, err := diff.NewCanonicalizer(rulesOf(info, *u.IgnorePaths)); err != nil {
			return invalid("ignore_paths", "%s", err)
		}
	}
	return nil
}

// inTx runs change in a transaction.
func (k *core) inTx(ctx context.Context, change func(tx *sql.Tx) error) error {
	tx, err := k.DB.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	if err := change(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
