package main

import (
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
