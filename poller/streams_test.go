package poller

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestScheduleInForce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.people.staff(3)
		a := r.account(func(n *NewAccount) { n.Schedule = "" })
		r.poll(a)
		expect := func(schedule, from string) {
			t.Helper()
			s := r.stream(a)
			parsed, err := ParseSchedule(schedule, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			next := parsed.Next(time.Now(), a.ID+"/employees")
			if s.Schedule != schedule || s.ScheduleFrom != from || next.Sub(s.NextPollAt).Abs() > time.Second {
				t.Errorf("%s from %s, next poll %s; want %s from %s, %s", s.Schedule, s.ScheduleFrom, s.NextPollAt, schedule, from, next)
			}
		}
		set := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		stream := func(schedule string) {
			_, err := r.streams.Update(ctx, DefaultProject, a.ID, "employees", StreamUpdate{Schedule: &schedule})
			set(err)
		}
		account := func(schedule string) {
			_, err := r.accounts.Update(ctx, DefaultProject, a.ID, AccountUpdate{Schedule: &schedule})
			set(err)
		}
		recordType := func(schedule string) {
			set(r.streams.SetSchedule(ctx, DefaultProject, RecordTypeSchedule{RecordType: "employees", Schedule: schedule}))
		}
		expect("1h", FromDefault)
		recordType("8h")
		expect("8h", FromRecordType)
		r.poll(a)
		expect("8h", FromRecordType)
		account("6h")
		expect("6h", FromAccount)
		stream("0 6 * * *")
		expect("0 6 * * *", FromStream)
		r.poll(a)
		expect("0 6 * * *", FromStream)
		stream("")
		expect("6h", FromAccount)
		account("")
		expect("8h", FromRecordType)
		if got, err := r.streams.Schedules(ctx, DefaultProject); err != nil || len(got) != 1 || got[0] != (RecordTypeSchedule{RecordType: "employees", Schedule: "8h"}) {
			t.Errorf("%v %v", got, err)
		}
		recordType("")
		expect("1h", FromDefault)
		if err := r.streams.SetSchedule(ctx, DefaultProject, RecordTypeSchedule{RecordType: "employee", Schedule: "1h"}); err == nil || !strings.Contains(err.Error(), `did you mean "employees"?`) {
			t.Errorf("a record type that nobody has: %v", err)
		}
		if _, err := r.streams.Get(ctx, DefaultProject, a.ID, "employee"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "the account has employees") {
			t.Errorf("a stream that the account has not got: %v", err)
		}
		if err := r.streams.SetSchedule(ctx, DefaultProject, RecordTypeSchedule{RecordType: "employees", Schedule: "often"}); err == nil {
			t.Error("a wrong schedule was accepted")
		}
	})
}

// A record type's incremental schedule goes with its complete one: it is in force where
// that is, in streams that can be asked for changes, unless they have their own.
func TestIncrementalScheduleOfARecordType(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(5)
		a, plain := r.lab(nil), r.account(nil)
		for _, account := range []Account{a, plain} {
			none := ""
			if _, err := r.accounts.Update(t.Context(), DefaultProject, account.ID, AccountUpdate{Schedule: &none}); err != nil {
				t.Fatal(err)
			}
			r.poll(account)
		}
		record := RecordTypeSchedule{RecordType: "employees", Schedule: "6h", IncrementalSchedule: "5m"}
		if err := r.streams.SetSchedule(t.Context(), DefaultProject, record); err != nil {
			t.Fatal(err)
		}
		if got, err := r.streams.Schedules(t.Context(), DefaultProject); err != nil || len(got) != 1 || got[0] != record {
			t.Errorf("%v %v", got, err)
		}
		expect := func(account Account, incremental string, soonest bool) {
			t.Helper()
			s := r.stream(account)
			if soon := time.Until(s.NextPollAt) <= 5*time.Minute+time.Second; s.IncrementalSchedule != incremental || soonest && !soon {
				t.Errorf("%s: incremental %q, next poll in %s", account.Provider, s.IncrementalSchedule, time.Until(s.NextPollAt))
			}
		}
		expect(a, "5m", true)
		expect(plain, "", false)
		r.poll(a)
		expect(a, "5m", true)
		set := func(schedule, incremental string) {
			t.Helper()
			if _, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{Schedule: &schedule, IncrementalSchedule: &incremental}); err != nil {
				t.Fatal(err)
			}
		}
		set("", "10m")
		expect(a, "10m", false)
		set("6h", "")
		expect(a, "", false)
		set("", "")
		expect(a, "5m", true)
		for _, wrong := range []RecordTypeSchedule{{"employees", "", "5m"}, {"employees", "6h", "often"}} {
			if err := r.streams.SetSchedule(t.Context(), DefaultProject, wrong); err == nil {
				t.Errorf("%+v was accepted", wrong)
			}
		}
	})
}

