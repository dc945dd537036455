package providers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

const (
	benchRecords = 100_000
	benchPage    = 1000
)

// bigProvider serves a listing of 100,000 records of half a kilobyte in pages.
func bigProvider(b *testing.B) *httptest.Server {
	var pages [][]byte
	for from := 0; from < benchRecords; from += benchPage {
		var page bytes.Buffer
		page.WriteString(`{"data":[`)
		for i := from; i < from+benchPage; i++ {
			if i > from {
				page.WriteByte(',')
			}
			fmt.Fprintf(&page, `{"id":%d,"first_name":"Ines","last_name":"Prokop %d","email":"ines.prokop.%d@example.com","department":{"id":"d-%d","name":"Bridges and Ferries"},`+
				`"manager":{"id":%d,"name":"Jonas Adler"},"title":"Bridge Keeper II","location":"Orrow, North Pier 7","start_date":"2021-03-0%d","status":"active","tags":["night","pier","north"],`+
				`"phone":"+44 20 7946 0%03d","notes":"Keeps the bridge \u2013 and the keys","salary":{"amount":%d.50,"currency":"GBP"},"remote":false,"updated_at":"2026-07-01T12:00:%02dZ"}`,
				i, i, i, i%40, i/10, 1+i%9, i%1000, 30000+i%9000, i%60)
		}
		page.WriteString(`],"next":`)
		if next := from + benchPage; next < benchRecords {
			fmt.Fprintf(&page, `"%d"}`, next)
		} else {
			page.WriteString(`null}`)
		}
		pages = append(pages, page.Bytes())
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		w.Header().Set("Content-Type", "application/json")
		page := pages[from/benchPage]
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page)
	}))
	b.Cleanup(server.Close)
	return server
}

// processorTime reports what of the processors an operation takes: on a machine that does
// other things, too, it says more than the clock. The server's share is in it.
func processorTime(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begun := spent()
	return func() { b.ReportMetric(float64((spent()-begun).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

// BenchmarkListing reads 100,000 records and takes their fingerprints: through the
// engine, and with as little as can be done without it: no check of what came, no budget,
// no guard, the records found by trust.
func BenchmarkListing(b *testing.B) {
	server := bigProvider(b)
	canonical, err := diff.NewCanonicalizer(diff.Rules{Ignore: []string{"updated_at"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("engine", func(b *testing.B) {
		c, problems := providers.Parse("bench.yaml", []byte("name: bench\ncategory: hris\nverified: invented\nauth: none\n"+employees(byCursor)))
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		client, err := c.Open(providers.Target{BaseURL: server.URL}, providers.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer processorTime(b)()
		for b.Loop() {
			n := 0
			for page, err := range client.List(b.Context(), "employees", providers.ListOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range page.Records {
					if _, err := canonical.Sum(r.Raw); err != nil {
						b.Fatal(err)
					}
				}
				n += len(page.Records)
			}
			if n != benchRecords {
				b.Fatal(n)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		var body bytes.Buffer
		defer processorTime(b)()
		for b.Loop() {
			n := 0
			for cursor := ""; ; {
				response, err := http.Get(server.URL + "/people?cursor=" + cursor)
				if err != nil {
					b.Fatal(err)
				}
				body.Reset()
				_, _ = io.Copy(&body, response.Body)
				_ = response.Body.Close()
				page := gjson.ParseBytes(body.Bytes())
				page.Get("data").ForEach(func(_, record gjson.Result) bool {
					if record.Get("id").String() == "" {
						b.Fatal("no id")
					}
					if _, err := canonical.Sum([]byte(record.Raw)); err != nil {
						b.Fatal(err)
					}
					n++
					return true
				})
				if cursor = page.Get("next").String(); cursor == "" {
					break
				}
			}
			if n != benchRecords {
				b.Fatal(n)
			}
		}
	})
}
