package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// pendingSuffix marks the key file of a rotation that has not ended: whatever stops it,
// either this file or the one it is to replace opens the data key.
const pendingSuffix = ".new"

// Rotate seals the data key under another master key. Nothing else is written, and
// processes that run go on; from then on a start needs the new key. Where the present key
// is in the key file, next must be "": a new one is made and takes the file's place, whose
// path is returned. ErrWrongMasterKey, ErrNoMasterKey.
func Rotate(ctx context.Context, db *sql.DB, c Config, next string) (keyFile string, err error) {
	sealed, _, err := readInstallation(ctx, db)
	if err != nil {
		return "", err
	}
	if sealed == nil {
		return "", errors.New("nothing is sealed yet: the first start takes whatever master key it is given")
	}
	k := &Keys{}
	master, source, err := k.masterKey(c, true)
	if err != nil {
		return "", err
	}
	dataKey, err := present(sealed, master, source, c.KeyFile)
	if err != nil {
		return "", err
	}
	if source != c.KeyFile {
		return "", replaceDataKey(ctx, db, sealed, dataKey, next)
	}
	if next != "" {
		return "", fmt.Errorf("the master key is in %s, which a new one replaces: none is taken", c.KeyFile)
	}
	pending := c.KeyFile + pendingSuffix
	if err := os.Remove(pending); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("remove the key file of a rotation that came to nothing: %w", err)
	}
	if next, err = makeKeyFile(pending); err != nil {
		return "", err
	}
	if err := replaceDataKey(ctx, db, sealed, dataKey, next); err != nil {
		return "", err
	}
	return c.KeyFile, takePending(c.KeyFile)
}

func replaceDataKey(ctx context.Context, db *sql.DB, sealed, dataKey []byte, next string) error {
	resealed, err := sealDataKey(dataKey, next)
	if err != nil {
		return err
	}
	changed, err := db.ExecContext(ctx, `UPDATE installation SET data_key = $1 WHERE id = 1 AND data_key = $2`, resealed, sealed)
	if err != nil {
		return fmt.Errorf("write installation: %w", err)
	}
	if n, err := changed.RowsAffected(); err != nil {
		return fmt.Errorf("write installation: %w", err)
	} else if n == 0 {
		return errors.New("the master key was replaced by somebody else meanwhile: nothing was changed")
	}
	return nil
}

// openPending opens the data key with the key file of a rotation that was cut off after
// it had written the database, and ends that rotation. ErrSealed where there is none.
func openPending(sealed []byte, keyFile string) ([]byte, error) {
	master, err := readKeyFile(keyFile + pendingSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrSealed
	}
	if err != nil {
		return nil, err
	}
	dataKey, err := openDataKey(sealed, master)
	if err != nil {
		return nil, err
	}
	return dataKey, takePending(keyFile)
}

func takePending(keyFile string) error {
	if err := os.Rename(keyFile+pendingSuffix, keyFile); err != nil {
		return fmt.Errorf("replace key file: %w", err)
	}
	return nil
}

// NewMasterKey reads the master key that a file holds, or makes both.
func NewMasterKey(path string) (string, error) {
	master, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeyFile(path)
	}
	return master, err
}
