package dispatch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerLimit is how much of an answer is read, so that its connection can be used
// again; a longer one costs the connection.
const answerLimit = 16 << 10

// KeptAnswer is how many bytes of an answer a webhook keeps that wants to.
const KeptAnswer = 1 << 10

// verdict is what an attempt means for the delivery.
type verdict uint8

const (
	delivered  verdict = iota
	refused            // this event is not wanted: it is retried on its own schedule
	failing            // the endpoint is at fault
	gone               // 410: the endpoint wants nothing more
	unsendable         // the event can't be written as a body
	cancelled          // by us: nothing is known
)

// outcome is what came of one attempt.
type outcome struct {
	at         time.Time
	duration   time.Duration
	status     int    // 0: no answer
	class      string // "" for a success
	bytes      int64  // of the answer, as far as it was read
	answer     string // its beginning, where the target keeps it
	retryAfter time.Duration
}

// Error classes of an attempt.
const (
	classStatus    = "status"   // an answer that is not 2xx
	classRedirect  = "redirect" // never followed
	classTimeout   = "timeout"  // no answer in time
	classDNS       = "dns"      // the host has no address
	classConnect   = "connect"  // no connection
	classTLS       = "tls"      // no trusted connection
	classAddress   = "refused_address"
	classCut       = "cut" // the connection broke before an answer
	classBody      = "body"
	classExpired   = "expired" // the event is no longer in the log
	classCancelled = "cancelled"
)

// verdict classes: 3xx and whatever happens before an answer speak of the endpoint,
// and so do 408, 425, 429 and 5xx; any other answer speaks of the event.
func (o outcome) verdict() verdict {
	switch o.class {
	case "":
		return delivered
	case classBody:
		return unsendable
	case classCancelled:
		return cancelled
	case classStatus:
		switch {
		case o.status == http.StatusGone:
			return gone
		case o.status == http.StatusRequestTimeout, o.status == http.StatusTooEarly, o.status == http.StatusTooManyRequests:
			return failing
		case o.status >= 400 && o.status < 500:
			return refused
		}
	}
	return failing
}

// asksForSilence: the endpoint says by itself that it wants a pause.
func (o outcome) asksForSilence() bool {
	return o.status == http.StatusTooManyRequests || o.status == http.StatusServiceUnavailable && o.retryAfter > 0
}

// unreached: no connection was made, so the endpoint knows nothing of the event.
func (o outcome) unreached() bool {
	switch o.class {
	case classDNS, classConnect, classTLS, classAddress:
		return true
	}
	return false
}

// overloaded: a retry after a few seconds would only add to it.
func (o outcome) overloaded() bool {
	switch o.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return o.class == classTimeout
}

// String is the short form that is kept as a last error: a class, or "status 503".
func (o outcome) String() string {
	if o.status != 0 && o.class != "" {
		return o.class + " " + strconv.Itoa(o.status)
	}
	return o.class
}

// target is where a webhook's deliveries go, and how they are signed.
type target struct {
	url     string
	secrets []signingSecret
	keep    bool // the beginning of answers
}

type signingSecret struct {
	secret    string
	active    bool
	expiresAt time.Time // zero: never
}

// valid returns the active secret, and all that are valid at now, it first.
func (t target) valid(now time.Time) (active string, all []string) {
	all = make([]string, 0, len(t.secrets))
	for _, s := range t.secrets {
		if s.active || s.expiresAt.IsZero() || now.Before(s.expiresAt) {
			all = append(all, s.secret)
		}
		if s.active {
			active = s.secret
			all[0], all[len(all)-1] = all[len(all)-1], all[0]
		}
	}
	return active, all
}

// sender makes attempts. It goes to the transport itself: no redirect is followed, no
// cookie kept, and no error carries the URL.
type sender struct {
	transport http.RoundTripper
	userAgent string
	timeout   time.Duration    // of an attempt, from the first byte to the end of the answer
	refused   func(error) bool // says of a dial error that the address is not allowed
}

// newSender takes the client's transport. A plain *http.Transport is cloned, to keep
// as many idle connections as there are attempts in flight and to ask for no
// compression; a transport of another kind should be set up like that.
func newSender(client *http.Client, userAgent string, timeout time.Duration, connections int) sender {
	s := sender{userAgent: userAgent, timeout: timeout}
	if client != nil {
		s.transport = client.Transport
	}
	if s.transport == nil {
		s.transport = http.DefaultTransport
	}
	if t, ok := s.transport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableCompression = true
		t.MaxIdleConns = 0
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, connections)
		s.transport = t
	}
	return s
}

// post makes one attempt. It never fails: what went wrong is the outcome.
func (s sender) post(ctx context.Context, t target, e Event) outcome {
	at := time.Now()
	body, err := Body(e, at)
	if err != nil {
		return outcome{at: at, class: classBody}
	}
	return s.send(ctx, t, message{e.UID, at, body})
}

// message is what an attempt sends.
type message struct {
	uid  string // webhook-id
	at   time.Time
	body []byte
}

func (s sender) send(ctx context.Context, t target, m message) outcome {
	o := outcome{at: m.at}
	attempt, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(attempt, http.MethodPost, t.url, bytes.NewReader(m.body))
	if err != nil {
		o.class = classConnect
		return o
	}
	request.Header = s.headers(t, m)
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		o.duration = time.Since(o.at)
		o.class = s.classify(ctx, err)
		return o
	}
	defer func() { _ = response.Body.Close() }()
	// The status has decided: an answer that is cut or too slow changes nothing.
	if t.keep {
		beginning, _ := io.ReadAll(io.LimitReader(response.Body, KeptAnswer))
		o.bytes = int64(len(beginning))
		o.answer = strings.ReplaceAll(strings.ToValidUTF8(string(beginning), ""), "\x00", "")
	}
	rest, _ := io.Copy(io.Discard, io.LimitReader(response.Body, answerLimit-o.bytes))
	o.bytes += rest
	o.duration = time.Since(o.at)
	o.status = response.StatusCode
	switch {
	case o.status >= 200 && o.status < 300:
	case o.status >= 300 && o.status < 400:
		o.class = classRedirect
	default:
		o.class = classStatus
	}
	if o.class != "" {
		o.retryAfter = parseRetryAfter(response.Header.Get("Retry-After"), time.Now())
	}
	return o
}

// headers are those of an attempt.
func (s sender) headers(t target, m message) http.Header {
	active, all := t.valid(m.at)
	seconds := m.at.Unix()
	return http.Header{
		"Content-Type":         {"application/json"},
		"User-Agent":           {s.userAgent},
		"x-stackone-signature": {Sign(active, m.body)},
		"webhook-id":           {m.uid},
		"webhook-timestamp":    {strconv.FormatInt(seconds, 10)},
		"webhook-signature":    {StandardSignature(all, m.uid, seconds, m.body)},
		"X-Idempotency-Key":    nil, // not sent: it lets net/http repeat a request that died with an idle connection
	}
}

func (s sender) classify(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return classCancelled
	}
	if s.refused != nil && s.refused(err) {
		return classAddress
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return classDNS
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return classTimeout
	}
	if isTLS(err) {
		return classTLS
	}
	if o, ok := errors.AsType[*net.OpError](err); ok && o.Op == "dial" {
		return classConnect
	}
	return classCut
}

func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	return verification || record || alert || host
}
