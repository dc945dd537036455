// Package netguard keeps requests that users configure (a webhook's URL, an account's
// base URL) out of the network that this process stands in.
//
// It owns the HTTP clients of polling and delivery: the address is judged when a
// connection is dialled, after the name was resolved, so a name that changes its mind
// gains nothing. It never allows by the name alone, unless the operator has listed it, and
// nobody can allow a cloud's metadata service.
package netguard

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// Config is what the operator allows and how the way out is.
type Config struct {
	AllowPrivate bool    // loopback and private addresses
	Allowed      Allowed // beyond that
	Proxy        string  // http:// or https:// URL of an HTTP proxy for everything; "": none
	CAFile       string  // PEM file of authorities to trust beside the system's; "": none
}

// Guard judges addresses. Safe for concurrent use.
type Guard struct {
	public   *ssrf.Guardian
	inside   *ssrf.Guardian // private addresses too
	allowed  Allowed
	proxy    *url.URL
	roots    *x509.CertPool // nil: the system's
	resolver *net.Resolver
}

// RefusedError is the refusal of an address, or of a name that needs no resolving.
type RefusedError struct {
	Host string // where it was a name
	Addr netip.Addr
	Kind string // loopback, private, link-local, metadata, …
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("refused because the address %s is %s", e.Addr, e.Kind)
	if !e.Addr.IsValid() {
		text = fmt.Sprintf("refused because the host %s is %s", e.Host, e.Kind)
	}
	if e.Kind == loopback || e.Kind == private {
		text += "; allow such addresses with --allow-private-networks (SYNTHOOK_ALLOW_PRIVATE_NETWORKS=true), or some with --allow-network (SYNTHOOK_ALLOW_NETWORK)"
	}
	return text
}

// Unwrap lets the rooms, which don't know this package, tell a refusal by the error of
// the library that both use.
func (e *RefusedError) Unwrap() error { return ssrf.ErrProhibitedIP }

// Refused says whether a request failed because a guard refused its address.
func Refused(err error) bool {
	_, ok := errors.AsType[*RefusedError](err)
	return ok
}

const (
	loopback = "loopback"
	private  = "private"
	metadata = "a cloud's metadata service"
	reserved = "of a reserved range"
)

// allowable is what allowing private networks allows: RFC 1918, RFC 6598, RFC 4193 and
// loopback. Link-local, multicast and the other special ranges stay refused.
var allowable = struct{ v4, v6 []netip.Prefix }{
	v4: prefixes("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
	v6: prefixes("::1/128", "fc00::/7"),
}

var shared = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// metadataAddrs hand a machine's credentials to whoever asks from it. Most such services
// are link-local; these stand in ranges that are otherwise allowed or can be.
var metadataAddrs = prefixes(
	"fd00:ec2::/32",      // AWS: metadata, DNS, time, pod identity
	"fd20:ce::254/128",   // Google Cloud
	"100.100.100.200/32", // Alibaba Cloud
	"168.63.129.16/32",   // Azure
	"192.0.0.192/32",     // Oracle Cloud, older images
)

// nat64 is the well-known prefix under which an IPv6-only network reaches IPv4 (RFC
// 6052): what counts is the IPv4 address inside. localNAT64 (RFC 8215) is understood in
// the same way where the operator lists it.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")
)

// embedding are further ranges with an IPv4 address inside: nobody needs them, and what
// they lead to depends on the machine. 6to4, Teredo, IPv4-compatible, IPv4-translated.
var embedding = prefixes("2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96")

// unusable are no destinations, listed or not.
var unusable = prefixes("0.0.0.0/8", "255.255.255.255/32")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func within(all []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// New makes a guard. The error says what is wrong with the proxy or the CA file.
func New(c Config) (*Guard, error) {
	inside := []ssrf.Option{ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(allowable.v4...), ssrf.WithAllowedV6Prefixes(allowable.v6...)}
	g := &Guard{public: ssrf.New(ssrf.WithAnyPort()), inside: ssrf.New(inside...), allowed: c.Allowed, resolver: net.DefaultResolver}
	if c.AllowPrivate {
		g.public = g.inside
	}
	if c.Proxy != "" {
		proxy, err := ParseProxy(c.Proxy)
		if err != nil {
			return nil, err
		}
		g.proxy = proxy
	}
	if c.CAFile != "" {
		var err error
		if g.roots, err = readRoots(c.CAFile); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// readRoots are the system's authorities and those of a PEM file.
func readRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authorities to trust (--ca-file, SYNTHOOK_CA_FILE): %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without any
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the authorities to trust (--ca-file, SYNTHOOK_CA_FILE): %s holds no certificate: expected PEM", path)
	}
	return roots, nil
}

// check judges an address that host stands for, or is; the error is a *RefusedError.
func (g *Guard) check(host string, addr netip.Addr) error {
	inner := addr.Unmap().WithZone("")
	if nat64.Contains(inner) || localNAT64.Contains(inner) && within(g.allowed.networks, inner) {
		bytes := inner.As16()
		inner = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if kind := forbidden(inner); kind != "" {
		return &RefusedError{Addr: addr, Kind: kind}
	}
	if within(g.allowed.networks, inner) {
		return nil
	}
	guardian := g.public
	if g.allowed.host(host) {
		guardian = g.inside
	}
	if guardian.SafeAddr(inner) != nil {
		return &RefusedError{Addr: addr, Kind: kind(inner)}
	}
	return nil
}

// forbidden is what nobody can allow; "" for anything else.
func forbidden(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return ""
	case within(metadataAddrs, addr):
		return metadata
	case addr.IsLinkLocalUnicast():
		return "link-local (" + metadata + ", usually)"
	case addr.IsMulticast():
		return "multicast"
	case addr.IsUnspecified():
		return "unspecified"
	case within(unusable, addr), within(embedding, addr):
		return reserved
	}
	return ""
}

// kind of an address that is not forbidden, but refused.
func kind(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return loopback
	case addr.IsPrivate() || shared.Contains(addr):
		return private
	default:
		return reserved
	}
}

// hostKey is where a dial's context holds the host that was asked for.
type hostKey struct{}

// control is the check at dial time: address is what the connection will go to.
func (g *Guard) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("refused because the address can't be read")
	}
	host, _ := ctx.Value(hostKey{}).(string)
	return g.check(host, to.Addr())
}
