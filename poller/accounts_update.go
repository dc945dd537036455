package poller

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// AccountUpdate changes what is not nil. Of the credentials those that are given take the
// place of the present ones, see [providers.Connector.Replace]; SetupInformation replaces
// all that was given.
type AccountUpdate struct {
	BaseURL                                        *string
	Credentials                                    map[string]string
	OriginOwnerID, OriginOwnerName, OriginUsername *string
	SetupInformation                               map[string]string
	Schedule, Baseline                             *string
	PageSize                                       *int

	NoCheck bool // write new credentials or another base URL without asking the provider
}

// reconnects says whether the account is read in another way from now on.
func (u AccountUpdate) reconnects() bool { return u.Credentials != nil || u.BaseURL != nil }

func (u AccountUpdate) empty() bool {
	return !u.reconnects() && u.OriginOwnerID == nil && u.OriginOwnerName == nil && u.OriginUsername == nil &&
		u.SetupInformation == nil && u.Schedule == nil && u.Baseline == nil && u.PageSize == nil
}

func (u AccountUpdate) apply(account *Account) {
	for _, change := range [...]struct{ from, to *string }{
		{u.BaseURL, &account.BaseURL}, {u.OriginOwnerID, &account.OriginOwnerID}, {u.OriginOwnerName, &account.OriginOwnerName},
		{u.OriginUsername, &account.OriginUsername}, {u.Schedule, &account.Schedule}, {u.Baseline, &account.Baseline},
	} {
		if change.from != nil {
			*change.to = *change.from
		}
	}
	if u.PageSize != nil {
		account.PageSize = *u.PageSize
	}
}

// Update changes an account. New credentials or another base URL are checked before
// anything is written, as Create does; they end its need for attention, revoke its polls
// under way and make all its streams due; streams that the account only has with them are
// added.
func (a *Accounts) Update(ctx context.Context, projectID, id string, u AccountUpdate) (Account, error) {
	if u.empty() {
		return a.Get(ctx, projectID, id)
	}
	if u.BaseURL != nil {
		if err := a.checkURL(ctx, *u.BaseURL); err != nil {
			return Account{}, err
		}
	}
	write := func(ctx context.Context, tokens []byte, found []Finding) error {
		return a.change(ctx, id, "updated", func(tx *sql.Tx) (Account, error) {
			account, sealed, err := a.lock(ctx, tx, projectID, id)
			if err != nil {
				return Account{}, err
			}
			d, err := a.drafted(account, sealed, u)
			if err != nil {
				return Account{}, err
			}
			d.tokens, d.found = tokens, found
			return d.account, a.update(ctx, tx, d, u)
		})
	}
	found, err := a.checked(ctx, u.reconnects() && !u.NoCheck, write, func() (draft, error) {
		account, sealed, err := a.read(ctx, projectID, id)
		if err != nil {
			return draft{}, err
		}
		return a.drafted(account, sealed, u)
	})
	if err != nil {
		return Account{}, err
	}
	a.woken()
	account, err := a.Get(ctx, projectID, id)
	account.Check = found
	return account, err
}

// drafted is an account as it is to be.
func (a *Accounts) drafted(account Account, sealed []byte, u AccountUpdate) (draft, error) {
	d := draft{account: account, sealed: sealed, kept: u.Credentials == nil}
	var err error
	if d.connector, err = a.Catalog.Connector(account.Provider); err != nil {
		return d, invalid("provider", "%s", err)
	}
	if d.credentials, err = openCredentials(a.Sealer, account.ID, sealed); err != nil {
		return d, err
	}
	before := d.connector.Serves(account.target(d.credentials))
	u.apply(&d.account)
	given := givenSetup(d.connector, account.SetupInformation)
	if u.SetupInformation != nil {
		given = u.SetupInformation
	}
	if u.Credentials != nil {
		had := d.credentials
		d.credentials = d.connector.Replace(had, u.Credentials)
		spent := d.connector.RefreshCredential(d.account.target(d.credentials))
		d.kept = spent != "" && had[spent] == d.credentials[spent]
		if d.sealed, err = sealCredentials(a.Sealer, account.ID, d.credentials); err != nil {
			return d, err
		}
	}
	if err := a.check(d.connector, d.account, d.credentials, given); err != nil {
		return d, err
	}
	d.account.SetupInformation = setupInformation(d.connector, d.credentials, given)
	if u.reconnects() {
		d.served = d.connector.Serves(d.account.target(d.credentials))
		d.gained = slices.DeleteFunc(slices.Clone(d.served), func(t string) bool { return slices.Contains(before, t) })
	}
	return d, nil
}

