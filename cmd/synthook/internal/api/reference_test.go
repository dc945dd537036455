package api_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// The reference shows every operation and every schema of the document; every link of it
// leads somewhere; it loads nothing from elsewhere, and runs nothing.
func TestReference(t *testing.T) {
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	page := r.Call("GET /docs", "", "")
	if page.Status != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", page.Status, page.Header.Get("Content-Type"))
	}
	policy := page.Header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, rule) {
			t.Errorf("the policy %q lacks %s", policy, rule)
		}
	}
	for _, forbidden := range []string{"<script", "javascript:", " style=", " onclick", "`"} {
		if strings.Contains(page.Body, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	for route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if !strings.Contains(page.Body, `<b class="`+method+`">`+method+`</b> <code>`+path+`</code>`) {
			t.Errorf("%s is not shown", route)
		}
	}
	var document struct {
		Components struct{ Schemas map[string]any }
	}
	r.Call("GET /openapi.json", "", "").Decode(t, &document)
	for name := range document.Components.Schemas {
		if !strings.Contains(page.Body, `id="schema-`+name+`"`) {
			t.Errorf("the schema %s is not shown", name)
		}
	}
	var ids []string
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page.Body, -1) {
		if slices.Contains(ids, id[1]) {
			t.Errorf("the id %s is there twice", id[1])
		}
		ids = append(ids, id[1])
	}
	for _, link := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page.Body, -1) {
		if anchor, here := strings.CutPrefix(link[1], "#"); here {
			if !slices.Contains(ids, anchor) {
				t.Errorf("the link %s leads nowhere", link[1])
			}
		} else if a := r.Call("GET "+link[1], "", ""); !strings.HasPrefix(link[1], "/") || a.Status != http.StatusOK {
			t.Errorf("the link %s leads to %d", link[1], a.Status)
		}
	}
	if style := r.Call("GET /docs/style.css", "", ""); strings.Contains(style.Body, "url(") || strings.Contains(style.Body, "@import") || !strings.Contains(style.Body, "prefers-color-scheme: dark") {
		t.Error("the stylesheet loads something, or knows no dark scheme")
	}
	wellFormed(t, page.Body)
	if packed := r.Call("GET /docs", "", "", "Accept-Encoding: gzip"); packed.Header.Get("Content-Encoding") != "gzip" || len(packed.Body) > 50_000 {
		t.Errorf("compressed to %d bytes", len(packed.Body))
	}
}

// wellFormed finds elements that are not closed.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict = false
	decoder.AutoClose = xml.HTMLAutoClose
	decoder.Entity = xml.HTMLEntity
	var open []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			open = append(open, v.Name.Local)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != v.Name.Local {
				t.Fatalf("%s ends within %v", v.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
}
