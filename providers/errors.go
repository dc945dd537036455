package providers

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Kind tells what an error of a listing means for the poll.
type Kind uint8

const (
	// Protocol: the answer is not what the connector says it is. Asking again changes nothing.
	Protocol Kind = iota
	// Auth: 401, 402 or 403; Error.Fault tells the credential from one list that it may not
	// read. Never retried: some providers block callers who insist.
	Auth
	// Throttled: the provider asks for a longer silence than a listing waits; see RetryAt.
	Throttled
	// Transient: network, timeout, cut answer or 5xx, after some retries.
	Transient
	// NotFound: 404 or 410: a wrong base URL, or a list that the account doesn't have.
	NotFound
	// Refused: the address is not one that this program may talk to.
	Refused
)

func (k Kind) String() string {
	return [...]string{"protocol", "auth", "throttled", "transient", "not_found", "refused"}[k]
}

// Fault is what has to be mended before asking again can help, where that is clear.
type Fault string

const (
	FaultCredentials Fault = "credentials"      // the provider does not take them, or gives no token for them
	FaultScope       Fault = "scope"            // they are good, and may not read this list
	FaultPlan        Fault = "plan"             // the provider's account does not include this list
	FaultList        Fault = "list"             // there is no such list: the base URL, the region or the plan
	FaultHost        Fault = "host"             // the host name is unknown
	FaultTLS         Fault = "tls"              // the host doesn't prove to be the one that was asked for
	FaultAddress     Fault = "address"          // this program may not talk to it
	FaultRedirect    Fault = "redirect"         // the provider is elsewhere
	FaultForeign     Fault = "not_the_provider" // a web page answers: a login, a proxy, another service
)

// Error is why a listing ended before its end. Of an answer its text holds at most words
// of a fixed vocabulary, those of API errors (see trimmed): no name, id, number or secret.
// It never holds a credential, a header's value or a URL's query.
type Error struct {
	Kind       Kind
	Fault      Fault  // "": none that is clear
	Host       string // that was asked, where it could not be talked to
	RecordType string
	Page       int       // 1-based; 0: one record was asked for
	Status     int       // the HTTP status; 0 where there was none
	RetryAt    time.Time // Throttled: when the provider may be asked again
	Detail     string
	of         string // for which of its parents a list was asked, by its number
	cause      error
	said       string // what of Detail are the provider's own words
	oauth      string // ", " and the code of a refused grant
	empty      bool   // the provider's own word for a list without records
	restart    bool   // a cursor or token is no longer good: the listing begins anew
}

func (e *Error) Error() string {
	if e.Page == 0 {
		return fmt.Sprintf("look up %s: %s", e.RecordType, e.Detail)
	}
	of := ""
	if e.of != "" {
		of = ", for " + e.of
	}
	return fmt.Sprintf("list %s, page %d%s: %s", e.RecordType, e.Page, of, e.Detail)
}

// Unwrap gives the network error, where there is one, for errors.Is. Its own text holds
// the URL and is not for logs.
func (e *Error) Unwrap() error { return e.cause }

func protocol(format string, args ...any) *Error {
	return &Error{Kind: Protocol, Detail: fmt.Sprintf(format, args...)}
}

// transportError sorts an error of the HTTP client. The client's own text holds the
// whole URL, so none of it is used.
func transportError(err error) *Error {
	e := &Error{Kind: Transient, Detail: "the connection failed", cause: err}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, isPlain := errors.AsType[tls.RecordHeaderError](err)
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, ssrf.ErrProhibitedPort):
		e.Kind, e.Fault, e.Detail = Refused, FaultAddress, "the provider's address is private, local or otherwise not allowed"
	case isDNS && dns.IsNotFound:
		e.Fault, e.Detail = FaultHost, "the provider's host name is unknown"
	case errors.Is(err, http.ErrSchemeMismatch), isPlain:
		e.Fault, e.Detail = FaultTLS, "the provider answers https:// without TLS: is its address http://, or the port another?"
	case isTLS(err):
		e.Fault, e.Detail = FaultTLS, "the provider's TLS certificate is not valid"
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		e.Detail = "the provider did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Detail = "the provider refuses connections"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		e.Detail = "the connection was cut"
	}
	return e
}

func isTLS(err error) bool {
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	_, hostname := errors.AsType[x509.HostnameError](err)
	return unverified || hostname
}

// statusError sorts an answer that is not a 2xx and asks for no wait.
func statusError(status int, location *url.URL) *Error {
	e := &Error{Status: status}
	switch {
	case status == 401:
		e.Kind, e.Fault, e.Detail = Auth, FaultCredentials, "the provider does not accept the credentials (401)"
	case status == 402:
		e.Kind, e.Fault, e.Detail = Auth, FaultPlan, planDetail(status)
	case status == 403:
		e.Kind, e.Fault, e.Detail = Auth, FaultScope, "the credentials may not read this list (403)"
	case status == 404 || status == 410:
		e.Kind, e.Fault, e.Detail = NotFound, FaultList, fmt.Sprintf("the provider knows no such list (%d): check the base URL and the account's plan", status)
	case status == 408 || status == 425 || status >= 500:
		e.Kind, e.Detail = Transient, fmt.Sprintf("the provider answers %d", status)
	case status >= 300 && status < 400 && location != nil:
		e.Fault = FaultRedirect
		e.Detail = fmt.Sprintf("the provider redirects (%d) to %s://%s: redirects are not followed, correct the base URL", status, cmp.Or(location.Scheme, "?"), location.Host)
	default:
		e.Detail = fmt.Sprintf("the provider refuses the request (%d)", status)
	}
	return e
}

func planDetail(status int) string {
	return fmt.Sprintf("the plan of the provider's account does not include this list (%d)", status)
}

// interrupted is why a context ended. Where one of several walks failed, its error ends
// the context of the others, and must not look like theirs.
func interrupted(ctx context.Context) error {
	cause := context.Cause(ctx)
	if _, another := errors.AsType[*Error](cause); another {
		return ctx.Err()
	}
	return cause
}
