package poller

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/synthook/synthook/hashstore"
)

// States of an account. Streams of an account that is not active are not polled.
const (
	StateActive         = "active"
	StatePaused         = "paused"
	StateNeedsAttention = "needs_attention" // the provider refused the credentials
)

// What the first listing of a stream does.
const (
	BaselineSilent = "silent" // nothing is told (the default)
	BaselineEmit   = "emit"   // created for every record
)

// Account is one connected provider account. Credentials never leave the database.
type Account struct {
	ID, ProjectID, Provider string
	BaseURL                 string // "": the connector's own
	OriginOwnerID           string
	OriginOwnerName         string
	OriginUsername          string
	SetupInformation        map[string]string // never a credential that is secret
	Schedule                string            // "": the next in precedence
	Baseline                string
	PageSize                int // 0: the connector's own
	State, StateReason      string
	NextCheckAt             time.Time // of one that needs attention: when the provider is asked again; else zero
	BlockedUntil            time.Time // the provider asked for silence until then; zero: it did not
	RecordTypes             []string  // its streams
	CreatedAt, UpdatedAt    time.Time

	Check []Finding // what the provider answered; only where a method has just asked it
}

// NewAccount connects a provider account.
type NewAccount struct {
	Provider, BaseURL                              string
	Credentials                                    map[string]string
	OriginOwnerID, OriginOwnerName, OriginUsername string
	SetupInformation                               map[string]string // added to the credentials that are no secret
	RecordTypes                                    []string          // nil: all that the connector serves
	Schedule, Baseline                             string
	PageSize                                       int

	NoCheck bool // don't ask the provider first
}

// Accounts manages accounts, and tells of it: every change a user makes is an account
// event, in the same transaction. Errors are ErrNotFound and *InvalidError where the
// caller is to blame.
type Accounts struct{ *core }

// NewAccounts returns the accounts of a database.
func NewAccounts(c Config) *Accounts { return &Accounts{newCore(c)} }

// Create connects an account; its streams are due at once. Before anything is written the
// provider is asked for one small page of each list: where it refuses the credentials, is
// not there at all, or no list can be read, nothing is, and the error is an *InvalidError
// with a code. A list that alone is refused waits for attention, the others are polled. A
// provider that is down or wants to be left alone is no reason against the account.
func (a *Accounts) Create(ctx context.Context, projectID string, n NewAccount) (Account, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	account := Account{
		ID: newID(), ProjectID: projectID, Provider: n.Provider, BaseURL: n.BaseURL,
		OriginOwnerID: n.OriginOwnerID, OriginOwnerName: n.OriginOwnerName, OriginUsername: n.OriginUsername,
		Schedule: n.Schedule, Baseline: n.Baseline, PageSize: n.PageSize,
		State: StateActive, CreatedAt: now, UpdatedAt: now,
	}
	if account.Baseline == "" {
		account.Baseline = BaselineSilent
	}
	connector, err := a.Catalog.Connector(n.Provider)
	if err != nil {
		return Account{}, invalid("provider", "%s", err)
	}
	if err := a.checkURL(ctx, n.BaseURL); err != nil {
		return Account{}, err
	}
	if err := a.check(connector, account, n.Credentials, n.SetupInformation); err != nil {
		return Account{}, err
	}
	account.SetupInformation = setupInformation(connector, n.Credentials, n.SetupInformation)
	if account.RecordTypes, err = chosen(connector, account.target(n.Credentials), n.RecordTypes); err != nil {
		return Account{}, err
	}
	d := draft{account: account, connector: connector, credentials: n.Credentials, served: account.RecordTypes}
	if d.sealed, err = sealCredentials(a.Sealer, account.ID, n.Credentials); err != nil {
		return Account{}, err
	}
	write := func(ctx context.Context, tokens []byte, found []Finding) error {
		d := d
		d.tokens, d.found = tokens, found
		return a.change(ctx, account.ID, "created", func(tx *sql.Tx) (Account, error) {
			return account, a.insert(ctx, tx, d)
		})
	}
	if account.Check, err = a.checked(ctx, !n.NoCheck, write, func() (draft, error) { return d, nil }); err != nil {
		return Account{}, err
	}
	a.woken()
	return account, nil
}

