package tally

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"time"
)

// source is what is counted: the statements of a table. A place in it is a row's id or,
// where rows have none, its time in microseconds.
type source struct {
	last  string // the newest place
	at    string // the time of the first row whose place is at least $1; "": places are times
	count string // of a project ($1), behind a place ($2) and up to one ($3), since a time ($4): slot, kind, rows
}

// inSlots is the number of a time's slot in SQL.
func inSlots(column string, postgres bool) string {
	if postgres {
		return fmt.Sprintf("CAST(floor(extract(epoch FROM %s) / %d) AS bigint)", column, int(Step/time.Second))
	}
	return fmt.Sprintf("(%s / %d)", column, Step.Microseconds())
}

func eventsOf(postgres bool) source {
	return source{
		last: `SELECT coalesce(max(last_id), 0) FROM event_chunks`,
		at:   `SELECT occurred_at FROM event_chunks WHERE last_id >= $1 ORDER BY last_id LIMIT 1`,
		count: `SELECT slot, kind, sum(size) FROM (SELECT ` + inSlots("occurred_at", postgres) + ` AS slot, size,
				CASE WHEN record_type = 'account' THEN 'account' WHEN name LIKE '%.created' THEN 'created'
					WHEN name LIKE '%.updated' THEN 'updated' ELSE 'deleted' END AS kind
				FROM event_chunks WHERE project_id = $1 AND last_id > $2 AND last_id <= $3 AND occurred_at >= $4) AS counted GROUP BY slot, kind`,
	}
}

func attemptsOf(postgres bool) source {
	s := source{
		last: `SELECT coalesce(max(id), 0) FROM attempts`,
		at:   `SELECT attempted_at FROM attempts WHERE id >= $1 ORDER BY id LIMIT 1`,
	}
	between := `a.id > $2 AND a.id <= $3`
	if postgres {
		s = source{last: `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)`}
		between = `a.attempted_at > timestamptz 'epoch' + $2 * interval '1 microsecond' AND a.attempted_at <= timestamptz 'epoch' + $3 * interval '1 microsecond'`
	}
	s.count = `SELECT slot, kind, count(*) FROM (SELECT ` + inSlots("a.attempted_at", postgres) + ` AS slot,
				CASE WHEN a.error = '' THEN 'delivered' ELSE 'failed' END AS kind
				FROM webhooks w JOIN attempts a ON a.webhook_id = w.id
				WHERE w.project_id = $1 AND ` + between + ` AND a.attempted_at >= $4) AS counted GROUP BY slot, kind`
	return s
}

// read brings counts up to date.
func (t *Tally) read(ctx context.Context, c *counts, from source, projectID string) error {
	now := time.Now().UTC()
	since := now.Add(-Slots * Step)
	var last int64
	if err := t.db.QueryRowContext(ctx, from.last).Scan(&last); err != nil {
		return fmt.Errorf("find newest: %w", err)
	}
	if c.old == nil {
		begin, err := t.firstSince(ctx, from, since, last)
		if err != nil {
			return err
		}
		young, err := t.firstSince(ctx, from, now.Add(-settled), last)
		if err != nil {
			return err
		}
		c.old, c.settled, c.next, c.since = map[cell]int64{}, young, last, now
		if err := t.add(ctx, c.old, from, projectID, begin, young, since); err != nil {
			return err
		}
	}
	if now.Sub(c.since) > settled {
		if err := t.add(ctx, c.old, from, projectID, c.settled, c.next, since); err != nil {
			return err
		}
		c.settled, c.next, c.since = c.next, last, now
		for k := range c.old {
			if k.slot < slot(since) {
				delete(c.old, k)
			}
		}
	}
	c.young = map[cell]int64{}
	return t.add(ctx, c.young, from, projectID, c.settled, last, since)
}

// firstSince is the place before the first row since a time; rows are all but in the
// order of time.
func (t *Tally) firstSince(ctx context.Context, from source, since time.Time, last int64) (int64, error) {
	if from.at == "" {
		return since.UnixMicro() - 1, nil
	}
	var failed error
	first := sort.Search(int(last), func(id int) bool {
		var at time.Time
		err := t.db.QueryRowContext(ctx, from.at, id+1).Scan(&at)
		if err != nil && err != sql.ErrNoRows {
			failed = err
		}
		return err != nil || !at.Before(since)
	})
	if failed != nil {
		return 0, fmt.Errorf("find the first of the day: %w", failed)
	}
	return int64(first), nil
}

func (t *Tally) add(ctx context.Context, to map[cell]int64, from source, projectID string, after, through int64, since time.Time) error {
	if through <= after {
		return nil
	}
	rows, err := t.db.QueryContext(ctx, from.count, projectID, after, through, since)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k cell
		var n int64
		if err := rows.Scan(&k.slot, &k.kind, &n); err != nil {
			return fmt.Errorf("count: %w", err)
		}
		to[k] += n
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	return nil
}
