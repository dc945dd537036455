package poller

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// Sums and searches tell of each stream what Stream itself tells, whatever its state.
func TestOverviewAgreesWithStreams(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.people.staff(3)
		made := map[string]Account{}
		for _, name := range []string{"ok", "new", "paused", "account paused", "failing", "needs_attention", "quarantined", "stormed", "late"} {
			made[name] = r.account(func(n *NewAccount) { n.OriginOwnerName = "Owner 100% " + name })
			if name != "new" {
				r.poll(made[name])
			}
		}
		run := func(statement string, args ...any) {
			t.Helper()
			if _, err := r.db.ExecContext(ctx, statement, args...); err != nil {
				t.Fatal(err)
			}
		}
		run(`UPDATE streams SET paused = true WHERE account_id = $1`, made["paused"].ID)
		if _, err := r.accounts.Pause(ctx, DefaultProject, made["account paused"].ID); err != nil {
			t.Fatal(err)
		}
		run(`UPDATE streams SET failures = 2, next_poll_at = $1 WHERE account_id = $2`, time.Now().UTC().Add(-time.Hour), made["failing"].ID)
		run(`UPDATE accounts SET state = 'needs_attention' WHERE id = $1`, made["needs_attention"].ID)
		run(`UPDATE streams SET next_poll_at = $1 WHERE account_id = $2`, time.Now().UTC().Add(-2*time.Minute), made["late"].ID)
		run(`UPDATE streams SET next_poll_at = $1 WHERE account_id = $2`, time.Now().UTC().Add(-30*time.Second), made["ok"].ID) // due, not late
		const doubt = `INSERT INTO doubts (stream_id, suspected, quarantined, stormed, since_at) SELECT id, $1, $2, $3, $4 FROM streams WHERE account_id = $5`
		run(doubt, []byte{}, make([]byte, 80), []byte{}, time.Now().UTC(), made["quarantined"].ID)
		run(doubt, []byte{}, []byte{}, make([]byte, 80), time.Now().UTC(), made["stormed"].ID)

		all, err := r.streams.List(ctx, DefaultProject, StreamQuery{Limit: 100})
		if err != nil || len(all) != len(made) {
			t.Fatal(len(all), err)
		}
		states := map[string][]string{}
		for _, s := range all {
			states[s.State] = append(states[s.State], s.AccountID)
		}
		health, err := r.streams.Health(ctx, DefaultProject)
		if err != nil || len(health.Types) != 1 {
			t.Fatal(health, err)
		}
		counted := map[string]int{}
		for state, ids := range states {
			counted[state] = len(ids)
		}
		if h := health.Types[0]; !maps.Equal(h.States, counted) || h.Late != 1 || h.RecordType != "employees" || h.Streams() != len(made) || h.Records != 3*int64(len(made)-1) {
			t.Errorf("health %+v, want %v", h, counted)
		}
		find := func(f StreamFilter) (ids []string) {
			t.Helper()
			f.Limit = 100
			found, err := r.streams.Find(ctx, DefaultProject, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range found {
				ids = append(ids, s.AccountID)
			}
			return ids
		}
		for state, ids := range states {
			if found := find(StreamFilter{States: []string{state}}); !slices.Equal(found, ids) {
				t.Errorf("%s: found %v, want %v", state, found, ids)
			}
		}
		for _, state := range []string{StreamNeedsAttention, StreamQuarantined, StreamFailing} {
			if found := find(StreamFilter{IDs: health.Wanting[state]}); len(found) == 0 || !slices.Equal(found, states[state]) {
				t.Errorf("%s: the streams that want attention are %v, want %v", state, found, states[state])
			}
		}
		if found := find(StreamFilter{IDs: health.Wanting[StreamLate]}); len(health.Wanting) != 4 || !slices.Equal(found, []string{made["late"].ID}) {
			t.Errorf("late: the streams that want attention are %v of %v", found, health.Wanting)
		}
		if found := find(StreamFilter{States: []string{StreamLate}}); !slices.Equal(found, []string{made["late"].ID}) {
			t.Errorf("late: %v, want %s", found, made["late"].ID)
		}
		if found := find(StreamFilter{States: []string{StreamFailing, StreamLate}, RecordType: "employees", Provider: "generic", AccountIDs: []string{made["late"].ID, made["ok"].ID}}); !slices.Equal(found, []string{made["late"].ID}) {
			t.Errorf("all filters: %v", found)
		}
		names, err := r.accounts.Names(ctx, DefaultProject, []string{made["ok"].ID, "nobody"})
		if err != nil || !maps.Equal(names, map[string]string{made["ok"].ID: "Owner 100% ok"}) {
			t.Errorf("names %v %v", names, err)
		}
		if found := find(StreamFilter{RecordType: "candidates"}); len(found) > 0 {
			t.Errorf("another record type: %v", found)
		}
	})
}

func TestFindAccounts(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		acme := r.account(func(n *NewAccount) { n.OriginOwnerName, n.OriginOwnerID = "ACME 100%", "acme_1" })
		other := r.account(func(n *NewAccount) { n.OriginOwnerName = "Other" })
		if _, err := r.accounts.Pause(ctx, DefaultProject, other.ID); err != nil {
			t.Fatal(err)
		}
		both := []string{acme.ID, other.ID}
		slices.Sort(both)
		for _, c := range []struct {
			filter AccountFilter
			want   []string
		}{
			{AccountFilter{}, both},
			{AccountFilter{After: both[0]}, both[1:]},
			{AccountFilter{Text: "acme"}, []string{acme.ID}},
			{AccountFilter{Text: "acme_"}, []string{acme.ID}},
			{AccountFilter{Text: "0%"}, []string{acme.ID}},
			{AccountFilter{Text: "acme%1"}, nil},
			{AccountFilter{Text: other.ID[3:12]}, []string{other.ID}},
			{AccountFilter{State: StatePaused}, []string{other.ID}},
			{AccountFilter{Provider: "bamboohr"}, nil},
		} {
			c.filter.Limit = 10
			found, err := r.accounts.Find(ctx, DefaultProject, c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, a := range found {
				ids = append(ids, a.ID)
			}
			if !slices.Equal(ids, c.want) {
				t.Errorf("%+v: %v, want %v", c.filter, ids, c.want)
			}
		}
		states, err := r.accounts.AccountStates(ctx, DefaultProject)
		if want := map[string]int{StateActive: 1, StatePaused: 1}; err != nil || !maps.Equal(states, want) {
			t.Errorf("states %v %v", states, err)
		}
		if none, err := r.accounts.Find(ctx, "elsewhere", AccountFilter{Limit: 10}); err != nil || len(none) > 0 {
			t.Errorf("another project: %v %v", none, err)
		}
	})
}
