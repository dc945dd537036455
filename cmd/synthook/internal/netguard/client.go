package netguard

import (
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
	t.MaxIdleConnsPerHost = 64 // as many as one webhook's deliveries at a time, so that a burst doesn't redial
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

// transport has no proxy: the guard would judge the proxy's address, not the target's.
func (g *Guard) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: g.resolver, ControlContext: g.control}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           1024,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
}
