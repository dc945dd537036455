package dashboard_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/synthook/synthook/migrations/migrationstest"
)

// axe finds nothing to blame in the API's reference, which is no page of the dashboard.
func TestReferenceIsAccessible(t *testing.T) {
	axe, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("%v: run npm ci in testdata/axe (scripts/test does)", err)
	}
	b := newBrowser(t, newWorld(t, migrationstest.SQLite(t)).URL())
	for scheme, width := range map[string]int{"light": 375, "dark": 1440} {
		b.look(width, scheme)
		b.open("/docs")
		b.examine(fmt.Sprintf("API reference at %d, %s", width, scheme), string(axe))
	}
}
