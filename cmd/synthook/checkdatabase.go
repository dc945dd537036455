package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/poller"
	"github.com/synthook/synthook/providers"
)

func (c *checkup) database(ctx context.Context, s settings.Settings, catalog *providers.Catalog) {
	location := s.DatabaseURL.Reveal()
	if path, missing := missingFile(location); missing {
		c.good("database", "%s is not there yet; the first start makes it", path)
		return
	}
	db, err := migrations.Open(ctx, location)
	if errors.Is(err, migrations.ErrInUse) {
		c.good("database", "in use by a service that runs: ask that (synthook account list, synthook stream list), or stop it to look inside")
		return
	}
	if err != nil {
		c.bad("database", explained(err))
		return
	}
	version, err := migrations.Status(ctx, db.DB)
	switch {
	case err != nil:
		c.bad("database", err)
	case version.Current > version.Latest:
		c.bad("database", migrations.ErrSchemaTooNew)
	case version.Current < version.Latest:
		c.good("database", "reachable; its schema is at version %d of %d, the next start brings it up", version.Current, version.Latest)
	default:
		c.good("database", "reachable; its schema is at version %d, as this program's", version.Current)
	}
	current := err == nil && version.Current == version.Latest
	if sealer := c.keys(ctx, s, db, current); sealer != nil && current && catalog != nil {
		c.accounts(ctx, poller.Config{DB: db.DB, Catalog: catalog, Sealer: sealer, Logger: zerolog.Nop()})
	}
	if err := db.Close(); err != nil {
		c.bad("database", err)
	}
}

// missingFile says whether location is an embedded database that is not there yet, and
// that opening it would make.
func missingFile(location string) (path string, missing bool) {
	scheme, path, isURL := strings.Cut(location, "://")
	if isURL && strings.HasPrefix(scheme, "postgres") {
		return "", false
	}
	if !isURL {
		path = location
	}
	_, err := os.Stat(path)
	if full, err := filepath.Abs(path); err == nil {
		path = full // it may be the folder that is the wrong one
	}
	return path, errors.Is(err, os.ErrNotExist)
}

// keys checks the master key against the database, if one was set up.
func (c *checkup) keys(ctx context.Context, s settings.Settings, db *migrations.DB, current bool) *keys.Sealer {
	config := keys.Config{MasterKey: s.MasterKey.Reveal(), AdminKey: "not opened here"}
	if db.Path != "" {
		config.KeyFile = db.Path + ".key"
	}
	installed := false
	if current {
		// keys.Open would set up a database that is not.
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM installation)`).Scan(&installed); err != nil {
			c.bad("keys", fmt.Errorf("read installation: %w", err))
			return nil
		}
	}
	if !installed {
		if config.MasterKey == "" && config.KeyFile == "" {
			c.bad("keys", keys.ErrNoMasterKey)
		} else {
			c.good("keys", "nothing is sealed yet; the first start sets the database up")
		}
		return nil
	}
	opened, err := keys.Open(ctx, db.DB, config)
	if err != nil {
		c.bad("keys", err)
		return nil
	}
	c.good("keys", "the master key is the one this database was set up with")
	return opened.Sealer
}

// accounts reports those that the service can't poll.
func (c *checkup) accounts(ctx context.Context, config poller.Config) {
	count, sound := 0, true
	for account, err := range everyAccount(ctx, config) {
		if err == nil {
			count++
			err = pollable(config.Catalog, account)
		}
		if err != nil {
			sound = false
			c.bad("accounts", err)
		}
	}
	if sound {
		c.good("accounts", "%d, none needs attention", count)
	}
}

func pollable(catalog *providers.Catalog, account poller.Account) error {
	name := fmt.Sprintf("account %s of project %s", account.ID, account.ProjectID)
	if _, err := catalog.Connector(account.Provider); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if account.State == poller.StateNeedsAttention {
		return fmt.Errorf("%s: %s refuses its credentials%s: synthook account update %s --credential …; it is asked again by itself at %s", name, account.Provider, because(account.StateReason), account.ID, moment(account.NextCheckAt))
	}
	return nil
}

// everyAccount reads the accounts of all projects.
func everyAccount(ctx context.Context, config poller.Config) iter.Seq2[poller.Account, error] {
	projects, accounts := poller.NewProjects(config), poller.NewAccounts(config)
	return func(yield func(poller.Account, error) bool) {
		for project, err := range pages(func(last poller.Project) ([]poller.Project, error) { return projects.List(ctx, last.ID, pageSize) }) {
			if err != nil {
				yield(poller.Account{}, err)
				return
			}
			for account, err := range pages(func(last poller.Account) ([]poller.Account, error) {
				return accounts.List(ctx, project.ID, last.ID, pageSize)
			}) {
				if !yield(account, err) || err != nil {
					return
				}
			}
		}
	}
}

const pageSize = 1000

// pages reads a listing whose next page comes after the last item of the one before.
func pages[T any](next func(last T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last T
		for {
			items, err := next(last)
			if err != nil {
				yield(last, err)
				return
			}
			for _, last = range items {
				if !yield(last, nil) {
					return
				}
			}
			if len(items) < pageSize {
				return
			}
		}
	}
}
