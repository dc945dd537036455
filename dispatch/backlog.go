package dispatch

import (
	"context"
	"sync"
	"time"
)

// recountAfter is when a backlog is counted from its beginning again: events that
// retention removed behind a disabled webhook's cursor are noticed then.
const recountAfter = 10 * time.Minute

// backlogs remember how far behind webhooks were, so that telling it again costs what
// happened since and not what waits.
type backlogs struct {
	mu    sync.Mutex
	known map[string]backlog // by webhook
}

// backlog is the number of matching events with after < id ≤ through.
type backlog struct {
	filter         string
	after, through int64
	n              int64
	counted        time.Time // from the beginning
}

// count counts the events that f chooses behind a webhook's cursor.
func (b *backlogs) count(ctx context.Context, log Log, w Webhook, f Filter, cursor int64) (int64, error) {
	last, err := log.Last(ctx)
	if err != nil || last <= cursor {
		return 0, err
	}
	b.mu.Lock()
	known := b.known[w.ID]
	b.mu.Unlock()
	now := backlog{filter: marshal(f), after: cursor, through: last, counted: known.counted}
	passed := cursor - known.after
	if known.filter == now.filter && passed >= 0 && passed < last-cursor && last >= known.through && time.Since(known.counted) < recountAfter {
		gone, err := between(ctx, log, w.ProjectID, f, known.after, cursor)
		if err != nil {
			return 0, err
		}
		come, err := between(ctx, log, w.ProjectID, f, known.through, last)
		if err != nil {
			return 0, err
		}
		now.n = known.n - gone + come
	} else {
		now.counted = time.Now()
		if now.n, err = log.Count(ctx, w.ProjectID, f, cursor, last); err != nil {
			return 0, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) > 10_000 {
		b.known = map[string]backlog{}
	}
	b.known[w.ID] = now
	return now.n, nil
}

func between(ctx context.Context, log Log, projectID string, f Filter, after, through int64) (int64, error) {
	if through <= after {
		return 0, nil
	}
	return log.Count(ctx, projectID, f, after, through)
}
