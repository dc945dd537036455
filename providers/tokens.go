package providers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// TokenStore keeps what a provider gave an account to show: access tokens, sessions and
// refresh tokens that replace the account's own. All of it is secret: seal it. One store
// is one account's, over all its clients and all processes.
type TokenStore interface {
	// Lock waits until nobody else renews the account's tokens. A refresh token is good
	// once: two who use it at the same time lock the account out.
	Lock(ctx context.Context) (unlock func(), err error)
	// Load returns what was saved last; nothing is no error.
	Load(ctx context.Context) (map[string]string, error)
	// Save returns when the tokens are safe: they are used only then.
	Save(ctx context.Context, tokens map[string]string) error
}

// NewTokens is a TokenStore that lives as long as the process.
func NewTokens() TokenStore { return &memory{turn: make(chan struct{}, 1)} }

type memory struct {
	turn   chan struct{}
	mu     sync.Mutex
	tokens map[string]string
}

func (m *memory) Lock(ctx context.Context) (func(), error) {
	select {
	case m.turn <- struct{}{}:
		return func() { <-m.turn }, nil
	case <-ctx.Done():
		return nil, interrupted(ctx)
	}
}

func (m *memory) Load(context.Context) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.tokens), nil
}

func (m *memory) Save(_ context.Context, tokens map[string]string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = maps.Clone(tokens)
	return nil
}

// What is kept in a TokenStore.
const (
	keptFor     = "for"  // a digest of the credentials that it was made with
	keptFrom    = "from" // a digest of the refresh token that the account gave, and this one came of
	keptToken   = "token"
	keptSession = "session"
	keptRefresh = "refresh"
	keptBase    = "base_url"
	keptUntil   = "_expires" // behind token or session
)

// keeper has the tokens of a client at hand and renews them, one renewal at a time.
type keeper struct {
	store TokenStore
	mu    sync.Mutex
	kept  map[string]string // nil: not loaded yet

	requests int // made for tokens, and told by no page yet
}

// spent takes the requests made for tokens so far.
func (k *keeper) spent() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.requests
	k.requests = 0
	return n
}

// access is what requests show beside credentials.
type access struct {
	token, session string
	base           *url.URL // that came with one of them; nil: the account's own
}

// access gives what is to be shown. refused is what the provider no longer takes.
func (cl *Client) access(ctx context.Context, refused access) (access, error) {
	if cl.auth.token == nil && cl.auth.session == nil {
		return access{}, nil
	}
	k := cl.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept != nil {
		if a, ok := cl.fresh(k.kept, refused); ok {
			return a, nil
		}
	}
	unlock, err := k.store.Lock(ctx)
	if err != nil {
		return access{}, fmt.Errorf("wait for the account's tokens: %w", err)
	}
	defer unlock()
	kept, err := k.store.Load(ctx)
	if err != nil {
		return access{}, fmt.Errorf("load the account's tokens: %w", err)
	}
	kept = cl.current(kept)
	k.kept = kept
	if a, ok := cl.fresh(kept, refused); ok {
		return a, nil
	}
	if err := cl.renew(ctx); err != nil {
		return access{}, err
	}
	a, _ := cl.fresh(k.kept, access{})
	return a, nil
}

// current is what of the kept tokens is good for the account's credentials: all of them
// where they are the same; where only others than the refresh token were replaced, the one
// that has come of it, for that is spent.
func (cl *Client) current(kept map[string]string) map[string]string {
	all := digest(cl.values)
	if kept[keptFor] == all {
		return kept
	}
	now := map[string]string{keptFor: all}
	if t := cl.auth.token; t != nil && t.rotating {
		given, _ := t.refresh.expand(cl.lookup, nil)
		now[keptFrom] = digest(map[string]string{"": given})
		if latest := kept[keptRefresh]; latest != "" && kept[keptFrom] == now[keptFrom] {
			now[keptRefresh] = latest
		}
	}
	return now
}

// fresh reads what is kept; false when something of it is missing, over or refused.
func (cl *Client) fresh(kept map[string]string, refused access) (access, bool) {
	a := access{token: kept[keptToken], session: kept[keptSession]}
	if cl.auth.namesBase() {
		a.base, _ = cl.withPath(kept[keptBase]) // read proved it
	}
	if cl.auth.session != nil { // the token only opens the session
		return a, cl.auth.session.good(kept, refused.session)
	}
	return a, cl.auth.token.good(kept, refused.token)
}

// good tells whether what the grant gave last can be shown.
func (g *grant) good(kept map[string]string, refused string) bool {
	until, err := time.Parse(time.RFC3339, kept[g.name+keptUntil])
	return kept[g.name] != "" && kept[g.name] != refused && (err != nil || time.Now().Before(until)) &&
		(g.baseURL.text == "" || kept[keptBase] != "") // what was kept may be older than the file
}

// renew asks for what is missing, over or refused: a new session with the token at hand,
// and with a new one when that doesn't do.
func (cl *Client) renew(ctx context.Context) error {
	token, session := cl.auth.token, cl.auth.session
	if session == nil {
		return cl.ask(ctx, token)
	}
	renewed := token != nil && !token.good(cl.keeper.kept, "")
	if renewed {
		if err := cl.ask(ctx, token); err != nil {
			return err
		}
	}
	err := cl.ask(ctx, session)
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == Auth && token != nil && !renewed {
		if err := cl.ask(ctx, token); err != nil {
			return err
		}
		err = cl.ask(ctx, session)
	}
	return err
}

