package dashboard_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// visitor is a browser without scripts, styles or a window.
type visitor struct {
	t      testing.TB
	url    string
	client *http.Client
	assets int // bytes of style and script over the wire
	body   string
	header http.Header
	status int
}

func newVisitor(t testing.TB, r *servicetest.Rig) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, url: r.URL(), client: &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}}}
	t.Cleanup(v.client.CloseIdleConnections)
	return v
}

func (v *visitor) login(key string) {
	v.t.Helper()
	v.post("/login", url.Values{"key": {key}})
	for part := range strings.SplitSeq(v.body, `"`) {
		if strings.HasPrefix(part, "/assets/") {
			v.assets += v.peek(part)
		}
	}
}

// get loads a page and returns its bytes over the wire.
func (v *visitor) get(path string) int {
	v.t.Helper()
	return v.send(http.MethodGet, path, nil)
}

// post sends a form and follows to where it leads.
func (v *visitor) post(path string, form url.Values) int {
	v.t.Helper()
	return v.send(http.MethodPost, path, form)
}

// peek loads something without leaving the page.
func (v *visitor) peek(path string) int {
	v.t.Helper()
	kept := *v
	defer func() { v.body, v.header, v.status = kept.body, kept.header, kept.status }()
	return v.get(path)
}

func (v *visitor) send(method, path string, form url.Values) int {
	v.t.Helper()
	kind := ""
	if method == http.MethodPost {
		kind = "application/x-www-form-urlencoded"
	}
	return v.submit(method, path, strings.NewReader(form.Encode()), kind)
}

func (v *visitor) submit(method, path string, body io.Reader, kind string) int {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	wire, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	plain := wire
	if answer.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(string(wire)))
		if err == nil {
			plain, err = io.ReadAll(z)
		}
		if err != nil {
			v.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	v.body, v.header, v.status = string(plain), answer.Header, answer.StatusCode
	return len(wire)
}
