package poller

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/synthook/synthook/providers"
)

// draft is an account as it is to be, with what belongs to it.
type draft struct {
	account        Account
	connector      *providers.Connector
	credentials    map[string]string
	sealed         []byte // the credentials
	tokens         []byte // sealed: what the provider gave for them; nil: nothing
	served, gained []string
	kept           bool // a refresh token that is good once is the one that the account has already
	found          []Finding
}

// writer writes an account with what a check of it brought.
type writer func(ctx context.Context, tokens []byte, found []Finding) error

// checked writes an account, after a check of it where one is wanted.
func (a *Accounts) checked(ctx context.Context, wanted bool, write writer, drafted func() (draft, error)) ([]Finding, error) {
	if !wanted {
		return nil, write(ctx, nil, nil)
	}
	d, err := drafted()
	if err != nil {
		return nil, err
	}
	target := d.account.target(d.credentials)
	recordTypes, spends := d.recordTypes(), d.connector.SpendsCredentials(target)
	// Of credentials that are spent already only the tokens that came of them are good, and
	// polls may be using those at this moment.
	if len(recordTypes) == 0 || d.kept && spends {
		return nil, write(ctx, nil, nil)
	}
	t := &trial{TokenStore: providers.NewTokens(), core: a.core, draft: d}
	if spends {
		t.write = write
	}
	budget := providers.NewBudget(d.connector.Limits())
	budget.OnBlock = func(until time.Time) { a.silenced(d.account.Provider, until) }
	client, err := d.connector.Open(target, providers.Options{
		HTTP: a.HTTP, UserAgent: a.UserAgent, Budget: budget, Tokens: t, Timeout: checkRequest,
	})
	if err != nil {
		return nil, invalid("credentials", "%s", err)
	}
	found, err := t.run(ctx, inquiry{d.connector, d.credentials, d.account.BaseURL != "", client, recordTypes}, write)
	if err != nil {
		return nil, err
	}
	return found, a.keepLimits(ctx, d.account.ID, budget)
}

// recordTypes are those that are to be asked for.
func (d draft) recordTypes() []string {
	return slices.DeleteFunc(slices.Clone(d.served), func(t string) bool {
		return !slices.Contains(d.account.RecordTypes, t) && !slices.Contains(d.gained, t)
	})
}

// run makes the check and writes the account, unless it has been, or must not be.
func (t *trial) run(ctx context.Context, i inquiry, write writer) ([]Finding, error) {
	found, err := check(ctx, i)
	switch {
	case t.written && err != nil: // it is there: the polls will meet the error again
		return nil, nil
	case t.written:
		t.draft.found = found
		return found, t.inTx(ctx, func(tx *sql.Tx) error { return t.markRefused(ctx, tx, t.draft) })
	case err != nil:
		return nil, err
	}
	if err := i.refusal(found); err != nil {
		return nil, err
	}
	return found, write(ctx, t.sealed, found)
}

// keepLimits writes down what a check has learnt of the provider's limits.
func (a *Accounts) keepLimits(ctx context.Context, accountID string, budget *providers.Budget) error {
	a.keepQuotas(ctx, accountID, budget)
	if until := budget.Blocked(); time.Until(until) > persistedBlock {
		return a.block(ctx, accountID, until)
	}
	return nil
}

// trial keeps the tokens that a provider gives for credentials that are not an account's
// yet, to be written with it. A refresh token that is good once is a reason to write the
// account at once, before the token that it was spent for is used: from then on nothing is
// refused any more, for the user has no other.
type trial struct {
	providers.TokenStore
	*core
	draft   draft
	write   writer // with the first tokens; nil: they wait for the check's end
	written bool
	sealed  []byte
}

