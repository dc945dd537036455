package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/synthook/synthook/providers"
)

// refreshFlags say what becomes of a refresh token that a provider takes only once.
type refreshFlags struct {
	file  string
	spend bool
}

func (f *refreshFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "save-refresh-token", "", "`FILE` for the refresh token that replaces the one given: written before it is used, for you alone to read")
	flags.BoolVar(&f.spend, "spend-refresh-token", false, "Use the refresh token given and keep none that replaces it")
}

// store is where a try keeps its tokens. credential is the one that holds the refresh
// token; "": the connector has none.
func (f *refreshFlags) store(credential string, given map[string]string) (*refreshStore, error) {
	s := &refreshStore{TokenStore: providers.NewTokens(), credential: credential, latest: given[credential]}
	switch {
	case credential == "" && f.file != "":
		return nil, usageError("--save-refresh-token has no use: the connector has no refresh token with these credentials")
	case credential != "" && f.file == "" && !f.spend:
		return nil, usageError("credential %s is a refresh token, which many providers take once: a second try with it, or an account, would be refused. "+
			"--save-refresh-token FILE keeps the one that replaces it; --spend-refresh-token uses it up", credential)
	case f.file == "":
		return s, nil
	}
	s.file = f.file
	if real, err := filepath.EvalSymlinks(f.file); err == nil {
		s.file = real
	}
	probe, err := os.CreateTemp(filepath.Dir(s.file), ".refresh-token-*") // better now than when the old one is spent
	if err != nil {
		return nil, usageError("prepare --save-refresh-token: %w", err)
	}
	_ = probe.Close()
	return s, os.Remove(probe.Name())
}

// refreshStore keeps tokens in memory, and a new refresh token in a file.
type refreshStore struct {
	providers.TokenStore
	credential, file string
	latest           string
	replaced         bool
}

// Save is called before what it saves is used.
func (s *refreshStore) Save(ctx context.Context, tokens map[string]string) error {
	if next := providers.RefreshToken(tokens); next != "" && next != s.latest {
		if s.file != "" {
			if err := writeSecret(s.file, next); err != nil {
				return err
			}
		}
		s.latest, s.replaced = next, true
	}
	return s.TokenStore.Save(ctx, tokens)
}

// told is what the user has to know of it afterwards.
func (s *refreshStore) told() string {
	switch {
	case !s.replaced:
		return ""
	case s.file == "":
		return fmt.Sprintf("the provider replaced the refresh token, and the new one was not kept: the one given as %s is most likely spent", s.credential)
	}
	return fmt.Sprintf("the provider replaced the refresh token: give --credential-file %s=%s from now on", s.credential, s.file)
}

// writeSecret puts a secret into a file that its owner alone can read, whole or not at all.
func writeSecret(path, secret string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".refresh-token-*") // 0600
	if err != nil {
		return fmt.Errorf("save refresh token: %w", err)
	}
	defer os.Remove(f.Name()) // nothing, once it is renamed
	_, err = f.WriteString(secret + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save refresh token: %w", err)
	}
	return nil
}
