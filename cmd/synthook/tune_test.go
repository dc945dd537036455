package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func TestTuneCommand(t *testing.T) {
	t.Parallel()
	i := install(t, "--allow-private-networks", "--min-interval", "1m")
	i.ok("tune", "nothing to tune")
	account := decode[api.Account](t, i.run("account", "add", "--provider", "bamboohr", "--base-url", i.base, "--credential", "api_key="+i.key,
		"--record-type", "employees", "--record-type", "job_postings", "--record-type", "applications", "--json"))
	i.comes("stream list", "ok")
	i.poll(account.ID) // its baseline stands, whichever stream came first
	i.hire(account.ID)
	i.hire(account.ID)
	i.ok("stream set-interval " + account.ID + " applications 3h")

	now := decode[api.Tuning](t, i.run("tune", "--json"))
	if len(now.RecordTypes) != 3 || len(now.Streams) != 3 || now.Budget != now.Before.RequestsPerHour || !now.Met || now.Before.WorstMS < 3*3600_000 {
		t.Errorf("as it is: %+v", now)
	}
	for _, s := range now.Streams {
		if (s.Fixed != "") != (s.RecordType == "applications") || s.Proposed != "" {
			t.Errorf("stream: %+v", s)
		}
		if s.RecordType == "employees" && (s.Changes != 2 || s.RequestsPerPoll < 3) {
			t.Errorf("what was seen of employees: %+v", s)
		}
	}
	if after := now.After; after.RequestsPerHour > now.Budget || after.MeanMS > now.Before.MeanMS {
		t.Errorf("for the same budget: %+v, now %+v", after, now.Before)
	}
	i.ok("tune --budget 60/h --streams", "employees", "job_postings", "set for the stream", account.ID, "1h", "WORST", "counted since:")
	i.ok("tune --budget 0.01/h", "not met:")

	for args, want := range map[string]string{
		"tune --budget fast":                    "500/h",
		"tune --budget 0/h":                     "500/h",
		"tune --staleness soon":                 "duration",
		"tune --budget 5/h --staleness 15m":     "not both",
		"tune --staleness 15m --apply --json":   "add --yes",
		"tune --budget 5/h --longest 1s":        "duration",
		"tune --staleness 15m --window forever": "duration",
	} {
		if r := i.run(strings.Fields(args)...); r.status != exitUsage || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %+v", args, r)
		}
	}

	wanted := decode[api.Tuning](t, i.run("tune", "--staleness", "15m", "--json"))
	schedules := func() string { return i.run("stream", "list", "--json").stdout }
	before := schedules()
	for _, answer := range []string{"", "n\n", "perhaps\n"} {
		r := synthook(t, i.environ, answer, "tune", "--staleness", "15m", "--apply")
		if r.status != exitFailed || !strings.Contains(r.stderr, "Set 2 schedules? [y/N]") || !strings.Contains(r.stderr, "nothing was changed") {
			t.Errorf("the answer %q: %+v", answer, r)
		}
	}
	if schedules() != before {
		t.Error("schedules were changed without a confirmation")
	}
	if r := synthook(t, i.environ, "y\n", "tune", "--staleness", "15m", "--apply"); r.status != exitOK || !strings.Contains(r.stderr, "2 schedules set") {
		t.Errorf("confirmed: %+v", r)
	}
	for _, v := range wanted.RecordTypes {
		if v.RecordType != "applications" {
			i.ok("stream show "+account.ID+" "+v.RecordType, v.Proposed+" (from record type)")
		}
	}
	if r := i.run("tune", "--staleness", "30m", "--per-stream", "--apply", "--yes"); r.status != exitOK || !strings.Contains(r.stderr, "3 schedules set") || !strings.Contains(r.stdout, "by stream") {
		t.Errorf("by stream: %+v", r)
	}
	i.ok("stream show "+account.ID+" applications", "(from stream)")
	if r := i.run("tune", "--staleness", "30m", "--per-stream", "--apply", "--yes"); r.status != exitOK || !strings.Contains(r.stderr, "nothing to change") {
		t.Errorf("once more: %+v", r)
	}
}

// pager is a provider with forty pages of people, which can be asked for what changed:
// that is nothing.
const pager = `name: pager
category: hris
verified: nothing; it is invented
auth: none
streams:
  employees:
    request: {get: /people, query: {page: "${page.number}", since: "${since}"}}
    records: {path: items, id: id}
    page: {kind: page, end: more is false}
    since: {proven: true}
`

// Two speeds are proposed with the cost that polls on record had, set for the record type,
// and kept to from then on.
func TestTuneTwoSpeeds(t *testing.T) {
	t.Parallel()
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if r.URL.Query().Get("since") != "" {
			fmt.Fprint(w, `{"items":[],"more":false}`)
			return
		}
		fmt.Fprintf(w, `{"items":[{"id":"%d-a"},{"id":"%d-b"}],"more":%v}`, page, page, page < 40)
	}))
	t.Cleanup(provider.Close)
	connectors := t.TempDir()
	if err := os.WriteFile(filepath.Join(connectors, "pager.yaml"), []byte(pager), 0o600); err != nil {
		t.Fatal(err)
	}
	i := install(t, "--allow-private-networks", "--min-interval", "1s", "--connectors", connectors)
	account := decode[api.Account](t, i.run("account", "add", "--provider", "pager", "--base-url", provider.URL, "--json"))
	i.poll(account.ID)
	tuned := decode[api.Tuning](t, i.run("tune", "--json"))
	v, s := tuned.RecordTypes[0], tuned.Streams[0]
	if s.RequestsPerPoll < 40 || s.RequestsPerIncrementalPoll != 2 || v.Proposed == "" || v.ProposedIncremental == "" {
		t.Fatalf("proposed: %+v; %+v", v, s)
	}
	if a, b := v.After, v.Before; a.MeanMS >= b.MeanMS || a.Updates.MeanMS >= a.Deletions.MeanMS || a.Deletions.WorstMS <= b.Deletions.WorstMS || a.RequestsPerHour > b.RequestsPerHour {
		t.Errorf("before %+v, after %+v", b, a)
	}
	both := v.Proposed + " + " + v.ProposedIncremental
	if r := i.run("tune", "--apply", "--yes"); r.status != exitOK || !strings.Contains(r.stdout, both) || !strings.Contains(r.stderr, "1 schedule set") {
		t.Errorf("%+v", r)
	}
	i.ok("stream show "+account.ID+" employees", v.Proposed+" (from record type)", v.ProposedIncremental)
	i.ok("stream set-interval --record-type employees 6h --incremental 1s", "employees of the project: 6h + 1s")
	i.comes("tune --json", `"requests_per_incremental_poll":1,`) // every second, of nothing
	tuned = decode[api.Tuning](t, i.run("tune", "--json"))
	if s := tuned.Streams[0]; s.RequestsPerPoll < 40 || s.IncrementalSchedule != "1s" || s.Before.RequestsPerHour < 3600 {
		t.Errorf("what polls showed: %+v", s)
	}
	i.ok("tune --streams", "6h + 1s")
	if r := i.run("tune", "--budget", "60/h", "--per-stream", "--apply", "--yes"); r.status != exitOK {
		t.Errorf("%+v", r)
	}
	i.ok("stream show "+account.ID+" employees", "(from stream)")
	i.ok("tune --budget 60/h --per-stream --apply --yes", "stays")
}
