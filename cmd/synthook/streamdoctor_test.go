package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// What a diagnosis advises is a command that works, adds to what was ignored before and
// leaves a stream that is healthy.
func TestDoctorsAdviceHeals(t *testing.T) {
	t.Parallel()
	i := install(t, "--allow-private-networks")
	var reading atomic.Int64
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := reading.Add(1)
		fmt.Fprintf(w, `[{"id":1,"name":"marker-a","devices":[{"battery":%d}],"$seen":"marker-%d"},{"id":2,"name":"marker-b"}]`, n, n)
	}))
	t.Cleanup(provider.Close)
	id := decode[api.Account](t, i.run("account", "add", "--provider", "generic", "--base-url", provider.URL, "--credential", "employees_path=/", "--credential", "paging=none", "--schedule", "24h", "--json")).ID
	i.ok("stream update "+id+" employees --ignore lastSeen --ignore lastSeen", "lastSeen")
	i.ok("stream poll "+id+" employees --wait", "complete") // no other poll is due then

	command := "synthook stream update " + id + " employees --ignore '$seen' --ignore 'devices.*.battery'"
	sick := i.run("stream", "doctor", id, "employees", "--json")
	found := decode[consultation](t, sick)
	if found.Healthy || found.Compared != 2 || found.Unstable != 1 || !strings.Contains(strings.Join(found.Advice, "\n"), command) {
		t.Errorf("%+v", found)
	}
	if strings.Contains(sick.stdout, "marker") {
		t.Errorf("a value is shown: %s", sick.stdout)
	}
	i.ok("stream update "+id+" employees --ignore $seen --ignore devices.*.battery", "lastSeen $seen devices.*.battery")
	i.ok("stream doctor "+id+" employees", "listing 2: complete: 2 records on 1 page", "2 records compared, 0 of them differ", "nothing differs")

	provider.Close()
	if r := i.run("stream", "doctor", id, "employees"); r.status != exitFailed || !strings.Contains(r.stdout, "refuses connections") {
		t.Errorf("without a provider: %+v", r)
	}
	if r := i.run("stream", "doctor", id, "candidates"); r.status != exitFailed || r.stdout != "" {
		t.Errorf("no such stream: %+v", r)
	}
}

func TestAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		found api.Diagnosis
		want  []string // in this order, of one sentence each
	}{
		"healthy":         {api.Diagnosis{Healthy: true, Compared: 7}, nil},
		"often":           {api.Diagnosis{Compared: 200, Differ: []api.UnstablePath{{Path: "a", Records: 200}, {Path: "a.b", Records: 9}, {Path: "ab", Records: 2}}}, []string{"synthook stream update acc employees --ignore a --ignore ab", "run this again"}},
		"rarely":          {api.Diagnosis{Compared: 201, Differ: []api.UnstablePath{{Path: "a", Records: 2}}}, []string{"named again can be ignored: synthook stream update acc employees --ignore a", "run this again"}},
		"order":           {api.Diagnosis{Compared: 2, Reordered: []api.UnstablePath{{Path: "l.*.tags", Records: 1}}}, []string{`streams.employees: sets: ["l.*.tags"]`, "run this again"}},
		"error":           {api.Diagnosis{Error: "provider says 5, got 4"}, []string{"synthook stream explain acc employees"}},
		"repeated":        {api.Diagnosis{Repeated: api.CountedRecords{Count: 1}}, []string{"Ids repeat"}},
		"one listing":     {api.Diagnosis{OnlySecond: api.CountedRecords{Count: 1}}, []string{"lacks records"}},
		"a big stream":    {api.Diagnosis{Sampled: true, Compared: 30}, []string{"the first 30 records were"}},
		"a word to quote": {api.Diagnosis{Compared: 1, Differ: []api.UnstablePath{{Path: "by.*", Records: 1}}}, []string{`--ignore 'by.*'`, "run this again"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.found.AccountID, c.found.RecordType = "acc", "employees"
			got := advice(c.found)
			if len(got) != len(c.want) {
				t.Fatalf("%q", got)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) || strings.Contains(got[i], "a.b") {
					t.Errorf("%q, want %q", got[i], want)
				}
			}
		})
	}
	if got := quoted("it's"); got != `'it'\''s'` {
		t.Errorf("quoted: %s", got)
	}
}
