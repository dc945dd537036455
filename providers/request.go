package providers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
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
}

// place is where a page begins.
type place struct {
	number int
	offset int
	cursor string
	url    *url.URL // the page's whole address; nil: made from the connector's request
	size   int
}

// request is a page's request, made anew for every try.
type request struct {
	method  string
	url     *url.URL
	shown   string // the address without anything that may be private
	headers http.Header
	body    []byte
}

func (cl *Client) request(s *stream, at place) (*request, error) {
	values := cl.variables(s, at)
	r := &request{method: s.method, headers: http.Header{}}
	r.headers.Set("Accept", "application/json")
	r.headers.Set("User-Agent", cl.userAgent)
	known := url.Values{}
	if at.url != nil {
		target := *at.url
		r.url = &target
	} else {
		target, err := cl.address(s, values)
		if err != nil {
			return nil, err
		}
		r.url = target
	}
	query := r.url.Query()
	for _, p := range s.query {
		name, value, ok := p.expand(values)
		if !ok {
			continue
		}
		if at.url == nil {
			query.Set(name, value)
		}
		if !p.value.uses("cred.") && !p.value.uses("page.cursor") {
			known.Set(name, value)
		}
	}
	if s.body != nil {
		r.body, _ = s.body.append(nil, values)
		r.headers.Set("Content-Type", "application/json")
	}
	for _, p := range s.headers {
		if name, value, ok := p.expand(values); ok {
			r.headers.Set(name, value)
		}
	}
	if added := cl.authenticate(r, query); added || at.url == nil { // else the provider's own spelling stays
		r.url.RawQuery = query.Encode()
	}
	r.shown = cl.redact(r.url, known)
	return r, nil
}

func (p param) expand(values lookup) (name, value string, ok bool) {
	if name, ok = p.name.expand(values, nil); ok {
		value, ok = p.value.expand(values, nil)
	}
	return name, value, ok
}

// variables are the values of substitutions for one page.
func (cl *Client) variables(s *stream, at place) lookup {
	variable := pagingKinds[s.paging.kind].variable
	return func(name string) (string, bool) {
		switch name {
		case "page.size":
			return strconv.Itoa(at.size), at.size > 0
		case "page.number":
			return strconv.Itoa(at.number), variable == name
		case "page.offset":
			return strconv.Itoa(at.offset), variable == name
		case "page.cursor":
			return at.cursor, at.cursor != ""
		default:
			return cl.lookup(name)
		}
	}
}

// address is the base URL with the stream's path. A path that the account gives whole is
// taken as it is, with its query; other substitutions fill one segment each.
func (cl *Client) address(s *stream, values lookup) (*url.URL, error) {
	escape := url.PathEscape
	if _, whole := s.path.alone(); whole {
		escape = nil
	}
	path, _ := s.path.expand(values, escape)
	target, err := url.Parse(cl.base.String() + "/" + strings.TrimLeft(path, "/"))
	if err != nil || !sameHost(target, cl.base) {
		return nil, protocol("the path of the list is not one: it begins with / and holds no host")
	}
	target.Fragment = ""
	return target, nil
}

// authenticate adds the credentials to the headers and, as added tells, to the query.
func (cl *Client) authenticate(r *request, query url.Values) (added bool) {
	if username, ok := cl.username.expand(cl.lookup, nil); ok && cl.basic {
		password, _ := cl.password.expand(cl.lookup, nil)
		basic := http.Request{Header: r.headers}
		basic.SetBasicAuth(username, password)
	}
	for _, p := range cl.authHeader {
		if name, value, ok := p.expand(cl.lookup); ok {
			r.headers.Set(name, value)
		}
	}
	for _, p := range cl.authQuery {
		if name, value, ok := p.expand(cl.lookup); ok {
			query.Set(name, value)
			added = true
		}
	}
	return added
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
	ctx, cancel := context.WithTimeout(ctx, cl.timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return answer{}, protocol("the request can't be made: the base URL or the path is not valid")
	}
	q.Header = r.headers.Clone()
	begun := time.Now()
	exchange := Exchange{Method: r.method, URL: r.shown}
	a, failure := cl.receive(q, buffer)
	exchange.Status, exchange.Bytes, exchange.Duration = a.status, int64(buffer.Len()), time.Since(begun)
	if cl.trace != nil {
		cl.trace(exchange)
	}
	return a, failure
}

func (cl *Client) receive(q *http.Request, buffer *bytes.Buffer) (a answer, failure *Error) {
	buffer.Reset()
	response, err := cl.http.Do(q)
	if err != nil {
		return answer{}, transportError(err)
	}
	defer response.Body.Close()
	a = answer{header: response.Header, status: response.StatusCode}
	if a.status < 200 || a.status > 299 {
		// What an error says may be about people: it is read for the connection's sake only.
		_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
		location, _ := response.Location()
		return a, statusError(a.status, location)
	}
	n, err := buffer.ReadFrom(io.LimitReader(response.Body, cl.maxBody+1))
	switch {
	case err != nil:
		return a, transportError(fmt.Errorf("read answer: %w", err))
	case n > cl.maxBody:
		return a, protocol("the answer is larger than %d MiB: ask for smaller pages", cl.maxBody>>20)
	}
	a.body = buffer.Bytes()
	return a, nil
}
