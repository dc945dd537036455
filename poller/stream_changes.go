package poller

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// RequestPoll makes a stream due now, for a complete listing.
func (s *Streams) RequestPoll(ctx context.Context, projectID, accountID, recordType string) error {
	stream, err := s.Get(ctx, projectID, accountID, recordType)
	if err != nil {
		return err
	}
	if _, err := s.DB.ExecContext(ctx, `UPDATE streams SET next_poll_at = `+s.now+`, full_poll_at = NULL WHERE id = $1`, stream.ID); err != nil {
		return fmt.Errorf("request poll: %w", err)
	}
	s.woken()
	return nil
}

// Approve says that what is quarantined is true: the stream is polled at once, and those
// of the records that are still missing are deleted, those still updated are told. The error is an
// *InvalidError where nothing is quarantined.
func (s *Streams) Approve(ctx context.Context, projectID, accountID, recordType string) error {
	return s.decide(ctx, projectID, accountID, recordType, func(tx *sql.Tx, id int64) (sql.Result, error) {
		return tx.ExecContext(ctx, `UPDATE doubts SET approved = true WHERE stream_id = $1 AND length(quarantined) + length(stormed) > 0`, id)
	})
}

// Reject drops what is quarantined: the stream is polled at once and judged anew. What
// is still missing then is quarantined again. The error is an *InvalidError where
// nothing is quarantined.
func (s *Streams) Reject(ctx context.Context, projectID, accountID, recordType string) error {
	return s.decide(ctx, projectID, accountID, recordType, func(tx *sql.Tx, id int64) (sql.Result, error) {
		// What is hidden was asked for one by one: that is not in question.
		return tx.ExecContext(ctx, `UPDATE doubts SET suspected = $1, quarantined = $1, stormed = $1, approved = false
			WHERE stream_id = $2 AND length(quarantined) + length(stormed) > 0`, []byte{}, id)
	})
}

// decide changes a quarantine. A poll under way knows the old one: it is revoked.
func (s *Streams) decide(ctx context.Context, projectID, accountID, recordType string, change func(tx *sql.Tx, id int64) (sql.Result, error)) error {
	stream, err := s.Get(ctx, projectID, accountID, recordType)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE streams SET fence = fence + 1, lease_owner = '', lease_until = NULL, next_poll_at = `+s.now+`, full_poll_at = NULL
			WHERE id = $1`, stream.ID); err != nil {
			return fmt.Errorf("revoke poll: %w", err)
		}
		result, err := change(tx, stream.ID)
		if err != nil {
			return fmt.Errorf("decide on quarantine: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("decide on quarantine: %w", err)
		}
		if n == 0 {
			return invalid("stream", "nothing is quarantined")
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.woken()
	return nil
}

// Poll is a poll on record: one that found, doubted or failed something.
type Poll struct {
	ID        int64
	Number    int64 // of the stream's polls, those that found nothing included
	StartedAt time.Time
	Result
	Fields map[string]int // in how many of the updated records each changed, held ones included; nil: not known
}

// PurgePolls forgets polls that began before a time and returns how many. Nothing but
// what is shown of a stream's past depends on them.
func (s *Streams) PurgePolls(ctx context.Context, before time.Time) (int64, error) {
	result, err := s.DB.ExecContext(ctx, `DELETE FROM polls WHERE started_at < $1`, before.UTC())
	if err != nil {
		return 0, fmt.Errorf("purge polls: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("purge polls: %w", err)
	}
	return n, nil
}

// Polls returns a stream's polls on record, newest first, those before the id before
// (0: from the newest), at most limit. Their Requests are not on record.
func (s *Streams) Polls(ctx context.Context, streamID, before int64, limit int) ([]Poll, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := s.DB.QueryContext(ctx, `SELECT id, number, started_at, duration_ms, complete, incremental, pages, records, created, updated, deleted,
			suspected, quarantined, events, error, fields
		FROM polls WHERE stream_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, streamID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list polls: %w", err)
	}
	defer rows.Close()
	var polls []Poll
	for rows.Next() {
		var p Poll
		var fields string
		if err := rows.Scan(&p.ID, &p.Number, &p.StartedAt, &p.DurationMS, &p.Complete, &p.Incremental, &p.Pages, &p.Records, &p.Created, &p.Updated, &p.Deleted,
			&p.Suspected, &p.Quarantined, &p.Events, &p.Error, &fields); err != nil {
			return nil, fmt.Errorf("list polls: %w", err)
		}
		if fields != "" {
			if err := json.Unmarshal([]byte(fields), &p.Fields); err != nil {
				return nil, fmt.Errorf("list polls: %w", err)
			}
		}
		polls = append(polls, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list polls: %w", err)
	}
	return polls, nil
}

