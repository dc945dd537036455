package netguard

import (
	"fmt"
	"net/netip"
	"strings"
)

// Allowed are networks and hosts that the operator lists: what is in one of the networks
// may be reached, and what one of the hosts resolves to, private addresses included.
type Allowed struct {
	networks []netip.Prefix
	hosts    []string // lower case; ".example.com" stands for every host below it
}

// ParseAllowed reads a list separated by commas: networks (10.1.0.0/16), addresses, hosts
// (hooks.example.com) and all hosts below a name (*.example.com). "" lists nothing.
func ParseAllowed(text string) (a Allowed, err error) {
	if text == "" {
		return a, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if prefix, err := netip.ParsePrefix(item); err == nil {
			if prefix.Addr().Is4In6() || prefix.Masked() != prefix {
				return a, fmt.Errorf("%s is not a network: write it as %s", item, unmapped(prefix))
			}
			a.networks = append(a.networks, prefix)
			continue
		}
		if addr, err := netip.ParseAddr(item); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			a.networks = append(a.networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		host := strings.ToLower(item)
		below, wild := strings.CutPrefix(host, "*.")
		if checkHost(below) != nil || !strings.ContainsAny(below, "abcdefghijklmnopqrstuvwxyz") {
			return a, fmt.Errorf("%q is neither a network (10.1.0.0/16) nor an address nor a host (hooks.example.com, *.example.com)", item)
		}
		if wild {
			host = "." + below
		}
		a.hosts = append(a.hosts, host)
	}
	return a, nil
}

// String is the list as ParseAllowed reads it.
func (a Allowed) String() string {
	var items []string
	for _, p := range a.networks {
		if p.IsSingleIP() {
			items = append(items, p.Addr().String())
		} else {
			items = append(items, p.String())
		}
	}
	for _, h := range a.hosts {
		if h[0] == '.' {
			h = "*" + h
		}
		items = append(items, h)
	}
	return strings.Join(items, ",")
}

// unmapped is a network as it should be written.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// host says whether a host is listed by its name.
func (a Allowed) host(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, listed := range a.hosts {
		if name == listed || listed[0] == '.' && strings.HasSuffix(name, listed) {
			return true
		}
	}
	return false
}
