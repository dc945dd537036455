package dispatch

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// TestStormLosesNothingAndKeepsOrder lets a receiver fail in every way at random, in
// spells, while events are appended, replays run and dispatchers come and go.
func TestStormLosesNothingAndKeepsOrder(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		answers := []int{400, 404, 422, 500, 503, 429, 302, 408}
		spell := func() (_ []int, share float64) {
			if rand.IntN(4) == 0 {
				return answers, 1 // down
			}
			return answers[rand.IntN(len(answers)):], rand.Float64() / 2
		}
		failures, share := spell()
		r := newReceiver(t, nil)
		r.set(func(_ http.ResponseWriter, p post) int {
			r.mu.Lock()
			defer r.mu.Unlock()
			if rand.IntN(50) == 0 {
				failures, share = spell()
			}
			switch {
			case rand.Float64() >= share:
				return 200
			case rand.IntN(20) == 0:
				panic(http.ErrAbortHandler)
			}
			return failures[rand.IntN(len(failures))]
		})
		w := f.create(r.URL)
		config := func(c *Config) {
			c.Schedule = slices.Repeat([]time.Duration{3 * time.Millisecond}, 200)
			c.ProbeFirst, c.ProbeLongest, c.Flush = time.Millisecond, 5*time.Millisecond, 5*time.Millisecond
			c.Drain = time.Duration(rand.IntN(20)) * time.Millisecond
		}
		const rounds, each = 8, 150
		for round := range rounds {
			_, stop := f.dispatch(config)
			f.appendMany(each, 5+round*5)
			if _, err := f.webhooks.Replay(t.Context(), ReplayRequest{ProjectID: project, Filter: Filter{RecordID: fmt.Sprintf("r%d", round)}}); err != nil {
				t.Fatal(err)
			}
			r.waitAccepted(t, round*each+rand.IntN(each))
			stop()
		}
		f.dispatch(config)
		f.checkOrder(r.waitAccepted(t, rounds*each))
		eventually(t, "nothing left", func() bool {
			got := f.get(w.ID)
			return got.Retrying == 0 && got.Dead == 0 && got.Backlog == 0 && f.number(`SELECT count(*) FROM replays WHERE state = 'running'`) == 0
		})
	})
}
