package dispatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// notice tells the operator that a webhook was disabled by its endpoint. It is owed from
// the transaction that disables the webhook until it was answered with 2xx, so it is sent
// at least once. The webhook's own secrets sign it, as they sign a delivery.
type notice struct {
	webhook, projectID, reason string
	disabledAt, due            time.Time
}

// body is what the operator is told, signed like a delivery:
// {"event":"webhook.disabled","project_id":…,"webhook_id":…,"reason":…,"disabled_at":…,"sent_at":…}
func (n notice) body(sentAt time.Time) []byte {
	b := appendString([]byte(`{"event":"webhook.disabled","project_id":`), n.projectID)
	b = appendString(append(b, `,"webhook_id":`...), n.webhook)
	b = appendString(append(b, `,"reason":`...), n.reason)
	b = n.disabledAt.UTC().AppendFormat(append(b, `,"disabled_at":"`...), isoMillis)
	b = sentAt.UTC().AppendFormat(append(b, `","sent_at":"`...), isoMillis)
	return append(b, `"}`...)
}

// uid is the notice's webhook-id: the same on every attempt.
func (n notice) uid() string {
	return "ntc_" + n.webhook + "_" + strconv.FormatInt(n.disabledAt.UnixMicro(), 36)
}

// sendNotices sends the notices that are due, beside everything else.
func (s *share) sendNotices(ctx context.Context) {
	if s.config.NoticeURL == "" || !s.notices.CompareAndSwap(false, true) {
		return
	}
	s.running.Go(func() {
		defer s.notices.Store(false)
		for {
			n, err := s.store.claimNotice(ctx, s.config.NoticeRetry)
			if err != nil {
				if ctx.Err() == nil {
					s.config.Logger.Warn().Err(err).Msg("notices wait for the database")
				}
				return
			}
			if n == nil {
				return
			}
			s.sendNotice(ctx, *n)
		}
	})
}

func (s *share) sendNotice(ctx context.Context, n notice) {
	secrets, err := s.store.secrets(ctx, n.webhook, s.config.Sealer)
	if err != nil {
		s.config.Logger.Warn().Err(err).Str("webhook_id", n.webhook).Time("retry_at", n.due).Msg("notice not signed")
		return
	}
	at := time.Now()
	o := s.operator.send(ctx, target{url: s.config.NoticeURL, secrets: secrets}, message{n.uid(), at, n.body(at)})
	if o.class != "" {
		s.config.Logger.Warn().Str("webhook_id", n.webhook).Int("status", o.status).Str("error", o.class).Time("retry_at", n.due).Msg("notice not delivered")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Drain)
	defer cancel()
	if err := s.store.settleNotice(ctx, n); err != nil {
		s.config.Logger.Warn().Err(err).Str("webhook_id", n.webhook).Msg("notice not recorded: it will be sent again")
	}
}

// claimNotice takes a notice that is due, and puts off its next attempt; nil: none is due.
func (s store) claimNotice(ctx context.Context, retry time.Duration) (*notice, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	for {
		var n notice
		err := s.db.QueryRowContext(ctx, `
			SELECT id, project_id, disabled_reason, disabled_at, notice_at FROM webhooks WHERE notice_at <= $1 ORDER BY notice_at LIMIT 1`, now).
			Scan(&n.webhook, &n.projectID, &n.reason, &n.disabledAt, &n.due)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("find notices: %w", err)
		}
		claimed, err := affected(s.db.ExecContext(ctx, `UPDATE webhooks SET notice_at = $1 WHERE id = $2 AND notice_at = $3`, now.Add(retry), n.webhook, n.due.UTC()))
		if err != nil {
			return nil, fmt.Errorf("claim notice: %w", err)
		}
		if n.due = now.Add(retry); claimed > 0 {
			return &n, nil
		}
	}
}

// settleNotice forgets a notice that arrived, unless another one is owed by now.
func (s store) settleNotice(ctx context.Context, n notice) error {
	_, err := s.db.ExecContext(ctx, `UPDATE webhooks SET notice_at = NULL WHERE id = $1 AND notice_at = $2`, n.webhook, n.due)
	if err != nil {
		return fmt.Errorf("settle notice: %w", err)
	}
	return nil
}
