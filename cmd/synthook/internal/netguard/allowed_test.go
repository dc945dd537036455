package netguard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What the operator lists is allowed, and nothing beside it; metadata services never are.
func TestAllowed(t *testing.T) {
	dns := zone(t)
	dns.set("hooks.corp.example", "10.9.9.9")
	dns.set("corp.example", "10.9.9.9")
	dns.set("evil.corp.example", "169.254.169.254")
	dns.set("notcorp.example", "10.9.9.9")
	for list, want := range map[string]map[string]bool{
		"10.0.0.0/24": {
			"http://10.0.0.7/": true, "https://private.example/": true, "https://chain.example/": true, "https://nat64.example/": true,
			"http://[::ffff:10.0.0.7]/": true, "http://10.0.1.7/": false, "http://127.0.0.1/": false, "https://ula.example/": false,
		},
		"fd12:3456::/32, ::1": {"https://ula.example/": true, "http://[::1]/": true, "http://[::2]/": false, "http://127.0.0.1/": false, "http://[fd12:3457::1]/": false},
		"198.18.0.0/15":       {"http://198.18.0.1/": true, "http://198.20.0.1/": true, "http://192.0.2.1/": false},
		"*.corp.example": {
			"http://hooks.corp.example/": true, "http://HOOKS.corp.example./": true, "http://corp.example/": false, "http://notcorp.example/": false,
			"http://evil.corp.example/": false, "http://10.9.9.9/": false,
		},
		"corp.example,localhost": {"http://corp.example/": true, "http://hooks.corp.example/": false, "http://localhost/": true, "http://127.0.0.1/": false},
		"64:ff9b:1::/48,10.0.0.0/8": {
			"https://localnat64.example/": true, "http://[64:ff9b:1::7f00:1]/": false, "http://[64:ff9b:1::a9fe:a9fe]/": false, "http://[64:ff9b:1::808:808]/": true,
		},
		"0.0.0.0/0,::/0": {
			"http://10.0.0.1/": true, "http://127.0.0.1/": true, "http://169.254.169.254/": false, "http://[fe80::1]/": false, "http://[fd00:ec2::254]/": false,
			"http://100.100.100.200/": false, "http://[2002:7f00:1::]/": false, "http://[::ffff:169.254.169.254]/": false, "http://0.0.0.0/": false,
			"http://224.0.0.1/": false, "http://255.255.255.255/": false, "http://metadata.google.internal/": false, "http://192.0.0.192/": false,
		},
	} {
		guard := guard(t, Config{Allowed: allowed(t, list)}, dns)
		for url, ok := range want {
			if err := guard.CheckURL(t.Context(), url); (err == nil) != ok {
				t.Errorf("with %s allowed, %s: %v", list, url, err)
			}
		}
	}
}

func TestParseAllowed(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"10.0.0.0/8":                            "10.0.0.0/8",
		" 10.1.2.3 , FD00::1,Hooks.Example.com": "10.1.2.3,fd00::1,hooks.example.com",
		"*.corp.example":                        "*.corp.example",
		"::ffff:10.0.0.1":                       "10.0.0.1",
	} {
		a, err := ParseAllowed(text)
		if err != nil || a.String() != want {
			t.Errorf("%q: %s, %v", text, a, err)
		}
		if again, err := ParseAllowed(a.String()); err != nil || again.String() != want {
			t.Errorf("%q again: %s, %v", text, again, err)
		}
	}
	for text, want := range map[string]string{
		"10.0.0.1/8":          "write it as 10.0.0.0/8",
		"::ffff:10.0.0.0/104": "write it as 10.0.0.0/8",
		"10.0.0.0/33":         "neither",
		"2130706433":          "neither",
		"127.1":               "neither",
		"fe80::1%eth0":        "neither",
		"http://x":            "neither",
		"a,,b":                "neither",
		"*":                   "neither",
		"x.*.example":         "neither",
		"bücher.example":      "neither",
	} {
		if _, err := ParseAllowed(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A host that is allowed is reached by its name alone.
func TestDialAllowedHost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	dns := newDNS(t)
	for _, name := range []string{"good.example", "bad.example"} {
		dns.set(name, "127.0.0.1")
	}
	client := guard(t, Config{Allowed: allowed(t, "good.example")}, dns).DeliveryClient()
	defer client.CloseIdleConnections()
	answer, err := client.Get(strings.Replace(server.URL, "127.0.0.1", "good.example", 1))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	for _, host := range []string{"bad.example", "127.0.0.1"} {
		if _, err := client.Get(strings.Replace(server.URL, "127.0.0.1", host, 1)); !Refused(err) {
			t.Errorf("%s: %v", host, err)
		}
	}
}
