// Package reference renders the OpenAPI document as a page that people read: one HTML
// text and one stylesheet, made once, without a script and without anything from
// elsewhere.
//
// It owns how the page looks and what it may load (nothing but its stylesheet). It says
// nothing that the document does not say.
package reference

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style []byte

var page = template.Must(template.New("page").Funcs(template.FuncMap{"prose": prose}).Parse(pageText))

// policy lets the page load its stylesheet, and nothing else, from anywhere.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers GET for the page at path, and for its stylesheet at path/style.css. The
// document must be complete; what is added later is not shown.
func Handler(document *huma.OpenAPI, path string) (http.Handler, error) {
	var text bytes.Buffer
	if err := page.Execute(&text, view{Style: path + "/style.css", Reference: describe(document)}); err != nil {
		return nil, fmt.Errorf("render API reference: %w", err)
	}
	mux := http.NewServeMux()
	for _, file := range []struct {
		path, kind string
		text       []byte
	}{{path, "text/html; charset=utf-8", text.Bytes()}, {path + "/style.css", "text/css; charset=utf-8", style}} {
		packed, err := pack(file.text)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET "+file.path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", file.kind)
			h.Set("Content-Security-Policy", policy)
			h.Set("Cache-Control", "no-cache")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Vary", "Accept-Encoding")
			answer := file.text
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				answer = packed
				h.Set("Content-Encoding", "gzip")
			}
			h.Set("Content-Length", strconv.Itoa(len(answer)))
			_, _ = w.Write(answer) // fails only when the caller is gone
		})
	}
	return mux, nil
}

// part is a piece of a text: what stands between backticks is code.
type part struct {
	Text string
	Code bool
}

func prose(text string) (parts []part) {
	for i, piece := range strings.Split(text, "`") {
		if piece != "" {
			parts = append(parts, part{piece, i%2 == 1})
		}
	}
	return parts
}

func pack(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		if _, err = w.Write(text); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("compress API reference: %w", err)
	}
	return packed.Bytes(), nil
}
