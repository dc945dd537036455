package dashboard_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var scale = flag.Int("scale", 0, "events of TestScale, which prints what every page weighs and takes with them and a hundredth as many streams; 0: it is not run")

// What every page weighs and takes in a big installation is printed for who asks:
//
//	go test ./cmd/synthook/internal/dashboard -run Scale -scale 1000000 -timeout 0
func TestScale(t *testing.T) {
	if *scale == 0 {
		return
	}
	migrationstest.Each(t, func(t *testing.T, location string) {
		account := fill(t, location, *scale)
		rig := servicetest.Start(t, servicetest.Settings(location))
		v := newVisitor(t, rig)
		v.login(servicetest.AdminKey)
		event := "/events/" + newest(t, rig)
		hook := "/webhooks/wh_scale"
		pages := map[string]string{
			"overview": "/", "accounts": "/accounts", "accounts, searched": "/accounts?q=owner+77", "account": "/accounts/" + account,
			"streams": "/streams", "streams, failing": "/streams?state=failing", "streams, attention": "/streams?state=attention",
			"stream": "/accounts/" + account + "/streams/employees", "webhooks": "/webhooks", "webhook": hook, "webhook, behind": "/webhooks/wh_behind", "replay, counted": hook + "/replay?event=hris_employees.*",
			"events": "/events", "events of an account": "/events?account=" + account, "events of a record": "/events?record=r77", "events, rare": "/events?event=account.created",
			"event": event, "providers": "/providers", "add account": "/accounts/new/generic", "settings": "/settings", "tune": "/tune",
		}
		v.get("/") // the first count of the day goes on behind it
		for _, name := range slices.Sorted(maps.Keys(pages)) {
			var took []time.Duration
			var size int
			for range 9 {
				began := time.Now()
				size = v.get(pages[name])
				took = append(took, time.Since(began))
				if v.status != http.StatusOK {
					t.Fatalf("%s: status %d", name, v.status)
				}
			}
			slices.Sort(took)
			t.Logf("%-22s %6.1f kB %7.1f ms (least of 9; median %.1f ms; first load with styles and script %.1f kB)",
				name, float64(size)/1000, float64(took[0].Microseconds())/1000, float64(took[4].Microseconds())/1000, float64(size+v.assets)/1000)
		}
	})
}

// fill makes a big installation and returns one of its accounts.
func fill(t *testing.T, location string, events int) (account string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	db, err := migrations.Open(ctx, location)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, _, err := migrations.Up(ctx, db.DB); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run(`INSERT INTO projects (id, name, hash_key, created_at) VALUES ('default', 'default', $1, $2)`, []byte{1}, now)
	run(`INSERT INTO webhooks (id, project_id, url, events, cursor_id, enabled, last_success_at, created_at, updated_at) VALUES
		('wh_behind', 'default', 'http://127.0.0.1:1/', '["hris_employees.*"]', 0, false, NULL, $1, $1), ('wh_scale', 'default', 'http://127.0.0.1:1/', '["hris_employees.*"]', $2, true, $1, $1, $1)`, now, events)
	run(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO accounts (id, project_id, provider, credentials, origin_owner_name, created_at, updated_at)
		SELECT 'account-' || i, 'default', 'bamboohr', $2, 'Owner ' || i, $3, $3 FROM n`, events/400, []byte{1}, now)
	for _, recordType := range []string{"employees", "employments", "applications", "job_postings"} {
		run(`INSERT INTO streams (account_id, record_type, next_poll_at, last_poll_at, last_complete_at, polls, requests, complete_ms, last_duration_ms, records, failures)
			SELECT id, $1, $2, $3, $3, 10, 70, 100 + length(id) * 7 + CAST(substr(id, 9) AS integer) % 3001, 100, 1000, CASE WHEN length(id) = 10 THEN 1 ELSE 0 END FROM accounts`, recordType, now.Add(time.Hour), now.Add(-time.Minute))
	}
	step := 20 * time.Hour / time.Duration(events/5)
	at := fmt.Sprintf(`$2 + i * %d`, step.Microseconds())
	if db.Pool != nil {
		at = fmt.Sprintf(`CAST($2 AS timestamptz) + i * interval '%d microseconds'`, step.Microseconds())
	}
	run(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO attempts (webhook_id, event_id, attempted_at, duration_ms, status) SELECT 'wh_scale', 5 * i, `+at+`, 12, 204 FROM n`, events/5, now.Add(-20*time.Hour))
	run(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
		INSERT INTO retries (webhook_id, event_id, record_key, state, attempts, due_at, last_error, created_at)
		SELECT 'wh_scale', 7 * i, i, CASE WHEN i % 10 = 0 THEN 'dead' ELSE 'pending' END, 3, $1, 'status 401', $2 FROM n`, now.Add(10*time.Hour), now)
	log := func(yield func(hashstore.Event) bool) {
		for i := range events {
			e := hashstore.Event{
				ProjectID: "default", AccountID: fmt.Sprintf("account-%d", i/7%(events/400)+1), Name: "hris_employees.updated", RecordType: "employees",
				RecordID: fmt.Sprintf("r%d", i%5000), OccurredAt: now.Add(-time.Duration(events-i) * 20 * time.Hour / time.Duration(events)).Truncate(time.Second),
			}
			if i%40 == 0 {
				e.Name = "hris_employees.created"
			}
			if !yield(e) {
				return
			}
		}
	}
	if _, err := hashstore.New(db.DB).Append(ctx, tx, log); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if db.Pool != nil {
		if _, err := db.ExecContext(ctx, `ANALYZE`); err != nil {
			t.Fatal(err)
		}
	}
	return "account-77"
}

// newest is the id of the newest event.
func newest(t *testing.T, r *servicetest.Rig) string {
	t.Helper()
	var page struct{ Items []struct{ ID string } }
	r.Call("GET /v1/events?limit=1", servicetest.AdminKey, "").Decode(t, &page)
	return page.Items[0].ID
}
