package poller

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/providers"
)

// tokenStore keeps one account's tokens in its row, sealed. It is a providers.TokenStore.
type tokenStore struct {
	*core
	accountID string
	turn      chan struct{} // in this process
	loaded    []byte        // sealed, as they stand in the row; whose turn it is looks at it
}

var _ providers.TokenStore = (*tokenStore)(nil)

func tokensPurpose(accountID string) string { return "account:" + accountID + ":tokens" }

// tokens is the store of an account, the same for all its polls in this process.
func (p *Poller) tokens(accountID string) *tokenStore {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.tokenStores[accountID]
	if s == nil {
		s = &tokenStore{core: p.core, accountID: accountID, turn: make(chan struct{}, 1)}
		p.tokenStores[accountID] = s
	}
	return s
}

// Lock waits for the account's turn in this process and, where others share the
// database, in theirs: by an advisory lock on a connection of its own, which ends with it
// when the process dies.
func (s *tokenStore) Lock(ctx context.Context) (unlock func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if s.skipLocked == "" { // an embedded database has one process
		return func() { <-s.turn }, nil
	}
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		<-s.turn
		return nil, fmt.Errorf("get a connection for the account's tokens: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtextextended($1, 0))`, tokensPurpose(s.accountID)); err != nil {
		_ = conn.Close()
		<-s.turn
		return nil, fmt.Errorf("lock the account's tokens: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(hashtextextended($1, 0))`, tokensPurpose(s.accountID)); err != nil {
			_ = conn.Raw(func(any) error { return errLockKept }) // the connection is closed, and the lock with it
		}
		_ = conn.Close()
		<-s.turn
	}, nil
}

// errLockKept makes the pool give up a connection that still has the lock.
var errLockKept = driver.ErrBadConn

// Load returns what was saved last.
func (s *tokenStore) Load(ctx context.Context) (map[string]string, error) {
	var sealed []byte
	if err := s.DB.QueryRowContext(ctx, `SELECT tokens FROM accounts WHERE id = $1`, s.accountID).Scan(&sealed); err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	if s.loaded = sealed; sealed == nil {
		return nil, nil
	}
	plain, err := s.Sealer.Open(sealed, tokensPurpose(s.accountID))
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	var tokens map[string]string
	if err := json.Unmarshal(plain, &tokens); err != nil {
		return nil, fmt.Errorf("read tokens: they are not a JSON object") // err could quote them
	}
	return tokens, nil
}

// Save stores tokens before anybody uses them. Those that came with other credentials
// since the last Load are never written over: a refresh token among them may be the only one.
func (s *tokenStore) Save(ctx context.Context, tokens map[string]string) error {
	sealed, err := sealTokens(s.Sealer, s.accountID, tokens)
	if err != nil {
		return err
	}
	result, err := s.DB.ExecContext(ctx, `UPDATE accounts SET tokens = $1 WHERE id = $2 AND tokens IS NOT DISTINCT FROM $3`, sealed, s.accountID, s.loaded)
	if err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, errTokensReplaced)
	}
	s.loaded = sealed
	return nil
}

var errTokensReplaced = errors.New("store tokens: the account's credentials were replaced meanwhile, or it was deleted")

func sealTokens(s Sealer, accountID string, tokens map[string]string) ([]byte, error) {
	plain, err := json.Marshal(tokens)
	if err != nil {
		return nil, fmt.Errorf("write tokens: %w", err)
	}
	sealed, err := s.Seal(plain, tokensPurpose(accountID))
	if err != nil {
		return nil, fmt.Errorf("seal tokens: %w", err)
	}
	return sealed, nil
}
