package poller

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/synthook/synthook/providers"
)

// What an account has used of its provider's long quotas (a day's requests, say) stands
// in its row: a restart doesn't renew it. Processes that poll one account at the same
// time learn of each other's requests when a poll begins.

// takeUpQuotas brings the budget to what the account's row says.
func (p *Poller) takeUpQuotas(ctx context.Context, accountID string, b *providers.Budget) error {
	var text string
	if err := p.DB.QueryRowContext(ctx, `SELECT quotas FROM accounts WHERE id = $1`, accountID).Scan(&text); err != nil {
		return fmt.Errorf("read the account's quotas: %w", err)
	}
	if text == "" {
		return nil
	}
	var used []providers.Window
	if err := json.Unmarshal([]byte(text), &used); err != nil {
		return fmt.Errorf("read the account's quotas: %w", err)
	}
	b.Restore(providers.BudgetState{Windows: used})
	return nil
}

// keepQuotas writes them down, whatever became of the poll.
func (p *core) keepQuotas(ctx context.Context, accountID string, b *providers.Budget) {
	used := b.State().Windows
	if len(used) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	text, err := json.Marshal(used)
	if err == nil {
		_, err = p.DB.ExecContext(ctx, `UPDATE accounts SET quotas = $1 WHERE id = $2`, string(text), accountID)
	}
	if err != nil {
		p.Logger.Warn().Err(err).Str("account_id", accountID).Msg("used quotas not stored")
	}
}
