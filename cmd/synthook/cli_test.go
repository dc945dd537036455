package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files and docs/cli.md anew")

// result is what a run of the program was.
type result struct {
	status         int
	stdout, stderr string
}

// synthook runs the program as main does.
func synthook(t *testing.T, environ []string, stdin string, args ...string) result {
	t.Helper()
	return synthookContext(t.Context(), environ, stdin, args...)
}

func synthookContext(ctx context.Context, environ []string, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	err := run(ctx, args, environ, strings.NewReader(stdin), &stdout, &stderr)
	if err != nil {
		fmt.Fprintln(&stderr, "synthook:", err)
	}
	return result{exitStatus(err), stdout.String(), stderr.String()}
}

// decode reads what --json printed.
func decode[T any](t *testing.T, r result) T {
	t.Helper()
	var v T
	if r.status != exitOK {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, r.stdout)
	}
	return v
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// golden compares with a file of testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what comes out now (go test ./cmd/synthook -update writes it anew):\n%s", path, diff)
	}
}

func TestHelp(t *testing.T) {
	for name, args := range map[string]string{"synthook": "--help", "stream": "stream", "stream_poll": "help stream poll", "replay": "replay --help", "serve": "serve --help", "exit-codes": "help exit-codes"} {
		t.Run(name, func(t *testing.T) {
			r := synthook(t, nil, "", strings.Fields(args)...)
			if r.status != exitOK || r.stderr != "" {
				t.Errorf("status %d, %s", r.status, r.stderr)
			}
			golden(t, "testdata/help/"+name+".txt", r.stdout)
		})
	}
}

