package netguard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
)

// Every way to spell an address inside is refused by the check, public ones are not,
// and private ones can be allowed.
func TestCheckURL(t *testing.T) {
	const (
		public  = "public"  // always allowed
		inside  = "inside"  // allowed with --allow-private-networks
		refused = "refused" // never
	)
	guarded, open := New(false), New(true)
	for _, c := range []struct{ url, want string }{
		{"https://93.184.215.14/hook?token=t", public},
		{"http://8.8.8.8:8443/", public},
		{"https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", public},
		{"https://[64:ff9b::808:808]/", public}, // NAT64 of 8.8.8.8

		{"http://127.0.0.1/", inside},
		{"http://127.255.255.254:3000/", inside},
		{"http://10.0.0.1/", inside},
		{"http://172.16.0.1/", inside},
		{"http://172.31.255.255/", inside},
		{"http://192.168.1.1/", inside},
		{"http://100.64.0.1/", inside},
		{"http://[::1]/", inside},
		{"http://[fd12:3456::1]/", inside},
		{"http://[::ffff:127.0.0.1]/", inside},
		{"http://[::ffff:7f00:1]/", inside},
		{"http://[0:0:0:0:0:ffff:10.0.0.1]/", inside},
		{"http://[64:ff9b::7f00:1]/", inside}, // NAT64 of 127.0.0.1
		{"http://localhost:3000/", inside},
		{"http://LOCALHOST/", inside},
		{"http://localhost./", inside},
		{"http://user:pass@127.0.0.1/", inside},

		{"http://169.254.169.254/latest/meta-data/", refused},
		{"http://[::ffff:169.254.169.254]/", refused},
		{"http://[64:ff9b::a9fe:a9fe]/", refused},
		{"http://[fd00:ec2::254]/", refused},
		{"http://[fd20:ce::254]/", refused},
		{"http://100.100.100.200/", refused},
		{"http://168.63.129.16/", refused},
		{"http://[fe80::1]/", refused},
		{"http://[fe80::1%25eth0]/", refused},
		{"http://0.0.0.0/", refused},
		{"http://0.1.2.3/", refused},
		{"http://[::]/", refused},
		{"http://224.0.0.1/", refused},
		{"http://[ff02::1]/", refused},
		{"http://255.255.255.255/", refused},
		{"http://240.0.0.1/", refused},
		{"http://192.0.2.1/", refused},
		{"http://198.18.0.1/", refused},
		{"http://[2001:db8::1]/", refused},
		{"http://[2002:7f00:1::]/", refused},      // 6to4 of 127.0.0.1
		{"http://[2001:0:4136:e378::]/", refused}, // Teredo
		{"http://[::127.0.0.1]/", refused},        // IPv4-compatible
		{"http://[64:ff9b:1::7f00:1]/", refused},  // local NAT64
		{"http://2130706433/", refused},           // 127.0.0.1 as one number
		{"http://0x7f000001/", refused},           // in hexadecimal
		{"http://0x7f.1/", refused},               // hexadecimal, short
		{"http://0177.0.0.1/", refused},           // in octal
		{"http://127.1/", refused},                // short
		{"http://127.0.0.1.:80/", inside},         // with the root's dot
		{"http://127.0.0.0x1/", refused},          // mixed
		{"http://１２７.0.0.1/", refused},            // wide digits
		{"ftp://93.184.215.14/", refused},
		{"file:///etc/passwd", refused},
		{"gopher://127.0.0.1:6379/_INFO", refused},
		{"javascript:alert(1)", refused},
		{"//93.184.215.14/", refused},
		{"93.184.215.14/hook", refused},
		{"https:///path", refused},
		{"http://93.184.215.14:0/", refused},
		{"http://93.184.215.14:70000/", refused},
		{"http://93.184.215.14:http/", refused},
		{"", refused},
	} {
		if err := guarded.CheckURL(t.Context(), c.url); (err == nil) != (c.want == public) {
			t.Errorf("%s: %v, want %s", c.url, err, c.want)
		} else if err != nil && (strings.Contains(err.Error(), "pass") || strings.Contains(err.Error(), "token")) {
			t.Errorf("the error quotes more than the host: %v", err)
		}
		if err := open.CheckURL(t.Context(), c.url); (err == nil) != (c.want != refused) {
			t.Errorf("with private networks allowed, %s: %v, want %s", c.url, err, c.want)
		}
	}
}

func TestRefusalSaysWhatToDo(t *testing.T) {
	err := New(false).CheckURL(t.Context(), "http://127.0.0.1:3000/")
	if err == nil || err.Error() != "refused because the address 127.0.0.1 is loopback; allow such addresses with --allow-private-networks (SYNTHOOK_ALLOW_PRIVATE_NETWORKS=true)" {
		t.Error(err)
	}
	err = New(true).CheckURL(t.Context(), "http://169.254.169.254/")
	if err == nil || strings.Contains(err.Error(), "--allow-private-networks") {
		t.Errorf("advice that would not help: %v", err)
	}
}

// A name that pointed outside when it was registered and points inside now is refused at
// the dial; so is one with an address inside among its addresses, when registered.
func TestRebinding(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived inside") }))
	defer server.Close()
	dns := newDNS(t)
	guard := New(false)
	guard.resolver = dns.resolver()
	target := strings.Replace(server.URL, "127.0.0.1", "rebind.example", 1)

	dns.answer("93.184.215.14")
	if err := guard.CheckURL(t.Context(), target); err != nil {
		t.Fatalf("while it points outside: %v", err)
	}
	dns.answer("127.0.0.1")
	for name, client := range map[string]*http.Client{"poll": guard.PollClient(), "delivery": guard.DeliveryClient()} {
		_, err := client.Get(target)
		refused, ok := errors.AsType[*RefusedError](err)
		if !ok || refused.Addr.String() != "127.0.0.1" || !errors.Is(err, ssrf.ErrProhibitedIP) {
			t.Errorf("%s client: %v", name, err)
		}
	}
	dns.answer("93.184.215.14", "10.0.0.7")
	if err := guard.CheckURL(t.Context(), target); err == nil || !strings.Contains(err.Error(), "10.0.0.7 is private") {
		t.Errorf("one of two addresses is private: %v", err)
	}
	dns.answer()
	if err := guard.CheckURL(t.Context(), target); err != nil {
		t.Errorf("a name that does not exist yet: %v", err)
	}
	dns.stop()
	if err := guard.CheckURL(t.Context(), target); err != nil {
		t.Errorf("a DNS that is down is not the URL's fault: %v", err)
	}
}

func TestClientsFollowNoRedirectAndReachAllowedServers(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer server.Close()
	for name, client := range map[string]*http.Client{"poll": New(true).PollClient(), "delivery": New(true).DeliveryClient()} {
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusFound {
			t.Errorf("%s client followed a redirect: %d", name, answer.StatusCode)
		}
		client.CloseIdleConnections()
	}
}
