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
		"silence":         {api.Account{BlockedUntil: &later}, func(*api.Stream) {}, []string{"silence until 2026-11-22 11:00:00Z", "15m"}},
		"silence is over": {api.Account{BlockedUntil: &before}, func(*api.Stream) {}, []string{"15m"}},
		"doubts": {api.Account{}, func(s *api.Stream) { s.Failures, s.LastError, s.Suspected = 1, "status 500", 3 },
			[]string{"1 poll in a row failed (status 500)", "3 records missing once", "15m"}},
		"new, silent":    {api.Account{}, func(s *api.Stream) { s.LastCompleteAt = nil }, []string{"stays silent", "15m"}},
		"new, emitting":  {api.Account{}, func(s *api.Stream) { s.LastCompleteAt, s.Baseline = nil, "emit" }, []string{"created for every record", "15m"}},
		"account paused": {api.Account{State: "paused"}, func(s *api.Stream) { s.NextPollAt = nil }, []string{"synthook account resume acc", "Next: not planned."}},
		"refused":        {api.Account{State: "needs_attention", StateReason: "401"}, func(*api.Stream) {}, []string{"refuses the account (401)", "15m"}},
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
