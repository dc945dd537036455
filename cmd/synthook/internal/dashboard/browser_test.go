package dashboard_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// browser is a headless Chromium that looks at a service.
type browser struct {
	t       testing.TB
	ctx     context.Context
	url     string
	admin   *client.Client
	scripts bool // false: they are switched off
}

// chromium is where the browser is: CHROMIUM says it, or the path.
func chromium(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium: install the package chromium (scripts/test does), or set CHROMIUM to its path")
	return ""
}

// newBrowser starts a browser with nobody logged in. Its log-in and everything else is
// gone with the test.
func newBrowser(t testing.TB, url string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.WindowSize(1440, 900),
		chromedp.Flag("lang", "en-GB"), chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	// The browser lives as long as the context of its first action.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return &browser{t: t, ctx: ctx, url: url, admin: client.New(url, servicetest.AdminKey, ""), scripts: true}
}

// do runs actions; the test ends where one of them fails, and shows the page.
func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.text())
	}
}

// get runs an action that has a value.
func get[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.text())
	}
	return value
}

// text is the page's address and what it says.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	return text
}

// open goes to a page.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// press clicks the button, link or summary with a text.
func (b *browser) press(text string) {
	b.t.Helper()
	path := fmt.Sprintf(`//*[self::button or self::a or self::summary][normalize-space()=%q or @aria-label=%q]`, text, text)
	b.do("press "+text, chromedp.Click(chromedp.Search(path), chromedp.NodeVisible))
}

// fill types into a field, instead of what is in it.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	field := chromedp.CSS(fmt.Sprintf(`[id=%q]`, id))
	b.do("fill "+id, chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// see waits until the page says something. Without scripts the page is loaded again now
// and then, as its refresh asks browsers to.
func (b *browser) see(text string) {
	b.t.Helper()
	deadline := time.After(15 * time.Second)
	for !strings.Contains(strings.Join(strings.Fields(b.text()), " "), text) {
		select {
		case <-deadline:
			b.t.Fatalf("not within two minutes: %q on the page\n%s", text, b.text())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// value reads the text of an element.
func (b *browser) value(id string) string {
	b.t.Helper()
	return strings.TrimSpace(get(b, "read "+id, chromedp.TextContent(chromedp.CSS(fmt.Sprintf(`[id=%q]`, id)))))
}

// login logs in with a key.
func (b *browser) login(key string) {
	b.t.Helper()
	b.open("/login")
	b.fill("key", key)
	b.press("Log in")
	b.see("Log out")
}

// look sets the width of the window and the colours that are preferred.
func (b *browser) look(width int, scheme string) {
	b.t.Helper()
	b.do("look", chromedp.EmulateViewport(int64(width), 900), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}
