package main

import (
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func TestWhy(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	before, later := now.Add(-time.Hour), now.Add(time.Hour)
	known := api.Stream{AccountID: "acc", RecordType: "employees", Schedule: "15m", ScheduleFrom: "record_type", LastCompleteAt: &before, NextPollAt: &later}
	for name, c := range map[string]struct {
		account api.Account
		change  func(*api.Stream)
		want    []string // each in one sentence, in this order
	}{
		"all is well": {api.Account{}, func(*api.Stream) {}, []string{"the schedule 15m, which comes from the record type (precedence: stream, account, record type, provider, 1h). Next: 2026-11-22 11:00:00Z."}},
		"quarantine": {api.Account{}, func(s *api.Stream) {
			s.Quarantine = &api.Quarantine{Reason: "40 % are missing", Missing: 40, Since: before, Polls: 2}
		}, []string{"too big to believe (40 % are missing): 40 missing, 0 created, 0 updated, in listings that found the same: 2. If it is true: synthook stream approve acc employees; if not: synthook stream reject acc employees.", "15m"}},
		"a storm": {api.Account{}, func(s *api.Stream) {
			s.Quarantine = &api.Quarantine{Reason: "all updated", Updated: 40, Since: before, Polls: 1, Fields: []string{"photoUrl", "a b"}}
		}, []string{"0 missing, 0 created, 40 updated", "the same fields: photoUrl, a b. Where that means nothing: synthook stream update acc employees --ignore photoUrl --ignore 'a b', and the next poll", "15m"}},
		"silence":         {api.Account{BlockedUntil: &later}, func(*api.Stream) {}, []string{"silence until 2026-11-22 11:00:00Z", "15m"}},
		"silence is over": {api.Account{BlockedUntil: &before}, func(*api.Stream) {}, []string{"15m"}},
		"doubts": {api.Account{}, func(s *api.Stream) { s.Failures, s.LastError, s.Suspected = 1, "status 500", 3 },
			[]string{"1 poll in a row failed (status 500)", "3 records missing once", "15m"}},
		"new, silent":    {api.Account{}, func(s *api.Stream) { s.LastCompleteAt = nil }, []string{"stays silent", "15m"}},
		"new, emitting":  {api.Account{}, func(s *api.Stream) { s.LastCompleteAt, s.Baseline = nil, "emit" }, []string{"created for every record", "15m"}},
		"account paused": {api.Account{State: "paused"}, func(s *api.Stream) { s.NextPollAt = nil }, []string{"synthook account resume acc", "Next: not planned."}},
		"refused":        {api.Account{State: "needs_attention", StateReason: "401"}, func(*api.Stream) {}, []string{"refuses the account (401). It is asked again, and polled", "15m"}},
		"asked again":    {api.Account{State: "needs_attention", StateReason: "401", NextCheckAt: &later}, func(*api.Stream) {}, []string{"It is asked again at 2026-11-22 11:00:00Z", "15m"}},
		"refused alone": {api.Account{State: "active"}, func(s *api.Stream) { s.State, s.LastError, s.NextPollAt = "needs_attention", "no scope (403)", &later },
			[]string{"refuses this list (no scope (403)). It is asked again at 2026-11-22 11:00:00Z; the account's other streams are polled. To ask now: synthook account check acc", "15m"}},
	} {
		t.Run(name, func(t *testing.T) {
			stream := known
			c.change(&stream)
			got := why(c.account, stream, now)
			if len(got) != len(c.want) {
				t.Fatalf("%d sentences, want %d: %q", len(got), len(c.want), got)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%q does not hold %q", got[i], want)
				}
			}
		})
	}
}

func TestWhyVolatile(t *testing.T) {
	s := api.Stream{AccountID: "acc", RecordType: "employees"}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		field api.VolatileField
		want  string
	}{
		{api.VolatileField{Path: "seen", Polls: 9, Of: 12, Records: 31},
			"The field seen seems to change by itself: it changed in 9 of the latest 12 polls, in 31 records. If that means nothing: synthook stream update acc employees --ignore seen"},
		{api.VolatileField{Path: "seen", Polls: 1, Of: 1, Records: 90, Most: []api.FieldEvidence{{PollID: 7, StartedAt: at, Records: 90, Of: 100}}},
			"The field seen seems to change by itself: it changed in 1 of the latest 1 poll, in 90 records. Most records at once: poll 7 of 2026-11-22 10:00:00Z in 90 of 100. If that means nothing: synthook stream update acc employees --ignore seen"},
		{api.VolatileField{Path: "*", Polls: 9, Of: 12, Records: 31},
			"Fields without a name of their own seem to change by themselves: in 9 of the latest 12 polls, in 31 records. synthook stream doctor acc employees shows which."},
	} {
		if got := whyVolatile(s, c.field); got != c.want {
			t.Errorf("%q, want\n%q", got, c.want)
		}
	}
}

func TestDescribeFields(t *testing.T) {
	fields := map[string]int{"a": 1, "b": 7, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}
	if got, want := describeFields(fields), "; changed: b 7, a 1, c 1, d 1, e 1, 2 more"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := describeFields(nil); got != "" {
		t.Errorf("%q", got)
	}
}
