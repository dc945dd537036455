package hashstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	sumBlock = 1 << 14 // ids of the log in one block
	sumsKept = 100_000 // numbers remembered, about ten megabytes
)

// sums remember how many events blocks of the log hold, by what a count may ask for.
// What stands in the log never changes, so a log that was counted once is counted again
// by adding up, and only its ends are read. Blocks that Prune may touch are never
// remembered: it deletes among the oldest pruneBatch chunks only.
type sums struct {
	block int64 // ids in one
	spare int64 // chunks of the log's beginning that may be deleted

	mu    sync.Mutex
	known map[blockOf][]sum
	size  int
}

// blockOf is a part of the log as a project sees it: the ids behind after.
type blockOf struct {
	project string
	after   int64
}

// sum is how many events of a block have these in common, and when they occurred, in
// microseconds.
type sum struct {
	name, recordType, provider string
	n, oldest, newest          int64
}

// addsUp says that q asks for what sums know.
func (q *EventQuery) addsUp() bool {
	return q.ProjectID != "" && q.AccountID == "" && len(q.Accounts) == 0 && q.PollID == 0 && !q.inside()
}

// countBlocks counts what q selects by blocks, and reads only what lies outside of whole
// ones.
func (s *Store) countBlocks(ctx context.Context, q EventQuery) (int64, error) {
	last, err := s.LastID(ctx)
	if err != nil {
		return 0, err
	}
	settled, err := s.settledAfter(ctx)
	if err != nil {
		return 0, err
	}
	if q.Through == 0 || q.Through > last {
		q.Through = last
	}
	size := s.sums.block
	first, end := (max(q.After, settled)+size-1)/size*size, q.Through/size*size
	if settled < 0 || end-first < 2*size {
		return s.countChunks(ctx, q)
	}
	total, err := s.countBetween(ctx, q, q.After, first)
	for after := first; after < end && err == nil; after += size {
		var n int64
		n, err = s.countBlock(ctx, q, after)
		total += n
	}
	if err != nil {
		return 0, err
	}
	n, err := s.countBetween(ctx, q, end, q.Through)
	return total + n, err
}

func (s *Store) countBetween(ctx context.Context, q EventQuery, after, through int64) (int64, error) {
	if after >= through {
		return 0, nil
	}
	q.After, q.Through = after, through
	return s.countChunks(ctx, q)
}

// settledAfter is an id behind which no event is deleted before others are; -1: none is
// such yet.
func (s *Store) settledAfter(ctx context.Context) (id int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT last_id FROM event_chunks ORDER BY last_id LIMIT 1 OFFSET $1`, s.sums.spare).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find what stays in the log: %w", err)
	}
	return id, nil
}

// countBlock counts what q selects of the block behind an id.
func (s *Store) countBlock(ctx context.Context, q EventQuery, after int64) (total int64, err error) {
	parts, err := s.sumsOf(ctx, blockOf{q.ProjectID, after})
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		if !q.takes(p) {
			continue
		}
		switch whole, some := q.spans(p); {
		case whole:
			total += p.n
		case some:
			return s.countBetween(ctx, q, after, after+s.sums.block)
		}
	}
	return total, nil
}

// takes says whether q selects such events, at whatever time they occurred.
func (q *EventQuery) takes(p sum) bool {
	return (q.RecordType == "" || q.RecordType == p.recordType) && holds(q.Providers, func(v string) bool { return v == p.provider }) &&
		holds(q.Names, func(v string) bool {
			prefix, ok := strings.CutSuffix(v, "*")
			return v == p.name || v == "*" || ok && strings.HasSuffix(prefix, ".") && strings.HasPrefix(p.name, prefix)
		})
}

// holds says whether any of the values fits; where there are none, everything does.
func holds(values []string, fits func(string) bool) bool {
	return len(values) == 0 || slices.ContainsFunc(values, fits)
}

// spans says whether q selects the time of all of these events, or may select that of some.
func (q *EventQuery) spans(p sum) (whole, some bool) {
	since, until := int64(0), p.newest+1
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixMicro()
	}
	return since <= p.oldest && p.newest < until, since <= p.newest && p.oldest < until
}

// sumsOf are those of a block, remembered or read.
func (s *Store) sumsOf(ctx context.Context, b blockOf) ([]sum, error) {
	s.sums.mu.Lock()
	parts, ok := s.sums.known[b]
	s.sums.mu.Unlock()
	if ok {
		return parts, nil
	}
	parts, err := s.readSums(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("sum up events: %w", err)
	}
	s.sums.mu.Lock()
	defer s.sums.mu.Unlock()
	if s.sums.known == nil || s.sums.size+len(parts) > sumsKept {
		s.sums.known, s.sums.size = map[blockOf][]sum{}, 0
	}
	s.sums.known[b] = parts
	s.sums.size += 1 + len(parts)
	return parts, nil
}

func (s *Store) readSums(ctx context.Context, b blockOf) ([]sum, error) {
	q, at := EventQuery{ProjectID: b.project, After: b.after, Through: b.after + s.sums.block}, "occurred_at"
	if s.postgres {
		at = "CAST(extract(epoch FROM occurred_at) * 1000000 AS bigint)"
	}
	var c condition
	q.bound(&c)
	clipped := q.clipped(&c)
	rows, err := s.db.QueryContext(ctx, `SELECT name, record_type, provider, CAST(sum(`+clipped+`) AS bigint), min(`+at+`), max(`+at+`)
		FROM event_chunks`+c.where()+` GROUP BY name, record_type, provider`, c.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var parts []sum
	for rows.Next() {
		var p sum
		if err := rows.Scan(&p.name, &p.recordType, &p.provider, &p.n, &p.oldest, &p.newest); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, rows.Err()
}
