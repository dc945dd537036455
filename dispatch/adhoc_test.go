package dispatch

import (
	"slices"
	"fmt"
	"testing"
	"time"
	"net/http"
	"net/http/httptest"
	"io"
	"sync"
	"sync/atomic"
	"encoding/json"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

func TestAdhocMany(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		var received atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			received.Add(1)
		}))
		defer server.Close()
		f := newFixture(t, db)
		f.appendMany(300, 300)
		for range 100 { f.create(server.URL) }
		start := time.Now()
		f.dispatch(func(c *Config) { *c = Config{DB: c.DB, Log: c.Log, Sealer: c.Sealer, Logger: c.Logger} })
		eventually(t, "all", func() bool { return received.Load() >= 30000 })
		fmt.Println("100 webhooks", 30000/time.Since(start).Seconds(), "/s")
	})
}

func TestAdhocLatency(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		var mu sync.Mutex
		var lat []time.Duration
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			var k struct{ Record_id string }
			json.Unmarshal(b, &k)
			var ns int64
			fmt.Sscan(k.Record_id, &ns)
			mu.Lock(); lat = append(lat, time.Duration(time.Now().UnixNano()-ns)); mu.Unlock()
		}))
		defer server.Close()
		f := newFixture(t, db)
		f.create(server.URL)
		d, _ := f.dispatch(func(c *Config) { *c = Config{DB: c.DB, Log: c.Log, Sealer: c.Sealer, Logger: c.Logger} })
		tick := time.NewTicker(5*time.Millisecond)
		for i := 0; i < 600; i++ {
			<-tick.C
			var ids []string
			for range 5 { ids = append(ids, fmt.Sprint(time.Now().UnixNano())) }
			f.append(ids...)
			d.Wake()
		}
		eventually(t, "all", func() bool { mu.Lock(); defer mu.Unlock(); return len(lat) >= 3000 })
		slices.Sort(lat)
		fmt.Println("latency incl. append p50", lat[1500], "p99", lat[2970])
	})
}
