package poller

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// claim is a stream under lease, with what its poll needs to know.
type claim struct {
	streamID   int64
	fence      int64
	recordType string
	account    accountFacts
	levels     struct{ stream, account, recordType, incremental string } // of its schedules
	baseline   string
	ignore     []string

	changedFields bool     // are told
	digestPaths   []string // with those of these paths

	trust      trust
	due        sql.NullTime // next_poll_at at the claim: where it has changed since, somebody asked for another time
	full       sql.NullTime // full_poll_at
	complete   bool         // a complete listing is due
	since      sql.NullTime // a listing of changes may ask from then on
	validators []byte       // sealed
	failures   int
	refusals   int
	attention  bool // the account needs it: whether it still does is asked first
	doubted    bool
	listing    bool                      // there is a row of a listing under way
	beat       func(ctx context.Context) // runs after every renewal of the lease; nil: nothing does
	clock      time.Duration             // what the database's clock is ahead of this process's
}

type accountFacts struct {
	id, projectID, provider, baseURL string
	credentials, hashKey             []byte // sealed
	pageSize                         int
	blockedUntil                     sql.NullTime
	updatedAt                        time.Time
	checks                           int // in vain
}

// key names the stream in schedules and fingerprints.
func (c *claim) key() string { return c.account.id + "/" + c.recordType }

// time is the database's time.
func (c *claim) time() time.Time { return time.Now().Add(c.clock).UTC() }

// adopt frees the streams that a process before this one held, once, where the database
// is one process's alone: nobody needs to wait for the lease of one that was killed.
func (p *Poller) adopt(ctx context.Context, orphaned *bool) error {
	if p.skipLocked != "" || !*orphaned {
		return nil
	}
	if _, err := p.DB.ExecContext(ctx, `UPDATE streams SET lease_owner = '', lease_until = NULL WHERE lease_until IS NOT NULL AND lease_owner <> $1`, p.owner); err != nil {
		return fmt.Errorf("free leases: %w", err)
	}
	*orphaned = false
	return nil
}

// claimDue takes the leases of up to limit streams that are due, longest waiting first.
// An account never has more than PerAccount polls under way, over all processes. Of one
// that needs attention, the longest waiting stream alone is claimed, when its check is due.
func (p *Poller) claimDue(ctx context.Context, limit int) ([]*claim, error) {
	if limit == 0 {
		return nil, nil
	}
	now := p.now
	return p.claim(ctx, `s.next_poll_at <= `+now+` AND NOT s.paused AND (a.state = 'active' OR (a.state = 'needs_attention' AND a.next_check_at <= `+now+`
			AND NOT EXISTS (SELECT 1 FROM streams o WHERE o.account_id = s.account_id AND NOT o.paused AND (o.next_poll_at, o.id) < (s.next_poll_at, s.id))))
		AND (s.lease_until IS NULL OR s.lease_until < `+now+`)
		AND (a.blocked_until IS NULL OR a.blocked_until <= `+now+`)
		AND (SELECT count(*) FROM streams o WHERE o.account_id = s.account_id AND (o.lease_until >= `+now+`
			OR (o.next_poll_at <= `+now+` AND NOT o.paused AND (o.next_poll_at, o.id) < (s.next_poll_at, s.id)))) < $1
		ORDER BY s.next_poll_at LIMIT $2`, p.PerAccount, limit)
}

