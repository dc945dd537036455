package netguard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// inetAton reads what C's inet_aton takes for an IPv4 address.
func inetAton(host string) (netip.Addr, bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 64)
		if err != nil {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			value = value<<(8*(5-len(parts))) | n
		} else {
			value = value<<8 | n&0xff
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

var errStop = errors.New("the test dials nothing")

// dialled is the host that net/http would connect to.
func dialled(ctx context.Context, raw string) (host string) {
	transport := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		host, _, _ = net.SplitHostPort(address)
		return nil, errStop
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, http.NoBody)
	if err == nil {
		_, _ = transport.RoundTrip(request)
	}
	return host
}

// A URL that passes leads to no refused address: neither as net/http reads its host nor
// as a lenient parser would.
func FuzzCheckURL(f *testing.F) {
	for _, c := range spellings {
		f.Add(c.url)
	}
	guard, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	guard.resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errStop }}
	f.Fuzz(func(t *testing.T, raw string) {
		if guard.CheckURL(t.Context(), raw) != nil {
			return
		}
		host := dialled(t.Context(), raw)
		addr, err := netip.ParseAddr(host)
		if err != nil {
			var ok bool
			if addr, ok = inetAton(host); !ok {
				return
			}
		}
		if err := guard.check("", addr); err != nil {
			t.Errorf("%q passes, and leads to %s: %v", raw, host, err)
		}
	})
}

// No 16 bytes are an address that may be reached with a forbidden IPv4 address inside,
// however much is allowed.
func FuzzCheckAddress(f *testing.F) {
	for _, c := range []string{"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "fd00:ec2::254", "::1", "2606:2800::1"} {
		f.Add(netip.MustParseAddr(c).AsSlice())
	}
	everything, err := ParseAllowed("0.0.0.0/0,::/0")
	if err != nil {
		f.Fatal(err)
	}
	guard, err := New(Config{AllowPrivate: true, Allowed: everything})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		addr, ok := netip.AddrFromSlice(bytes)
		if !ok || guard.check("", addr) != nil {
			return
		}
		if addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() {
			t.Errorf("%s passes", addr)
		}
		if nat64.Contains(addr) || localNAT64.Contains(addr) || addr.Is4In6() {
			if inner := netip.AddrFrom4([4]byte(bytes[12:])); inner.IsLinkLocalUnicast() {
				t.Errorf("%s passes, with %s inside", addr, inner)
			}
		}
	})
}

// A list that is read is written so that it reads the same.
func FuzzParseAllowed(f *testing.F) {
	for _, text := range []string{"10.0.0.0/8", "::1, *.example.com", "a.b,c", "127.1", "::ffff:1.2.3.4"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAllowed(text)
		if err != nil {
			return
		}
		if again, err := ParseAllowed(a.String()); err != nil || again.String() != a.String() {
			t.Errorf("%q: %q, then %q, %v", text, a, again, err)
		}
	})
}
