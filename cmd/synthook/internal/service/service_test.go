package service_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/service"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// refuses starts a service that must not start, and returns why.
func refuses(t *testing.T, s settings.Settings) error {
	t.Helper()
	started, err := service.Start(t.Context(), service.Options{Settings: s, Logger: zerolog.Nop()})
	if err == nil {
		t.Error(started.Close())
		t.Fatal("the service started")
	}
	return err
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		good := servicetest.Settings(location)
		if err := servicetest.Start(t, good).End(); err != nil {
			t.Fatal(err)
		}
		s := good
		s.MasterKey = "another master key, also of 32 characters or more"
		if err := refuses(t, s); !errors.Is(err, keys.ErrWrongMasterKey) || !strings.Contains(err.Error(), "SYNTHOOK_MASTER_KEY") || strings.Contains(err.Error(), "another master") {
			t.Errorf("wrong master key: %v", err)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		s = good
		s.Listen = listener.Addr().String()
		if err := refuses(t, s); !strings.Contains(err.Error(), "--listen") || !strings.Contains(err.Error(), s.Listen) {
			t.Errorf("address in use: %v", err)
		}
		s = good
		s.Connectors = filepath.Join(t.TempDir(), "nowhere")
		if err := refuses(t, s); !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("no connector folder: %v", err)
		}
		db, err := migrations.Open(t.Context(), location)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(`INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, true)`)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if err := refuses(t, good); !errors.Is(err, migrations.ErrSchemaTooNew) {
			t.Errorf("newer schema: %v", err)
		}
	})
}

func TestStartWithoutDatabaseOrKey(t *testing.T) {
	address := closedPort(t)
	if err := refuses(t, servicetest.Settings("postgres://me:hunter2@"+address+"/app")); !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("database down: %v", err)
	}
	s := servicetest.Settings(migrationstest.Postgres(t))
	s.MasterKey = ""
	if err := refuses(t, s); !errors.Is(err, keys.ErrNoMasterKey) || !strings.Contains(err.Error(), "openssl rand -base64 32") {
		t.Errorf("PostgreSQL without a master key: %v", err)
	}
	running := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	s = servicetest.Settings(migrationstest.SQLite(t))
	s.Listen = running.Addr()
	refuses(t, s)
}

// The first start of the embedded mode makes both keys, says so once, and the next start
// goes on with them.
func TestEmbeddedFirstStart(t *testing.T) {
	s := servicetest.Settings(migrationstest.SQLite(t))
	s.MasterKey, s.AdminKey = "", ""
	first := servicetest.Start(t, s)
	var said strings.Builder
	if err := first.Announce(&said); err != nil {
		t.Fatal(err)
	}
	keyFile := s.DatabaseURL.Reveal() + ".key"
	for _, want := range []string{keyFile, first.NewAdminKey, first.URL()} {
		if want == "" || !strings.Contains(said.String(), want) {
			t.Errorf("announced without %q: %s", want, said.String())
		}
	}
	if _, err := os.Stat(keyFile); err != nil {
		t.Error(err)
	}
	admin := first.NewAdminKey
	if a := first.Call("GET /v1/projects", admin, ""); a.Status != http.StatusOK || !strings.Contains(a.Body, `"id":"default"`) {
		t.Errorf("with the announced key: %d %s", a.Status, a.Body)
	}
	provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
	account, err := client.Send[api.Account](t.Context(), client.New(first.URL(), admin, ""), http.MethodPost, "/v1/accounts", provider.Account())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.End(); err != nil {
		t.Fatal(err)
	}
	second := servicetest.Start(t, s)
	if second.NewAdminKey != "" || second.NewKeyFile != "" {
		t.Error("the second start made keys")
	}
	// The account's credentials open: the stream can be polled.
	if a := second.Call("POST /v1/accounts/"+account.ID+"/streams/employees/poll?wait=true", admin, ""); !strings.Contains(a.Body, `"complete":true`) {
		t.Errorf("polled after the second start: %d %s", a.Status, a.Body)
	}
	for _, log := range []string{first.Log.String(), second.Log.String()} {
		if strings.Contains(log, admin) || strings.Contains(log, "hunter2hunter2") || strings.Contains(log, "Ann") {
			t.Errorf("the log holds a key, a credential or a record's field:\n%s", log)
		}
	}
}

func TestBrokenConnectorStopsNothing(t *testing.T) {
	s := servicetest.Settings(migrationstest.SQLite(t))
	s.Connectors = t.TempDir()
	if err := os.WriteFile(filepath.Join(s.Connectors, "broken.yaml"), []byte("name: broken\n  title: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := servicetest.Start(t, s)
	if !strings.Contains(r.Log.String(), "broken.yaml:1:7: ") {
		t.Errorf("the log does not say where: %s", r.Log)
	}
	if a := r.Call("GET /v1/providers/bamboohr", servicetest.AdminKey, ""); a.Status != http.StatusOK {
		t.Errorf("the others: %d", a.Status)
	}
}

func TestURL(t *testing.T) {
	s := servicetest.Settings(migrationstest.SQLite(t))
	s.Listen = ":0"
	r := servicetest.Start(t, s)
	if a := r.Call("GET /healthz", "", ""); a.Status != http.StatusOK || !strings.HasPrefix(r.URL(), "http://127.0.0.1:") {
		t.Errorf("%s: %d", r.URL(), a.Status)
	}
}
