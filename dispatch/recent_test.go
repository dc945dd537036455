package dispatch

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// What an attempt sent is written again byte for byte, and signed the same.
func TestSentIsWhatWasSent(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		f.append("r1")
		f.dispatch()
		got := r.waitAccepted(t, 1)[0]
		event := f.events()[0]
		eventually(t, "the attempt is on record", func() bool {
			recent, err := f.webhooks.Recent(t.Context(), project, w.ID, 5)
			return err == nil && len(recent) == 1 && recent[0].Event.UID == event.UID && recent[0].Status == http.StatusOK
		})
		recent, err := f.webhooks.Recent(t.Context(), project, w.ID, 5)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := f.webhooks.Sent(t.Context(), project, w.ID, event, recent[0].At)
		if err != nil || string(sent.Body) != string(got.body) || sent.URL != r.URL {
			t.Errorf("sent %s to %s (%v), received %s", sent.Body, sent.URL, err, got.body)
		}
		for _, h := range sent.Headers {
			if is := got.header.Get(h.Name); is != h.Value {
				t.Errorf("%s: %s, received %s", h.Name, h.Value, is)
			}
		}
		if len(sent.Headers) != 6 {
			t.Errorf("headers %v", sent.Headers)
		}
		if _, err := f.webhooks.Sent(t.Context(), "elsewhere", w.ID, event, recent[0].At); !errors.Is(err, ErrNotFound) {
			t.Errorf("another project: %v", err)
		}
		if _, err := f.webhooks.Recent(t.Context(), "elsewhere", w.ID, 5); !errors.Is(err, ErrNotFound) {
			t.Errorf("another project: %v", err)
		}
	})
}

// The newest attempts come first, and no more than were asked for.
func TestRecentAttempts(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		r := newReceiver(t, nil)
		w, other := f.create(r.URL, "hris_employees.updated"), f.create(r.URL, "account.created")
		f.append("r1", "r2", "r3")
		f.dispatch()
		r.waitAccepted(t, 3)
		var recent []RecentAttempt
		eventually(t, "all are on record", func() bool {
			all, err := f.webhooks.Recent(t.Context(), project, w.ID, 10)
			recent = all
			return err == nil && len(all) == 3
		})
		if !slices.IsSortedFunc(recent, func(a, b RecentAttempt) int { return b.At.Compare(a.At) }) {
			t.Errorf("order: %v", recent)
		}
		if two, err := f.webhooks.Recent(t.Context(), project, w.ID, 2); err != nil || len(two) != 2 || two[0].EventID == two[1].EventID || two[0].At.Before(two[1].At) {
			t.Errorf("two of them: %v %v", two, err)
		}
		if none, err := f.webhooks.Recent(t.Context(), project, other.ID, 10); err != nil || len(none) > 0 {
			t.Errorf("of another webhook: %v %v", none, err)
		}
	})
}

// A backlog that is followed is the one that is counted, whatever moved meanwhile.
func TestBacklogIsFollowed(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		w := f.create("http://127.0.0.1:1/", "hris_employees.*")
		expect := func(want int64) {
			t.Helper()
			if n := f.get(w.ID).Backlog; n != want {
				t.Errorf("backlog %d, want %d", n, want)
			}
		}
		expect(0)
		ids := f.appendMany(10, 10)
		f.appendNamed("ats_candidates.created", "c1", "c2")
		expect(10)
		f.exec(`UPDATE webhooks SET cursor_id = $1 WHERE id = $2`, ids[2], w.ID)
		expect(7)
		f.append("r1", "r2")
		expect(9)
		f.exec(`UPDATE webhooks SET cursor_id = $1 WHERE id = $2`, ids[8], w.ID)
		more := f.append("r3")
		expect(4)
		if _, err := f.webhooks.Update(t.Context(), project, w.ID, WebhookUpdate{Events: []string{"*"}}); err != nil {
			t.Fatal(err)
		}
		expect(6)
		f.exec(`UPDATE webhooks SET cursor_id = $1 WHERE id = $2`, ids[0], w.ID)
		expect(14)
		f.exec(`UPDATE webhooks SET cursor_id = $1 WHERE id = $2`, more[0], w.ID)
		expect(0)
	})
}
