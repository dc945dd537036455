package poller

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/synthook/synthook/providers"
)

// Observation is what the polls of a stream have shown, for whoever thinks about its
// schedule.
type Observation struct {
	AccountID, RecordType, Provider string
	Schedule                        Schedule // in force
	ScheduleFrom                    string
	Polls, Requests                 int64         // ever
	Changes                         int64         // told of since Since; a first listing's are none
	Since                           time.Time     // when observing began
	Duration                        time.Duration // of the last poll
	Limits                          providers.Limits
}

// Observations returns what was seen of the streams of a project that are polled, since
// a time or since their account exists. Those of an account come one after another.
func (s *Streams) Observations(ctx context.Context, projectID string, since time.Time) ([]Observation, error) {
	rows, err := s.DB.QueryContext(ctx, `SELECT s.account_id, s.record_type, a.provider, s.schedule, a.schedule, coalesce(r.schedule, ''),
			s.polls, s.requests, s.last_duration_ms, a.created_at, coalesce(c.changes, 0)
		FROM streams s
		JOIN accounts a ON a.id = s.account_id
		LEFT JOIN record_type_schedules r ON r.project_id = a.project_id AND r.record_type = s.record_type
		LEFT JOIN (SELECT p.stream_id, CAST(sum(p.created + p.updated + p.deleted) AS bigint) AS changes FROM polls p
			WHERE p.started_at >= $2 AND p.id > (SELECT min(f.id) FROM polls f WHERE f.stream_id = p.stream_id AND f.complete)
			GROUP BY p.stream_id) c ON c.stream_id = s.id
		WHERE a.project_id = $1 AND a.state = 'active' AND NOT s.paused ORDER BY s.account_id, s.record_type`, projectID, since.UTC())
	if err != nil {
		return nil, fmt.Errorf("read what polls have shown: %w", err)
	}
	defer rows.Close()
	var all []Observation
	for rows.Next() {
		o, err := s.observation(rows, since)
		if err != nil {
			return nil, fmt.Errorf("read what polls have shown: %w", err)
		}
		all = append(all, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what polls have shown: %w", err)
	}
	return all, nil
}

func (s *Streams) observation(rows *sql.Rows, since time.Time) (Observation, error) {
	var o Observation
	var own, account, recordType string
	var ms int64
	var created time.Time
	if err := rows.Scan(&o.AccountID, &o.RecordType, &o.Provider, &own, &account, &recordType, &o.Polls, &o.Requests, &ms, &created, &o.Changes); err != nil {
		return o, err
	}
	o.Duration, o.Since = time.Duration(ms)*time.Millisecond, since
	if created.After(since) {
		o.Since = created
	}
	preset := ""
	if connector, err := s.Catalog.Connector(o.Provider); err == nil {
		info, _ := connector.Stream(o.RecordType)
		preset, o.Limits = info.Schedule, connector.Limits()
	}
	o.Schedule, o.ScheduleFrom = s.schedules.inForce(own, account, recordType, preset)
	return o, nil
}

// FormatInterval writes an interval as a schedule: 1h30m.
func FormatInterval(d time.Duration) string { return plain(d) }

// Cron tells whether the schedule is a cron expression: polls at times that somebody
// chose, rather than every so often.
func (s Schedule) Cron() bool { return s.cron != nil }

// Gaps are the times between polls: one for an interval; of a cron expression those of
// the coming four weeks, so far as it fires, or else the next one.
func (s Schedule) Gaps(now time.Time) []time.Duration {
	if s.cron == nil {
		return []time.Duration{s.every}
	}
	last := s.Next(now, "")
	var gaps []time.Duration
	for end := last.Add(28 * 24 * time.Hour); last.Before(end) && len(gaps) < 10_000; {
		next := s.Next(last, "")
		gaps = append(gaps, next.Sub(last))
		last = next
	}
	return gaps
}
