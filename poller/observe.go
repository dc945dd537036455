package poller

import (
	"context"
	"database/sql"
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
// a time or since their account exists. They come in no order.
//
// There may be very many: what streams have in common is read once, and what few have is
// read of those.
func (s *Streams) Observations(ctx context.Context, projectID string, since time.Time) ([]Observation, error) {
	o := observer{Streams: s, since: since, accounts: map[string]observedAccount{}, types: map[string]RecordTypeSchedule{}, parts: map[int64]observedPart{}, told: map[int64][2]int64{}}
	if err := o.readCommon(ctx, projectID); err != nil {
		return nil, err
	}
	all := make([]Observation, 0, 4*len(o.accounts)) // most have no more; they are big
	var v Observation                                // of all rows one: Scan would have each on the heap
	var id int64
	var own string
	err := s.eachRow(ctx, "read what polls have shown", func(rows *sql.Rows) error {
		v = Observation{}
		if err := rows.Scan(&id, &v.AccountID, &v.RecordType, &own, &v.Complete.Polls, &v.Complete.Requests, &v.Complete.Duration); err != nil {
			return err
		}
		if account, ok := o.accounts[v.AccountID]; ok { // else it is newer than what was read
			o.complete(&v, id, own, account)
			all = append(all, v)
		}
		return nil
	}, `SELECT s.id, s.account_id, s.record_type, s.schedule, s.polls - s.incremental_polls, s.requests - s.incremental_requests, s.complete_ms
		FROM streams s JOIN accounts a ON a.id = s.account_id
		WHERE a.project_id = $1 AND a.state = 'active' AND NOT s.paused`, projectID)
	return all, err
}

// observer has what is known of streams beside their own rows.
type observer struct {
	*Streams
	since    time.Time
	accounts map[string]observedAccount
	types    map[string]RecordTypeSchedule
	parts    map[int64]observedPart // of streams with polls that ask for changes only
	told     map[int64][2]int64     // updates and deletions
}

type observedAccount struct {
	provider, schedule string
	created            time.Time
}

type observedPart struct {
	PollsSeen
	own string // schedule
}

func (o *observer) readCommon(ctx context.Context, projectID string) error {
	types, err := o.Schedules(ctx, projectID)
	if err != nil {
		return err
	}
	for _, t := range types {
		o.types[t.RecordType] = t
	}
	const what = "read what polls have shown"
	if err := o.eachRow(ctx, what, func(rows *sql.Rows) error {
		var id string
		var a observedAccount
		err := rows.Scan(&id, &a.provider, &a.schedule, &a.created)
		o.accounts[id] = a
		return err
	}, `SELECT id, provider, schedule, created_at FROM accounts WHERE project_id = $1 AND state = 'active'`, projectID); err != nil {
		return err
	}
	if err := o.eachRow(ctx, what, func(rows *sql.Rows) error {
		var id int64
		var p observedPart
		err := rows.Scan(&id, &p.own, &p.Polls, &p.Requests, &p.Duration)
		o.parts[id] = p
		return err
	}, `SELECT s.id, s.incremental_schedule, s.incremental_polls, s.incremental_requests, s.incremental_ms
		FROM streams s JOIN accounts a ON a.id = s.account_id WHERE a.project_id = $1 AND (s.incremental_polls > 0 OR s.incremental_schedule <> '')`, projectID); err != nil {
		return err
	}
	return o.eachRow(ctx, what, func(rows *sql.Rows) error {
		var id int64
		var told [2]int64
		err := rows.Scan(&id, &told[0], &told[1])
		o.told[id] = told
		return err
	}, `SELECT p.stream_id, CAST(sum(p.created + p.updated) AS bigint), CAST(sum(p.deleted) AS bigint)
		FROM polls p JOIN streams s ON s.id = p.stream_id JOIN accounts a ON a.id = s.account_id
		WHERE a.project_id = $1 AND p.started_at >= $2 AND p.id > (SELECT min(f.id) FROM polls f WHERE f.stream_id = p.stream_id AND f.complete)
		GROUP BY p.stream_id`, projectID, o.since.UTC())
}

// complete adds to what stands in a stream's row, own being its schedule.
func (o *observer) complete(v *Observation, id int64, own string, account observedAccount) {
	part, told := o.parts[id], o.told[id]
	v.Provider, v.Incremental, v.Updates, v.Deletions = account.provider, part.PollsSeen, told[0], told[1]
	v.Complete.Duration, v.Incremental.Duration = v.Complete.Duration*time.Millisecond, v.Incremental.Duration*time.Millisecond
	if v.Since = o.since; account.created.After(o.since) {
		v.Since = account.created
	}
	if connector, err := o.Catalog.Connector(v.Provider); err == nil {
		v.Limits = connector.Limits()
	}
	info, byType := o.streamOf(v.Provider, v.RecordType), o.types[v.RecordType]
	v.Schedule, v.ScheduleFrom = o.schedules.inForce(own, account.schedule, byType.Schedule, info.Schedule)
	incremental := part.own
	if v.IncrementalOwn = incremental != ""; !v.IncrementalOwn && own == "" && account.schedule == "" { // as incrementalInForce
		incremental = byType.IncrementalSchedule
	}
	if v.CanIncrement = info.Since; info.Since && incremental != "" {
		fast := o.schedules.parse(incremental)
		v.IncrementalSchedule = &fast
	}
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
