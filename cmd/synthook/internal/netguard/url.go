package netguard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const lookupTimeout = 5 * time.Second

// CheckURL says early what a dial would say: the URL is http or https, and no address of
// its host is refused. A name that can't be resolved is no reason to refuse, since it may
// be deployed later, or DNS be down: the dial decides. The error never quotes the URL's
// query.
func (g *Guard) CheckURL(ctx context.Context, raw string) error {
	host, err := hostOf(raw)
	if err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.check("", addr)
	}
	if err := g.checkName(host); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, _ := g.resolver.LookupNetIP(ctx, "ip", host)
	for _, addr := range addrs {
		if err := g.check(host, addr); err != nil {
			return err
		}
	}
	return nil
}

// hostOf is the host of a URL that can be a destination: a name without the root's dot,
// or an address in its usual spelling.
func hostOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("not a URL: expected https://host/path")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the URL starts with %q: it must be http:// or https://", u.Scheme+":")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("the URL's port %s is none: it must be 1 to 65535", port)
		}
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "", errors.New("the URL's host has a zone, which means something on one machine only")
		}
		return host, nil
	}
	return host, checkHost(host)
}

// checkHost says what is wrong with a host's name: parsers must not disagree about it.
func checkHost(host string) error {
	if host == "" {
		return errors.New("the URL has no host: expected https://host/path")
	}
	for _, c := range []byte(host) {
		switch {
		case c >= 0x80:
			// HTTP clients map ①②⑦.⓪.⓪.① to 127.0.0.1.
			return errors.New("the URL's host has letters beyond ASCII: write it in its ASCII form (xn--…)")
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("the URL's host has %q in it, which no host has", c)
		}
	}
	if spelledAddress(host) {
		return fmt.Errorf("the URL's host %s is an address in a spelling that is not allowed: write it as 203.0.113.7", host)
	}
	if len(host) > 253 || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return errors.New("the URL's host is no name: expected https://host/path")
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

// metadataNames are known to the resolver of the cloud whose service they name, and so
// not always to the one that checks a URL.
var metadataNames = []string{
	"metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.internal", "metadata.tencentyun.com",
	"instance-data", "instance-data.ec2.internal",
}

// checkName judges a name by itself, where that needs no resolver.
func (g *Guard) checkName(host string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if slices.Contains(metadataNames, host) {
		return &RefusedError{Host: host, Kind: metadata}
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761
		if g.check(host, netip.AddrFrom4([4]byte{127, 0, 0, 1})) != nil {
			return &RefusedError{Host: host, Kind: loopback}
		}
	}
	return nil
}
