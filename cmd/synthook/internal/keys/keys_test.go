package keys_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

const (
	master = "Zm9yIHRlc3RzIG9ubHksIHRoaXMgaXMgMzIgYnl0ZXM="
	other  = "YW5vdGhlciBvbmUgdGhhdCBpcyBhbHNvIDMyIGJ5dGVz"
)

func TestSealedOpensForItsPurposeAndKeyOnly(t *testing.T) {
	s, err := keys.NewSealer(master)
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("credential of bamboohr")
	sealed, err := s.Seal(plain, "account:a1:credentials")
	if err != nil || bytes.Contains(sealed, plain) {
		t.Fatalf("sealed: %q %v", sealed, err)
	}
	if got, err := s.Open(sealed, "account:a1:credentials"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("opened: %q %v", got, err)
	}
	again, err := s.Seal(plain, "account:a1:credentials")
	if err != nil || bytes.Equal(again, sealed) {
		t.Error("two seals of one text look alike")
	}
	stranger, err := keys.NewSealer(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Open(sealed, "account:a1:credentials"); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("another master key: %v", err)
	}
	if _, err := s.Open(sealed, "account:a2:credentials"); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("another purpose: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := s.Open(changed, "account:a1:credentials"); !errors.Is(err, keys.ErrSealed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for n := range len(sealed) {
		if _, err := s.Open(sealed[:n], "account:a1:credentials"); !errors.Is(err, keys.ErrSealed) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
}

// What was sealed by an earlier program opens in this one: the derivation is fixed.
func TestSealedFormIsStable(t *testing.T) {
	s, err := keys.NewSealer(" " + master + "\n")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString("01e3a4e7db8f7388c025f787c3103305444fddc5b2fa9fb3cfaacc3d061e46dcf0b7cc")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(sealed, "golden"); err != nil || string(got) != "golden" {
		t.Errorf("%q %v", got, err)
	}
}

func TestMasterKeyTooShort(t *testing.T) {
	if _, err := keys.NewSealer(strings.Repeat("k", 31)); err == nil || !strings.Contains(err.Error(), "openssl rand -base64 32") {
		t.Error(err)
	}
}

func open(t *testing.T, db *migrations.DB, c keys.Config) *keys.Keys {
	t.Helper()
	k, err := keys.Open(t.Context(), db.DB, c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestStartWithMasterKey(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		if _, err := keys.Open(t.Context(), db.DB, keys.Config{}); !errors.Is(err, keys.ErrNoMasterKey) {
			t.Fatalf("no master key: %v", err)
		}
		first := open(t, db, keys.Config{MasterKey: master})
		if first.NewAdminKey == "" || !first.IsAdmin(first.NewAdminKey) || first.IsAdmin("") || first.IsAdmin(first.NewAdminKey+"x") {
			t.Error("the first start makes an admin key")
		}
		second := open(t, db, keys.Config{MasterKey: master})
		if second.NewAdminKey != "" || !second.IsAdmin(first.NewAdminKey) {
			t.Error("the admin key is made once and stays")
		}
		given := open(t, db, keys.Config{MasterKey: master, AdminKey: "operator's own"})
		if !given.IsAdmin("operator's own") || given.IsAdmin(first.NewAdminKey) {
			t.Error("the operator's admin key stands instead of the stored one")
		}
		_, err := keys.Open(t.Context(), db.DB, keys.Config{MasterKey: other})
		if !errors.Is(err, keys.ErrWrongMasterKey) || !strings.Contains(err.Error(), "SYNTHOOK_MASTER_KEY") {
			t.Errorf("wrong master key: %v", err)
		}
	})
}

func TestOperatorsAdminKeyIsNotStored(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		if k := open(t, db, keys.Config{MasterKey: master, AdminKey: "operator's own"}); k.NewAdminKey != "" {
			t.Error("a key was made although one was given")
		}
		later := open(t, db, keys.Config{MasterKey: master})
		if later.NewAdminKey == "" || later.IsAdmin("operator's own") {
			t.Error("without the operator's key a start makes one")
		}
	})
}

