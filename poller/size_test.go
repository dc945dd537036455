package poller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers"
)

const many = 100_000

func uuid(i int) string { return fmt.Sprintf("%08x-1111-4222-8333-%012x", uint32(i)*2654435761, i) }

// crowd answers pages of many records without keeping any.
func crowd(page int, w http.ResponseWriter, r *http.Request) bool {
	size, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, to := (page-1)*size, min(page*size, many)
	_, _ = io.WriteString(w, `{"items":[`)
	for i := from; i < to; i++ {
		if i > from {
			_, _ = io.WriteString(w, ",")
		}
		fmt.Fprintf(w, `{"id":%q,"name":"person %d","about":%q}`, uuid(i), i, strings.Repeat("text ", 100))
	}
	fmt.Fprintf(w, `],"has_more":%t}`, to < many)
	return true
}

// liveHeap is the largest live heap that work reaches, above what was live before.
func liveHeap(work func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	live := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // so that what dies young is not counted
	runtime.GC()
	runtime.GC() // what pools hold survives one
	idle, peak := live(), uint64(0)
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, live())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	work()
	close(done)
	watch.Wait()
	return peak - min(idle, peak)
}

// Memory holds ids and fingerprints, never the bodies (55 MB here).
func TestPollOfManyRecordsStaysSmall(t *testing.T) {
	r := newRig(t, migrationstest.Open(t, migrationstest.SQLite(t)).DB)
	r.people.setFault(crowd)
	a := r.account(func(n *NewAccount) { n.Credentials["page_size"] = "1000" })
	for _, what := range []string{"first", "unchanged", "new recipe"} { // the first and the last hold two listings
		if what == "new recipe" {
			r.ignore(a, "about")
		}
		var got Result
		heap := liveHeap(func() { got = r.poll(a) })
		if got.Records != many || got.Events != 0 {
			t.Fatalf("%s: %+v", what, got)
		}
		t.Logf("%s poll of %d records: %.1f MB of live heap above idle, %d ms", what, many, float64(heap)/1e6, got.DurationMS)
		if heap > 40e6 {
			t.Errorf("%s poll: %.1f MB of live heap above idle", what, float64(heap)/1e6)
		}
	}
}

// inMemory is a listing without a network.
type inMemory struct{ pages []providers.Page }

func (m inMemory) Stream(recordType string) (providers.StreamInfo, bool) {
	return providers.StreamInfo{RecordType: recordType, EventPrefix: "hris_" + recordType}, true
}

func (m inMemory) Probe(context.Context, string) error { return nil }

func (m inMemory) Exists(context.Context, string, string) (bool, error) {
	return false, errors.ErrUnsupported
}

func (m inMemory) List(context.Context, string, providers.ListOptions) iter.Seq2[providers.Page, error] {
	return func(yield func(providers.Page, error) bool) {
		for _, p := range m.pages {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// BenchmarkUnchangedPoll reports what a poll of 100,000 unchanged records spends on the
// store: load, compare, end.
func BenchmarkUnchangedPoll(b *testing.B) {
	for name, location := range map[string]func(testing.TB) string{"sqlite": migrationstest.SQLite, "postgres": migrationstest.Postgres} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, migrationstest.Open(b, location(b)).DB)
			listing := inMemory{}
			for from := 0; from < many; from += 1000 {
				page := providers.Page{Number: from/1000 + 1, Requests: 1}
				for i := from; i < from+1000; i++ {
					page.Records = append(page.Records, providers.Record{ID: uuid(i), Raw: fmt.Appendf(nil, `{"id":%q}`, uuid(i))})
				}
				listing.pages = append(listing.pages, page)
			}
			r.poller.open = func(*providers.Connector, providers.Target, providers.Options) (lister, error) { return listing, nil }
			a := r.account(nil)
			r.poll(a)
			var store int64
			for b.Loop() {
				if got := r.poll(a); got.Records != many || got.Events != 0 {
					b.Fatal(got)
				}
				lines := strings.Split(strings.TrimSpace(r.log.String()), "\n")
				var line struct {
					StoreUS int64 `json:"store_us"`
				}
				if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
					b.Fatal(err)
				}
				store += line.StoreUS
			}
			b.ReportMetric(float64(store)/1000/float64(b.N), "store-ms/op")
		})
	}
}

// endless is a listing of a million records that is made while it is read.
type endless struct{ records, page int }

func (e endless) Stream(recordType string) (providers.StreamInfo, bool) {
	return providers.StreamInfo{RecordType: recordType, EventPrefix: "hris_" + recordType}, true
}

func (endless) Probe(context.Context, string) error { return nil }

func (endless) Exists(context.Context, string, string) (bool, error) {
	return false, errors.ErrUnsupported
}

func (e endless) List(ctx context.Context, _ string, o providers.ListOptions) iter.Seq2[providers.Page, error] {
	return func(yield func(providers.Page, error) bool) {
		from, _ := strconv.Atoi(o.Resume)
		for ; from < e.records && ctx.Err() == nil; from += e.page {
			page := providers.Page{Requests: 1, Total: e.records, Resume: strconv.Itoa(from + e.page)}
			for i := from; i < from+e.page; i++ {
				page.Records = append(page.Records, providers.Record{ID: uuid(i), Raw: fmt.Appendf(nil, `{"id":%q,"name":"person %d"}`, uuid(i), i)})
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// BenchmarkLongListing polls a million records with a checkpoint every ten thousand: the
// first listing, one in which nothing changed, and one that was interrupted in its
// middle. It reports the live heap above idle.
func BenchmarkLongListing(b *testing.B) {
	for name, location := range map[string]func(testing.TB) string{"sqlite": migrationstest.SQLite, "postgres": migrationstest.Postgres} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, migrationstest.Open(b, location(b)).DB)
			r.config.Checkpoint = 1
			p := New(r.config)
			list := endless{records: 1_000_000, page: 10_000}
			p.open = func(*providers.Connector, providers.Target, providers.Options) (lister, error) { return list, nil }
			a := r.account(nil)
			id := r.stream(a).ID
			poll := func(ctx context.Context) (got Result) {
				var err error
				if got, err = p.Poll(ctx, id); err != nil && ctx.Err() == nil {
					b.Fatal(err)
				}
				return got
			}
			for b.Loop() {
				for _, what := range []string{"first", "unchanged", "resumed"} {
					if what == "resumed" {
						ctx, kill := context.WithCancel(b.Context())
						var watch sync.WaitGroup
						watch.Go(func() {
							waitFor(b, "the middle", func() bool { s := r.stream(a).Progress; return s != nil && s.Records >= 500_000 })
							kill()
						})
						poll(ctx)
						watch.Wait()
					}
					started := time.Now()
					heap := liveHeap(func() {
						if got := poll(b.Context()); got.Records != list.records || got.Events != 0 {
							b.Fatalf("%s: %+v", what, got)
						}
					})
					b.ReportMetric(float64(heap)/1e6, what+"-heap-MB")
					b.ReportMetric(time.Since(started).Seconds(), what+"-s")
				}
			}
		})
	}
}
