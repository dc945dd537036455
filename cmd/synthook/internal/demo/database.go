package demo

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

// temporaryDatabase returns the location of an empty database and what removes it: a
// file in a temporary directory, or a schema of its own in the PostgreSQL database, so
// that a service that lives there is not touched.
func temporaryDatabase(ctx context.Context, postgres string) (location string, drop func() error, err error) {
	if postgres == "" {
		dir, err := os.MkdirTemp("", "synthook-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make temporary directory: %w", err)
		}
		return filepath.Join(dir, "synthook.db"), func() error { return os.RemoveAll(dir) }, nil
	}
	u, err := url.Parse(postgres)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", nil, errors.New("--database-url of the demo is a PostgreSQL URL: postgres://user:password@host:port/database")
	}
	schema := "synthook_demo_" + strings.ToLower(rand.Text()[:8])
	if err := execute(ctx, postgres, "CREATE SCHEMA "+schema); err != nil {
		return "", nil, fmt.Errorf("make a schema for the demo: %w", err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String(), func() error {
		if err := execute(context.WithoutCancel(ctx), postgres, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			return fmt.Errorf("drop the demo's schema %s: %w", schema, err)
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