func (a *Accounts) insert(ctx context.Context, tx *sql.Tx, d draft) error {
	account := d.account
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM projects WHERE id = $1)`, account.ProjectID).Scan(&exists); err != nil {
		return fmt.Errorf("find project: %w", err)
	}
	if !exists {
		return notFound("project")
	}
	setup, err := encodeSetup(account.SetupInformation)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO accounts (id, project_id, provider, base_url, credentials, origin_owner_id, origin_owner_name,
			origin_username, setup_information, schedule, baseline, page_size, created_at, updated_at, tokens)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		account.ID, account.ProjectID, account.Provider, account.BaseURL, d.sealed, account.OriginOwnerID, account.OriginOwnerName,
		account.OriginUsername, setup, account.Schedule, account.Baseline, account.PageSize, account.CreatedAt, account.UpdatedAt, d.tokens)
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	if err := a.addStreams(ctx, tx, account.ID, account.RecordTypes); err != nil {
		return err
	}
	return a.markRefused(ctx, tx, d)
}

func (a *Accounts) addStreams(ctx context.Context, tx *sql.Tx, accountID string, recordTypes []string) error {
	for _, recordType := range recordTypes {
		if _, err := tx.ExecContext(ctx, `INSERT INTO streams (account_id, record_type, next_poll_at) VALUES ($1, $2, `+a.now+`)
			ON CONFLICT (account_id, record_type) DO NOTHING`, accountID, recordType); err != nil {
			return fmt.Errorf("create stream: %w", err)
		}
	}
	return nil
}

// change makes a change of an account and its event one transaction.
func (a *Accounts) change(ctx context.Context, accountID, action string, change func(tx *sql.Tx) (Account, error)) error {
	err := a.inTx(ctx, func(tx *sql.Tx) error {
		account, err := change(tx)
		if err != nil {
			return err
		}
		extra, err := details(account)
		if err != nil {
			return err
		}
		_, err = a.Store.Append(ctx, tx, slices.Values([]hashstore.Event{{
			ProjectID: account.ProjectID, AccountID: accountID, Provider: account.Provider, Name: "account." + action,
			RecordType: "account", RecordID: accountID, OccurredAt: time.Now().UTC(), Details: extra,
		}}))
		return err
	})
	if err != nil {
		return err
	}
	if a.Store.OnAppend != nil {
		a.Store.OnAppend()
	}
	return nil
}

// Get returns an account of a project.
func (a *Accounts) Get(ctx context.Context, projectID, id string) (Account, error) {
	accounts, err := selectAccounts(ctx, a.DB, `a.project_id = $1 AND a.id = $2`, projectID, id)
	if err != nil {
		return Account{}, err
	}
	if len(accounts) == 0 {
		return Account{}, notFound("account")
	}
	return accounts[0], nil
}

// List returns up to limit accounts of a project by id, those behind the id after.
func (a *Accounts) List(ctx context.Context, projectID, after string, limit int) ([]Account, error) {
	return selectAccounts(ctx, a.DB, `a.id IN (SELECT id FROM accounts WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3)`, projectID, after, limit)
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// selectAccounts reads accounts by id, a row a stream.
func selectAccounts(ctx context.Context, db queryer, where string, args ...any) ([]Account, error) {
	rows, err := db.QueryContext(ctx, `SELECT a.id, a.project_id, a.provider, a.base_url, a.origin_owner_id, a.origin_owner_name, a.origin_username,
			a.setup_information, a.schedule, a.baseline, a.page_size, a.state, a.state_reason, a.next_check_at, a.blocked_until, a.created_at, a.updated_at,
			coalesce(s.record_type, '') AS record_type
		FROM accounts a LEFT JOIN streams s ON s.account_id = a.id
		WHERE `+where+` ORDER BY a.id, s.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	defer rows.Close()
	var accounts []Account
	for rows.Next() {
		var a Account
		var setup, recordType string
		var blocked, check sql.NullTime
		if err := rows.Scan(&a.ID, &a.ProjectID, &a.Provider, &a.BaseURL, &a.OriginOwnerID, &a.OriginOwnerName, &a.OriginUsername,
			&setup, &a.Schedule, &a.Baseline, &a.PageSize, &a.State, &a.StateReason, &check, &blocked, &a.CreatedAt, &a.UpdatedAt, &recordType); err != nil {
			return nil, fmt.Errorf("read accounts: %w", err)
		}
		if last := len(accounts) - 1; last >= 0 && accounts[last].ID == a.ID {
			accounts[last].RecordTypes = append(accounts[last].RecordTypes, recordType)
			continue
		}
		if setup != "" {
			if err := json.Unmarshal([]byte(setup), &a.SetupInformation); err != nil {
				return nil, fmt.Errorf("read setup information of account %s: %w", a.ID, err)
			}
		}
		a.NextCheckAt, a.BlockedUntil = check.Time, blocked.Time
		if recordType != "" {
			a.RecordTypes = []string{recordType}
		}
		accounts = append(accounts, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return accounts, nil
}

// newID makes an account id: 21 random letters and digits, like a nanoid but never
// with a sign that a command line could take for a flag.
func newID() string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	id := make([]byte, 0, 21)
	for len(id) < cap(id) {
		var random [32]byte
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if b &= 63; int(b) < len(letters) && len(id) < cap(id) {
				id = append(id, letters[b])
			}
		}
	}
	return string(id)
}
