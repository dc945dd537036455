package netguard

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// ParseProxy reads the URL of an HTTP proxy. Its error does not quote it: there may be a
// password in it.
func ParseProxy(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, errors.New("the outbound proxy is not of the form http://user:password@host:port")
	}
	return u, nil
}

// dialByProxy has the proxy connect (CONNECT, RFC 9110, 9.3.6). It resolves and judges
// the name itself and gives the proxy an address: a proxy that resolved the name could
// come to another answer. All of a name's addresses must be allowed.
func (g *Guard) dialByProxy(ctx context.Context, host, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, addr := range addrs {
		conn, err := g.tunnel(ctx, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.Join(failures...)}
}

func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, g.check("", addr)
	}
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for i, addr := range addrs {
		if err := g.check(host, addr); err != nil {
			return nil, err
		}
		addrs[i] = addr.Unmap()
	}
	return addrs, nil
}

// tunnel is a connection to the proxy that it has connected to an address.
func (g *Guard) tunnel(ctx context.Context, address string) (_ net.Conn, err error) {
	conn, err := g.dialProxy(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the outbound proxy: %w", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := g.proxy.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("ask the outbound proxy: %w", err)
	}
	// Whoever is connected to waits for us to speak: a byte more than the answer is a fault.
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, fmt.Errorf("hear from the outbound proxy: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the outbound proxy answered %d to CONNECT", response.StatusCode)
	}
	if reader.Buffered() > 0 || !stop() {
		return nil, errors.New("the outbound proxy was too late, or said too much")
	}
	return conn, nil
}

// dialProxy connects to the proxy, which is the operator's: its address is not judged.
func (g *Guard) dialProxy(ctx context.Context) (net.Conn, error) {
	port := g.proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[g.proxy.Scheme]
	}
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	address := net.JoinHostPort(g.proxy.Hostname(), port)
	if g.proxy.Scheme == "http" {
		return dialer.DialContext(ctx, "tcp", address)
	}
	secure := &tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.roots}}
	return secure.DialContext(ctx, "tcp", address)
}
