package providers

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Exchange is one request and its answer, for showing what a connector does.
type Exchange struct {
	Method   string
	URL      string // values that aren't the connector's own words or page numbers read ***
	Status   int    // 0: no answer
	Duration time.Duration
	Bytes    int64 // of the answer's body
	Dropped  bool  // the caller had enough before the answer was there
}

// query is what is asked of a provider: a call with its values.
type query struct {
	call    *call
	values  scope
	url     *url.URL    // the page's whole address; nil: made from the call
	only    bool        // parameters that name no cursor are left out
	headers http.Header // more of them
	grant   *grant      // asks for a token or a session, and shows none
	address *url.URL    // of a grant that is asked for elsewhere
}

// request is one try of a query.
type request struct {
	method  string
	url     *url.URL
	shown   string // the address without anything that may be private
	headers http.Header
	body    []byte
}

func (cl *Client) request(q *query, shows access) (*request, error) {
	values := q.values.lookup
	r := &request{method: q.call.method, headers: http.Header{}}
	r.headers.Set("Accept", "application/json")
	r.headers.Set("User-Agent", cl.userAgent)
	known := url.Values{}
	target, err := cl.target(q, cmp.Or(shows.base, cl.base))
	if err != nil {
		return nil, err
	}
	r.url = target
	parameters := r.url.Query()
	for _, p := range q.call.query {
		name, value, ok := p.expand(values)
		if !ok || q.only && !p.value.uses("page.cursor") {
			continue
		}
		if q.url == nil {
			parameters.Set(name, value)
		}
		if !p.value.private() {
			known.Set(name, value)
		}
	}
	if q.call.body != nil {
		r.body, _ = q.call.body.append(nil, &q.values)
		r.headers.Set("Content-Type", "application/json")
	}
	cl.setHeaders(r, q)
	added := false
	if q.grant == nil {
		added = cl.authenticate(r, parameters, shows)
	} else {
		q.grant.authenticate(r, &q.values)
	}
	if added || q.url == nil { // else the provider's own spelling stays
		r.url.RawQuery = parameters.Encode()
	}
	r.shown = cl.redact(r.url, known)
	return r, nil
}

// setHeaders sets the headers of the connector, of the call and of the query, the latest of a name.
// Tokens and sessions may be asked for elsewhere: the connector's don't go there.
func (cl *Client) setHeaders(r *request, q *query) {
	all := q.call.headers
	if q.grant == nil {
		all = slices.Concat(cl.headers, all)
	}
	for _, p := range all {
		if name, value, ok := p.expand(q.values.lookup); ok {
			r.headers.Set(name, value)
		}
	}
	maps.Copy(r.headers, q.headers)
}

// target is a query's address without its own parameters. Nothing leads to another host
// than the account's, but what the connector itself names.
func (cl *Client) target(q *query, base *url.URL) (*url.URL, error) {
	switch {
	case q.address != nil:
		target := *q.address
		return &target, nil
	case q.url == nil:
		return address(q.call, q.values.lookup, base)
	case !sameHost(q.url, base):
		return nil, &Error{Kind: Refused, Detail: "the next page is on another host: credentials go to the account's own host only"}
	}
	target := *q.url
	return &target, nil
}

// address is the base URL with the call's path. A path that the account gives whole is
// taken as it is, with its query; other substitutions fill one segment each.
func address(c *call, values lookup, base *url.URL) (*url.URL, error) {
	escape := pathSegment
	if _, whole := c.path.alone(); whole {
		escape = nil
	}
	path, ok := c.path.expand(values, escape)
	target, err := url.Parse(base.String() + "/" + strings.TrimLeft(path, "/"))
	if !ok || err != nil || !sameHost(target, base) {
		return nil, protocol("the path of the list is not one: it begins with / and holds no host")
	}
	target.Fragment = ""
	return target, nil
}

