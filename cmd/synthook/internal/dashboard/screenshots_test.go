package dashboard_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var screenshots = flag.String("screenshots", "", "folder that TestScreenshots writes a picture of every page to, at 375 and 1440 pixels; \"\": none is made")

// A picture of every page is made for who asks:
//
//	go test ./cmd/synthook/internal/dashboard -run Screenshots -screenshots DIR
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		return
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	location := migrationstest.Postgres(t)
	w := newWorld(t, location)
	b := newBrowser(t, w.URL())
	b.look(1440, "light")
	b.open("/login")
	b.shoot("login", 1440, "light")
	b.shoot("login", 375, "dark")
	pages := w.lively(t, func() { spread(t, location) })
	b.login(servicetest.AdminKey)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, width := range []int{375, 1440} {
			for _, scheme := range []string{"light", "dark"} {
				b.look(width, scheme)
				b.open(pages[name])
				b.shoot(name, width, scheme)
			}
		}
	}
	for name, reach := range b.refusals(pages) {
		reach()
		for width, scheme := range map[int]string{375: "dark", 1440: "light"} {
			b.shoot(name, width, scheme)
		}
	}
	b.url = newWorld(t, migrationstest.SQLite(t)).URL()
	b.login(servicetest.AdminKey)
	b.look(1440, "light")
	b.open("/")
	b.shoot("overview-empty", 1440, "light")
}

func (b *browser) shoot(name string, width int, scheme string) {
	b.t.Helper()
	b.look(width, scheme)
	picture := get(b, "shoot "+name, chromedp.FullScreenshot(100))
	file := filepath.Join(*screenshots, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// spread moves what happened just now over the last day, for charts with a shape.
func spread(t *testing.T, location string) {
	t.Helper()
	db, err := sql.Open("pgx", location)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`UPDATE event_chunks SET occurred_at = now() - ((SELECT max(last_id) FROM event_chunks) - last_id) * interval '19 minutes'
			- abs(sin(last_id)) * interval '40 minutes'`,
		`UPDATE attempts SET attempted_at = now() - ((SELECT max(event_id) FROM attempts) - event_id) * interval '19 minutes' - abs(sin(event_id)) * interval '40 minutes'`,
		`UPDATE polls SET started_at = started_at - ((SELECT max(id) FROM polls) - id) * interval '50 minutes'`,
	} {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
			t.Fatalf("spread: %v", err)
		}
	}
}
