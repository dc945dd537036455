// Package scratch gives a command an empty database that nothing else is in, and takes
// it away again.
//
// It owns temporary directories and PostgreSQL schemas that it has made itself. It never
// touches what was there before, and makes no table.
package scratch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrURL refuses what is no URL of a PostgreSQL database. It does not repeat it: there
// may be a password in it.
var ErrURL = errors.New("--database-url has a value of the wrong form: expected postgres://user:password@host:port/database")

// Database returns the location of an empty database and what removes it: a file in a
// temporary directory where postgres is "", else a schema of its own in the database of
// that URL, so that a service that lives there is not touched. The command's name is
// part of the directory's or schema's. drop works after ctx has ended, too. The error is
// ErrURL for any other URL.
func Database(ctx context.Context, command, postgres string) (location string, drop func() error, err error) {
	if postgres == "" {
		dir, err := os.MkdirTemp("", "synthook-"+command+"-")
		if err != nil {
			return "", nil, fmt.Errorf("make temporary directory: %w", err)
		}
		return filepath.Join(dir, "synthook.db"), func() error { return os.RemoveAll(dir) }, nil
	}
	u, err := url.Parse(postgres)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", nil, ErrURL
	}
	schema := "synthook_" + command + "_" + strings.ToLower(rand.Text()[:8])
	if err := execute(ctx, postgres, "CREATE SCHEMA "+schema); err != nil {
		return "", nil, fmt.Errorf("make a schema for the %s: %w", command, err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String(), func() error {
		if err := execute(context.WithoutCancel(ctx), postgres, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			return fmt.Errorf("drop the %s's schema %s: %w", command, schema, err)
		}
		return nil
	}, nil
}

func execute(ctx context.Context, location, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, location)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