// pathSegment makes a value one segment of a path. Dots alone would climb out of it.
func pathSegment(value string) string {
	if strings.Trim(value, ".") == "" {
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return url.PathEscape(value)
}

// authenticate adds the credentials to the headers and, as added tells, to the query.
func (cl *Client) authenticate(r *request, query url.Values, shows access) (added bool) {
	values := func(name string) (string, bool) {
		switch name {
		case "token":
			return shows.token, shows.token != ""
		case "session":
			return shows.session, shows.session != ""
		}
		return cl.lookup(name)
	}
	cl.auth.basic.set(r, values)
	for _, p := range cl.auth.header {
		if name, value, ok := p.expand(values); ok {
			r.headers.Set(name, value)
		}
	}
	for _, p := range cl.auth.query {
		if name, value, ok := p.expand(values); ok {
			query.Set(name, value)
			added = true
		}
	}
	return added
}

// authenticate makes the body of a form, and shows the client's id and secret.
func (g *grant) authenticate(r *request, values *scope) {
	g.basic.set(r, values.lookup)
	if len(g.form) == 0 {
		return
	}
	form := url.Values{}
	for _, p := range g.form {
		if name, value, ok := p.expand(values.lookup); ok {
			form.Set(name, value)
		}
	}
	r.body = []byte(form.Encode())
	r.headers.Set("Content-Type", "application/x-www-form-urlencoded")
}

func (b *basicAuth) set(r *request, values lookup) {
	if b == nil {
		return
	}
	if username, ok := b.username.expand(values, nil); ok {
		password, _ := b.password.expand(values, nil)
		basic := http.Request{Header: r.headers}
		basic.SetBasicAuth(username, password)
	}
}

// redact keeps of a URL what the connector's file or a page number put there.
func (cl *Client) redact(u *url.URL, known url.Values) string {
	var b strings.Builder
	b.WriteString(u.Scheme + "://" + u.Host + u.EscapedPath())
	separator := byte('?')
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		plain, _ := url.QueryUnescape(name)
		if value, _ = url.QueryUnescape(value); !known.Has(plain) || known.Get(plain) != value {
			value = "***"
		}
		b.WriteByte(separator)
		b.WriteString(plain + "=" + value)
		separator = '&'
	}
	shown := b.String()
	for _, secret := range cl.secrets {
		if len(secret) < 4 {
			continue // too short to tell from the rest of the address
		}
		shown = strings.NewReplacer(secret, "***", url.PathEscape(secret), "***").Replace(shown)
	}
	return shown
}

// sameHost tells whether credentials for one URL may go to the other.
func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b) && a.User == nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// send makes one try and reads its answer into the buffer.
func (cl *Client) send(ctx context.Context, r *request, buffer *bytes.Buffer) (answer, *Error) {
	limited, cancel := context.WithTimeout(ctx, cl.timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(limited, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return answer{}, protocol("the request can't be made: the base URL or the path is not valid")
	}
	q.Header = r.headers.Clone()
	begun := time.Now()
	exchange := Exchange{Method: r.method, URL: r.shown}
	a, failure := cl.receive(q, buffer)
	exchange.Status, exchange.Bytes, exchange.Duration = a.status, int64(buffer.Len()), time.Since(begun)
	exchange.Dropped = failure != nil && ctx.Err() != nil
	if cl.trace != nil {
		cl.trace(exchange)
	}
	return a, failure
}

func (cl *Client) receive(q *http.Request, buffer *bytes.Buffer) (a answer, failure *Error) {
	buffer.Reset()
	response, err := cl.http.Do(q)
	if err != nil {
		e := transportError(err)
		e.Host = q.URL.Hostname()
		if slices.ContainsFunc(cl.secrets, func(s string) bool { return len(s) >= 4 && strings.Contains(e.Host, s) }) {
			e.Host = "" // a host that is made of a secret
		}
		return answer{}, e
	}
	defer response.Body.Close()
	a = answer{header: response.Header, status: response.StatusCode, url: q.URL}
	if a.status < 200 || a.status > 299 {
		// What an error says may be about people: it is read for the connection's sake,
		// and for the code that the connector knows, no more.
		_, _ = buffer.ReadFrom(io.LimitReader(response.Body, maxErrorBody))
		a.body = buffer.Bytes()
		a.location, _ = response.Location()
		return a, nil
	}
	n, err := buffer.ReadFrom(io.LimitReader(response.Body, cl.maxBody+1))
	switch {
	case err != nil:
		return a, transportError(fmt.Errorf("read answer: %w", err))
	case n > cl.maxBody && cl.probing:
		a.more = true
	case n > cl.maxBody:
		return a, protocol("the answer is larger than %d MiB: ask for smaller pages", cl.maxBody>>20)
	}
	a.body = buffer.Bytes()
	return a, nil
}

// maxErrorBody is how much of an answer that is an error is read.
const maxErrorBody = 64 << 10
