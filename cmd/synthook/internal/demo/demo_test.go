package demo

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations/migrationstest"
)

// The demo is honest on both databases: things happen, and what is told is what happened.
func TestDemoAddsUp(t *testing.T) {
	for name, location := range map[string]func(testing.TB) string{"embedded": func(testing.TB) string { return "" }, "postgres": migrationstest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, notes bytes.Buffer
			err := Run(t.Context(), Options{For: 6 * time.Second, JSON: true, DatabaseURL: location(t), Version: "test", Out: &out, Err: &notes})
			if err != nil {
				t.Fatalf("%v\n%s%s", err, &out, &notes)
			}
			var a Account
			if err := json.Unmarshal(out.Bytes(), &a); err != nil {
				t.Fatal(err)
			}
			total := 0
			for action, n := range a.Changes {
				total += n
				if a.Events[action] != n {
					t.Errorf("%s: %d changes, %d events", action, n, a.Events[action])
				}
			}
			if total < 10 {
				t.Errorf("only %d changes: does the company live?", total)
			}
			if a.Missed+a.False+a.BadSignatures > 0 || a.Polls == 0 {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestDemoRefusesOtherDatabases(t *testing.T) {
	err := Run(t.Context(), Options{DatabaseURL: "mysql://localhost/x", Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "postgres://") {
		t.Fatalf("got %v", err)
	}
}
