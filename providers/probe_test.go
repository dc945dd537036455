package providers_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
)

const sized = "request:\n  get: /people\n  query:\n    offset: ${page.offset}\n    limit: ${page.size}\nrecords: {path: data, id: id}\npage: {kind: offset, end: short, size: 50}\n"

// What is wrong is told at once, in the provider's own words as far as they are words of
// errors, and with what would have to be mended.
func TestProbeTellsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		status       int
		header, body string
		kind         providers.Kind
		fault        providers.Fault
		detail       string
		asked        int
	}{
		"wrong key": {401, "", `{"message":"Invalid API key of Ada"}`, providers.Auth, providers.FaultCredentials, `(401) (the provider says: "invalid api key of …")`, 1},
		"scope":     {403, "", `{"error":"insufficient_scope"}`, providers.Auth, providers.FaultScope, `may not read this list (403) (the provider says: "insufficient_scope")`, 1},
		"plan in a 403": {403, "", `{"message":"Upgrade your plan to use this endpoint"}`, providers.Auth, providers.FaultPlan,
			`the plan of the provider's account does not include this list (403) (the provider says: "upgrade your plan to use this endpoint")`, 1},
		"plan or permission": {403, "", `{"message":"permission missing, or plan"}`, providers.Auth, providers.FaultScope, "may not read this list", 1},
		"payment":            {402, "", `{}`, providers.Auth, providers.FaultPlan, "does not include this list (402)", 1},
		"no such list":       {404, "", ``, providers.NotFound, providers.FaultList, "(404)", 1},
		"a login page":       {200, "text/html", "<html><title>Log in</title><p>Ada", providers.Protocol, providers.FaultForeign, `a web page or XML`, 1},
		"a redirect":         {302, "Location=https://login.test/x?y=z", "", providers.Protocol, providers.FaultRedirect, "redirects (302) to https://login.test", 1},
		"another API":        {200, "", `{"people":[]}`, providers.Protocol, "", "no data", 1},
		"down":               {500, "", `{}`, providers.Transient, "", "answers 500", 2},
		"throttled":          {429, "Retry-After=1", `{}`, providers.Throttled, "", "ask for silence", 1},
		"throttled for long": {429, "Retry-After=3600", `{}`, providers.Throttled, "", "ask for silence", 1},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			client := open(t, connector(t, employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
				asked++
				if key, value, ok := strings.Cut(test.header, "="); ok {
					w.Header().Set(key, value)
				} else if test.header != "" {
					w.Header().Set("Content-Type", test.header)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			begun := time.Now()
			e := wantKind(t, client.Probe(t.Context(), "employees"), test.kind, test.detail)
			if e.Fault != test.fault || asked != test.asked || e.RecordType != "employees" || strings.Contains(e.Error(), "Ada") {
				t.Errorf("%q, fault %q, asked %d times", e, e.Fault, asked)
			}
			if took := time.Since(begun); test.kind == providers.Throttled && took > 900*time.Millisecond {
				t.Errorf("waited %s for a provider that asks for silence", took)
			}
		})
	}
}

// One page is asked for, as small as can be, and read no further than it takes.
func TestProbeIsSmall(t *testing.T) {
	var asked []string
	client := open(t, connector(t, employees(sized)), func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		reply(w, object{"data": records([]string{"1"}), "more": true})
	})
	if err := client.Probe(t.Context(), "employees"); err != nil || fmt.Sprint(asked) != "[limit=1&offset=0]" {
		t.Errorf("%v, asked %v", err, asked)
	}
	big := open(t, connector(t, employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"id":"1","text":"`+strings.Repeat("x", 8<<20))
	})
	if err := big.Probe(t.Context(), "employees"); err != nil {
		t.Errorf("a list of many megabytes: %v", err)
	}
}

// A provider that has a smallest page is asked for its usual one.
func TestProbeOfLargerPages(t *testing.T) {
	var asked []string
	client := open(t, connector(t, employees(sized)), func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("limit"))
		if r.URL.Query().Get("limit") == "1" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		reply(w, object{"data": records([]string{"1"})})
	})
	if err := client.Probe(t.Context(), "employees"); err != nil || fmt.Sprint(asked) != "[1 50]" {
		t.Errorf("%v, asked for pages of %v", err, asked)
	}
}

// The connector's own limit is kept, and a short outage tried over once.
func TestProbeWithinLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		client := open(t, connector(t, "limits: {requests: 1, per: 2s}\n"+employees(whole)), func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			reply(w, object{"data": records([]string{"1"})})
		})
		begun := time.Now()
		if err := client.Probe(t.Context(), "employees"); err != nil || asked != 2 || time.Since(begun) < time.Second {
			t.Errorf("%v after %d requests in %s", err, asked, time.Since(begun))
		}
	})
}

func TestProbeOfUnknownHost(t *testing.T) {
	c := connector(t, employees(whole))
	client, err := c.Open(providers.Target{BaseURL: "http://no-such-host.invalid"}, providers.Options{Backoff: []time.Duration{}})
	if err != nil {
		t.Fatal(err)
	}
	e := wantKind(t, client.Probe(t.Context(), "employees"), providers.Transient, "")
	if e.Host != "no-such-host.invalid" {
		t.Errorf("%+v", e)
	}
}

// A list below another one is as readable as that.
func TestProbeOfNestedList(t *testing.T) {
	var asked []string
	nested := "streams:\n  jobs:\n    request: {get: /jobs}\n    records: {path: data, id: id}\n    page: none\n" +
		"  applications:\n    parent: {stream: jobs}\n    request: {get: '/jobs/${parent}/applications'}\n    records: {path: data, id: id}\n    page: none\n"
	nested = strings.ReplaceAll(nested, "jobs:", "job_postings:")
	nested = strings.ReplaceAll(nested, "stream: jobs", "stream: job_postings")
	client := open(t, connector(t, nested), func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		reply(w, object{"data": records([]string{"1"})})
	})
	if err := client.Probe(t.Context(), "applications"); err != nil || fmt.Sprint(asked) != "[/jobs]" {
		t.Errorf("%v, asked %v", err, asked)
	}
}