// Replicas that start at once agree on one admin key, and one of them shows it.
func TestFirstStartsAtOnce(t *testing.T) {
	db := migrationstest.Open(t, migrationstest.Postgres(t))
	made := make([]*keys.Keys, 4)
	var starts sync.WaitGroup
	for i := range made {
		starts.Go(func() {
			var err error
			if made[i], err = keys.Open(t.Context(), db.DB, keys.Config{MasterKey: master}); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	var shown []string
	for _, k := range made {
		if k != nil && k.NewAdminKey != "" {
			shown = append(shown, k.NewAdminKey)
		}
	}
	if len(shown) != 1 {
		t.Fatalf("%d admin keys were shown", len(shown))
	}
	for i, k := range made {
		if !k.IsAdmin(shown[0]) {
			t.Errorf("process %d takes another admin key", i)
		}
	}
}

func TestKeyFile(t *testing.T) {
	db := migrationstest.Open(t, migrationstest.SQLite(t))
	path := filepath.Join(t.TempDir(), "synthook.db.key")
	first := open(t, db, keys.Config{KeyFile: path})
	if first.NewKeyFile != path {
		t.Error("the start does not say that it made a key file")
	}
	info, err := os.Stat(path)
	if err != nil || (info.Mode().Perm() != 0o600 && runtime.GOOS != "windows") {
		t.Fatalf("key file: %v %v", info.Mode(), err)
	}
	sealed, err := first.Sealer.Seal([]byte("x"), "p")
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, db, keys.Config{KeyFile: path})
	if _, err := second.Sealer.Open(sealed, "p"); err != nil || second.NewKeyFile != "" {
		t.Errorf("the second start reads the same key: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	open(t, db, keys.Config{MasterKey: string(content)}) // moved into the environment

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(t.Context(), db.DB, keys.Config{KeyFile: path}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key file that others may read: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(t.Context(), db.DB, keys.Config{KeyFile: path}); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("the key file is gone: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a lost key file was replaced by one that opens nothing")
	}
}

func TestMasterKeyIsReplaced(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		if _, err := keys.Rotate(t.Context(), db.DB, keys.Config{MasterKey: master}, other); err == nil {
			t.Error("a database that was not set up has no key to replace")
		}
		before := open(t, db, keys.Config{MasterKey: master})
		sealed, err := before.Sealer.Seal([]byte("credential of bamboohr"), "p")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Rotate(t.Context(), db.DB, keys.Config{MasterKey: other}, master); !errors.Is(err, keys.ErrWrongMasterKey) {
			t.Errorf("replaced by somebody who has not got it: %v", err)
		}
		if _, err := keys.Rotate(t.Context(), db.DB, keys.Config{MasterKey: master}, "short"); err == nil {
			t.Error("replaced by one that is too short")
		}
		if _, err := keys.Rotate(t.Context(), db.DB, keys.Config{MasterKey: master}, other); err != nil {
			t.Fatal(err)
		}
		after := open(t, db, keys.Config{MasterKey: other})
		if plain, err := after.Sealer.Open(sealed, "p"); err != nil || string(plain) != "credential of bamboohr" {
			t.Errorf("what was sealed before: %q %v", plain, err)
		}
		if !after.IsAdmin(before.NewAdminKey) {
			t.Error("the admin key stays")
		}
		if _, err := keys.Open(t.Context(), db.DB, keys.Config{MasterKey: master}); !errors.Is(err, keys.ErrWrongMasterKey) {
			t.Errorf("the old master key: %v", err)
		}
	})
}

// Whatever stops the rotation of a key file, one of its two files opens the database.
func TestKeyFileIsReplaced(t *testing.T) {
	db := migrationstest.Open(t, migrationstest.SQLite(t))
	path := filepath.Join(t.TempDir(), "synthook.db.key")
	config := keys.Config{KeyFile: path}
	open(t, db, config)
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	first := read(path)
	rotate := func() {
		if replaced, err := keys.Rotate(t.Context(), db.DB, config, ""); err != nil || replaced != path {
			t.Fatalf("%q %v", replaced, err)
		}
	}
	if _, err := keys.Rotate(t.Context(), db.DB, config, other); err == nil {
		t.Error("a key was taken that nobody would find at the next start")
	}

	// Cut off before the database was written: a file that opens nothing is left.
	if err := os.WriteFile(path+".new", []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, db, config)
	rotate()
	second := read(path)
	if bytes.Equal(second, first) {
		t.Error("the key file is the old one")
	}
	open(t, db, config)

	// Cut off after that: the file that opens it has not got its name yet.
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, first, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, db, config)
	if !bytes.Equal(read(path), second) {
		t.Error("the rotation was not ended")
	}
	rotate()
}

func TestAPIKeys(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		for _, id := range []string{"acme", "globex"} {
			if _, err := db.Exec(`INSERT INTO projects (id, name, hash_key, created_at) VALUES ($1, $1, $2, $3)`, id, []byte("k"), time.Now().UTC()); err != nil {
				t.Fatal(err)
			}
		}
		store := keys.NewAPIKeys(db.DB)
		made, key, err := store.Create(t.Context(), "acme", "production")
		if err != nil || len(key) != len("shk_")+43 || !strings.HasPrefix(key, made.Prefix) {
			t.Fatalf("%+v %d characters, %v", made, len(key), err)
		}
		if project, err := store.Find(t.Context(), key); err != nil || project.ProjectID != "acme" {
			t.Errorf("opens %q, %v", project, err)
		}
		if _, err := store.Find(t.Context(), key[:len(key)-1]); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("a key that is none: %v", err)
		}
		var stored int
		if err := db.QueryRow(`SELECT count(*) FROM api_keys WHERE id = $1 OR name = $1 OR prefix = $1`, key).Scan(&stored); err != nil || stored != 0 {
			t.Errorf("the key itself is stored: %d %v", stored, err)
		}
		if err := store.Delete(t.Context(), "globex", made.ID); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("deleted through another project: %v", err)
		}
		list, err := store.List(t.Context(), "acme", "", 10)
		if err != nil || len(list) != 1 || list[0] != made {
			t.Errorf("%+v, want %+v, %v", list, made, err)
		}
		if err := store.Delete(t.Context(), "acme", made.ID); err != nil {
			t.Error(err)
		}
		if _, err := store.Find(t.Context(), key); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("a deleted key: %v", err)
		}
	})
}
