// Package frame is what all pages of the dashboard have in common: the frame around
// their content, how they are written and how their values are spelt.
//
// It owns the layout, the notices that survive a redirect, and the functions that
// templates have. It knows no page and no data.
package frame

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// Frame is around every page; page structs embed it.
type Frame struct {
	Title    string
	Section  string // of the navigation
	Project  string
	Projects []string // an admin's choice; nil: none
	Admin    bool
	LoggedIn bool
	Notice   *Notice
	Refresh  int  // seconds after which a browser without scripts loads the page again; 0: never
	Secret   bool // the page shows a secret: it is not compressed
}

// Base gives the frame of a page.
func (f *Frame) Base() *Frame { return f }

// Page is a page struct that embeds Frame.
type Page interface{ Base() *Frame }

// Renderer writes pages.
type Renderer struct{ pages map[string]*template.Template }

// NewRenderer parses the templates: layout.html and parts*.html are shared, every other
// file is a page that defines "content". They have functions beside those of this package.
func NewRenderer(files fs.FS, functions template.FuncMap) (*Renderer, error) {
	functions = maps.Clone(functions)
	maps.Copy(functions, spelling)
	shared, err := template.New("").Funcs(functions).ParseFS(files, "layout.html", "parts*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	names, err := fs.Glob(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	r := &Renderer{pages: map[string]*template.Template{}}
	for _, name := range names {
		if name == "layout.html" || strings.HasPrefix(name, "parts") {
			continue
		}
		page, err := shared.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse template %s: %w", name, err)
		}
		r.pages[strings.TrimSuffix(name, ".html")] = page
	}
	return r, nil
}

// Render writes a whole page, or nothing and an error.
func (r *Renderer) Render(w http.ResponseWriter, request *http.Request, status int, name string, page Page) error {
	var b bytes.Buffer
	if err := r.Part(&b, name, "layout", page); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding")
	body := b.Bytes()
	// Where a secret stands beside what somebody else may have written, its length after
	// compression would tell of it.
	if !page.Base().Secret && strings.Contains(request.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		_, _ = z.Write(body) // a buffer takes everything
		_ = z.Close()
		body = packed.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the reader is gone
	return nil
}

// Part writes one template of a page, such as a row.
func (r *Renderer) Part(b *bytes.Buffer, page, part string, data any) error {
	t := r.pages[page]
	if t == nil {
		return fmt.Errorf("no page %q", page)
	}
	if err := t.ExecuteTemplate(b, part, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
