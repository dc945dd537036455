// Package keys keeps the keys of an installation: the master key and the data key, the
// admin key and the projects' API keys.
//
// The data key seals what the database must not show. It is made at the first start and
// stored sealed under the master key, so that another master key is one row to write.
//
// It owns the tables installation and api_keys and the key file of the embedded
// database. It never stores a key as it is: of the others only the SHA-256 (the keys that
// are made here hold 256 random bits; hashing them slowly would add nothing).
package keys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Config is what the operator gave.
type Config struct {
	MasterKey string // "": the key file's
	KeyFile   string // path; "": none, a master key must be given
	AdminKey  string // "": made at the first start
}

// Keys are the open keys of an installation.
type Keys struct {
	Sealer      *Sealer // under the data key
	NewKeyFile  string  // path of the key file, where it was made by this start
	NewAdminKey string  // the admin key, where it was made by this start: to be shown once

	adminHash []byte
}

var (
	// ErrNoMasterKey: there is none and nowhere to make one.
	ErrNoMasterKey = errors.New("no master key: set SYNTHOOK_MASTER_KEY (or SYNTHOOK_MASTER_KEY_FILE); `openssl rand -base64 32` makes one. Keep it: without it stored credentials can't be read")
	// ErrWrongMasterKey: the database was sealed under another one.
	ErrWrongMasterKey = errors.New("wrong master key: this database was set up with another one; start with that")
)

const dataKeyPurpose = "installation:data_key"

// Open opens the keys, making what a first start makes. db has its schema.
func Open(ctx context.Context, db *sql.DB, c Config) (*Keys, error) {
	sealed, storedHash, err := readInstallation(ctx, db)
	if err != nil {
		return nil, err
	}
	k := &Keys{}
	master, source, err := k.masterKey(c, sealed != nil)
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		if sealed, storedHash, err = writeInstallation(ctx, db, master); err != nil {
			return nil, err
		}
	}
	dataKey, err := present(sealed, master, source, c.KeyFile)
	if err != nil {
		return nil, err
	}
	if k.Sealer, err = newSealer(dataKey, "synthook data key v1: sealing"); err != nil {
		return nil, err
	}
	return k, k.openAdminKey(ctx, db, c.AdminKey, storedHash)
}

// present opens the data key with the master key that was found, or where that is the key
// file's, with the one that was to replace it.
func present(sealed []byte, master, source, keyFile string) ([]byte, error) {
	dataKey, err := openDataKey(sealed, master)
	if errors.Is(err, ErrSealed) && source == keyFile {
		dataKey, err = openPending(sealed, keyFile)
	}
	if errors.Is(err, ErrSealed) {
		return nil, fmt.Errorf("%w (this one is from %s)", ErrWrongMasterKey, source)
	}
	return dataKey, err
}

// openDataKey opens the data key with a master key; ErrSealed where it is another one's.
func openDataKey(sealed []byte, master string) ([]byte, error) {
	s, err := NewSealer(master)
	if err != nil {
		return nil, err
	}
	return s.Open(sealed, dataKeyPurpose)
}

func sealDataKey(dataKey []byte, master string) ([]byte, error) {
	s, err := NewSealer(master)
	if err != nil {
		return nil, err
	}
	return s.Seal(dataKey, dataKeyPurpose)
}

// masterKey finds the master key and tells from where, or makes the key file of a new
// installation.
func (k *Keys) masterKey(c Config, installed bool) (master, source string, err error) {
	if c.MasterKey != "" {
		return c.MasterKey, "--master-key or SYNTHOOK_MASTER_KEY", nil
	}
	if c.KeyFile == "" {
		return "", "", ErrNoMasterKey
	}
	master, err = readKeyFile(c.KeyFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return master, c.KeyFile, err
	}
	if installed {
		return "", "", fmt.Errorf("the key file %s is gone, and this database can't be read without it: put it back, or set SYNTHOOK_MASTER_KEY to what it held", c.KeyFile)
	}
	k.NewKeyFile = c.KeyFile
	master, err = makeKeyFile(c.KeyFile)
	return master, c.KeyFile, err
}

func readInstallation(ctx context.Context, db *sql.DB) (sealedDataKey, adminHash []byte, err error) {
	err = db.QueryRowContext(ctx, `SELECT data_key, admin_key_hash FROM installation WHERE id = 1`).Scan(&sealedDataKey, &adminHash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, nil, fmt.Errorf("read installation: %w", err)
	}
	return sealedDataKey, adminHash, nil
}

// writeInstallation writes the row of a first start, with a new data key. Of several
// processes that start at once one wins, so the row is read back: the others take its.
func writeInstallation(ctx context.Context, db *sql.DB, master string) (sealedDataKey, adminHash []byte, err error) {
	var dataKey [32]byte
	_, _ = rand.Read(dataKey[:]) // never fails (crypto/rand)
	if sealedDataKey, err = sealDataKey(dataKey[:], master); err != nil {
		return nil, nil, err
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO installation (id, data_key, created_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING`,
		sealedDataKey, time.Now().UTC()); err != nil {
		return nil, nil, fmt.Errorf("write installation: %w", err)
	}
	return readInstallation(ctx, db)
}

// openAdminKey takes the operator's key, else the stored one, else makes one. An
// operator's key is not stored: who lost the stored one sets a new one.
func (k *Keys) openAdminKey(ctx context.Context, db *sql.DB, given string, stored []byte) error {
	switch {
	case given != "":
		k.adminHash = hash(given)
		return nil
	case stored != nil:
		k.adminHash = stored
		return nil
	}
	key := newKey("shadm_")
	made, err := db.ExecContext(ctx, `UPDATE installation SET admin_key_hash = $1 WHERE id = 1 AND admin_key_hash IS NULL`, hash(key))
	if err != nil {
		return fmt.Errorf("store admin key: %w", err)
	}
	if n, err := made.RowsAffected(); err != nil {
		return fmt.Errorf("store admin key: %w", err)
	} else if n == 1 {
		k.NewAdminKey = key
	}
	_, k.adminHash, err = readInstallation(ctx, db) // another process's, if that was faster
	return err
}

// IsAdmin says whether key is the admin key, in constant time.
func (k *Keys) IsAdmin(key string) bool {
	return subtle.ConstantTimeCompare(hash(key), k.adminHash) == 1
}

func hash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// newKey returns the prefix and 43 characters: 256 random bits in base64url.
func newKey(prefix string) string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(random[:])
}
