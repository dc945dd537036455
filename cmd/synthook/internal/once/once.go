// Package once lets a request be repeated without its work being done twice: whoever
// made it under a key gets the answer of the first time.
//
// It owns the table idempotency_keys. A key stands there hashed and an answer sealed,
// because an answer may hold a secret; of the request there is a hash that needs the
// plain key to be made. It never keeps a refusal: what failed may be tried again under
// the same key.
package once

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/migrations"
)

const (
	// Kept is how long an answer is kept.
	Kept = 24 * time.Hour
	// abandoned is how long after its beginning a request whose end is not known is taken
	// for one whose process died. Requests that make something take seconds.
	abandoned = 5 * time.Minute
)

var (
	// ErrOther says that the key was used for another request.
	ErrOther = errors.New("the key was used for another request")
	// ErrUnderWay says that the first request under the key has not ended.
	ErrUnderWay = errors.New("a request under this key is under way")
)

// Sealer encrypts what must not stand in the database as it is.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Keeper remembers answers. It is safe for concurrent use, in any number of processes.
type Keeper struct {
	db     *sql.DB
	sealer Sealer
	lock   string
	now    func() time.Time
}

// New returns the keeper of a database.
func New(db *sql.DB, sealer Sealer) *Keeper {
	k := &Keeper{db: db, sealer: sealer, now: func() time.Time { return time.Now().UTC() }}
	if migrations.IsPostgres(db) {
		k.lock = " FOR UPDATE"
	}
	return k
}

// Request is what is made once: a key within a project, and everything that makes it
// this request and no other.
type Request struct {
	ProjectID, Key string
	Content        any // is marshalled
}

// Do calls make, or returns what it returned when it was called for the same request
// before (again is true then). The error is make's, ErrOther, ErrUnderWay or the
// database's.
func Do[T any](ctx context.Context, k *Keeper, r Request, make func() (T, error)) (answer T, again bool, err error) {
	entry, err := k.entry(r)
	if err != nil {
		return answer, false, err
	}
	sealed, err := k.begin(ctx, entry)
	if err != nil {
		return answer, false, err
	}
	if sealed != nil {
		plain, err := k.sealer.Open(sealed, entry.purpose())
		if err == nil {
			err = json.Unmarshal(plain, &answer)
		}
		if err != nil {
			return answer, false, fmt.Errorf("read the first answer: %w", err)
		}
		return answer, true, nil
	}
	done := false
	defer func() {
		if !done { // it failed, or panicked
			err = errors.Join(err, k.forget(ctx, entry))
		}
	}()
	if answer, err = make(); err != nil {
		return answer, false, err
	}
	// What was made is made: where its answer can't be kept, the key stays taken until it
	// is abandoned.
	done = true
	return answer, false, k.keep(ctx, entry, answer)
}

// entry is a request as it stands in the table.
type entry struct {
	project      string
	key, content []byte
	started      time.Time
}

func (e entry) purpose() string { return "idempotency:" + e.project + ":" + hex.EncodeToString(e.key) }

func (k *Keeper) entry(r Request) (entry, error) {
	content, err := json.Marshal(r.Content)
	if err != nil {
		return entry{}, fmt.Errorf("read request: %w", err)
	}
	key := sha256.Sum256([]byte(r.Key))
	mac := hmac.New(sha256.New, []byte(r.Key))
	mac.Write(content)
	return entry{project: r.ProjectID, key: key[:], content: mac.Sum(nil), started: k.now().Truncate(time.Microsecond)}, nil
}

// begin takes the key, or returns the answer of the first time.
func (k *Keeper) begin(ctx context.Context, e entry) (sealed []byte, err error) {
	tx, err := k.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("take key: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	inserted, err := tx.ExecContext(ctx, `INSERT INTO idempotency_keys (project_id, key_hash, request_hash, started_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (project_id, key_hash) DO NOTHING`, e.project, e.key, e.content, e.started)
	if err != nil {
		return nil, fmt.Errorf("take key: %w", err)
	}
	if n, err := inserted.RowsAffected(); err != nil || n > 0 {
		if err == nil {
			err = tx.Commit()
		}
		return nil, err
	}
	var content []byte
	var started time.Time
	err = tx.QueryRowContext(ctx, `SELECT request_hash, started_at, answer FROM idempotency_keys WHERE project_id = $1 AND key_hash = $2`+k.lock, e.project, e.key).
		Scan(&content, &started, &sealed)
	if errors.Is(err, sql.ErrNoRows) { // given back since
		return nil, ErrUnderWay
	}
	if err != nil {
		return nil, fmt.Errorf("find key: %w", err)
	}
	old := e.started.Sub(started) >= Kept || sealed == nil && e.started.Sub(started) >= abandoned
	switch {
	case !old && !hmac.Equal(content, e.content):
		return nil, ErrOther
	case !old && sealed == nil:
		return nil, ErrUnderWay
	case !old:
		return sealed, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE idempotency_keys SET request_hash = $1, started_at = $2, answer = NULL WHERE project_id = $3 AND key_hash = $4`,
		e.content, e.started, e.project, e.key)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return nil, fmt.Errorf("take key: %w", err)
	}
	return nil, nil
}

// clean is a context for what has to be written though the caller is gone.
func clean(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

func (k *Keeper) keep(ctx context.Context, e entry, answer any) error {
	ctx, cancel := clean(ctx)
	defer cancel()
	plain, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	sealed, err := k.sealer.Seal(plain, e.purpose())
	if err == nil {
		_, err = k.db.ExecContext(ctx, `UPDATE idempotency_keys SET answer = $1 WHERE project_id = $2 AND key_hash = $3 AND started_at = $4`,
			sealed, e.project, e.key, e.started)
	}
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

func (k *Keeper) forget(ctx context.Context, e entry) error {
	ctx, cancel := clean(ctx)
	defer cancel()
	_, err := k.db.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE project_id = $1 AND key_hash = $2 AND started_at = $3 AND answer IS NULL`,
		e.project, e.key, e.started)
	if err != nil {
		return fmt.Errorf("give key back: %w", err)
	}
	return nil
}

// Purge forgets answers that are older than they are kept, and returns how many.
func (k *Keeper) Purge(ctx context.Context) (int64, error) {
	result, err := k.db.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE started_at < $1`, k.now().Add(-Kept))
	if err != nil {
		return 0, fmt.Errorf("purge answers: %w", err)
	}
	return result.RowsAffected()
}
