package netguard

// notTried are dials that would leave this machine.
const notTried = "not tried"

// spellings are URLs and what they lead to. dial says how one fails at the dial where
// that is not by a refusal.
var spellings = []struct{ url, want, dial string }{
	{url: "https://93.184.215.14/hook?token=t", want: public},
	{url: "http://8.8.8.8:8443/", want: public},
	{url: "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", want: public},
	{url: "https://[64:ff9b::808:808]/", want: public}, // NAT64 of 8.8.8.8
	{url: "https://public.example/", want: public},
	{url: "https://PUBLIC.example./", want: public},
	{url: "https://both.example/", want: public},
	{url: "https://alias.example/", want: public},
	{url: "https://xn--idn-6na.example/", want: public},
	{url: "https://10.0.0.7@public.example/", want: public}, // the host is what comes after
	{url: "https://public.example/@10.0.0.7/", want: public},
	{url: "https://public.example/?u=http://127.0.0.1/", want: public},
	{url: "https://public.example#@127.0.0.1/", want: public},

	// Loopback and private, as they are.
	{url: "http://127.0.0.1/", want: inside},
	{url: "http://127.255.255.254:3000/", want: inside},
	{url: "http://10.0.0.1/", want: inside},
	{url: "http://172.16.0.1/", want: inside},
	{url: "http://172.31.255.255/", want: inside},
	{url: "http://192.168.1.1/", want: inside},
	{url: "http://100.64.0.1/", want: inside},
	{url: "http://[::1]/", want: inside},
	{url: "http://[0:0:0:0:0:0:0:1]/", want: inside},
	{url: "http://[fd12:3456::1]/", want: inside},
	{url: "http://localhost:3000/", want: inside},
	{url: "http://LOCALHOST/", want: inside},
	{url: "http://localhost./", want: inside},
	{url: "http://a.localhost/", want: inside},

	// IPv4 within IPv6.
	{url: "http://[::ffff:127.0.0.1]/", want: inside},
	{url: "http://[::ffff:7f00:1]/", want: inside},
	{url: "http://[::FFFF:7F00:0001]/", want: inside},
	{url: "http://[0:0:0:0:0:ffff:10.0.0.1]/", want: inside},
	{url: "http://[64:ff9b::7f00:1]/", want: inside}, // NAT64 of 127.0.0.1
	{url: "http://[64:ff9b::10.0.0.1]/", want: inside},
	{url: "http://[64:ff9b:1::7f00:1]/", want: refused}, // local NAT64
	{url: "http://[2002:7f00:1::]/", want: refused},     // 6to4 of 127.0.0.1
	{url: "http://[2002:a9fe:a9fe::]/", want: refused},
	{url: "http://[2001:0:4136:e378::]/", want: refused}, // Teredo
	{url: "http://[2001::80ff:fffe]/", want: refused},    // Teredo of the client 127.0.0.1
	{url: "http://[::127.0.0.1]/", want: refused},        // IPv4-compatible
	{url: "http://[::ffff:0:127.0.0.1]/", want: refused}, // IPv4-translated

	// Metadata services and link-local.
	{url: "http://169.254.169.254/latest/meta-data/", want: refused},
	{url: "http://169.254.170.2/", want: refused},
	{url: "http://[::ffff:169.254.169.254]/", want: refused},
	{url: "http://[64:ff9b::a9fe:a9fe]/", want: refused},
	{url: "http://[fd00:ec2::254]/", want: refused},
	{url: "http://[fd00:ec2::23]/", want: refused},
	{url: "http://[fd20:ce::254]/", want: refused},
	{url: "http://100.100.100.200/", want: refused},
	{url: "http://[::ffff:100.100.100.200]/", want: refused},
	{url: "http://168.63.129.16/", want: refused},
	{url: "http://192.0.0.192/", want: refused},
	{url: "http://metadata.google.internal/", want: refused},
	{url: "http://METADATA.google.internal./", want: refused},
	{url: "http://metadata/", want: refused},
	{url: "http://instance-data.ec2.internal/", want: refused},
	{url: "http://[fe80::1]/", want: refused},
	{url: "http://[fe80::1%25eth0]/", want: refused},
	{url: "http://[::1%25lo]/", want: refused},
	{url: "http://[fe80::a9fe:a9fe]/", want: refused},

	// Other special ranges.
	{url: "http://0.0.0.0/", want: refused},
	{url: "http://0.1.2.3/", want: refused},
	{url: "http://[::]/", want: refused},
	{url: "http://224.0.0.1/", want: refused},
	{url: "http://[ff02::1]/", want: refused},
	{url: "http://255.255.255.255/", want: refused},
	{url: "http://240.0.0.1/", want: refused},
	{url: "http://192.0.2.1/", want: refused},
	{url: "http://198.18.0.1/", want: refused},
	{url: "http://[2001:db8::1]/", want: refused},
	{url: "http://[100::1]/", want: refused},
	{url: "http://[5f00::1]/", want: refused},

	// Addresses in other spellings.
	{url: "http://2130706433/", want: refused, dial: "no such host"},        // 127.0.0.1 as one number
	{url: "http://0x7f000001/", want: refused, dial: "no such host"},        // in hexadecimal
	{url: "http://0X7F.0.0.1/", want: refused, dial: "no such host"},        // in part
	{url: "http://0x7f.1/", want: refused, dial: "no such host"},            // and short
	{url: "http://017700000001/", want: refused, dial: "no such host"},      // in octal
	{url: "http://0177.0.0.1/", want: refused, dial: "no such host"},        // in part
	{url: "http://00127.0.0.1/", want: refused, dial: "no such host"},       // zeros before
	{url: "http://127.1/", want: refused, dial: "no such host"},             // short
	{url: "http://127.0.1/", want: refused, dial: "no such host"},           // less so
	{url: "http://127.0.0.0x1/", want: refused, dial: "no such host"},       // mixed
	{url: "http://0/", want: refused, dial: "no such host"},                 // 0.0.0.0
	{url: "http://169.254.43518/", want: refused, dial: "no such host"},     // metadata, short
	{url: "http://0xa9fea9fe/", want: refused, dial: "no such host"},        // in hexadecimal
	{url: "http://127.0.0.1.:80/", want: inside, dial: "no such host"},      // with the root's dot
	{url: "http://127.0.0.1../", want: refused, dial: "no such host"},       // with two
	{url: "http://１２７.0.0.1/", want: refused},                               // wide digits
	{url: "http://①②⑦.⓪.⓪.①/", want: refused},                               // circled ones
	{url: "http://127。0。0。1/", want: refused},                               // ideographic dots
	{url: "http://𝟭𝟮𝟳.𝟬.𝟬.𝟭/", want: refused},                               // bold ones
	{url: "http://%31%32%37.0.0.1/", want: refused},                         // escaped
	{url: "http://127.0.0.1%00.public.example/", want: refused},             // cut by C
	{url: "http://[::ffff:127.1]/", want: refused, dial: "no such host"},    // no address to us
	{url: "http://[127.0.0.1]/", want: refused},                             // brackets round the wrong kind
	{url: "http://lоcalhost/", want: refused, dial: "no such host"},         // a Cyrillic о
	{url: "http://127.0.0.1.nip.example/", want: inside},                    // a name that says it
	{url: "http://[::1", want: refused},                                     // unfinished
	{url: "http://public.example\\@127.0.0.1/", want: refused},              // WHATWG takes \ for /
	{url: "http://public.example&@127.0.0.1/", want: inside},                // userinfo
	{url: "http://public.example:80@127.0.0.1/", want: inside},              // that looks like a host
	{url: "http://user:hunter2@127.0.0.1/", want: inside},                   // with a password
	{url: "http://public.example@10.0.0.7:80@127.0.0.1/", want: inside},     // twice
	{url: "http://127.0.0.1:80:80/", want: refused},                         // two ports
	{url: "http://public.example\t.127.0.0.1/", want: refused},              // control characters
	{url: "http://public.example 127.0.0.1/", want: refused},                // a space
	{url: "http:///127.0.0.1/", want: refused, dial: "no Host"},             // no host
	{url: "http:127.0.0.1/", want: refused, dial: "no Host in request URL"}, // nor here
	{url: "http://a..example/", want: refused, dial: "no such host"},
	{url: "http://.example/", want: refused, dial: "no such host"},

	// Names.
	{url: "https://private.example/", want: inside},
	{url: "https://PRIVATE.example./", want: inside},
	{url: "https://loop.example/", want: inside},
	{url: "https://loop6.example/", want: inside},
	{url: "https://mapped.example/", want: inside},
	{url: "https://ula.example/", want: inside},
	{url: "https://nat64.example/", want: inside},
	{url: "https://chain.example/", want: inside},
	{url: "https://linklocal.example/", want: refused},
	{url: "https://meta.example/", want: refused},
	{url: "https://alibaba.example/", want: refused},
	{url: "https://sixtofour.example/", want: refused},
	{url: "https://localnat64.example/", want: refused},
	{url: "https://zero.example/", want: refused},

	// One of several answers is enough.
	{url: "https://one-bad.example/", want: inside, dial: notTried},
	{url: "https://six-bad.example/", want: inside, dial: notTried},
	{url: "https://meta-one.example/", want: refused, dial: notTried},

	// Other schemes and what is no URL.
	{url: "ftp://93.184.215.14/", want: refused, dial: "unsupported protocol scheme"},
	{url: "file:///etc/passwd", want: refused, dial: "unsupported protocol scheme"},
	{url: "gopher://127.0.0.1:6379/_INFO", want: refused, dial: "unsupported protocol scheme"},
	{url: "javascript:alert(1)", want: refused, dial: "unsupported protocol scheme"},
	{url: "//93.184.215.14/", want: refused, dial: "unsupported protocol scheme"},
	{url: "93.184.215.14/hook", want: refused, dial: "unsupported protocol scheme"},
	{url: "https:///path", want: refused, dial: "no Host in request URL"},
	{url: "http://93.184.215.14:0/", want: refused, dial: notTried},
	{url: "http://93.184.215.14:70000/", want: refused, dial: notTried},
	{url: "http://93.184.215.14:http/", want: refused},
	{url: "", want: refused, dial: "unsupported protocol scheme"},
}
