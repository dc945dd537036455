package poller

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// AccountUpdate changes what is not nil. Credentials replace all the account has, and
// SetupInformation all that was given.
type AccountUpdate struct {
	BaseURL                                        *string
	Credentials                                    map[string]string
	OriginOwnerID, OriginOwnerName, OriginUsername *string
	SetupInformation                               map[string]string
	Schedule, Baseline                             *string
	PageSize                                       *int
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

// Update changes an account. New credentials or another base URL end its need for
// attention, revoke its polls under way and make all its streams due; streams that the
// account only has with them are added.
func (a *Accounts) Update(ctx context.Context, projectID, id string, u AccountUpdate) (Account, error) {
	if u.empty() {
		return a.Get(ctx, projectID, id)
	}
	if u.BaseURL != nil {
		if err := a.checkURL(ctx, *u.BaseURL); err != nil {
			return Account{}, err
		}
	}
	err := a.change(ctx, id, "updated", func(tx *sql.Tx) (Account, error) { return a.update(ctx, tx, projectID, id, u) })
	if err != nil {
		return Account{}, err
	}
	a.woken()
	return a.Get(ctx, projectID, id)
}

func (a *Accounts) update(ctx context.Context, tx *sql.Tx, projectID, id string, u AccountUpdate) (Account, error) {
	account, sealed, err := a.lock(ctx, tx, projectID, id)
	if err != nil {
		return Account{}, err
	}
	connector, err := a.Catalog.Connector(account.Provider)
	if err != nil {
		return Account{}, invalid("provider", "%s", err)
	}
	credentials, err := openCredentials(a.Sealer, id, sealed)
	if err != nil {
		return Account{}, err
	}
	before := connector.Serves(account.target(credentials))
	u.apply(&account)
	given := givenSetup(connector, account.SetupInformation)
	if u.SetupInformation != nil {
		given = u.SetupInformation
	}
	if u.Credentials != nil {
		credentials = u.Credentials
		if sealed, err = sealCredentials(a.Sealer, id, credentials); err != nil {
			return Account{}, err
		}
	}
	if err := a.check(connector, account, credentials, given); err != nil {
		return Account{}, err
	}
	account.SetupInformation = setupInformation(connector, credentials, given)
	if u.reconnects() && account.State == StateNeedsAttention {
		account.State, account.StateReason = StateActive, ""
	}
	if err := a.write(ctx, tx, account, sealed); err != nil {
		return Account{}, err
	}
	if u.reconnects() {
		gained := slices.DeleteFunc(connector.Serves(account.target(credentials)), func(t string) bool { return slices.Contains(before, t) })
		if err := a.addStreams(ctx, tx, id, gained); err != nil {
			return Account{}, err
		}
		return account, a.revoke(ctx, tx, id)
	}
	if u.Schedule != nil {
		return account, a.reschedule(ctx, tx, `a.id = $1`, id)
	}
	return account, nil
}

// lock reads an account and its sealed credentials, and keeps it from others till the
// transaction ends.
func (a *core) lock(ctx context.Context, tx *sql.Tx, projectID, id string) (Account, []byte, error) {
	var sealed []byte
	err := tx.QueryRowContext(ctx, `SELECT credentials FROM accounts WHERE project_id = $1 AND id = $2`+a.forUpdate, projectID, id).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, nil, notFound("account")
	}
	if err != nil {
		return Account{}, nil, fmt.Errorf("lock account: %w", err)
	}
	accounts, err := selectAccounts(ctx, tx, `a.id = $1`, id)
	if err != nil {
		return Account{}, nil, err
	}
	return accounts[0], sealed, nil
}

func (a *Accounts) write(ctx context.Context, tx *sql.Tx, account Account, sealed []byte) error {
	setup, err := encodeSetup(account.SetupInformation)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE accounts SET base_url = $1, credentials = $2, origin_owner_id = $3, origin_owner_name = $4, origin_username = $5,
			setup_information = $6, schedule = $7, baseline = $8, page_size = $9, state = $10, state_reason = $11, updated_at = $12
		WHERE id = $13`,
		account.BaseURL, sealed, account.OriginOwnerID, account.OriginOwnerName, account.OriginUsername,
		setup, account.Schedule, account.Baseline, account.PageSize, account.State, account.StateReason, time.Now().UTC(), account.ID)
	if err != nil {
		return fmt.Errorf("update account: %w", err)
	}
	return nil
}

// revoke takes the account's streams from whoever polls them and makes them due.
func (a *core) revoke(ctx context.Context, tx *sql.Tx, accountID string) error {
	_, err := tx.ExecContext(ctx, `UPDATE streams SET fence = fence + 1, lease_owner = '', lease_until = NULL, next_poll_at = `+a.now+`, full_poll_at = NULL
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
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET state = $1, state_reason = '', updated_at = $2 WHERE id = $3`,
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
