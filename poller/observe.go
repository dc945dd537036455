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
	Complete, Incremental           PollsSeen
	CanIncrement                    bool      // the connector has a proven filter for what changed
	IncrementalSchedule             *Schedule // in force; nil: all listings are complete
	IncrementalOwn                  bool      // it was set for the stream
	Updates, Deletions              int64     // told of since Since: created and updated, deleted; a first listing's are none
	Since                           time.Time // when observing began
	Limits                          providers.Limits
}

// PollsSeen are a stream's polls of one kind, ever.
type PollsSeen struct {
	Polls, Requests int64
	Duration        time.Duration // of the last one that succeeded; 0: none did
}

// Observations returns what was seen of the streams of a project that are polled, since
// a time or since their account exists. Those of an account come one after another.
func (s *Streams) Observations(ctx context.Context, projectID string, since time.Time) ([]Observation, error) {
	rows, err := s.DB.QueryContext(ctx, `SELECT s.account_id, s.record_type, a.provider, s.schedule, a.schedule, coalesce(r.schedule, ''),
			s.incremental_schedule <> '' AS own, `+incrementalInForce+`, s.polls - s.incremental_polls, s.requests - s.incremental_requests, s.complete_ms,
			s.incremental_polls, s.incremental_requests, s.incremental_ms, a.created_at, coalesce(c.updates, 0), coalesce(c.deletions, 0)
		FROM streams s
		JOIN accounts a ON a.id = s.account_id
		LEFT JOIN record_type_schedules r ON r.project_id = a.project_id AND r.record_type = s.record_type
		LEFT JOIN (SELECT p.stream_id, CAST(sum(p.created + p.updated) AS bigint) AS updates, CAST(sum(p.deleted) AS bigint) AS deletions FROM polls p
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
	var own, account, recordType, incremental string
	var created time.Time
	all, part := &o.Complete, &o.Incremental
	if err := rows.Scan(&o.AccountID, &o.RecordType, &o.Provider, &own, &account, &recordType, &o.IncrementalOwn, &incremental,
		&all.Polls, &all.Requests, &all.Duration, &part.Polls, &part.Requests, &part.Duration, &created, &o.Updates, &o.Deletions); err != nil {
		return o, err
	}
	all.Duration, part.Duration = all.Duration*time.Millisecond, part.Duration*time.Millisecond
	o.Since = since
	if created.After(since) {
		o.Since = created
	}
	if connector, err := s.Catalog.Connector(o.Provider); err == nil {
		o.Limits = connector.Limits()
	}
	info := s.streamOf(o.Provider, o.RecordType)
	o.Schedule, o.ScheduleFrom = s.schedules.inForce(own, account, recordType, info.Schedule)
	if o.CanIncrement = info.Since; info.Since && incremental != "" {
		fast := s.schedules.parse(incremental)
		o.IncrementalSchedule = &fast
	}
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