// ask makes the request of a grant and saves what it gives before anybody can use it.
func (cl *Client) ask(ctx context.Context, g *grant) error {
	kept := maps.Clone(cl.keeper.kept)
	q := &query{call: g.call, grant: g, values: scope{account: cl.withTokens(g, kept)}}
	if g.ownAddress && (g != cl.auth.token || cl.tokenURL == nil) {
		q.address, _ = g.address(cl.lookup) // checked when the account was opened
	}
	if g == cl.auth.token && cl.tokenURL != nil {
		q.address = cl.tokenURL
	}
	a, requests, err := cl.fetch(ctx, q, &room{})
	cl.keeper.requests += requests
	if err != nil {
		return grantError(g, err)
	}
	wrong := g.read(a, kept)
	if wrong != nil && kept[keptRefresh] == cl.keeper.kept[keptRefresh] {
		return wrong
	}
	// Even when the listing ends now: a refresh token that is lost can't be had again.
	safe, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := cl.keeper.store.Save(safe, kept); err != nil {
		return fmt.Errorf("save the account's tokens: %w", err)
	}
	cl.keeper.kept = kept
	return wrong
}

// withTokens are the values that a grant's request may use.
func (cl *Client) withTokens(g *grant, kept map[string]string) lookup {
	return func(name string) (string, bool) {
		switch name {
		case "token":
			return kept[keptToken], kept[keptToken] != ""
		case "token.refresh":
			if latest := kept[keptRefresh]; latest != "" {
				return latest, true
			}
			return g.refresh.expand(cl.lookup, nil)
		}
		return cl.lookup(name)
	}
}

// read takes what an answer gives. With an error, that is the next refresh token at most:
// the one before is spent.
func (g *grant) read(a answer, kept map[string]string) error {
	if g.rotating {
		if next, ok, err := g.refreshed.scalar(a); err == nil && ok {
			kept[keptRefresh] = next
		}
	}
	secret, ok, err := g.secret.scalar(a)
	if err != nil || !ok {
		return protocol("the provider answers without a %s: the answer has no %s", g.name, g.secret.text)
	}
	kept[g.name] = secret
	delete(kept, g.name+keptUntil)
	if until, ok := g.until(a, time.Now()); ok {
		kept[g.name+keptUntil] = until.UTC().Format(time.RFC3339)
	}
	if g.baseURL.text == "" {
		return nil
	}
	address, _, _ := g.baseURL.scalar(a)
	base, err := ParseBaseURL(strings.TrimRight(address, "/"))
	if err != nil || base.Scheme != a.url.Scheme {
		delete(kept, g.name)
		return protocol("the provider's answer to the request for a %s names no usable base URL at %s", g.name, g.baseURL.text)
	}
	kept[keptBase] = base.String()
	return nil
}

// until is when to ask anew: a minute, or a tenth of its life, before it ends.
func (g *grant) until(a answer, now time.Time) (time.Time, bool) {
	life := g.lifetime
	if value, ok, err := g.expiresIn.scalar(a); err == nil && ok {
		if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 {
			life = time.Duration(min(seconds, 1e9) * float64(time.Second))
		}
	}
	if g.expiresAt.text != "" {
		if value, ok, err := g.expiresAt.scalar(a); err == nil && ok {
			if at, ok := parseMoment(value); ok {
				life = at.Sub(serverTime(a.header, now))
			}
		}
	}
	if life <= 0 {
		return time.Time{}, false
	}
	return now.Add(life - min(time.Minute, life/10)), true
}

// parseMoment reads a date, or seconds or milliseconds since 1970.
func parseMoment(value string) (time.Time, bool) {
	if n, err := strconv.ParseFloat(value, 64); err == nil && n > 1e8 {
		if n < 1e11 {
			n *= 1e3
		}
		return time.UnixMilli(int64(n)), true
	}
	return parseDate(value)
}

// grantError is the error of a request for a token or a session. Providers say with 400,
// too, that the credentials are not good (RFC 6749, section 5.2).
func grantError(g *grant, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	if e.Kind == Protocol && e.Status >= 400 && e.Status <= 499 || e.Kind == Auth {
		e.Kind, e.Fault = Auth, FaultCredentials
		e.Detail = fmt.Sprintf("the provider gives no %s for these credentials (%d%s)", g.name, e.Status, e.oauth) + e.said
	} else {
		e.Detail = "asking for a " + g.name + ": " + e.Detail
	}
	return e
}

// oauthErrors are the error codes of RFC 6749, section 5.2: words, not data.
var oauthErrors = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}

func oauthError(a answer) string {
	if code := a.document.get(pathOf([]string{"error"})).String(); slices.Contains(oauthErrors, code) {
		return ", " + code
	}
	return ""
}

// digest tells values from others. It is kept among secrets.
func digest(values map[string]string) string {
	d := xxhash.New()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		_, _ = d.WriteString(name + "\x00" + values[name] + "\x00")
	}
	return strconv.FormatUint(d.Sum64(), 16)
}

// secrets are those that the provider gave.
func (k *keeper) secrets() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var secrets []string
	for _, name := range []string{keptToken, keptSession, keptRefresh} {
		if value := k.kept[name]; value != "" {
			secrets = append(secrets, value)
		}
	}
	return secrets
}
