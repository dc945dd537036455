package poller

import (
	"context"
	"fmt"
	"time"
)

// Report is what Config.OnPoll is told. It holds counts and names of record types, and
// nothing of a record.
type Report struct {
	AccountID, Provider, RecordType string

	// Outcome is one of unchanged, not_modified, baseline, changed, rebased, suspected,
	// quarantined, relisting (too many changes alone: a complete listing follows); of
	// polls that did not get to their end failed, throttled, needs_attention, conflict;
	// dropped where nothing was written.
	Outcome   string
	StartedAt time.Time // by this process's clock
	Result
}

func (a *attempt) report() {
	if a.OnPoll != nil {
		a.OnPoll(Report{
			AccountID: a.account.id, Provider: a.account.provider, RecordType: a.recordType,
			Outcome: a.outcome, StartedAt: a.started.Add(-a.clock), Result: a.result,
		})
	}
}

// silenced tells of a provider's wish for silence, unless it is over: that one stood in
// the account's row.
func (p *core) silenced(provider string, until time.Time) {
	if p.OnSilence != nil && time.Now().Before(until) {
		p.OnSilence(provider)
	}
}

// StreamSum is how the streams of one provider and record type are, over all projects.
// Ages and delays are those of streams that should be polled: neither they nor their
// account are paused or need attention.
type StreamSum struct {
	Provider, RecordType string

	States      map[string]int // streams by state
	Records     int64          // in the last complete listings
	Largest     int64          // of these listings
	Suspected   int64          // records
	Quarantined int64          // records that are missing or updated, and held
	Age         time.Duration  // of the oldest last complete listing; of a stream that has none, of its account
	Delay       time.Duration  // longest that a poll has been due and not begun, though nothing keeps it
}

// Sums tells how all streams are.
func (s *Streams) Sums(ctx context.Context) ([]StreamSum, error) {
	active := `CASE WHEN s.paused OR s.refusals > 0 OR a.state <> 'active' THEN NULL ELSE `
	rows, err := s.DB.QueryContext(ctx, `SELECT provider, record_type, state, count(*), sum(records), max(records), sum(suspected), sum(quarantined),
			coalesce(max(`+s.nowMicros+` - listed), 0), coalesce(max(`+s.nowMicros+` - due), 0)
		FROM (SELECT a.provider, s.record_type, s.records, coalesce(length(d.suspected) / 8, 0) AS suspected, coalesce((length(d.quarantined) + length(d.stormed)) / 8, 0) AS quarantined,
				`+stateOf+` AS state,
				`+active+s.micros("coalesce(s.last_complete_at, a.created_at)")+` END AS listed,
				`+active+`CASE WHEN s.next_poll_at < `+s.now+` AND coalesce(s.lease_until < `+s.now+`, true) AND coalesce(a.blocked_until < `+s.now+`, true)
					THEN `+s.micros("s.next_poll_at")+` END END AS due
			FROM streams s JOIN accounts a ON a.id = s.account_id LEFT JOIN doubts d ON d.stream_id = s.id) AS streams
		GROUP BY provider, record_type, state ORDER BY provider, record_type`)
	if err != nil {
		return nil, fmt.Errorf("sum up streams: %w", err)
	}
	defer rows.Close()
	var sums []StreamSum
	for rows.Next() {
		var part StreamSum
		var state string
		var streams int
		var age, delay int64
		if err := rows.Scan(&part.Provider, &part.RecordType, &state, &streams, &part.Records, &part.Largest, &part.Suspected, &part.Quarantined, &age, &delay); err != nil {
			return nil, fmt.Errorf("sum up streams: %w", err)
		}
		part.Age, part.Delay = time.Duration(age)*time.Microsecond, time.Duration(delay)*time.Microsecond
		if n := len(sums); n == 0 || sums[n-1].Provider != part.Provider || sums[n-1].RecordType != part.RecordType {
			sums = append(sums, StreamSum{Provider: part.Provider, RecordType: part.RecordType, States: map[string]int{}})
		}
		sums[len(sums)-1].add(state, streams, part)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum up streams: %w", err)
	}
	return sums, nil
}

func (s *StreamSum) add(state string, streams int, part StreamSum) {
	s.States[state] += streams
	s.Records += part.Records
	s.Largest = max(s.Largest, part.Largest)
	s.Suspected += part.Suspected
	s.Quarantined += part.Quarantined
	s.Age, s.Delay = max(s.Age, part.Age), max(s.Delay, part.Delay)
}

// micros is a time of the database as a number.
func (k *core) micros(expression string) string {
	if k.skipLocked != "" {
		return "CAST(extract(epoch FROM " + expression + ") * 1000000 AS bigint)"
	}
	return expression
}

// AccountSum is how many accounts of a provider are in a state, over all projects.
type AccountSum struct {
	Provider, State string
	Accounts        int
	Silenced        int // of them: the provider has asked for silence that is not over
}

// Sums tells how all accounts are.
func (a *Accounts) Sums(ctx context.Context) ([]AccountSum, error) {
	rows, err := a.DB.QueryContext(ctx, `SELECT provider, state, count(*), sum(CASE WHEN blocked_until > `+a.now+` THEN 1 ELSE 0 END)
		FROM accounts GROUP BY provider, state ORDER BY provider, state`)
	if err != nil {
		return nil, fmt.Errorf("sum up accounts: %w", err)
	}
	defer rows.Close()
	var sums []AccountSum
	for rows.Next() {
		var sum AccountSum
		if err := rows.Scan(&sum.Provider, &sum.State, &sum.Accounts, &sum.Silenced); err != nil {
			return nil, fmt.Errorf("sum up accounts: %w", err)
		}
		sums = append(sums, sum)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum up accounts: %w", err)
	}
	return sums, nil
}
