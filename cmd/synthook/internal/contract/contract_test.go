// Package contract holds the tests of the HTTP API against its own document, made by
// other people's tools: Spectral judges the document, and Prism stands between the real
// client and the real service and refuses what the document does not allow.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// tool is the path of an installed npm tool.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("node_modules/.bin/" + name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%s is not installed: run scripts/test, or npm ci in cmd/synthook/internal/contract", name)
	}
	return path
}

// document writes what the service serves to a file.
func document(t *testing.T, r *servicetest.Rig, path string) string {
	t.Helper()
	answer := r.Call("GET "+path, "", "")
	if answer.Status != http.StatusOK {
		t.Fatalf("GET %s: %d", path, answer.Status)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(file, []byte(answer.Body), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Spectral finds nothing in the document, in either form.
func TestStyle(t *testing.T) {
	t.Parallel()
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	for _, path := range []string{"/openapi.json", "/openapi.yaml"} {
		lint := exec.CommandContext(t.Context(), tool(t, "spectral"), "lint", document(t, r, path), "--ruleset", "spectral.yaml", "--fail-severity", "hint")
		if out, err := lint.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

// proxy is Prism before a service.
type proxy struct {
	*client.Client
	t   *testing.T
	url string
	rig *servicetest.Rig
}

func startPrism(t *testing.T, r *servicetest.Rig) *proxy {
	t.Helper()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err := errors.Join(err, free.Close()); err != nil {
		t.Fatal(err)
	}
	log := &servicetest.Log{}
	prism := exec.CommandContext(t.Context(), tool(t, "prism"), "proxy", document(t, r, "/openapi.json"), r.URL(), "--errors", "--port", port)
	prism.Stdout, prism.Stderr = log, log
	if err := prism.Start(); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = prism.Wait() })
	t.Cleanup(func() {
		_ = prism.Process.Kill()
		running.Wait()
		if t.Failed() {
			t.Logf("Prism said:\n%s", log)
		}
	})
	p := &proxy{t: t, url: "http://127.0.0.1:" + port, rig: r}
	servicetest.Eventually(t, "Prism answers", func() bool {
		answer, err := http.Get(p.url + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	p.Client = client.New(p.url, servicetest.AdminKey, "")
	return p
}

// ask makes a call with the real client.
func ask[T any](p *proxy, method, path string, body any) T {
	p.t.Helper()
	answer, err := client.Send[T](p.t.Context(), p.Client, method, path, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// call makes a call as it is, with headers, and wants a status.
func (p *proxy) call(status int, method, path string, body any, headers ...string) http.Header {
	p.t.Helper()
	if body == nil {
		return p.send(status, method, path, "", nil, headers...)
	}
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(status, method, path, "application/json", bytes.NewReader(text), headers...)
}

func (p *proxy) send(status int, method, path, kind string, body io.Reader, headers ...string) http.Header {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, h := range append([]string{"Authorization: Bearer " + servicetest.AdminKey, "Content-Type: " + kind}, headers...) {
		if name, value, _ := strings.Cut(h, ": "); value != "" {
			request.Header.Set(name, value)
		}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		p.t.Errorf("%s %s: %d (want %d) %s %v", method, path, answer.StatusCode, status, text, err)
	}
	return answer.Header
}

// operations are those of the document: "GET /v1/accounts/{account_id}".
func operations(t *testing.T, r *servicetest.Rig) map[string]bool {
	t.Helper()
	var document struct {
		Paths map[string]map[string]any
	}
	r.Call("GET /openapi.json", "", "").Decode(t, &document)
	all := map[string]bool{}
	for path, methods := range document.Paths {
		for method := range methods {
			all[strings.ToUpper(method)+" "+path] = false
		}
	}
	return all
}

// served marks the operations that the service answered, as its log has them.
func served(t *testing.T, r *servicetest.Rig, all map[string]bool) {
	t.Helper()
	router := http.NewServeMux()
	for operation := range all {
		router.HandleFunc(operation, func(http.ResponseWriter, *http.Request) { all[operation] = true })
	}
	for line := range strings.Lines(r.Log.String()) {
		var entry struct{ Message, Method, Path string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Message == "request" {
			router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), entry.Method, entry.Path, nil))
		}
	}
}

// list reads all pages of a listing, two items a page.
func list[T any](p *proxy, path string) (all []T) {
	p.t.Helper()
	for item, err := range client.List[T](p.t.Context(), p.Client, path, map[string][]string{"limit": {"2"}}) {
		if err != nil {
			p.t.Fatalf("list %s: %v", path, err)
		}
		all = append(all, item)
	}
	if len(all) == 0 {
		p.t.Error(fmt.Sprint(path, " lists nothing: what an item looks like is not tried"))
	}
	return all
}
