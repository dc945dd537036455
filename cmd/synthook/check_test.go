package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/migrations"
)

// checked runs check and returns what it found, an area and a note each.
func checked(t *testing.T, status int, environ []string, args ...string) string {
	t.Helper()
	r := synthook(t, environ, "", append([]string{"check", "--json"}, args...)...)
	var c checkup
	if err := json.Unmarshal([]byte(r.stdout), &c); err != nil {
		t.Fatalf("%v: %s%s", err, r.stdout, r.stderr)
	}
	if r.status != status || c.OK != (status == exitOK) {
		t.Errorf("status %d (want %d), ok %t", r.status, status, c.OK)
	}
	var b strings.Builder
	for _, f := range c.Findings {
		if f.OK == (status != exitOK) {
			continue // of what went well only when all did, and the other way round
		}
		b.WriteString(f.Area + ": " + f.Note + "\n")
	}
	return b.String()
}

func TestCheckNewInstallationChangesNothing(t *testing.T) {
	dir := t.TempDir()
	got := checked(t, exitOK, nil, "--database-url", filepath.Join(dir, "new.db"))
	if !strings.Contains(got, "the first start makes it") {
		t.Errorf("got\n%s", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

func TestCheckReportsAllProblemsAtOnce(t *testing.T) {
	broken := writeFile(t, "broken.yaml", "name: [")
	got := checked(t, exitFailed, []string{"SYNTHOOK_LISTN=x", "SYNTHOOK_MIN_INTERVAL=soon"},
		"--connectors", filepath.Dir(broken), "--database-url", "postgres://x:s3cret@127.0.0.1:1/x")
	for _, want := range []string{
		"configuration: unknown variable SYNTHOOK_LISTN: did you mean SYNTHOOK_LISTEN?",
		`configuration: SYNTHOOK_MIN_INTERVAL is "soon": expected a duration`,
		"connectors: " + broken + ":1:",
		"database: reach database at 127.0.0.1:1: connect: connection refused",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "s3cret") {
		t.Errorf("the password is shown:\n%s", got)
	}
}

func TestCheckReadsTheAuthorities(t *testing.T) {
	got := checked(t, exitFailed, nil, "--ca-file", writeFile(t, "ca.pem", "no certificate"), "--database-url", filepath.Join(t.TempDir(), "new.db"))
	if !strings.Contains(got, "network: read the authorities to trust (--ca-file, SYNTHOOK_CA_FILE)") {
		t.Errorf("got\n%s", got)
	}
}

func TestCheckMasterKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "synthook.db")
	db, err := migrations.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := migrations.Up(t.Context(), db.DB); err != nil {
		t.Fatal(err)
	}
	if got := checked(t, exitOK, nil, "--database-url", path); !strings.Contains(got, "in use by a service that runs: ask that") {
		t.Errorf("in use: got\n%s", got)
	}
	right, wrong := strings.Repeat("right-", 8), strings.Repeat("wrong-", 8)
	if _, err := keys.Open(t.Context(), db.DB, keys.Config{MasterKey: right}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := checked(t, exitOK, []string{"SYNTHOOK_MASTER_KEY=" + right}, "--database-url", path); !strings.Contains(got, "accounts: 0, none needs attention") {
		t.Errorf("right key: got\n%s", got)
	}
	if got := checked(t, exitFailed, []string{"SYNTHOOK_MASTER_KEY=" + wrong}, "--database-url", path); !strings.Contains(got, "keys: wrong master key") {
		t.Errorf("wrong key: got\n%s", got)
	}
}

func TestMasterKeyIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "own.db")
	db, err := migrations.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := migrations.Up(t.Context(), db.DB); err != nil {
		t.Fatal(err)
	}
	const first = "SYNTHOOK_MASTER_KEY=Zm9yIHRlc3RzIG9ubHksIHRoaXMgaXMgMzIgYnl0ZXM="
	if _, err := keys.Open(t.Context(), db.DB, keys.Config{MasterKey: strings.TrimPrefix(first, "SYNTHOOK_MASTER_KEY=")}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(dir, "next.key")
	r := synthook(t, []string{first}, "", "rotate-master-key", "--database-url", path, "--new-master-key-file", next)
	if r.status != exitOK || !strings.Contains(r.stdout, next) {
		t.Fatalf("%d: %s%s", r.status, r.stdout, r.stderr)
	}
	if got := checked(t, exitFailed, []string{first}, "--database-url", path); !strings.Contains(got, "keys: wrong master key") {
		t.Errorf("the old key: %s", got)
	}
	if got := checked(t, exitOK, []string{"SYNTHOOK_MASTER_KEY_FILE=" + next}, "--database-url", path); !strings.Contains(got, "keys: the master key is the one") {
		t.Errorf("the new key: %s", got)
	}
}