func TestBadInput(t *testing.T) {
	broken := writeFile(t, "broken.yaml", "name: mine\ntitle: [\n")
	for name, c := range map[string]struct {
		args   string
		status int
		want   string // in the message
	}{
		"unknown command":        {"srve", exitUsage, `unknown command "srve": did you mean serve?`},
		"unknown subcommand":     {"stream pol", exitUsage, `unknown command "pol": did you mean poll?`},
		"help on nothing":        {"help stream pol", exitUsage, `unknown command "pol": did you mean poll?`},
		"unknown and far":        {"xyzzyplugh", exitUsage, `unknown command "xyzzyplugh" (see synthook --help)`},
		"unknown flag":           {"serve --databse-url x", exitUsage, "unknown flag --databse-url: did you mean --database-url?"},
		"unknown short flag":     {"version -q", exitUsage, "unknown flag -q"},
		"flag without value":     {"listen --port", exitUsage, "flag needs an argument: --port"},
		"flag of the wrong form": {"listen --port many --secret x", exitUsage, `invalid argument "many" for "--port"`},
		"missing argument":       {"stream poll acc", exitUsage, "RECORD_TYPE is missing (see synthook stream poll --help)"},
		"both missing":           {"stream poll", exitUsage, "ACCOUNT_ID and RECORD_TYPE is missing"},
		"one argument too many":  {"version now", exitUsage, `unexpected argument "now"`},
		"flag of a client":       {"version --server http://x", exitUsage, "--server has no meaning here"},
		"bad time":               {"event list --since yesterday", exitUsage, "expected a time (2026-11-22T00:00:00Z)"},
		"negative age":           {"event list --since=-2h", exitUsage, "expected a time"},
		"no interval":            {"stream set-interval acc employees", exitUsage, "INTERVAL is missing"},
		"project-wide, too many": {"stream set-interval --record-type employees acc 15m", exitUsage, `unexpected argument "15m"`},
		"replay of what":         {"replay", exitUsage, "which events?"},
		"replay of all and some": {"replay --all --since 2h", exitUsage, "exclude each other"},
		"replay something":       {"replay lst", exitUsage, `unknown command "lst": did you mean list?`},
		"no URL":                 {"webhook create --event *", exitUsage, "--url is missing"},
		"no event":               {"webhook create --url https://example.com", exitUsage, "--event is missing"},
		"nothing to change":      {"webhook update wh", exitUsage, "nothing to change"},
		"no provider":            {"account add", exitUsage, "--provider is missing"},
		"credential without key": {"account add --provider bamboohr --credential s3cret", exitUsage, "--credential is not of the form KEY="},
		"credential twice":       {"account add --provider bamboohr --credential a=1 --credential a=2", exitUsage, `credential "a" is given twice`},
		"unset variable":         {"account add --provider bamboohr --credential-env a=NOT_SET", exitUsage, "the variable NOT_SET is not set"},
		"no secret":              {"sign", exitUsage, "--secret is missing"},
		"two secrets":            {"sign --secret a --secret-file b", exitUsage, "give one"},
		"no signature":           {"verify --secret x", exitUsage, "--signature is missing"},
		"rotate both ways":       {"webhook rotate-secret wh --now --activate", exitUsage, "none of the others can be"},
		"unknown provider":       {"provider show bambohr", exitUsage, `did you mean "bamboohr"?`},
		"broken connector":       {"provider lint " + broken, exitFailed, "1 problem"},
		"no connector file":      {"provider lint nowhere.yaml", exitUsage, "no such file"},
		"no folder":              {"provider list --connectors nowhere", exitUsage, "no such file"},
		"server that is none":    {"account list --server ftp://x", exitUsage, "expected a URL"},
		"no server":              {"account list --server http://127.0.0.1:1", exitUnreachable, "no synthook server at http://127.0.0.1:1"},
		"no percentage":          {"bench poll --changed 1", exitUsage, `invalid argument "1" for "--changed" flag: expected a percentage from 0% to 100%`},
		"too much of a change":   {"bench poll --changed 101%", exitUsage, "expected a percentage"},
		"no number of a change":  {"bench poll --changed nan%", exitUsage, "expected a percentage"},
		"no records":             {"bench poll --records 0", exitUsage, "--records is 0: expected 1 to 10,000,000"},
		"too many records":       {"bench poll --records 10000001", exitUsage, "expected 1 to 10,000,000"},
		"no runs":                {"bench poll --runs 0", exitUsage, "--runs is 0: expected at least 1"},
		"first and changed":      {"bench poll --first --changed 1%", exitUsage, "have no meaning with it"},
		"bench of a kind":        {"bench poll --database-url mysql://x", exitUsage, "expected postgres://"},
		"bench of nothing":       {"bench poll --database-url postgres://x@127.0.0.1:1/x", exitUnreachable, "reach database at 127.0.0.1:1: connect: connection refused; check --database-url"},
		"no events":              {"bench dispatch --events 0", exitUsage, "--events is 0: expected 1 to 10000000"},
		"too fast":               {"bench dispatch --rate 20001", exitUsage, "--rate is 20001: expected 1 to 20000"},
		"no time":                {"bench dispatch --rate-for 1ms", exitUsage, "--rate-for is 1ms: expected 1s to 1h"},
		"two on a file":          {"bench dispatch --processes 2", exitUsage, "the embedded database takes one"},
		"no new master key":      {"rotate-master-key --master-key 0123456789abcdef0123456789abcdef", exitUsage, "--new-master-key-file is missing"},
		"keys of nothing":        {"rotate-master-key --database-url nowhere.db", exitFailed, "nowhere.db: the first start"},
		"schema of nothing":      {"migrate status --database-url nowhere.db", exitFailed, "nowhere.db: the first start"},
		"deliveries of nothing":  {"bench dispatch --database-url postgres://x@127.0.0.1:1/x", exitUnreachable, "reach database at 127.0.0.1:1: connect: connection refused; check --database-url"},
		"database of a kind":     {"migrate status --database-url mysql://x", exitUsage, "expected postgres://"},
		"database that is down":  {"migrate status --database-url postgres://x@127.0.0.1:1/x", exitUnreachable, "reach database at 127.0.0.1:1: connect: connection refused; check --database-url"},
	} {
		t.Run(name, func(t *testing.T) {
			r := synthook(t, nil, "", strings.Fields(c.args)...)
			if r.status != c.status || !strings.Contains(r.stderr, c.want) {
				t.Errorf("status %d (want %d), message %q (want %q in it)", r.status, c.status, r.stderr, c.want)
			}
			if strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("the message has more than one line: %q", r.stderr)
			}
			if strings.Contains(r.stderr, "s3cret") {
				t.Errorf("the message holds a credential: %q", r.stderr)
			}
		})
	}
}

func TestUnknownVariableIsRefused(t *testing.T) {
	r := synthook(t, []string{"SYNTHOOK_DATABSE_URL=x"}, "", "migrate", "status")
	if r.status != exitUsage || !strings.Contains(r.stderr, "did you mean SYNTHOOK_DATABASE_URL?") {
		t.Errorf("status %d, %s", r.status, r.stderr)
	}
}

func TestVersion(t *testing.T) {
	got := decode[build](t, synthook(t, nil, "", "version", "--json"))
	if got.Version == "" || !strings.HasPrefix(got.Go, "go1.") || !strings.Contains(got.Platform, "/") {
		t.Errorf("got %+v", got)
	}
	if r := synthook(t, nil, "", "version"); !strings.HasPrefix(r.stdout, "synthook "+got.Version+" (") {
		t.Errorf("got %q", r.stdout)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := synthookContext(ctx, nil, "", "account", "list", "--server", "http://127.0.0.1:1")
	if r.status != exitInterrupted || r.stderr != "synthook: interrupted\n" {
		t.Errorf("status %d, %q", r.status, r.stderr)
	}
}
