package benchdispatch

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// TestMain is the program when a test's bench starts it again.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], PartArgs) {
		if err := Part(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// eachDatabase gives the URL of a database ("" for SQLite), and what is in it or in the
// temporary directory afterwards that was not there before.
func eachDatabase(t *testing.T, test func(t *testing.T, url string, left func() []string)) {
	migrationstest.Each(t, func(t *testing.T, location string) {
		if !strings.Contains(location, "://") {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			test(t, "", func() []string {
				names, err := filepath.Glob(filepath.Join(dir, "*"))
				if err != nil {
					t.Fatal(err)
				}
				return names
			})
			return
		}
		db := migrationstest.Open(t, location)
		test(t, location, func() []string { return schemas(t, db) })
	})
}

func schemas(t *testing.T, db *migrations.DB) (names []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'synthook%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRun(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string, left func() []string) {
		o := Options{Events: 600, Webhooks: 3, Processes: 1, Runs: 1, Rate: 100, RateFor: time.Second, Parked: 1500, DatabaseURL: url, Note: t.Logf,
			CPUProfile: filepath.Join(t.TempDir(), "profile")}
		if url != "" {
			o.Processes, o.Slow = 2, 1
		}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.DeliveriesPerS <= 0 || r.FloorPerS <= 0 || r.Ratio <= 0 || r.P50MS <= 0 || r.P50MS > r.P95MS || r.P95MS > r.P99MS {
			t.Errorf("measured %+v", r)
		}
		// An attempt on record for each delivery, the cursors' steps, the leases, and the
		// attempts at the slow webhook.
		if r.RowsWritten < 1000 || r.RowsWritten > 2000 {
			t.Errorf("%v rows for 1,000 deliveries", r.RowsWritten)
		}
		if r.CPUMS == nil || *r.CPUMS <= 0 || *r.CPUMS < *r.ProcessCPUMS || (r.DatabaseCPUMS != nil) != (url != "") {
			t.Errorf("CPU %v, processes %v, database %v", r.CPUMS, r.ProcessCPUMS, r.DatabaseCPUMS)
		}
		if p := r.Parked; p == nil || p.Retries > 0 || p.DeliveriesPerS <= 0 || (p.RowsWritten != nil) != (url != "") || p.RowsWritten != nil && *p.RowsWritten > 500 {
			t.Errorf("parked: %+v", p)
		}
		if profile, err := os.ReadFile(o.CPUProfile); err != nil || len(profile) == 0 {
			t.Errorf("no profile: %v", err)
		}
		if left := left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Without attempts on record, rows are written for cursors and leases alone.
func TestNoAttempts(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string, _ func() []string) {
		r, err := Run(t.Context(), Options{Events: 2000, Webhooks: 1, NoAttempts: true, Processes: 1, Runs: 1, Rate: 10, RateFor: time.Second, DatabaseURL: url, Note: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		if r.RowsWritten <= 0 || r.RowsWritten > 200 || r.Attempts {
			t.Errorf("%v rows for 1,000 deliveries", r.RowsWritten)
		}
	})
}

// Ctrl-C leaves nothing behind either, whenever it comes.
func TestInterrupted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string, left func() []string) {
		for _, moment := range []string{"run ", "latency", "appending"} {
			ctx, interrupt := context.WithCancel(t.Context())
			_, err := Run(ctx, Options{Events: 100, Webhooks: 1, Processes: 1, Runs: 1, Rate: 100, RateFor: time.Second, Parked: 100, DatabaseURL: url, Note: func(format string, _ ...any) {
				if strings.HasPrefix(format, moment) {
					interrupt()
				}
			}})
			interrupt()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: ended with %v", moment, err)
			}
		}
		if left := left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// A part that can't do what it should says why, and Run passes that on.
func TestPartSaysWhatIsWrong(t *testing.T) {
	var out bytes.Buffer
	in := strings.NewReader(`{"Do": "serve", "Location": "mysql://x"}`)
	if err := Part(t.Context(), in, &out); err != nil || !strings.Contains(out.String(), "must be postgres://") {
		t.Errorf("%v, %s", err, out.String())
	}
}

// What the receiver knows an event by stands in the body as the dispatcher writes it.
func TestArrivals(t *testing.T) {
	body, err := dispatch.Body(dispatch.Event{ProjectID: "p", AccountID: "a", Name: "hris_employees.updated", RecordType: "employees", RecordID: recordID(7, 1)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.expect(order{Round: 7, Events: 2})
	a := r.round.Load()
	a.take(body)
	first := a.at[1].Load()
	a.take(body)
	a.take(bytes.Replace(body, []byte("00000007-"), []byte("00000006-"), 1))
	a.take(nil)
	a.take(idKey)
	if got := r.await(); got.Arrived != 1 || got.First != first || got.Last != first || first == 0 {
		t.Errorf("%+v", got)
	}
}
