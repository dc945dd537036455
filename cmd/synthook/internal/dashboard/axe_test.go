package dashboard_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// axe finds no violation on any page, in light and dark, with all that is folded open.
func TestAccessible(t *testing.T) {
	const file = "testdata/axe/node_modules/axe-core/axe.min.js"
	axe, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run npm ci in testdata/axe (scripts/test does)", err)
	}
	w := newWorld(t, migrationstest.SQLite(t))
	b := newBrowser(t, w.URL())
	b.look(1440, "light")
	b.open("/login")
	b.examine("login", string(axe))
	b.login(servicetest.AdminKey)
	b.examine("overview without accounts", string(axe))
	pages := w.lively(t, nil)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{1440, 375} {
				if scheme == "dark" && width == 375 {
					continue // its colours were seen
				}
				b.look(width, scheme)
				b.open(pages[name])
				b.examine(fmt.Sprintf("%s at %d, %s", name, width, scheme), string(axe))
			}
		}
	}
}

// examine reports what axe finds on the page, and what is wider than the window.
func (b *browser) examine(name, axe string) {
	b.t.Helper()
	get(b, "bring axe", chromedp.Evaluate[bool](axe+"; true"))
	found := get(b, "examine "+name, chromedp.Evaluate[[]string](`(async () => {
		document.querySelectorAll("details").forEach((d) => { d.open = true; });
		const { violations } = await axe.run(document, { resultTypes: ["violations"] });
		const all = violations.map((v) => v.id + ": " + v.help + "\n" + v.nodes.map((n) => "  " + n.html + "\n  " + n.failureSummary).join("\n"));
		const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
		if (over > 0) {
			const widest = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3);
			all.push("the page is " + over + " pixels wider than the window: " + widest.map((e) => e.outerHTML.slice(0, 120)).join(" … "));
		}
		for (const card of document.querySelectorAll("main .card")) {
			if (card.scrollWidth > card.clientWidth + 1) all.push((card.scrollWidth - card.clientWidth) + " pixels are cut off at the right of " + card.outerHTML.slice(0, 120));
		}
		return all;
	})()`, chromedp.EvalAwaitPromise))
	if len(found) > 0 {
		b.t.Errorf("%s:\n%s", name, strings.Join(found, "\n"))
	}
}
