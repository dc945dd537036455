package providers_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/emulator"
)

const client = "credentials:\n  - name: client_id\n  - name: client_secret\n"

// tokenServer gives tokens t1, t2 … for what asked accepts, and takes only the latest.
type tokenServer struct {
	mu     sync.Mutex
	given  int
	answer func(n int) object
	asked  func(r *http.Request, body string) bool
	want   func(n int) http.Header // what data requests must carry
	over   bool                    // the present token is no longer taken
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(r.URL.Path, "token") {
		body, _ := io.ReadAll(r.Body)
		if !s.asked(r, string(body)) {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, object{"error": "invalid_client", "error_description": "Ada Lovelace"})
			return
		}
		s.given++
		s.over = false
		reply(w, s.answer(s.given))
		return
	}
	for name, values := range s.want(s.given) {
		if s.over || r.Header.Get(name) != values[0] {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	reply(w, object{"data": records([]string{"1"})})
}

// The three ways in which providers want a client's id and secret.
func TestClientCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		token string
		asked func(r *http.Request, body string) bool
	}{
		"in a form": {"post: https://auth.test/token\n    form: {grant_type: client_credentials, client_id: '${cred.client_id}', client_secret: '${cred.client_secret}', scope: '${cred.scope}'}",
			func(r *http.Request, body string) bool {
				return r.Host == "auth.test" && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && body == "client_id=me&client_secret=s+%26t&grant_type=client_credentials"
			}},
		"in JSON": {"post: /v1/token\n    body: {clientId: '${cred.client_id}', secret: '${cred.client_secret}'}",
			func(r *http.Request, body string) bool {
				return r.Host == "provider.test" && r.Header.Get("Content-Type") == "application/json" && body == `{"clientId":"me","secret":"s \u0026t"}`
			}},
		"in a header": {"post: https://auth.test/token\n    basic: {username: '${cred.client_id}', password: '${cred.client_secret}'}\n    query: {grant_type: client_credentials}",
			func(r *http.Request, body string) bool {
				user, password, _ := r.BasicAuth()
				return user == "me" && password == "s &t" && r.URL.RawQuery == "grant_type=client_credentials" && body == ""
			}},
	} {
		t.Run(name, func(t *testing.T) {
			scope := ""
			if strings.Contains(test.token, "cred.scope") {
				scope = "  - {name: scope, optional: true}\n"
			}
			s := &tokenServer{asked: test.asked, answer: func(n int) object { return object{"access_token": fmt.Sprint("t", n), "expires_in": 3600} },
				want: func(n int) http.Header { return http.Header{"Authorization": {fmt.Sprint("Bearer t", n)}} }}
			c := connector(t, client+scope+"auth:\n  token:\n    "+test.token+"\n  header: {Authorization: 'Bearer ${token}'}\n"+employees(whole))
			client := open(t, c, s.ServeHTTP, credentials("client_id", "me", "client_secret", "s &t"))
			for range 3 {
				if got := list(t.Context(), client, "employees"); got.err != nil {
					t.Fatal(got.err)
				}
			}
			if s.given != 1 {
				t.Errorf("%d tokens for three listings", s.given)
			}
			s.over = true // before its time
			if got := list(t.Context(), client, "employees"); got.err != nil || s.given != 2 || got.requests != 3 {
				t.Errorf("%v after %d tokens and %d requests", got.err, s.given, got.requests)
			}
			wrong := open(t, c, s.ServeHTTP, credentials("client_id", "me", "client_secret", "wrong"))
			got := list(t.Context(), wrong, "employees")
			e := wantKind(t, got.err, providers.Auth, "the provider gives no token for these credentials (400, invalid_client)")
			if strings.Contains(e.Error(), "Ada") {
				t.Error(e)
			}
		})
	}
}

// A token is asked for anew before it ends, however its end is told.
func TestTokensEnd(t *testing.T) {
	for name, test := range map[string]struct {
		token  string
		answer func(now time.Time) object
		ends   time.Duration
	}{
		"seconds":           {"", func(time.Time) object { return object{"access_token": "t", "expires_in": 600} }, 10 * time.Minute},
		"seconds as a text": {"", func(time.Time) object { return object{"access_token": "t", "expires_in": "600"} }, 10 * time.Minute},
		"a date": {", expires_at: d.until", func(now time.Time) object {
			return object{"access_token": "t", "d": object{"until": now.Add(10 * time.Minute).Format(time.RFC3339)}}
		}, 10 * time.Minute},
		"an epoch": {", expires_at: until", func(now time.Time) object {
			return object{"access_token": "t", "until": now.Add(10 * time.Minute).Unix()}
		}, 10 * time.Minute},
		"the connector": {", lifetime: 10m", func(time.Time) object { return object{"access_token": "t"} }, 10 * time.Minute},
		"nobody":        {", token: deep.token", func(time.Time) object { return object{"deep": object{"token": "t"}} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				given := 0
				c := connector(t, "auth:\n  token: {post: /token"+test.token+"}\n  header: {X-Token: '${token}'}\n"+employees(whole))
				client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" {
						given++
						reply(w, test.answer(time.Now()))
						return
					}
					reply(w, object{"data": records(nil)})
				})
				at := func(d time.Duration, want int) {
					t.Helper()
					time.Sleep(d)
					if got := list(t.Context(), client, "employees"); got.err != nil || given != want {
						t.Errorf("%d tokens, want %d: %v", given, want, got.err)
					}
				}
				at(0, 1)
				if test.ends == 0 {
					at(1000*time.Hour, 1)
					return
				}
				at(test.ends-61*time.Second, 1)
				at(2*time.Second, 2)
			})
		})
	}
}