// Save implements providers.TokenStore.
func (t *trial) Save(ctx context.Context, tokens map[string]string) error {
	id := t.draft.account.ID
	sealed, err := sealTokens(t.Sealer, id, tokens)
	if err != nil {
		return err
	}
	switch {
	case t.written:
		_, err = t.DB.ExecContext(ctx, `UPDATE accounts SET tokens = $1 WHERE id = $2 AND tokens IS NOT DISTINCT FROM $3`, sealed, id, t.sealed)
	case t.write != nil:
		err = t.write(ctx, sealed, nil)
		t.written = err == nil
	}
	if err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	t.sealed = sealed
	return t.TokenStore.Save(ctx, tokens)
}

// markRefused makes the streams wait that a check has found refused, each alone.
func (a *core) markRefused(ctx context.Context, tx *sql.Tx, d draft) error {
	for _, f := range d.found {
		if !f.alone() {
			continue
		}
		schedule, _ := a.schedules.inForce("", d.account.Schedule, "", a.streamOf(d.account.Provider, f.RecordType).Schedule)
		wait := recheck(0, schedule.Interval(time.Now()))
		if _, err := tx.ExecContext(ctx, `UPDATE streams SET refusals = 1, failures = 1, last_error = $1, next_poll_at = `+a.after("$2")+`
			WHERE account_id = $3 AND record_type = $4`, f.Detail, wait.Microseconds(), d.account.ID, f.RecordType); err != nil {
			return fmt.Errorf("mark refused stream: %w", err)
		}
	}
	return nil
}

// worked tells whether a check has shown that the provider takes the credentials.
func worked(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Result == CheckOK || f.alone() })
}

// Check asks an account's provider for one small page of each of its record types, and
// changes nothing, but for a need for attention that has gone: then the account, or a
// stream that alone was refused, is polled again.
func (p *Poller) Check(ctx context.Context, projectID, accountID string) ([]Finding, error) {
	account, sealed, err := p.read(ctx, projectID, accountID)
	if err != nil {
		return nil, err
	}
	connector, err := p.Catalog.Connector(account.Provider)
	if err != nil {
		return nil, invalid("provider", "%s", err)
	}
	credentials, err := openCredentials(p.Sealer, accountID, sealed)
	if err != nil {
		return nil, err
	}
	c := &claim{account: accountFacts{id: accountID, provider: account.Provider, updatedAt: account.UpdatedAt}}
	c.account.blockedUntil = sql.NullTime{Time: account.BlockedUntil, Valid: !account.BlockedUntil.IsZero()}
	budget := p.budget(c, connector)
	if err := p.takeUpQuotas(ctx, accountID, budget); err != nil {
		return nil, err
	}
	defer p.keepQuotas(ctx, accountID, budget)
	client, err := p.open(connector, account.target(credentials), providers.Options{
		HTTP: p.HTTP, UserAgent: p.UserAgent, Budget: budget, Tokens: p.tokens(accountID), Timeout: checkRequest,
	})
	if err != nil {
		return nil, invalid("credentials", "%s", err)
	}
	served := connector.Serves(account.target(credentials))
	recordTypes := slices.DeleteFunc(account.RecordTypes, func(t string) bool { return !slices.Contains(served, t) })
	if len(recordTypes) == 0 {
		return nil, nil
	}
	found, err := check(ctx, inquiry{connector: connector, credentials: credentials, ownBase: account.BaseURL != "", client: client, recordTypes: recordTypes})
	if err != nil {
		return nil, err
	}
	return found, p.heed(ctx, c.account, found)
}

// heed ends the needs for attention that a check has found gone.
func (p *Poller) heed(ctx context.Context, account accountFacts, found []Finding) error {
	if !worked(found) {
		return nil
	}
	err := p.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := p.recovered(ctx, tx, account, 0); err != nil {
			return err
		}
		for _, f := range found {
			if f.Result != CheckOK {
				continue
			}
			if _, err := tx.ExecContext(ctx, `UPDATE streams SET refusals = 0, next_poll_at = `+p.now+` WHERE account_id = $1 AND record_type = $2 AND refusals > 0`,
				account.id, f.RecordType); err != nil {
				return fmt.Errorf("make stream due: %w", err)
			}
		}
		return nil
	})
	if err == nil {
		p.woken()
	}
	return err
}
