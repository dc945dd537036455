package poller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// plan is how a claimed stream is read and what its fingerprints are made with.
type plan struct {
	info      providers.StreamInfo
	client    lister
	canonical *diff.Canonicalizer
	seal      *diff.Sealer
	former    *hasher // what is known was hashed by it, and can be again; nil: as now
	stream    string  // as fingerprints name it
	recipe    recipe
	schedule  Schedule
	fast      *Schedule // of listings of changes alone; nil: all are complete
	bound     string    // names all that a listing of the stream depends on

	fields, formerFields *fieldReader      // beside canonical and former; nil: no digests of fields are made
	quotas               *providers.Budget // has some that restarts don't renew; nil: has none
}

// hasher makes fingerprints of records.
type hasher struct {
	canonical *diff.Canonicalizer
	seal      *diff.Sealer
}

// plan opens what is sealed and brings connector, account and stream together. Its
// errors stay until somebody changes one of them.
func (p *Poller) plan(c *claim) (*plan, error) {
	connector, err := p.Catalog.Connector(c.account.provider)
	if err != nil {
		return nil, fmt.Errorf("find connector: %w", err)
	}
	key, err := p.Sealer.Open(c.account.hashKey, hashKeyPurpose(c.account.projectID))
	if err != nil {
		return nil, fmt.Errorf("open the project's hash key: %w", err)
	}
	credentials, err := openCredentials(p.Sealer, c.account.id, c.account.credentials)
	if err != nil {
		return nil, err
	}
	budget := p.budget(c, connector)
	target := providers.Target{BaseURL: c.account.baseURL, Credentials: credentials, PageSize: c.account.pageSize}
	client, err := p.open(connector, target, providers.Options{HTTP: p.HTTP, UserAgent: p.UserAgent, Budget: budget, Tokens: p.tokens(c.account.id)})
	if err != nil {
		return nil, fmt.Errorf("open connector: %w", err)
	}
	info, ok := client.Stream(c.recordType)
	if !ok {
		return nil, fmt.Errorf("connector %s does not serve %s to this account", connector.Name, c.recordType)
	}
	rules := rulesOf(info, c.ignore)
	canonical, err := diff.NewCanonicalizer(rules)
	if err != nil {
		return nil, fmt.Errorf("read the stream's rules: %w", err)
	}
	seal, err := diff.NewSealer(key, c.key())
	if err != nil {
		return nil, err
	}
	schedule, _ := p.schedules.inForce(c.levels.stream, c.levels.account, c.levels.recordType, info.Schedule)
	pl := &plan{
		info: info, client: client, canonical: canonical, seal: seal, stream: c.key(), schedule: schedule,
		recipe: recipeOf(info, rules, key),
	}
	if len(connector.Limits().Quotas) > 0 {
		pl.quotas = budget
	}
	if c.changedFields {
		pl.recipe = pl.recipe.withFields(info.Digests, c.digestPaths)
	}
	if c.levels.incremental != "" && info.Since {
		fast := p.schedules.parse(c.levels.incremental)
		pl.fast = &fast
	}
	pl.bound, err = boundTo(pl.recipe, connector.Name, target)
	return pl, err
}

// boundTo names all that a listing depends on: what was kept of one is worth nothing for
// another. It is part of what the keeping is sealed with, and stands nowhere.
func boundTo(r recipe, connector string, t providers.Target) (string, error) {
	text, err := json.Marshal([]any{r, connector, t.BaseURL, t.Credentials, t.PageSize})
	if err != nil {
		return "", fmt.Errorf("name the listing: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func rulesOf(info providers.StreamInfo, ignore []string) diff.Rules {
	return diff.Rules{
		Ignore:         slices.Concat(info.Ignore, ignore),
		Sets:           info.Sets,
		KeepURLQueries: info.KeepURLQueries,
	}
}

// persistedBlock is how long a wish for silence must be to be written down: shorter
// ones are over before another process could read them.
const persistedBlock = 2 * time.Second

// budget is what the account may ask of its provider, shared by its polls in this
// process. Silence that the provider asked for holds in every process and across
// restarts: it stands in the account's row.
func (p *Poller) budget(c *claim, connector *providers.Connector) *providers.Budget {
	until := time.Time{}
	if c.account.blockedUntil.Valid {
		until = c.account.blockedUntil.Time.Add(-c.clock)
	}
	p.mu.Lock()
	b := p.budgets[c.account.id]
	if b == nil {
		accountID, provider := c.account.id, c.account.provider
		b = providers.NewBudget(connector.Limits())
		b.BlockUntil(until)
		b.OnBlock = func(until time.Time) {
			p.silenced(provider, until)
			if time.Until(until) < persistedBlock {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := p.block(ctx, accountID, until); err != nil {
				p.Logger.Warn().Err(err).Str("account_id", accountID).Msg("provider's wish for silence not stored")
			}
		}
		p.budgets[accountID] = b
	}
	p.mu.Unlock()
	b.BlockUntil(until) // another process may have been told
	return b
}

// block lets no poll of the account start before a time of this process's clock.
func (p *core) block(ctx context.Context, accountID string, until time.Time) error {
	end := p.after("$1")
	if _, err := p.DB.ExecContext(ctx, `UPDATE accounts SET blocked_until = `+end+`
		WHERE id = $2 AND (blocked_until IS NULL OR blocked_until < `+end+`)`, time.Until(until).Microseconds(), accountID); err != nil {
		return fmt.Errorf("block account: %w", err)
	}
	return nil
}
