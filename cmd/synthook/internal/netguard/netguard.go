// Package netguard keeps requests that users configure (a webhook's URL, an account's
// base URL) out of the network that this process stands in.
//
// It owns the HTTP clients of polling and delivery: the address is judged when a
// connection is dialled, after the name was resolved, so a name that changes its mind
// gains nothing. It never judges by the name alone.
package netguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Guard judges addresses. Safe for concurrent use.
type Guard struct {
	public   *ssrf.Guardian
	resolver *net.Resolver
}

// RefusedError is the refusal of an address.
type RefusedError struct {
	Addr netip.Addr
	Kind string // loopback, private, link-local, metadata, …
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("refused because the address %s is %s", e.Addr, e.Kind)
	if e.Kind == loopback || e.Kind == private {
		text += "; allow such addresses with --allow-private-networks (SYNTHOOK_ALLOW_PRIVATE_NETWORKS=true)"
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
)

// allowable is what allowing private networks allows: RFC 1918, RFC 6598, RFC 4193 and
// loopback. Link-local, multicast and the other special ranges stay refused.
var allowable = struct{ v4, v6 []netip.Prefix }{
	v4: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), shared,
	},
	v6: []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")},
}

var shared = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// metadata services hand a machine's credentials to whoever asks from it. Most are
// link-local; these stand in ranges that are otherwise allowed or allowable.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

// nat64 is the well-known prefix under which an IPv6-only network reaches IPv4 (RFC
// 6052): what counts is the IPv4 address inside.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// New makes a guard. With allowPrivate it lets private and loopback addresses through.
func New(allowPrivate bool) *Guard {
	options := []ssrf.Option{ssrf.WithAnyPort()}
	if allowPrivate {
		options = append(options, ssrf.WithAllowedV4Prefixes(allowable.v4...), ssrf.WithAllowedV6Prefixes(allowable.v6...))
	}
	return &Guard{public: ssrf.New(options...), resolver: net.DefaultResolver}
}

// check judges an address; the error is a *RefusedError.
func (g *Guard) check(addr netip.Addr) error {
	inner := addr.Unmap().WithZone("")
	if nat64.Contains(inner) {
		bytes := inner.As16()
		inner = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if slices.Contains(metadata, inner) {
		return &RefusedError{addr, "a cloud's metadata service"}
	}
	if g.public.SafeAddr(inner) != nil {
		return &RefusedError{addr, kind(inner)}
	}
	return nil
}

func kind(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return loopback
	case addr.IsPrivate() || shared.Contains(addr):
		return private
	case addr.IsLinkLocalUnicast():
		return "link-local (a cloud's metadata service, usually)"
	case addr.IsMulticast():
		return "multicast"
	case addr.IsUnspecified():
		return "unspecified"
	default:
		return "of a reserved range"
	}
}

// control is the check at dial time: address is what the connection will go to.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("refused because the address can't be read")
	}
	return g.check(to.Addr())
}

const lookupTimeout = 5 * time.Second

// CheckURL says early what a dial would say: the URL is http or https, and no address of
// its host is refused. A name that can't be resolved is no reason to refuse, since it may
// be deployed later, or DNS be down: the dial decides. The error never quotes the URL's
// query.
func (g *Guard) CheckURL(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("not a URL: expected https://host/path")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the URL starts with %q: it must be http:// or https://", u.Scheme+":")
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if host == "" {
		return errors.New("the URL has no host: expected https://host/path")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("the URL's port %s is none: it must be 1 to 65535", port)
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.check(addr)
	}
	if spelledAddress(host) {
		return fmt.Errorf("the URL's host %s is an address in a spelling that is not allowed: write it as 203.0.113.7", host)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, _ := g.resolver.LookupNetIP(ctx, "ip", host)
	for _, addr := range addrs {
		if err := g.check(addr); err != nil {
			return err
		}
	}
	return nil
}

// spelledAddress recognises hosts that some parsers take for an IPv4 address
// (2130706433, 0x7f.1, 0177.0.0.1): those whose last label is a number, as the URL
// standard has it ("ends in a number").
func spelledAddress(host string) bool {
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}