// failingStore loses what it is to keep.
type failingStore struct {
	providers.TokenStore
	err error
}

func (f *failingStore) Save(ctx context.Context, tokens map[string]string) error {
	if f.err != nil {
		return f.err
	}
	return f.TokenStore.Save(ctx, tokens)
}

// A refresh token that is replaced is stored before anything is asked with it, and used
// once, by however many clients of the account.
func TestRotatedRefreshTokens(t *testing.T) {
	c := connector(t, client+"  - name: refresh_token\nauth:\n  token:\n    post: https://auth.test/token\n    form: {grant_type: refresh_token, refresh_token: '${token.refresh}', client_id: '${cred.client_id}', client_secret: '${cred.client_secret}'}\n    refresh: ${cred.refresh_token}\n  header: {Authorization: 'Bearer ${token}'}\n"+employees(whole))
	latest := "r0"
	s := &tokenServer{answer: func(n int) object {
		latest = fmt.Sprint("r", n)
		return object{"access_token": fmt.Sprint("t", n), "expires_in": 3600, "refresh_token": latest}
	}, want: func(n int) http.Header { return http.Header{"Authorization": {fmt.Sprint("Bearer t", n)}} }}
	s.asked = func(_ *http.Request, body string) bool {
		return strings.Contains(body, "refresh_token="+latest+"&") || strings.HasSuffix(body, "refresh_token="+latest)
	}
	store := &failingStore{TokenStore: providers.NewTokens()}
	given := credentials("client_id", "me", "client_secret", "x", "refresh_token", "r0")
	stored := func(_ *providers.Target, o *providers.Options) { o.Tokens = store }

	var streams sync.WaitGroup
	for range 8 { // each a client of its own, as polls are
		client := open(t, c, s.ServeHTTP, given, stored)
		streams.Go(func() {
			if got := list(t.Context(), client, "employees"); got.err != nil {
				t.Error(got.err)
			}
		})
	}
	streams.Wait()
	kept, _ := store.Load(t.Context())
	if s.given != 1 || !slices.Contains(slices.Collect(maps.Values(kept)), "r1") {
		t.Fatalf("%d tokens; kept %v", s.given, slices.Sorted(maps.Keys(kept)))
	}
	s.over = true
	if got := list(t.Context(), open(t, c, s.ServeHTTP, given, stored), "employees"); got.err != nil || latest != "r2" {
		t.Fatal(latest, got.err)
	}
	s.over, store.err = true, errors.New("disk full")
	before := s.given
	if got := list(t.Context(), open(t, c, s.ServeHTTP, given, stored), "employees"); !errors.Is(got.err, store.err) || got.pages != 0 || s.given != before+1 {
		t.Errorf("a token that couldn't be stored was used: %v", got.err)
	}
	// Another secret leaves the refresh token that came of the account's own, which is spent.
	store.err, latest = nil, fmt.Sprint("r", s.given-1)
	if kept, _ := store.Load(t.Context()); kept["refresh"] != latest {
		t.Fatalf("kept %q, want %q", kept["refresh"], latest)
	}
	before = s.given
	if got := list(t.Context(), open(t, c, s.ServeHTTP, credentials("client_id", "me", "client_secret", "y", "refresh_token", "r0"), stored), "employees"); got.err != nil || s.given != before+1 {
		t.Errorf("after another client secret: %v", got.err)
	}
	// A new refresh token makes what was kept void.
	store.err, latest = nil, "other"
	if got := list(t.Context(), open(t, c, s.ServeHTTP, credentials("client_id", "me", "client_secret", "x", "refresh_token", "other"), stored), "employees"); got.err != nil {
		t.Error(got.err)
	}
}

