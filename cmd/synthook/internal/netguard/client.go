package netguard

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// PollClient is the client that reads providers. It follows no redirect: one could
// lead credentials to another host.
func (g *Guard) PollClient() *http.Client {
	t := g.transport()
	t.MaxIdleConnsPerHost = 8
	t.ResponseHeaderTimeout = time.Minute // big listings take their time
	return client(t)
}

// DeliveryClient is the client that posts to webhooks. It follows no redirect (a
// redirected POST loses its body) and unpacks nothing (an answer is only counted).
func (g *Guard) DeliveryClient() *http.Client {
	t := g.transport()
	t.MaxIdleConnsPerHost = 2048 // many webhooks may be on one host: none of their deliveries should have to dial anew
	t.ResponseHeaderTimeout = 30 * time.Second
	t.DisableCompression = true
	return client(t)
}

func client(t *http.Transport) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// transport leaves the proxy to dial: net/http would have a proxy resolve the name.
func (g *Guard) transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.roots},
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           1024,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
}

const dialTimeout = 10 * time.Second

// dial connects to a host: itself, after each address was judged, or by the proxy.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if err := g.checkName(host); err != nil {
		return nil, err
	}
	if g.proxy != nil {
		return g.dialByProxy(ctx, host, port)
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Resolver: g.resolver, ControlContext: g.control}
	return dialer.DialContext(context.WithValue(ctx, hostKey{}, host), network, address)
}
