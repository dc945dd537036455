package dispatch

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// Every POST is reported with what came of it, a replay without a latency.
func TestAttemptsAreReported(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		var mu sync.Mutex
		var reports []Report
		refuse := true
		endpoint := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			mu.Lock()
			defer mu.Unlock()
			if refuse && p.record == "2" {
				refuse = false
				return http.StatusBadRequest
			}
			return http.StatusOK
		})
		w := f.create(endpoint.URL)
		f.append("1", "2")
		f.exec(`UPDATE test_events SET occurred_at = $1`, time.Now().Add(-time.Minute).UTC())
		_, stop := f.dispatch(func(c *Config) {
			c.OnAttempt = func(r Report) {
				mu.Lock()
				defer mu.Unlock()
				reports = append(reports, r)
			}
		})
		reported := func() []Report {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(reports)
		}
		eventually(t, "three attempts", func() bool { return len(reported()) == 3 })
		refused := 0
		for _, r := range reported() {
			if r.WebhookID != w.ID || r.EventName != "hris_employees.updated" || r.EventUID == "" || r.Duration <= 0 || (r.Latency-time.Minute).Abs() > 50*time.Second {
				t.Errorf("report: %+v", r)
			}
			if r.Error == "status" && r.Status == http.StatusBadRequest {
				refused++
			} else if r.Error != "" || r.Status != http.StatusOK {
				t.Errorf("report: %+v", r)
			}
		}
		if refused != 1 {
			t.Errorf("%d refusals reported", refused)
		}
		if _, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, WebhookID: w.ID}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "two replayed", func() bool { return len(reported()) == 5 })
		for _, r := range reported()[3:] {
			if r.Latency != 0 {
				t.Errorf("a replay with a latency: %+v", r)
			}
		}
		stop()
	})
}

func TestSums(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		ids := f.append("1", "2", "3")
		ahead, down, off := f.create("https://example.com/"), f.create("https://example.com/"), f.create("https://example.com/")
		f.exec(`UPDATE webhooks SET cursor_id = $1 WHERE id = $2`, ids[2], ahead.ID)
		f.exec(`UPDATE webhooks SET cursor_id = $1, probe_at = $2 WHERE id = $3`, ids[0], time.Now().UTC(), down.ID)
		f.exec(`UPDATE webhooks SET enabled = $1 WHERE id = $2`, false, off.ID)
		for i, state := range []string{"pending", "dead", "dead"} {
			f.exec(`INSERT INTO retries (webhook_id, event_id, record_key, state, due_at, created_at) VALUES ($1, $2, 1, $3, $4, $4)`, ahead.ID, ids[i], state, time.Now().UTC())
		}
		sums, err := f.webhooks.Sums(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []WebhookSum{{ahead.ID, StateOK, 0}, {down.ID, StateDown, 2}, {off.ID, StateDisabled, 3}}
		for _, w := range want {
			if !slices.Contains(sums.Webhooks, w) {
				t.Errorf("%+v lacks %+v", sums.Webhooks, w)
			}
		}
		if len(sums.Webhooks) != 3 || sums.Retrying != 1 || sums.Dead != 2 {
			t.Errorf("sums: %+v", sums)
		}
	})
}