// claimOne takes the lease of one stream, due or not. It returns ErrPolling while
// another poll holds it.
func (p *Poller) claimOne(ctx context.Context, streamID int64) (*claim, error) {
	claims, err := p.claim(ctx, `s.id = $1 AND (s.lease_until IS NULL OR s.lease_until < `+p.now+`)`, streamID)
	if err != nil {
		return nil, err
	}
	if len(claims) > 0 {
		claims[0].complete = true
		return claims[0], nil
	}
	var exists bool
	if err := p.DB.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM streams WHERE id = $1)`, streamID).Scan(&exists); err != nil {
		return nil, fmt.Errorf("find stream: %w", err)
	}
	if !exists {
		return nil, notFound("stream")
	}
	return nil, ErrPolling
}

// claim takes the leases of the streams that where names: one statement on PostgreSQL,
// where others claim at the same time; a transaction on SQLite, which can't return
// what it joined. It goes on when ctx ends: a lease taken without anybody's knowledge
// would keep the stream from everybody until it runs out.
func (p *Poller) claim(ctx context.Context, where string, args ...any) ([]*claim, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	found := `SELECT s.id, s.fence + 1 AS fence, s.record_type, s.account_id, a.project_id, a.provider, a.base_url, a.credentials, p.hash_key,
		a.page_size, a.blocked_until, a.updated_at, a.checks, a.state = 'needs_attention' AS attention, s.refusals, s.schedule, a.schedule AS account_schedule, coalesce(r.schedule, '') AS type_schedule,
		CASE WHEN s.baseline = '' THEN a.baseline ELSE s.baseline END AS baseline, s.ignore_paths, s.changed_fields, s.digest_paths,
		s.quarantine_percent, s.release_after, ` + incrementalInForce + `, s.next_poll_at, s.full_poll_at,
		s.full_poll_at IS NULL OR s.full_poll_at <= ` + p.now + ` AS complete, s.since_at, s.validators, s.failures,
		d.stream_id IS NOT NULL AS doubted, l.stream_id IS NOT NULL AS listing, ` + p.nowMicros + ` AS now
		FROM streams s
		JOIN accounts a ON a.id = s.account_id
		JOIN projects p ON p.id = a.project_id
		LEFT JOIN record_type_schedules r ON r.project_id = a.project_id AND r.record_type = s.record_type
		LEFT JOIN doubts d ON d.stream_id = s.id
		LEFT JOIN listings l ON l.stream_id = s.id
		WHERE ` + where
	if p.skipLocked != "" {
		lease := fmt.Sprintf(`, leased AS (
			UPDATE streams SET lease_owner = $%d, lease_until = `+p.after(fmt.Sprintf("$%d", len(args)+2))+`, fence = due.fence
			FROM due WHERE streams.id = due.id)
			SELECT * FROM due ORDER BY next_poll_at`, len(args)+1)
		rows, err := p.DB.QueryContext(ctx, `WITH due AS (`+found+p.skipLocked+`)`+lease, append(args, p.owner, p.Lease.Microseconds())...)
		if err != nil {
			return nil, fmt.Errorf("claim streams: %w", err)
		}
		return scanClaims(rows)
	}
	tx, err := p.DB.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("claim streams: %w", err)
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, found, args...)
	if err != nil {
		return nil, fmt.Errorf("claim streams: %w", err)
	}
	claims, err := scanClaims(rows)
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		if _, err := tx.ExecContext(ctx, `UPDATE streams SET lease_owner = $1, lease_until = `+p.after("$2")+`, fence = $3 WHERE id = $4`,
			p.owner, p.Lease.Microseconds(), c.fence, c.streamID); err != nil {
			return nil, fmt.Errorf("claim stream: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("claim streams: %w", err)
	}
	return claims, nil
}

func scanClaims(rows *sql.Rows) ([]*claim, error) {
	defer rows.Close()
	var claims []*claim
	for rows.Next() {
		c := &claim{}
		a := &c.account
		var ignore, digest string
		var now int64
		if err := rows.Scan(&c.streamID, &c.fence, &c.recordType, &a.id, &a.projectID, &a.provider, &a.baseURL, &a.credentials, &a.hashKey,
			&a.pageSize, &a.blockedUntil, &a.updatedAt, &a.checks, &c.attention, &c.refusals, &c.levels.stream, &c.levels.account, &c.levels.recordType,
			&c.baseline, &ignore, &c.changedFields, &digest, &c.trust.percent, &c.trust.releaseAfter, &c.levels.incremental, &c.due, &c.full,
			&c.complete, &c.since, &c.validators, &c.failures, &c.doubted, &c.listing, &now); err != nil {
			return nil, fmt.Errorf("read claimed stream: %w", err)
		}
		if err := json.Unmarshal([]byte(ignore), &c.ignore); err != nil {
			return nil, fmt.Errorf("read ignored paths: %w", err)
		}
		if err := json.Unmarshal([]byte(digest), &c.digestPaths); err != nil {
			return nil, fmt.Errorf("read paths of fields: %w", err)
		}
		c.clock = time.Until(time.UnixMicro(now))
		claims = append(claims, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read claimed streams: %w", err)
	}
	return claims, nil
}

// underLease runs work, renews the lease meanwhile, and cancels work when the lease is
// lost. A database that does not answer loses nothing yet: the fence decides at the end.
func (p *Poller) underLease(ctx context.Context, c *claim, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var beat sync.WaitGroup
	defer beat.Wait()
	defer cancel(nil)
	beat.Go(func() {
		ticker := time.NewTicker(p.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := p.renew(ctx, p.DB, c); errors.Is(err, errLeaseLost) {
				cancel(err)
			} else if c.beat != nil {
				c.beat(ctx)
			}
		}
	})
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errLeaseLost) {
		return cause
	}
	return err
}

func (p *Poller) renew(ctx context.Context, db execer, c *claim) error {
	result, err := db.ExecContext(ctx, `UPDATE streams SET lease_until = `+p.after("$1")+` WHERE id = $2 AND fence = $3 AND lease_owner <> ''`,
		p.Lease.Microseconds(), c.streamID, c.fence)
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	return held(result)
}

// release gives the lease back without a word about the poll: the stream stays due.
func (p *Poller) release(ctx context.Context, c *claim) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := p.DB.ExecContext(ctx, `UPDATE streams SET lease_owner = '', lease_until = NULL WHERE id = $1 AND fence = $2`, c.streamID, c.fence)
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// held turns the outcome of an update under a fence into errLeaseLost where it met
// nothing.
func held(result sql.Result) error {
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("count updated streams: %w", err)
	}
	if n == 0 {
		return errLeaseLost
	}
	return nil
}
