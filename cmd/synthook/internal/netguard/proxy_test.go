package netguard

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// proxy connects to one address, whatever it is asked for, and remembers that.
type proxy struct {
	t      *testing.T
	to     string
	answer int // to CONNECT, where not 200

	mu    sync.Mutex
	asked []string
	users []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.users = append(p.users, r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if p.answer != 0 {
		w.WriteHeader(p.answer)
		return
	}
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		p.t.Error(err)
		return
	}
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	_, _ = near.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, buffered)
		_ = far.Close()
	})
	_, _ = io.Copy(near, far)
	_ = near.Close()
	both.Wait()
}

func (p *proxy) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// authority writes the certificate of a TLS test server to a file.
func authority(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// By the proxy, names are resolved and judged here, and the proxy gets the address; TLS
// is with the receiver, under its name.
func TestOutboundProxy(t *testing.T) {
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.ServerName != "example.com" { // which the test certificate is for
			t.Errorf("TLS with %q", r.TLS.ServerName)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	p := &proxy{t: t, to: receiver.Listener.Addr().String()}
	server := httptest.NewServer(p)
	defer server.Close()
	dns := newDNS(t)
	dns.set("example.com", "93.184.215.14")
	dns.set("inside.example", "93.184.215.14", "10.0.0.7")
	guard := guard(t, Config{Proxy: strings.Replace(server.URL, "//", "//me:hunter2@", 1), CAFile: authority(t, receiver)}, dns)
	for name, client := range map[string]*http.Client{"poll": guard.PollClient(), "delivery": guard.DeliveryClient()} {
		answer, err := client.Get("https://example.com/hook")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = answer.Body.Close()
		for _, url := range []string{"https://inside.example/", "https://127.0.0.1/", "http://10.0.0.7/", "http://metadata.google.internal/", "https://[::1]/"} {
			if _, err := client.Get(url); !Refused(err) {
				t.Errorf("%s client, %s: %v", name, url, err)
			}
		}
		client.CloseIdleConnections()
	}
	if want := []string{"CONNECT 93.184.215.14:443", "CONNECT 93.184.215.14:443"}; !slices.Equal(p.heard(), want) {
		t.Errorf("the proxy was asked %v", p.heard())
	}
	if p.users[0] != "Basic bWU6aHVudGVyMg==" {
		t.Errorf("the proxy was told %q", p.users[0])
	}
}

// Plain http goes through a tunnel as well; what the proxy refuses says so without the password.
func TestOutboundProxyRefuses(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "example.com" || r.URL.Path != "/hook" || r.Header.Get("Proxy-Authorization") != "" {
			t.Errorf("%s %s %v", r.Host, r.URL, r.Header)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	p := &proxy{t: t, to: receiver.Listener.Addr().String()}
	server := httptest.NewServer(p)
	defer server.Close()
	dns := newDNS(t)
	dns.set("example.com", "93.184.215.14")
	client := guard(t, Config{Proxy: strings.Replace(server.URL, "//", "//me:hunter2@", 1)}, dns).DeliveryClient()
	answer, err := client.Get("http://example.com/hook")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	client.CloseIdleConnections()
	p.answer = http.StatusForbidden
	if _, err := client.Get("http://example.com/hook"); err == nil || !strings.Contains(err.Error(), "the outbound proxy answered 403 to CONNECT") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	server.Close()
	if _, err := client.Get("http://example.com/hook"); err == nil || !strings.Contains(err.Error(), "reach the outbound proxy") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// A receiver of the operator's own authority is trusted when that is given, an old
// version of TLS never is.
func TestTLS(t *testing.T) {
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	receiver.Config.ErrorLog = nil
	receiver.StartTLS()
	defer receiver.Close()
	get := func(c Config) error {
		client := guard(t, c, nil).DeliveryClient()
		defer client.CloseIdleConnections()
		answer, err := client.Get(receiver.URL)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	}
	ca := authority(t, receiver)
	if err := get(Config{AllowPrivate: true, CAFile: ca}); err != nil {
		t.Error(err)
	}
	if err := get(Config{AllowPrivate: true}); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("without the authority: %v", err)
	}
	receiver.TLS.MinVersion, receiver.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := get(Config{AllowPrivate: true, CAFile: ca}); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		"holds no certificate":     {CAFile: empty},
		"--ca-file":                {CAFile: "nowhere.pem"},
		"not of the form http://u": {Proxy: "socks5://me:hunter2@proxy"},
		"not of the form":          {Proxy: "http://proxy/path"},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
