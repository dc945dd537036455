package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestSendsKeyProjectAndBody(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got := fmt.Sprint(r.Method, " ", r.URL.EscapedPath(), " ", r.Header.Get("Authorization"), " ", r.Header.Get("X-Project-Id"), " ", string(body))
		if want := `POST /v1/accounts/a%2Fb Bearer shk_1 acme {"name":"n"}`; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		_, _ = io.WriteString(w, `{"id":"p"}`)
	})
	c := client.New(server+"/", "shk_1", "acme")
	project, err := client.Send[api.Project](t.Context(), c, http.MethodPost, client.Path("v1", "accounts", "a/b"), api.NewProject{Name: "n"})
	if err != nil || project.ID != "p" {
		t.Errorf("%+v %v", project, err)
	}
}

func TestListFollowsPages(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "limit=2":
			_, _ = io.WriteString(w, `{"items":[{"id":"1"},{"id":"2"}],"next":"a b"}`)
		case "cursor=a+b&limit=2":
			_, _ = io.WriteString(w, `{"items":[{"id":"3"}]}`)
		default:
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
	})
	var ids []string
	for p, err := range client.List[api.Project](t.Context(), client.New(server, "k", ""), "/v1/projects", url.Values{"limit": {"2"}}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	if strings.Join(ids, "") != "123" {
		t.Error(ids)
	}
}

// Errors say what was refused, which field is to blame, and what to do next.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status          int
		kind, body, key string
		want            string
	}{
		{422, "application/problem+json", `{"status":422,"detail":"validation failed","errors":[{"location":"body.url","message":"must be http"},{"location":"body","message":"odd"}]}`, "k",
			"validation failed: url: must be http; odd"},
		{401, "application/problem+json", `{"status":401,"detail":"the key is not valid"}`, "k", "the key is not valid; check SYNTHOOK_API_KEY (--api-key)"},
		{401, "application/problem+json", `{"status":401,"detail":"no key"}`, "", "no key; set SYNTHOOK_API_KEY (--api-key)"},
		{404, "application/problem+json", `{"title":"Not Found"}`, "k", "not found"},
		{502, "text/html", `<h1>Bad Gateway</h1>`, "k", "answered 502 and does not seem to be a synthook server"},
		{200, "text/html", `<h1>Hello</h1>`, "k", "is it a synthook server of this version?"},
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := client.Get[api.Project](t.Context(), client.New(server, c.key, ""), "/v1/projects/p")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v\nwant %s", c.status, err, c.want)
		}
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status != c.status {
			t.Errorf("status %d, want %d", refused.Status, c.status)
		}
	}
}

func TestNoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = client.Get[api.Project](t.Context(), client.New(address, "k", ""), "/v1/projects/p")
	want := "no synthook server at " + address + ": start one with `synthook serve`, or set SYNTHOOK_SERVER (--server)"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	_, err = client.Get[api.Project](t.Context(), client.New("http://nowhere.invalid", "k", ""), "/v1/projects/p?secret=1")
	if err == nil || !strings.Contains(err.Error(), "reach the synthook server at http://nowhere.invalid") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	_, err = client.Get[api.Project](t.Context(), client.New("localhost:8080", "k", ""), "/v1")
	if err == nil || !strings.Contains(err.Error(), "SYNTHOOK_SERVER") {
		t.Errorf("%v", err)
	}
}

func TestCallerGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := client.Get[api.Project](ctx, client.New(server, "k", ""), "/"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
