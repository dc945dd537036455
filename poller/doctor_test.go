package poller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/synthook/synthook/migrations/migrationstest"
	"github.com/synthook/synthook/providers"
	samples "github.com/synthook/synthook/providers/sample"
)

// restless serves lists that differ though nothing happens. list makes the items of the
// n-th reading, from 1 on.
func restless(t *testing.T, list func(reading int) (items []string, total int)) string {
	t.Helper()
	var reading atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		items, total := list(int(reading.Add(1)))
		fmt.Fprintf(w, `{"items":[%s],"total":%d}`, strings.Join(items, ","), total)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// examine diagnoses such lists.
func (r *rig) examine(list func(reading int) ([]string, int)) Diagnosis {
	r.t.Helper()
	t := r.t.(*testing.T)
	a := r.account(func(n *NewAccount) {
		n.BaseURL = restless(t, list)
		n.Credentials = map[string]string{"employees_path": "/people", "records_path": "items", "paging": "none", "total_path": "total"}
	})
	return r.doctor(a)
}

func (r *rig) doctor(a Account) Diagnosis {
	r.t.Helper()
	r.poller.doctorPause = 0
	d, err := r.poller.Doctor(r.t.Context(), r.stream(a).ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// onSQLite runs a test in which the database does not matter.
func onSQLite(t *testing.T) *rig {
	t.Helper()
	return newRig(t, migrationstest.Open(t, migrationstest.SQLite(t)).DB)
}

func TestDoctorNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	r := onSQLite(t)
	d := r.examine(func(reading int) ([]string, int) {
		var items []string
		for id := range 10 {
			tags := `["marker-b","marker-a"]`
			if reading > 1 && id < 4 {
				tags = `["marker-a","marker-b"]`
			}
			items = append(items, fmt.Sprintf(`{"id":%d,"name":"marker-name","seen":{"at":"marker-%d"},"tags":%s,"mail":{"marker@example.com":%d}}`, id, reading, tags, reading))
		}
		items[5] = `{"id":5,"name":"marker-name"}` // nothing of it differs
		return items, len(items)
	})
	if d.Healthy || d.Error != "" || d.Sampled || d.Compared != 10 || d.Unstable != 9 {
		t.Errorf("%+v", d)
	}
	if want := []UnstablePath{{"mail.*", 9}, {"seen.at", 9}}; !slices.Equal(d.Differ, want) {
		t.Errorf("differ: %v, want %v", d.Differ, want)
	}
	if want := []UnstablePath{{"tags", 4}}; !slices.Equal(d.Reordered, want) {
		t.Errorf("reordered: %v, want %v", d.Reordered, want)
	}
	report, _ := json.Marshal(d)
	if all := string(report) + r.log.String(); strings.Contains(all, "marker") {
		t.Errorf("a value is shown: %s", all)
	}
	if log := r.log.String(); !strings.Contains(log, `"unstable":9`) || strings.Contains(log, "seen") {
		t.Errorf("log: %s", log)
	}
}

func TestDoctorFindsNothingWhereNothingDiffers(t *testing.T) {
	t.Parallel()
	d := onSQLite(t).examine(func(int) ([]string, int) { return []string{`{"id":1,"tags":[2,1]}`, `{"id":2}`}, 2 })
	if !d.Healthy || d.Compared != 2 || len(d.Listings) != 2 || !d.Listings[1].Complete || d.Listings[1].Records != 2 {
		t.Errorf("%+v", d)
	}
}

func TestDoctorCountsRecords(t *testing.T) {
	t.Parallel()
	d := onSQLite(t).examine(func(reading int) ([]string, int) {
		if reading == 1 {
			return []string{`{"id":"a"}`, `{"id":"b","v":1}`, `{"id":"b","v":2}`, `{"id":"gone"}`}, 3
		}
		return []string{`{"id":"a"}`, `{"id":"b","v":2}`, `{"id":"b","v":1}`, `{"id":"new"}`}, 3
	})
	if d.Healthy || d.Compared != 1 || d.Unstable != 0 || d.Listings[0].Records != 4 {
		t.Errorf("%+v", d)
	}
	for name, c := range map[string]struct {
		got Records
		id  string
	}{"repeated": {d.Repeated, "b"}, "first": {d.OnlyFirst, "gone"}, "second": {d.OnlySecond, "new"}} {
		if c.got.Count != 1 || !slices.Equal(c.got.Sample, []string{c.id}) {
			t.Errorf("%s: %+v", name, c.got)
		}
	}
}

// A wrong total is told, and what differs beside it.
func TestDoctorTellsAWrongTotal(t *testing.T) {
	t.Parallel()
	r := onSQLite(t)
	paged := r.account(func(n *NewAccount) {
		n.BaseURL = restless(t, func(reading int) ([]string, int) {
			return []string{fmt.Sprintf(`{"id":%d,"tick":%d}`, reading%2, reading)}, 5
		})
		n.Credentials = map[string]string{
			"employees_path": "/people", "records_path": "items", "total_path": "total",
			"paging": "page", "page_size": "1", "end": "last_page", "total_pages_path": "total",
		}
	})
	// Two ids go round on five pages.
	if d := r.doctor(paged); d.Healthy || len(d.Listings) != 2 || d.Listings[0].Complete || !strings.Contains(d.Error, "provider says 5, got 2") || d.Repeated.Count != 2 {
		t.Errorf("%+v", d)
	}
	d := r.examine(func(int) ([]string, int) { return []string{`{"id":1}`}, 3 })
	if d.Healthy || !strings.Contains(d.Error, "provider says 3, got 1") || len(d.OnlyFirst.Sample)+len(d.OnlySecond.Sample) > 0 {
		t.Errorf("%+v", d)
	}
}

func TestDoctorStopsWhereTheProviderRefuses(t *testing.T) {
	t.Parallel()
	r := onSQLite(t)
	a := r.account(nil)
	r.people.setFault(answers(http.StatusUnauthorized))
	if d := r.doctor(a); d.Healthy || len(d.Listings) != 1 || !strings.Contains(d.Error, "401") {
		t.Errorf("%+v", d)
	}
	if r.people.requested() != 1 {
		t.Errorf("asked %d times", r.people.requested())
	}
	account, err := r.accounts.Get(t.Context(), DefaultProject, a.ID)
	if err != nil || account.State != StateActive {
		t.Errorf("account %+v, %v", account, err)
	}
}

// Of a stream that is too big the first records are compared, and that is said.
func TestDoctorIsBounded(t *testing.T) {
	t.Parallel()
	r := onSQLite(t)
	list := func(reading int) (items []string, total int) {
		for id := range 50 {
			items = append(items, fmt.Sprintf(`{"id":%d,"tick":%d}`, id, reading))
		}
		return items, len(items)
	}
	r.poller.doctorRoom = room{records: 1000, digests: 40} // two a record
	if d := r.examine(list); !d.Sampled || d.Compared != 20 || !slices.Equal(d.Differ, []UnstablePath{{"tick", 20}}) || d.OnlySecond.Count > 0 {
		t.Errorf("few digests: %+v", d)
	}
	r.poller.doctorRoom = room{records: 30, digests: 1000}
	if d := r.examine(list); !d.Sampled || d.Compared != 30 || d.OnlyFirst.Count+d.OnlySecond.Count > 0 {
		t.Errorf("few records: %+v", d)
	}
}

// The sample signs its photos anew on every reading. That is no difference by rule, and
// one where a connector says that URL queries count.
func TestDoctorAndSignedURLs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../providers/catalog/bamboohr.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, instead := range map[string]string{"stripped": "schedule: 1h", "kept": "keep_url_queries: true"} {
		own := strings.Replace(strings.Replace(string(text), "name: bamboohr", "name: "+name, 1), "ignore: photoUrl", instead, 1)
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(own), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := onSQLite(t)
	catalog, problems, err := providers.Load(dir)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	r.config.Catalog = catalog
	r.accounts, r.streams, r.poller = NewAccounts(r.config), NewStreams(r.config), r.newPoller()
	server := samples.NewServer(samples.New(samples.Config{Employees: 30}), samples.BambooHR, samples.Options{PageSize: 10})
	base, stop, err := server.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for name, differs := range map[string]bool{"bamboohr": false, "stripped": false, "kept": true} {
		d := r.doctor(r.account(func(n *NewAccount) {
			n.Provider, n.BaseURL, n.Credentials = name, base, map[string]string{"api_key": server.Credentials().Key}
		}))
		if d.Error != "" || d.Compared < 25 || d.Healthy == differs {
			t.Errorf("%s: %+v", name, d)
		}
		if differs && (len(d.Differ) != 1 || d.Differ[0].Path != "photoUrl" || d.Unstable != d.Differ[0].Records) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// A diagnosis leaves everything as it was, and never stands beside a poll.
func TestDoctorTouchesNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(nil)
		r.poll(a)
		r.people.rename("3", "renamed")
		before, schedule := dump(t, r.db), r.stream(a)
		if d := r.doctor(a); !d.Healthy || d.Compared != 25 || d.Listings[0].Pages != 3 {
			t.Errorf("%+v", d)
		}
		after := dump(t, r.db)
		for table := range before {
			if table != "streams" && before[table] != after[table] { // its lease and fence are taken
				t.Errorf("%s changed", table)
			}
		}
		if now := r.stream(a); fmt.Sprint(now) != fmt.Sprint(schedule) {
			t.Errorf("stream was %+v, is %+v", schedule, now)
		}
		if result := r.poll(a); result.Updated != 1 {
			t.Errorf("the poll after it: %+v", result)
		}

		c, err := r.poller.claimOne(t.Context(), r.stream(a).ID)
		if err != nil {
			t.Fatal(err)
		}
		asked := r.people.requested()
		if _, err := r.newPoller().Doctor(t.Context(), r.stream(a).ID); !errors.Is(err, ErrPolling) || r.people.requested() != asked {
			t.Errorf("beside a poll: %v", err)
		}
		if err := r.poller.release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := r.poller.Doctor(t.Context(), 4711); !errors.Is(err, ErrNotFound) {
			t.Errorf("no stream: %v", err)
		}
	})
}

// Whoever asked goes away between the listings: the stream is free at once.
func TestDoctorGivesTheStreamBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(5)
		a := r.account(nil)
		ctx, cancel := context.WithCancel(t.Context())
		r.people.setFault(func(int, http.ResponseWriter, *http.Request) bool { cancel(); return false })
		if _, err := r.poller.Doctor(ctx, r.stream(a).ID); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		c, err := r.poller.claimOne(t.Context(), r.stream(a).ID)
		if err != nil || c == nil {
			t.Errorf("the stream is not free: %v", err)
		}
	})
}
