package providers

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// auth is how requests show who asks.
type auth struct {
	basic            *basicAuth
	header, query    []param
	token, session   *grant // what has to be asked for first; nil: nothing
	certificate, key template
}

type basicAuth struct{ username, password template }

// grant is a request whose answer has a token or a session.
type grant struct {
	name       string // token or session
	call       *call
	form       []param
	basic      *basicAuth
	secret     source // the token, or the session
	expiresIn  source
	expiresAt  source
	lifetime   time.Duration
	refresh    template
	refreshed  source // the next refresh token
	rotating   bool
	baseURL    source
	ownAddress bool // it isn't below the base URL
}

// auth reads the words of a way to authenticate; without one, those of all.
func (c *compiler) auth(by *way) auth {
	if by != nil {
		return c.oneAuth(by.file)
	}
	var a auth
	for i := range c.file.auth {
		a = c.oneAuth(&c.file.auth[i])
	}
	return a
}

func (c *compiler) oneAuth(f *authFile) auth {
	var shown []string
	a := auth{}
	if f.token.at.set {
		shown = append(shown, "token")
		a.token = c.grant("token", f.token, "token.refresh")
	}
	if f.session.at.set {
		a.session = c.grant("session", f.session, shown...)
		shown = append(shown, "session")
	}
	if f.token.baseURL.set && f.session.baseURL.set {
		c.problem(f.session.baseURL, "token and session both have base_url: an account has one")
	}
	a.basic = c.basic(f.basic, shown...)
	a.header, a.query = c.headers(f.header, shown...), c.params(f.query, shown...)
	if f.certificate.certificate.set {
		a.certificate = c.mandatory(f.certificate.certificate, c.template(f.certificate.certificate))
		a.key = c.mandatory(f.certificate.key, c.template(f.certificate.key))
	}
	return a
}

// namesBase tells whether the account's base URL comes with its token or its session.
func (a *auth) namesBase() bool {
	return a.token != nil && a.token.baseURL.text != "" || a.session != nil && a.session.baseURL.text != ""
}

func (c *compiler) basic(f basicFile, extra ...string) *basicAuth {
	if !f.username.set {
		return nil
	}
	return &basicAuth{c.template(f.username, extra...), c.template(f.password, extra...)}
}

func (c *compiler) grant(name string, f grantFile, extra ...string) *grant {
	g := &grant{name: name, lifetime: f.lifetime}
	address := or(f.get, f.post)
	g.ownAddress = !strings.HasPrefix(address.value, "/")
	g.call = c.callTo(f.requestFile, f.at, g.ownAddress, extra...)
	if g.ownAddress && address.literal() {
		if _, err := ParseBaseURL(address.value); err != nil {
			c.problem(address, "the address is a path that begins with /, or https://…")
		}
	}
	g.form, g.basic = c.params(f.form, extra...), c.basic(f.basic, extra...)
	if len(f.form) > 0 && (f.get.set || f.body != nil) {
		c.problem(f.at, "a form is sent by post, and without another body")
	}
	path := func(t text, otherwise string) source {
		if !t.set {
			s, _ := parseSource(otherwise)
			return s
		}
		return c.source(t)
	}
	g.secret = path(f.token, "access_token")
	g.expiresIn = path(f.expiresIn, "expires_in")
	if f.expiresAt.set {
		g.expiresAt = c.source(f.expiresAt)
	}
	if g.rotating = f.refresh.set; g.rotating {
		g.refresh = c.mandatory(f.refresh, c.template(f.refresh))
		g.refreshed = path(f.refreshToken, "refresh_token")
	}
	if f.baseURL.set {
		g.baseURL = c.source(f.baseURL)
	}
	if name == "token" && g.rotating != g.uses("token.refresh") {
		c.problem(or(f.refresh, f.at), "refresh, the first refresh token, and ${token.refresh} in the request belong together")
	}
	return g
}

// uses tells whether a variable stands anywhere in the request.
func (g *grant) uses(variable string) bool {
	if g.call.variables()[variable] {
		return true
	}
	return slices.ContainsFunc(g.form, func(p param) bool { return p.value.uses(variable) })
}

// address is where a grant that isn't below the base URL is asked for.
func (g *grant) address(values lookup) (*url.URL, error) {
	for _, p := range g.call.path.parts {
		value, ok := values(p.variable)
		if _, alone := g.call.path.alone(); p.variable != "" && !alone && (!ok || !hostSafe.MatchString(value)) {
			return nil, errors.New(notHostSafe(strings.TrimPrefix(p.variable, "cred.")))
		}
	}
	address, _ := g.call.path.expand(values, nil)
	u, err := ParseBaseURL(address)
	if err != nil {
		return nil, fmt.Errorf("the address of the %s: %w", g.name, err)
	}
	return u, nil
}

// tokenAddress reads where a token is asked for instead of where the connector says.
func (s *setup) tokenAddress(own string) (*url.URL, error) {
	if s.auth.token == nil {
		return nil, errors.New("the token URL has no use: the connector asks for no token")
	}
	u, err := ParseBaseURL(own)
	if err != nil {
		return nil, fmt.Errorf("the address of the token: %w", err)
	}
	return u, nil
}

// RefreshCredential is the credential of an account that holds its first refresh token,
// which many providers take once: whoever asks for a token then has to keep the next one.
// It is "" where there is none.
func (c *Connector) RefreshCredential(t Target) string {
	by, _ := c.way(t.Credentials)
	if by == nil {
		return ""
	}
	return strings.Join(credentialsIn(by.file.token.refresh), ", ")
}

// RefreshToken is the latest of what a TokenStore is given to save; "": the account's own.
func RefreshToken(tokens map[string]string) string { return tokens[keptRefresh] }

// checkAuth tells what of an account's values its authentication can't do with.
func (s *setup) checkAuth() error {
	for _, g := range []*grant{s.auth.token, s.auth.session} {
		if g == nil || !g.ownAddress || g == s.auth.token && s.tokenURL != nil {
			continue
		}
		if _, err := g.address(s.lookup); err != nil {
			return err
		}
	}
	_, err := s.certificate()
	return err
}

// certificate is the account's TLS certificate; nil where it needs none.
func (s *setup) certificate() (*tls.Certificate, error) {
	if s.auth.certificate.text == "" {
		return nil, nil
	}
	certificate, _ := s.auth.certificate.expand(s.lookup, nil)
	key, _ := s.auth.key.expand(s.lookup, nil)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("the client certificate and its key are no PEM that belongs together")
	}
	return &pair, nil
}

// certified is a transport that a client certificate can be given to.
type certified interface {
	WithClientCertificate(tls.Certificate) http.RoundTripper
}

// certify gives a client's transport the account's certificate.
func certify(client *http.Client, certificate *tls.Certificate) error {
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	switch t := transport.(type) {
	case certified:
		client.Transport = t.WithClientCertificate(*certificate)
	case *http.Transport:
		own := t.Clone()
		if own.TLSClientConfig == nil {
			own.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		own.TLSClientConfig.Certificates = []tls.Certificate{*certificate}
		own.IdleConnTimeout = 30 * time.Second // the connections are this account's alone
		client.Transport = own
	default:
		return fmt.Errorf("the HTTP client can't take a client certificate")
	}
	return nil
}
