package netguard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
)

// guard makes one that asks the test's DNS.
func guard(t *testing.T, c Config, dns *dnsServer) *Guard {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if dns != nil {
		g.resolver = dns.resolver()
	}
	return g
}

func allowed(t *testing.T, text string) Allowed {
	t.Helper()
	a, err := ParseAllowed(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What a URL leads to, for whom it is allowed.
const (
	public  = "public"  // everybody
	inside  = "inside"  // with --allow-private-networks
	refused = "refused" // nobody
)

// zone is what the test's DNS knows.
func zone(t *testing.T) *dnsServer {
	dns := newDNS(t)
	for name, records := range map[string][]string{
		"public.example":     {"93.184.215.14"},
		"both.example":       {"93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"},
		"alias.example":      {"public.example"},
		"private.example":    {"10.0.0.7"},
		"loop.example":       {"127.0.0.1"},
		"loop6.example":      {"::1"},
		"mapped.example":     {"::ffff:127.0.0.1"},
		"ula.example":        {"fd12:3456::1"},
		"nat64.example":      {"64:ff9b::a00:7"},
		"one-bad.example":    {"93.184.215.14", "10.0.0.7"},
		"six-bad.example":    {"93.184.215.14", "fd12:3456::1"},
		"chain.example":      {"chain2.example"},
		"chain2.example":     {"chain3.example"},
		"chain3.example":     {"private.example"},
		"linklocal.example":  {"169.254.169.254"},
		"meta.example":       {"imds.example"},
		"imds.example":       {"fd00:ec2::254"},
		"alibaba.example":    {"100.100.100.200"},
		"meta-one.example":   {"93.184.215.14", "169.254.169.254"},
		"sixtofour.example":  {"2002:a00:7::"},
		"localnat64.example": {"64:ff9b:1::a00:7"},
		"zero.example":       {"0.0.0.0"},
		"xn--idn-6na.example": {
			"93.184.215.14",
		},
		"127.0.0.1.nip.example": {"127.0.0.1"},
	} {
		dns.set(name, records...)
	}
	return dns
}

// Every way to spell an address inside is refused by the check, public ones are not,
// and private ones can be allowed.
func TestCheckURL(t *testing.T) {
	dns := zone(t)
	guarded, open := guard(t, Config{}, dns), guard(t, Config{AllowPrivate: true}, dns)
	for _, c := range spellings {
		if err := guarded.CheckURL(t.Context(), c.url); (err == nil) != (c.want == public) {
			t.Errorf("%s: %v, want %s", c.url, err, c.want)
		} else if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "token")) {
			t.Errorf("the error quotes more than the host: %v", err)
		}
		if err := open.CheckURL(t.Context(), c.url); (err == nil) != (c.want != refused) {
			t.Errorf("with private networks allowed, %s: %v, want %s", c.url, err, c.want)
		}
	}
}

