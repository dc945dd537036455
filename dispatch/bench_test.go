package dispatch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations/migrationstest"
)

// BenchmarkDelivery delivers events of the log to one webhook, and posts the same
// signed bodies with a bare net/http loop of the same concurrency: the floor. Both
// figures come out of one run, with the receiver in the same process.
func BenchmarkDelivery(b *testing.B) {
	locations := map[string]func(testing.TB) string{"sqlite": migrationstest.SQLite}
	if os.Getenv(migrationstest.Variable) != "" {
		locations["postgres"] = migrationstest.Postgres
	}
	for name, location := range locations {
		b.Run(name, func(b *testing.B) {
			var received atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				received.Add(1)
			}))
			b.Cleanup(server.Close)
			f := newFixture(b, migrationstest.Open(b, location(b)))
			n := max(b.N, 20000)
			f.appendMany(n, n/2)
			w := f.create(server.URL)
			var floor, ours time.Duration
			for range 3 {
				floor += bareLoop(b, server.URL, w.Secret.Reveal(), f.events())
				f.exec(`UPDATE webhooks SET cursor_id = 0`)
				f.exec(`DELETE FROM attempts`)
				received.Store(0)
				start := time.Now()
				_, stop := f.dispatch(func(c *Config) { *c = Config{DB: c.DB, Log: c.Log, Sealer: c.Sealer, Logger: c.Logger} })
				eventually(b, "everything delivered", func() bool { return received.Load() >= int64(n) })
				ours += time.Since(start)
				stop()
				if got := f.number(`SELECT count(*) FROM attempts`); got != int64(n) {
					b.Errorf("%d attempts on record", got)
				}
			}
			b.ReportMetric(float64(3*n)/ours.Seconds(), "deliveries/s")
			b.ReportMetric(float64(3*n)/floor.Seconds(), "floor/s")
			b.ReportMetric(floor.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func bareLoop(b *testing.B, url, secret string, events []Event) time.Duration {
	const concurrency = 16
	client := newSender(nil, "synthook", 15*time.Second, concurrency)
	start := time.Now()
	var group sync.WaitGroup
	for part := range slices.Chunk(events, (len(events)+concurrency-1)/concurrency) {
		group.Go(func() {
			for _, e := range part {
				if o := client.post(b.Context(), target{url: url, secrets: []signingSecret{{secret: secret, active: true}}}, e); o.class != "" {
					b.Error(o)
				}
			}
		})
	}
	group.Wait()
	return time.Since(start)
}