// A login with a token gives a session and the account's own base URL; a session that
// is over is renewed with the token at hand, and with a new one when that is over too.
func TestSession(t *testing.T) {
	c := connector(t, client+`auth:
  token:
    post: https://auth.test/token
    form: {client: "${cred.client_id}", secret: "${cred.client_secret}"}
  session:
    get: http://rest.test/login
    query: {version: "*", access_token: "${token}"}
    session: BhRestToken
    base_url: restUrl
  header: {BhRestToken: "${session}"}
`+employees(byURL))
	tokens, sessions := 0, 0
	goodToken, goodSession := "", ""
	var shown []string
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host == "auth.test":
			tokens++
			goodToken = fmt.Sprint("token", tokens)
			reply(w, object{"access_token": goodToken})
		case r.URL.Path == "/login":
			if r.URL.Query().Get("access_token") != goodToken || r.URL.Query().Get("version") != "*" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			sessions++
			goodSession = fmt.Sprint("session", sessions)
			reply(w, object{"BhRestToken": goodSession, "restUrl": "http://rest7.test/e999/"})
		case r.Host != "rest7.test" || r.URL.Path != "/e999/people" || r.Header.Get("BhRestToken") != goodSession:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Get("p") == "":
			reply(w, object{"data": records([]string{"1"}), "next": "/e999/people?p=2"})
		default:
			reply(w, object{"data": records([]string{"2"})})
		}
	}, credentials("client_id", "me", "client_secret", "s3cret"), func(_ *providers.Target, o *providers.Options) {
		o.Trace = func(e providers.Exchange) { shown = append(shown, e.URL) }
	})
	check := func(wantTokens, wantSessions int) {
		t.Helper()
		pages, ids, err := listWith(t.Context(), client, providers.ListOptions{})
		if err != nil || !slices.Equal(ids, []string{"1", "2"}) || tokens != wantTokens || sessions != wantSessions {
			t.Fatalf("got %v after %d tokens and %d sessions: %v", ids, tokens, sessions, err)
		}
		if _, rest, err := listWith(t.Context(), client, providers.ListOptions{Resume: pages[0].Resume}); err != nil || !slices.Equal(rest, []string{"2"}) {
			t.Errorf("behind the first page: %v, %v", rest, err)
		}
	}
	check(1, 1)
	goodSession = ""
	check(1, 2)
	goodSession, goodToken = "", ""
	check(2, 3)
	for _, url := range shown {
		if strings.Contains(url, "token1") || strings.Contains(url, "session1") {
			t.Errorf("the trace shows %s", url)
		}
	}
}

// The provider may want a certificate of the account.
func TestClientCertificate(t *testing.T) {
	certificate, private := emulator.Certificate()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "acme" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply(w, object{"data": records([]string{"1"})})
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	c := connector(t, "credentials:\n  - name: certificate\n  - name: key\nauth:\n  client_certificate: {certificate: '${cred.certificate}', key: '${cred.key}'}\n"+employees(whole))
	target := providers.Target{BaseURL: server.URL, Credentials: map[string]string{"certificate": certificate, "key": private}}
	http1 := server.Client()
	client, err := c.Open(target, providers.Options{HTTP: http1})
	if err != nil {
		t.Fatal(err)
	}
	if got := list(t.Context(), client, "employees"); got.err != nil || len(got.ids) != 1 {
		t.Error(got.ids, got.err)
	}
	if len(http1.Transport.(*http.Transport).TLSClientConfig.Certificates) > 0 {
		t.Error("one account's certificate is everyone's")
	}
	target.Credentials["key"] = "no key"
	if err := c.Check(target); err == nil || !strings.Contains(err.Error(), "no PEM that belongs together") {
		t.Error(err)
	}
	if _, err := c.Open(providers.Target{BaseURL: server.URL, Credentials: map[string]string{"certificate": certificate, "key": private}}, providers.Options{HTTP: &http.Client{Transport: memory{}}}); err == nil {
		t.Error("a transport that can't show the certificate was taken")
	}
}

func TestAuthProblems(t *testing.T) {
	for auth, want := range map[string]string{
		"token: {post: token}":                                                                   "begins with /, or https://",
		"token: {get: /token, form: {a: b}}":                                                     "a form is sent by post",
		"token: {post: /token, refresh: x}":                                                      "belong together",
		"token: {post: /token, form: {r: '${token.refresh}'}}":                                   "belong together",
		"token: {post: /token}\n  header: {A: '${session}'}":                                     "unknown substitution ${session}",
		"session: {post: /login}":                                                                `the key "session" is missing`,
		"header: {A: '${token}'}":                                                                "unknown substitution ${token}",
		"token: {post: /token, form: {a: '${token}'}}":                                           "unknown substitution ${token}",
		"client_certificate: {certificate: x}":                                                   `the key "key" is missing`,
		"token: {post: /token, base_url: a}\n  session: {post: /login, session: s, base_url: b}": "token and session both have base_url",
	} {
		_, problems := providers.Parse("x.yaml", []byte("name: x\ncategory: ats\nverified: no\nauth:\n  "+auth+"\n"+employees(whole)))
		if !slices.ContainsFunc(problems, func(p providers.Problem) bool { return strings.Contains(p.Message, want) }) {
			t.Errorf("%s: want %q, got %v", auth, want, problems)
		}
	}
	c := connector(t, "credentials:\n  - {name: host, secret: false}\nauth:\n  token: {post: 'https://${cred.host}.auth.test/token'}\n  header: {A: '${token}'}\n"+employees(whole))
	if err := c.Check(providers.Target{Credentials: map[string]string{"host": "evil.test/"}}); err == nil || !strings.Contains(err.Error(), "letters, digits, dots and dashes only") {
		t.Errorf("a credential moves the address where secrets are sent: %v", err)
	}
}
