package settings_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// load parses a command line that has the flags of the service.
func load(t *testing.T, args, environ []string) (settings.Settings, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	settings.Bind(flags, settings.Service)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return settings.Load(flags, environ)
}

// Every row works by its flag and by its variable, its default is valid, and what it
// became can be shown.
func TestEverySettingByFlagAndVariable(t *testing.T) {
	examples := map[string]string{
		"database-url": "other.db", "listen": ":9090", "metrics-listen": "127.0.0.1:9091", "master-key": strings.Repeat("k", 32), "admin-key": "administrator",
		"allow-private-networks": "true", "allow-network": "10.1.0.0/16,::1,*.corp.example.com", "outbound-proxy": "http://proxy.example:3128", "ca-file": "ca.pem", "connectors": "connectors", "min-interval": "30s", "poll-concurrency": "3",
		"event-retention": "48h0m0s", "attempt-retention": "0s", "operator-url": "https://ops.example/hooks", "shutdown-timeout": "5s", "otlp-endpoint": "http://collector.example:4318", "log-level": "debug", "log-format": "console",
		"server": "https://synthook.example", "api-key": "shk_x", "project": "acme",
	}
	table := settings.Table()
	ofService := 0
	for _, s := range table {
		if s.Group != settings.Client {
			ofService++
		}
	}
	if ofService >= 20 {
		t.Errorf("%d settings of a service: the house keeps them under 20", ofService)
	}
	for _, s := range table {
		t.Run(s.Name, func(t *testing.T) {
			example, ok := examples[s.Name]
			if !ok {
				t.Fatal("no example: add one")
			}
			for source, read := range map[string]func(*pflag.FlagSet) (settings.Settings, error){
				"--" + s.Name: func(flags *pflag.FlagSet) (settings.Settings, error) {
					if err := flags.Parse([]string{"--" + s.Name + "=" + example}); err != nil {
						return settings.Settings{}, err
					}
					return settings.Load(flags, []string{s.Variable() + "=nonsense, which the flag beats"})
				},
				s.Variable(): func(flags *pflag.FlagSet) (settings.Settings, error) {
					return settings.Load(flags, []string{s.Variable() + "=" + example})
				},
				"default": func(flags *pflag.FlagSet) (settings.Settings, error) { return settings.Load(flags, nil) },
			} {
				flags := pflag.NewFlagSet("command", pflag.ContinueOnError)
				settings.Bind(flags, s.Group)
				got, err := read(flags)
				if err != nil {
					t.Errorf("%s: %v", source, err)
				}
				for _, e := range got.Effective() {
					if e.Name != s.Name {
						continue
					}
					want := example
					if s.Secret && s.Name != "database-url" && s.Name != "outbound-proxy" {
						want = "***"
					}
					if e.Source != source || (source != "default" && e.Value != want) {
						t.Errorf("%s: shown as %q from %s, want %q", source, e.Value, e.Source, want)
					}
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	s, err := load(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.DatabaseURL.Reveal() != "synthook.db" || s.Listen != "127.0.0.1:8080" || s.MinInterval != 5*time.Minute ||
		s.EventRetention != 2160*time.Hour || s.LogLevel != zerolog.InfoLevel || s.AllowPrivateNetworks {
		t.Errorf("%+v", s.Effective())
	}
}

func TestBoolFlagNeedsNoValue(t *testing.T) {
	s, err := load(t, []string{"--allow-private-networks"}, nil)
	if err != nil || !s.AllowPrivateNetworks {
		t.Errorf("%v %v", s.AllowPrivateNetworks, err)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	key := strings.Repeat("s3cret", 8)
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, environ []string }{
		{[]string{"--master-key-file", path}, nil},
		{nil, []string{"SYNTHOOK_MASTER_KEY_FILE=" + path}},
		{[]string{"--master-key-file", path}, []string{"SYNTHOOK_MASTER_KEY=" + strings.Repeat("other", 9)}},
	} {
		if s, err := load(t, c.args, c.environ); err != nil || s.MasterKey.Reveal() != key {
			t.Errorf("%v %v: %v", c.args, c.environ, err)
		}
	}
}

// Each problem is told, with what was set, its value unless it is secret, and what is expected.
func TestProblems(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, environ []string
		want          string
	}{
		{nil, []string{"SYNTHOOK_MASTERKEY=x"}, "unknown variable SYNTHOOK_MASTERKEY: did you mean SYNTHOOK_MASTER_KEY?"},
		{nil, []string{"SYNTHOOK_DATABSE_URL=x"}, "did you mean SYNTHOOK_DATABASE_URL?"},
		{nil, []string{"SYNTHOOK_PORT=8081"}, "unknown variable SYNTHOOK_PORT: did you mean SYNTHOOK_LISTEN?"},
		{nil, []string{"SYNTHOOK_LISTEN_FILE=x"}, "unknown variable SYNTHOOK_LISTEN_FILE"},
		{nil, []string{"SYNTHOOK_MIN_INTERVAL=often"}, `SYNTHOOK_MIN_INTERVAL is "often": expected a duration of at least 1s, such as 5m`},
		{[]string{"--min-interval=1ms"}, nil, `--min-interval is "1ms": expected`},
		{[]string{"--listen=8080"}, nil, `--listen is "8080": expected host:port`},
		{[]string{"--listen=:99999"}, nil, "--listen"},
		{[]string{"--poll-concurrency=0"}, nil, "expected a whole number from 1 to 1000"},
		{[]string{"--allow-private-networks=perhaps"}, nil, "expected true or false"},
		{[]string{"--allow-network=10.1.0.1/16"}, nil, `--allow-network is "10.1.0.1/16": expected networks, addresses and hosts`},
		{nil, []string{"SYNTHOOK_OUTBOUND_PROXY=socks5://me:tooshort@proxy"}, "SYNTHOOK_OUTBOUND_PROXY has a value of the wrong form: expected http://"},
		{[]string{"--log-level=loud"}, nil, "expected trace, debug, info, warn or error"},
		{[]string{"--event-retention=5m"}, nil, "at least 1h"},
		{[]string{"--database-url=mysql://root@host/db"}, nil, "--database-url has a value of the wrong form: expected postgres://"},
		{nil, []string{"SYNTHOOK_MASTER_KEY=tooshort"}, "SYNTHOOK_MASTER_KEY has a value of the wrong form: expected at least 32 random characters"},
		{nil, []string{"SYNTHOOK_MASTER_KEY_FILE=/nowhere/key"}, "read the file that SYNTHOOK_MASTER_KEY_FILE names"},
		{nil, []string{"SYNTHOOK_ADMIN_KEY_FILE=" + empty}, "the file that SYNTHOOK_ADMIN_KEY_FILE names is empty"},
		{nil, []string{"SYNTHOOK_ADMIN_KEY=administrator", "SYNTHOOK_ADMIN_KEY_FILE=" + empty}, "both set"},
		{[]string{"--admin-key=administrator", "--admin-key-file=" + empty}, nil, "both set"},
	} {
		_, err := load(t, c.args, c.environ)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: %v\nwant %s", c.args, c.environ, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "tooshort") || strings.Contains(err.Error(), "root@")) {
			t.Errorf("the error quotes a secret: %v", err)
		}
	}
	_, err := load(t, []string{"--listen=8080"}, []string{"SYNTHOOK_LOG_FORMAT=xml", "SYNTHOOK_NOTHING=1"})
	for _, want := range []string{"--listen", "SYNTHOOK_LOG_FORMAT", "SYNTHOOK_NOTHING"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("three problems at once: %s is missing from %v", want, err)
		}
	}
}

// Kubernetes injects variables for a Service called synthook; tests have their own; compose
// files pass on empty ones. None may stop a start.
func TestVariablesOfOthers(t *testing.T) {
	_, err := load(t, nil, []string{
		"SYNTHOOK_PORT=tcp://10.0.0.1:8080", "SYNTHOOK_SERVICE_PORT=8080", "SYNTHOOK_PORT_8080_TCP_ADDR=10.0.0.1", "SYNTHOOK_SERVICE_HOST=10.0.0.1", "SYNTHOOK_SERVICE_PORT_HTTP=8080",
		"SYNTHOOK_TEST_DATABASE_URL=postgres://x", "SYNTHOOK_ADMIN_KEY=", "OTHER=1",
	})
	if err != nil {
		t.Error(err)
	}
}

// A command that has no use for a setting doesn't fail for it.
func TestOnlyBoundSettingsAreParsed(t *testing.T) {
	flags := pflag.NewFlagSet("event list", pflag.ContinueOnError)
	settings.Bind(flags, settings.Client)
	s, err := settings.Load(flags, []string{"SYNTHOOK_MIN_INTERVAL=often", "SYNTHOOK_SERVER=http://host:1/"})
	if err != nil || s.Server != "http://host:1" {
		t.Errorf("%q %v", s.Server, err)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	const text = "hunter2hunter2"
	s := settings.Secret(text)
	var log strings.Builder
	logger := zerolog.New(&log)
	logger.Info().Stringer("a", s).Object("b", s).Any("c", s).Any("d", struct{ Key settings.Secret }{s}).Send()
	marshalled, err := json.Marshal(map[string]any{"key": s})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %s %q %x %#v %+v %d", s, s, s, s, s, struct{ S settings.Secret }{s}, s)
	for _, out := range []string{printed, string(marshalled), log.String()} {
		if !strings.Contains(out, "***") || strings.Contains(out, text) || strings.Contains(out, fmt.Sprintf("%x", text)) {
			t.Errorf("printed: %s", out)
		}
	}
}

func TestDatabaseURLIsShownWithoutItsPassword(t *testing.T) {
	for given, want := range map[string]string{
		"postgres://me:hunter2@db:5432/app?sslmode=disable&password=hunter2": "postgres://me:***@db:5432/app",
		"postgres://db/app":       "postgres://db/app",
		"/var/lib/synthook.db":    "/var/lib/synthook.db",
		"sqlite:///var/lib/x.db":  "sqlite:///var/lib/x.db",
		"postgresql://me@[::1]/a": "postgresql://me:***@[::1]/a",
	} {
		s, err := load(t, []string{"--database-url", given}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Effective()[0].Value; got != want {
			t.Errorf("%s is shown as %s, want %s", given, got, want)
		}
	}
}

func TestProxyIsShownWithoutItsPassword(t *testing.T) {
	s, err := load(t, []string{"--outbound-proxy", "http://me:hunter2@proxy:3128"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Effective() {
		if e.Name == "outbound-proxy" && e.Value != "http://me:***@proxy:3128" {
			t.Errorf("shown as %s", e.Value)
		}
	}
}

func TestMarkdownNamesEverySetting(t *testing.T) {
	text := settings.Markdown()
	for _, s := range settings.Table() {
		if !strings.Contains(text, "`--"+s.Name+"`") || !strings.Contains(text, s.Variable()) {
			t.Errorf("%s is not in the documentation", s.Name)
		}
	}
}