// What nobody checked when it was registered is refused all the same: no spelling gets a
// request inside, or to anywhere that is refused.
func TestDialRefusesWhatTheCheckRefuses(t *testing.T) {
	dns := zone(t)
	client := guard(t, Config{}, dns).DeliveryClient()
	for _, c := range spellings {
		if c.want == public || c.dial == notTried {
			continue
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, http.NoBody)
		if err != nil {
			continue // it can't even be asked for
		}
		answer, err := client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			t.Errorf("%s: answered %d", c.url, answer.StatusCode)
		} else if c.dial == "" && !Refused(err) || !strings.Contains(err.Error(), c.dial) {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}

func TestRefusalSaysWhatToDo(t *testing.T) {
	err := guard(t, Config{}, nil).CheckURL(t.Context(), "http://127.0.0.1:3000/")
	const want = "refused because the address 127.0.0.1 is loopback; allow such addresses with --allow-private-networks (SYNTHOOK_ALLOW_PRIVATE_NETWORKS=true), or some with --allow-network (SYNTHOOK_ALLOW_NETWORK)"
	if err == nil || err.Error() != want {
		t.Error(err)
	}
	err = guard(t, Config{AllowPrivate: true}, nil).CheckURL(t.Context(), "http://169.254.169.254/")
	if err == nil || strings.Contains(err.Error(), "--allow") {
		t.Errorf("advice that would not help: %v", err)
	}
}

// A name that pointed outside when it was registered and points inside now is refused at
// the dial; so is one with an address inside among its addresses, when registered.
func TestRebinding(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived inside") }))
	defer server.Close()
	dns := newDNS(t)
	guard := guard(t, Config{}, dns)
	target := strings.Replace(server.URL, "127.0.0.1", "rebind.example", 1)

	dns.set("rebind.example", "93.184.215.14")
	if err := guard.CheckURL(t.Context(), target); err != nil {
		t.Fatalf("while it points outside: %v", err)
	}
	for _, now := range [][]string{{"127.0.0.1"}, {"elsewhere.example"}} {
		dns.set("rebind.example", now...)
		dns.set("elsewhere.example", "127.0.0.1")
		for name, client := range map[string]*http.Client{"poll": guard.PollClient(), "delivery": guard.DeliveryClient()} {
			_, err := client.Get(target)
			refused, ok := errors.AsType[*RefusedError](err)
			if !ok || refused.Addr.String() != "127.0.0.1" || !errors.Is(err, ssrf.ErrProhibitedIP) {
				t.Errorf("%s client: %v", name, err)
			}
		}
	}
	dns.set("rebind.example", "93.184.215.14", "10.0.0.7")
	if err := guard.CheckURL(t.Context(), target); err == nil || !strings.Contains(err.Error(), "10.0.0.7 is private") {
		t.Errorf("one of two addresses is private: %v", err)
	}
	if err := guard.CheckURL(t.Context(), "https://unknown.example/"); err != nil {
		t.Errorf("a name that does not exist yet: %v", err)
	}
	dns.stop()
	if err := guard.CheckURL(t.Context(), target); err != nil {
		t.Errorf("a DNS that is down is not the URL's fault: %v", err)
	}
}

// A name that answers otherwise every time gets in by no number of tries: what is judged
// is what is connected to.
func TestFlappingName(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived inside") }))
	defer server.Close()
	dns := newDNS(t)
	// The other address is of the documentation's, and refused as well: nothing leaves this machine.
	dns.alternate("flap.example", []string{"203.0.113.9"}, []string{"127.0.0.1"}, []string{"203.0.113.9", "127.0.0.1"})
	client := guard(t, Config{}, dns).DeliveryClient()
	for range 30 {
		if _, err := client.Get(strings.Replace(server.URL, "127.0.0.1", "flap.example", 1)); !Refused(err) {
			t.Fatal(err)
		}
	}
}

// Of several addresses only those that are allowed are connected to, though they fail.
func TestNoWayAroundTheAllowedAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived where it may not") }))
	defer server.Close()
	dns := newDNS(t)
	dns.set("several.example", "127.0.0.2", "127.0.0.1")
	guard := guard(t, Config{Allowed: allowed(t, "127.0.0.2")}, dns)
	target := strings.Replace(server.URL, "127.0.0.1", "several.example", 1)
	if _, err := guard.DeliveryClient().Get(target); err == nil {
		t.Error("connected")
	}
	if err := guard.CheckURL(t.Context(), target); err == nil || !strings.Contains(err.Error(), "127.0.0.1 is loopback") {
		t.Errorf("registered: %v", err)
	}
}

func TestClientsFollowNoRedirectAndReachAllowedServers(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				t.Errorf("%d was followed", status)
			}
			http.Redirect(w, r, "/elsewhere", status)
		}))
		open := guard(t, Config{AllowPrivate: true}, nil)
		for name, client := range map[string]*http.Client{"poll": open.PollClient(), "delivery": open.DeliveryClient()} {
			answer, err := client.Post(server.URL, "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != status {
				t.Errorf("%s client: %d", name, answer.StatusCode)
			}
			client.CloseIdleConnections()
		}
		server.Close()
	}
}