// A new stream keeps its first poll, whatever schedule comes.
func TestNewStreamStaysDue(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.account(nil)
		schedule := "24h"
		if _, err := r.streams.Update(t.Context(), DefaultProject, a.ID, "employees", StreamUpdate{Schedule: &schedule}); err != nil {
			t.Fatal(err)
		}
		if claims, err := r.poller.claimDue(t.Context(), 10); err != nil || len(claims) != 1 {
			t.Errorf("%v %v", claims, err)
		}
	})
}

func TestStreamUpdated(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.people.staff(3)
		a := r.account(nil)
		update := func(u StreamUpdate) Stream {
			t.Helper()
			s, err := r.streams.Update(ctx, DefaultProject, a.ID, "employees", u)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		yes, no, emit, inherited := true, false, BaselineEmit, ""
		if s := update(StreamUpdate{Paused: &yes}); s.State != StreamPaused {
			t.Errorf("%+v", s)
		}
		if claims, err := r.poller.claimDue(ctx, 10); err != nil || len(claims) != 0 {
			t.Errorf("a paused stream is polled: %v %v", claims, err)
		}
		if s := update(StreamUpdate{Paused: &no, Baseline: &emit}); s.State != StreamNew || s.Baseline != BaselineEmit {
			t.Errorf("%+v", s)
		}
		if got := r.poll(a); got.Created != 3 {
			t.Errorf("%+v", got)
		}
		if s := update(StreamUpdate{Baseline: &inherited}); s.Baseline != BaselineSilent {
			t.Errorf("%+v", s)
		}
		wrong, loud, paths, none, one := "1ms", "loud", []string{"a..b"}, 0, 1
		for field, u := range map[string]StreamUpdate{"quarantine_threshold": {QuarantineThreshold: &none}, "release_after": {ReleaseAfter: &one}, "schedule": {Schedule: &wrong}, "baseline": {Baseline: &loud}, "ignore_paths": {IgnorePaths: &paths}} {
			_, err := r.streams.Update(ctx, DefaultProject, a.ID, "employees", u)
			if refusal, ok := errors.AsType[*InvalidError](err); !ok || refusal.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if _, err := r.streams.Update(ctx, DefaultProject, a.ID, "interviews", StreamUpdate{Paused: &yes}); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such stream: %v", err)
		}
	})
}

func TestStreamsListed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		both := func(n *NewAccount) { n.RecordTypes = []string{"candidates", "employees"} }
		first, second := r.account(both), r.account(both)
		var listed []string
		for after := int64(0); ; {
			page, err := r.streams.List(t.Context(), DefaultProject, StreamQuery{After: after, Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, s := range page {
				listed = append(listed, s.AccountID+"/"+s.RecordType)
				after = s.ID
			}
		}
		if len(listed) != 4 || listed[0] != first.ID+"/candidates" || listed[3] != second.ID+"/employees" {
			t.Error(listed)
		}
		one, err := r.streams.List(t.Context(), DefaultProject, StreamQuery{AccountID: second.ID, Limit: 10})
		if err != nil || len(one) != 2 || one[0].AccountID != second.ID || one[0].Provider != "generic" {
			t.Errorf("%+v %v", one, err)
		}
		if other, err := r.streams.List(t.Context(), "another", StreamQuery{Limit: 10}); err != nil || len(other) != 0 {
			t.Errorf("another project sees %v %v", other, err)
		}
	})
}