func (a *Accounts) update(ctx context.Context, tx *sql.Tx, d draft, u AccountUpdate) error {
	if u.reconnects() && d.account.State == StateNeedsAttention {
		d.account.State, d.account.StateReason = StateActive, ""
	}
	if err := a.write(ctx, tx, d); err != nil {
		return err
	}
	if u.reconnects() {
		if err := a.addStreams(ctx, tx, d.account.ID, d.gained); err != nil {
			return err
		}
		if err := a.revoke(ctx, tx, d.account.ID); err != nil {
			return err
		}
		return a.markRefused(ctx, tx, d)
	}
	if u.Schedule != nil {
		return a.reschedule(ctx, tx, `a.id = $1`, d.account.ID)
	}
	return nil
}

// lock reads an account and its sealed credentials, and keeps it from others till the
// transaction ends.
func (a *core) lock(ctx context.Context, tx *sql.Tx, projectID, id string) (Account, []byte, error) {
	return readAccount(ctx, tx, a.forUpdate, projectID, id)
}

// read is lock without keeping anybody away.
func (a *core) read(ctx context.Context, projectID, id string) (Account, []byte, error) {
	return readAccount(ctx, a.DB, "", projectID, id)
}

func readAccount(ctx context.Context, db queryer, locking, projectID, id string) (Account, []byte, error) {
	var sealed []byte
	err := db.QueryRowContext(ctx, `SELECT credentials FROM accounts WHERE project_id = $1 AND id = $2`+locking, projectID, id).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, nil, notFound("account")
	}
	if err != nil {
		return Account{}, nil, fmt.Errorf("read account: %w", err)
	}
	accounts, err := selectAccounts(ctx, db, `a.id = $1`, id)
	if err != nil {
		return Account{}, nil, err
	}
	if len(accounts) == 0 {
		return Account{}, nil, notFound("account")
	}
	return accounts[0], sealed, nil
}

func (a *Accounts) write(ctx context.Context, tx *sql.Tx, d draft) error {
	account := d.account
	setup, err := encodeSetup(account.SetupInformation)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE accounts SET base_url = $1, credentials = $2, origin_owner_id = $3, origin_owner_name = $4, origin_username = $5,
			setup_information = $6, schedule = $7, baseline = $8, page_size = $9, state = $10, state_reason = $11, updated_at = $12,
			next_check_at = CASE WHEN $10 = 'needs_attention' THEN next_check_at END, checks = CASE WHEN $10 = 'needs_attention' THEN checks ELSE 0 END,
			tokens = coalesce($13, tokens)
		WHERE id = $14`,
		account.BaseURL, d.sealed, account.OriginOwnerID, account.OriginOwnerName, account.OriginUsername,
		setup, account.Schedule, account.Baseline, account.PageSize, account.State, account.StateReason, time.Now().UTC(), d.tokens, account.ID)
	if err != nil {
		return fmt.Errorf("update account: %w", err)
	}
	return nil
}

// revoke takes the account's streams from whoever polls them and makes them due.
func (a *core) revoke(ctx context.Context, tx *sql.Tx, accountID string) error {
	_, err := tx.ExecContext(ctx, `UPDATE streams SET fence = fence + 1, lease_owner = '', lease_until = NULL, refusals = 0, next_poll_at = `+a.now+`, full_poll_at = NULL
		WHERE account_id = $1`, accountID)
	if err != nil {
		return fmt.Errorf("revoke polls: %w", err)
	}
	return nil
}

// Delete removes an account with all that is known of its streams.
func (a *Accounts) Delete(ctx context.Context, projectID, id string) error {
	return a.change(ctx, id, "deleted", func(tx *sql.Tx) (Account, error) {
		account, _, err := a.lock(ctx, tx, projectID, id)
		if err != nil {
			return Account{}, err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM accounts WHERE id = $1`, id); err != nil {
			return Account{}, fmt.Errorf("delete account: %w", err)
		}
		return account, nil
	})
}

// Pause stops the polls of all streams of an account, those under way too.
func (a *Accounts) Pause(ctx context.Context, projectID, id string) (Account, error) {
	return a.setState(ctx, projectID, id, StatePaused)
}

// Resume makes an account's streams due again, after Pause or a need for attention.
func (a *Accounts) Resume(ctx context.Context, projectID, id string) (Account, error) {
	account, err := a.setState(ctx, projectID, id, StateActive)
	a.woken()
	return account, err
}

func (a *Accounts) setState(ctx context.Context, projectID, id, state string) (Account, error) {
	err := a.inTx(ctx, func(tx *sql.Tx) error {
		account, _, err := a.lock(ctx, tx, projectID, id)
		if err != nil || account.State == state {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET state = $1, state_reason = '', next_check_at = NULL, checks = 0, updated_at = $2 WHERE id = $3`,
			state, time.Now().UTC(), id); err != nil {
			return fmt.Errorf("set account state: %w", err)
		}
		return a.revoke(ctx, tx, id)
	})
	if err != nil {
		return Account{}, err
	}
	return a.Get(ctx, projectID, id)
}