// RecordTypeSchedule is a project's schedule for one record type.
// Its incremental schedule is for the streams whose connectors have a proven filter.
type RecordTypeSchedule struct{ RecordType, Schedule, IncrementalSchedule string }

// Schedules lists a project's schedules of record types, by record type.
func (s *Streams) Schedules(ctx context.Context, projectID string) ([]RecordTypeSchedule, error) {
	rows, err := s.DB.QueryContext(ctx, `SELECT record_type, schedule, incremental_schedule FROM record_type_schedules WHERE project_id = $1 ORDER BY record_type`, projectID)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	defer rows.Close()
	var schedules []RecordTypeSchedule
	for rows.Next() {
		var v RecordTypeSchedule
		if err := rows.Scan(&v.RecordType, &v.Schedule, &v.IncrementalSchedule); err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		schedules = append(schedules, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return schedules, nil
}

// SetSchedule sets a project's schedules for a record type; an empty one removes both.
// They are in force at once for every stream that has none of its own and whose account
// has none.
func (s *Streams) SetSchedule(ctx context.Context, projectID string, v RecordTypeSchedule) error {
	if v.Schedule != "" {
		if err := s.Catalog.CheckRecordType(v.RecordType); err != nil {
			return invalid("record_type", "%s", err)
		}
		if _, err := ParseSchedule(v.Schedule, s.MinInterval); err != nil {
			return invalid("schedule", "%s", err)
		}
	}
	if v.IncrementalSchedule != "" {
		if v.Schedule == "" {
			return invalid("incremental_schedule", "goes with a schedule of complete listings: set that, too")
		}
		if _, err := ParseSchedule(v.IncrementalSchedule, s.MinInterval); err != nil {
			return invalid("incremental_schedule", "%s", err)
		}
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM record_type_schedules WHERE project_id = $1 AND record_type = $2`, projectID, v.RecordType); err != nil {
			return fmt.Errorf("remove schedule: %w", err)
		}
		if v.Schedule != "" {
			if _, err := tx.ExecContext(ctx, `INSERT INTO record_type_schedules (project_id, record_type, schedule, incremental_schedule) VALUES ($1, $2, $3, $4)`,
				projectID, v.RecordType, v.Schedule, v.IncrementalSchedule); err != nil {
				return fmt.Errorf("set schedule: %w", err)
			}
		}
		return s.reschedule(ctx, tx, `a.project_id = $1 AND s.record_type = $2 AND s.schedule = '' AND a.schedule = ''`, projectID, v.RecordType)
	})
	if err != nil {
		return err
	}
	s.woken()
	return nil
}

// reschedule sets the next poll of streams whose schedule has changed. Those that were
// never polled stay due at once. A poll under way goes on, and leaves the new time.
func (k *core) reschedule(ctx context.Context, tx *sql.Tx, where string, args ...any) error {
	rows, err := tx.QueryContext(ctx, `SELECT s.id, s.account_id, s.record_type, a.provider, s.schedule, `+incrementalInForce+`, a.schedule AS account_schedule,
			coalesce(r.schedule, '') AS type_schedule
		FROM streams s
		JOIN accounts a ON a.id = s.account_id
		LEFT JOIN record_type_schedules r ON r.project_id = a.project_id AND r.record_type = s.record_type
		WHERE s.last_poll_at IS NOT NULL AND `+where+` ORDER BY s.id`, args...)
	if err != nil {
		return fmt.Errorf("find streams to reschedule: %w", err)
	}
	defer rows.Close()
	now := time.Now()
	type due struct {
		id   int64
		at   time.Time
		full sql.NullTime
	}
	var next []due // by id: the order in which everybody locks streams
	for rows.Next() {
		var id int64
		var accountID, recordType, provider, own, incremental, account, ofType string
		if err := rows.Scan(&id, &accountID, &recordType, &provider, &own, &incremental, &account, &ofType); err != nil {
			return fmt.Errorf("find streams to reschedule: %w", err)
		}
		info := k.streamOf(provider, recordType)
		schedule, _ := k.schedules.inForce(own, account, ofType, info.Schedule)
		d, key := due{id: id}, accountID+"/"+recordType
		if d.at = schedule.Next(now, key); incremental != "" && info.Since {
			d.full = sql.NullTime{Time: d.at, Valid: true}
			if fast := k.schedules.parse(incremental).Next(now, key); fast.Before(d.at) {
				d.at = fast
			}
		}
		next = append(next, d)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("find streams to reschedule: %w", err)
	}
	for _, d := range next {
		if _, err := tx.ExecContext(ctx, `UPDATE streams SET next_poll_at = $1, full_poll_at = $2 WHERE id = $3`, d.at, d.full, d.id); err != nil {
			return fmt.Errorf("reschedule stream: %w", err)
		}
	}
	return nil
}
