package dispatch

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var employees = Stream{ID: 7, AccountID: "acc1", Provider: "bamboohr", RecordType: "employees", Prefix: "hris_employees"}

// know makes n records of a stream known: e0, e1, …
func (f *fixture) know(s Stream, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("e", i))
		f.records.set(s.ID, ids[i], true)
	}
	return ids
}

// told is the events that a receiver accepted: name and record, sorted, each once.
func told(posts []post) (all []string) {
	for _, p := range firsts(posts) {
		all = append(all, p.name+" "+p.record)
	}
	slices.Sort(all)
	return all
}

func events(action string, ids ...string) (all []string) {
	for _, id := range ids {
		all = append(all, "hris_employees"+action+" "+id)
	}
	slices.Sort(all)
	return all
}

func TestResyncSendsThePresentState(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		ids := f.know(employees, 5000) // several ranges
		r := newReceiver(t, func(_ http.ResponseWriter, p post) int {
			if strings.HasSuffix(p.record, "77") {
				return 422
			}
			return 200
		})
		w := f.create(r.URL, "hris_employees.created")
		other := Stream{ID: 8, AccountID: "acc1", RecordType: "candidates", Prefix: "ats_candidates"}
		f.know(other, 5)
		request := ResyncRequest{ProjectID: project, WebhookID: w.ID, Streams: []Stream{employees, other}, DryRun: true}
		made, err := f.webhooks.Resync(t.Context(), request)
		if err != nil || len(made) != 2 || made[0].Events != 5000 || made[1].Events != 0 || made[0].State != ReplayDryRun {
			t.Fatalf("dry run %+v, %v", made, err)
		}
		request.DryRun = false
		if made, err = f.webhooks.Resync(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		// It goes on where it was, whoever delivers.
		patient := func(c *Config) { c.Schedule = slices.Repeat(c.Schedule[:1], 100) }
		for _, n := range []int{500, 3000} {
			_, stop := f.dispatch(patient)
			r.waitAccepted(t, n)
			stop()
		}
		refusals := len(r.all()) - len(r.accepted())
		if refusals == 0 {
			t.Fatal("nothing was refused")
		}
		r.set(nil)
		f.dispatch(patient)
		posts := r.waitAccepted(t, 5000)
		eventually(t, "done", func() bool {
			got := f.replay(made[0].ID)
			return got.State == ReplayDone && got.Sent == 5000 && f.get(w.ID).Retrying == 0
		})
		if diff := cmp.Diff(events(created, ids...), told(r.accepted())); diff != "" {
			t.Error(diff)
		}
		// A record has one webhook-id in a resync, and another in the next.
		uids := map[string]string{}
		for _, p := range r.all() {
			if known := uids[p.record]; known != "" && known != p.uid {
				t.Fatalf("record %s came as %s and as %s", p.record, known, p.uid)
			}
			uids[p.record] = p.uid
		}
		checkSpelling(t, posts[0].body)
		again, err := f.webhooks.Resync(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "done again", func() bool { return f.replay(again[0].ID).State == ReplayDone })
		if n := len(firsts(r.accepted())); n != 10000 {
			t.Errorf("%d different events", n)
		}
		if kept := f.number(`SELECT count(*) FROM retries`); kept != 0 {
			t.Errorf("%d retries", kept)
		}
	})
}

func TestResyncNeverOvertakesTheLog(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		f.know(employees, 40)
		entered, release := make(chan struct{}, 1000), make(chan struct{})
		r := newReceiver(t, hangs("e", entered, release))
		w := f.createWith(r.URL, SettingsUpdate{Concurrency: new(2)})
		d, _ := f.dispatch()
		// One a second: all but the first stay in hand for long.
		made, err := f.webhooks.Resync(t.Context(), ResyncRequest{ProjectID: project, WebhookID: w.ID, Streams: []Stream{employees}, RateLimit: 1})
		if err != nil {
			t.Fatal(err)
		}
		d.Refresh()
		<-entered
		var gone []string
		for i := range 40 {
			gone = append(gone, fmt.Sprint("e", i))
			f.records.set(employees.ID, gone[i], false)
		}
		f.appendNamed("hris_employees.deleted", gone...)
		d.Wake()
		close(release)
		eventually(t, "the log is delivered", func() bool { return f.get(w.ID).Backlog == 0 })
		if _, err := f.webhooks.CancelReplay(t.Context(), project, made[0].ID); err != nil {
			t.Fatal(err)
		}
		last := map[string]string{}
		for _, p := range r.accepted() {
			last[p.record] = p.name
		}
		for record, name := range last {
			if name != "hris_employees.deleted" {
				t.Errorf("the last of %s is %s", record, name)
			}
		}
	})
}

// What the log says after a range was read goes before the range.
func TestWalkLeavesOutWhatTheLogContradicts(t *testing.T) {
	w := newWorker(New(embeddedFixture(t).config()), standing{})
	w.settings.Ordered = true
	k := walker{walk: walk{id: "rs_1", Stream: employees}, records: w.config.Records}
	r := &replay{walked: &walked{walker: k, first: 0, end: lastSpot, told: map[string]bool{}}}
	w.replay = r
	for _, e := range []Event{
		k.event(deleted, "deleted"), k.event(created, "created"), k.event(updated, "updated"), k.event(created, "back"), k.event(deleted, "elsewhere"),
	} {
		if e.RecordID == "elsewhere" {
			e.AccountID = "acc2"
		}
		r.tell(e)
	}
	for i, e := range []Event{
		k.event(created, "deleted"), k.event(created, "created"), k.event(deleted, "updated"), k.event(deleted, "back"), k.event(created, "elsewhere"), k.event(created, "untold"),
	} {
		r.found = append(r.found, owed{e, int64(i)})
	}
	for range 6 {
		w.takeFound(r)
	}
	var taken []string
	for _, d := range r.open {
		taken = append(taken, d.event.RecordID)
	}
	if diff := cmp.Diff([]string{"created", "elsewhere", "untold"}, taken); diff != "" || r.covered != lastSpot {
		t.Errorf("covered %d: %s", r.covered, diff)
	}
}

func handIn(ids ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func TestReconcileSendsExactlyWhatIsMissing(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		ids := f.know(employees, 12000)
		r := newReceiver(t, nil)
		w := f.create(r.URL)
		replay, err := f.webhooks.Reconcile(t.Context(), ReconcileRequest{ProjectID: project, WebhookID: w.ID, Stream: employees})
		if err != nil || replay.State != ReplayCollecting {
			t.Fatalf("%+v, %v", replay, err)
		}
		surplus := []string{"was-there", "x", "ünïcode", strings.Repeat("l", longestID)}
		for _, part := range [][]string{ids[:4000], ids[3000:11990], surplus, surplus} { // some twice
			if n, err := f.webhooks.HandIn(t.Context(), project, replay.ID, handIn(part...)); err != nil || n != int64(len(part)) {
				t.Fatalf("%d, %v", n, err)
			}
		}
		dry, err := f.webhooks.StartReconcile(t.Context(), project, replay.ID, true)
		if err != nil || dry.Created != 10 || dry.Deleted != 4 || dry.State != ReplayDryRun {
			t.Fatalf("%+v, %v", dry, err)
		}
		if _, err := f.webhooks.HandIn(t.Context(), project, replay.ID, handIn(ids[11990])); err != nil {
			t.Fatal(err)
		}
		started, err := f.webhooks.StartReconcile(t.Context(), project, replay.ID, false)
		if err != nil || started.Created != 9 || started.Deleted != 4 || started.State != ReplayRunning {
			t.Fatalf("%+v, %v", started, err)
		}
		f.dispatch()
		eventually(t, "done", func() bool { return f.replay(replay.ID).State == ReplayDone })
		want := append(events(created, ids[11991:]...), events(deleted, surplus...)...)
		if diff := cmp.Diff(want, told(r.accepted())); diff != "" {
			t.Error(diff)
		}
		if got := f.replay(replay.ID); got.Sent != 13 || got.Kind != KindReconcile || got.RecordType != "employees" {
			t.Errorf("%+v", got)
		}
		if n := f.number(`SELECT count(*) FROM handed_ids`); n != 0 {
			t.Errorf("%d rows of ids kept", n)
		}
		var invalid *InvalidError
		if _, err := f.webhooks.HandIn(t.Context(), project, replay.ID, handIn("late")); !errors.As(err, &invalid) || invalid.Field != "id" {
			t.Errorf("handed in late: %v", err)
		}
	})
}

func TestReconcileIsRefused(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		f := newFixture(t, db)
		w := f.create("https://example.com/")
		request := ReconcileRequest{ProjectID: project, WebhookID: w.ID, Stream: employees}
		var invalid *InvalidError
		if _, err := f.webhooks.Reconcile(t.Context(), request); !errors.As(err, &invalid) || invalid.Field != "record_type" {
			t.Errorf("a stream that was never listed: %v", err)
		}
		f.know(employees, 1)
		replay, err := f.webhooks.Reconcile(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"", strings.Repeat("x", longestID+1)} {
			if _, err := f.webhooks.HandIn(t.Context(), project, replay.ID, handIn("fine", id)); !errors.As(err, &invalid) || invalid.Field != "ids" {
				t.Errorf("an id of %d bytes: %v", len(id), err)
			}
		}
		broken := errors.New("connection broke")
		if _, err := f.webhooks.HandIn(t.Context(), project, replay.ID, func(yield func(string, error) bool) { yield("", broken) }); !errors.Is(err, broken) {
			t.Errorf("broken upload: %v", err)
		}
		if _, err := f.webhooks.HandIn(t.Context(), "other", replay.ID, handIn("x")); !errors.Is(err, ErrNotFound) {
			t.Errorf("foreign: %v", err)
		}
		// One that nobody starts goes away with its ids.
		if _, err := f.webhooks.HandIn(t.Context(), project, replay.ID, handIn("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := f.webhooks.CancelAbandoned(t.Context(), replay.CreatedAt); n != 0 || err != nil {
			t.Errorf("cancelled %d, %v", n, err)
		}
		if n, err := f.webhooks.CancelAbandoned(t.Context(), replay.CreatedAt.Add(time.Second)); n != 1 || err != nil {
			t.Errorf("cancelled %d, %v", n, err)
		}
		if n := f.number(`SELECT count(*) FROM handed_ids`); n != 0 || f.replay(replay.ID).State != ReplayCancelled {
			t.Errorf("%d rows of ids kept", n)
		}
	})
}

// The ids of a big consumer are never in memory together: only a buffer of them.
func TestManyIDsAreHandedInByParts(t *testing.T) {
	f := embeddedFixture(t)
	f.know(employees, 1)
	w := f.create("https://example.com/")
	replay, err := f.webhooks.Reconcile(t.Context(), ReconcileRequest{ProjectID: project, WebhookID: w.ID, Stream: employees})
	if err != nil {
		t.Fatal(err)
	}
	const n = 100_000
	filler := strings.Repeat("-", 40)
	_, err = f.webhooks.HandIn(t.Context(), project, replay.ID, func(yield func(string, error) bool) {
		for i := range n {
			if !yield(fmt.Sprint(filler, i), nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if written := f.number(`SELECT count(DISTINCT seq) FROM handed_ids`); written < n*46/handedBuffer {
		t.Errorf("written in %d steps", written)
	}
	if largest := f.number(`SELECT max(length(ids)) FROM handed_ids`); largest > handedBuffer/100 {
		t.Errorf("%d bytes in one row", largest)
	}
	found, err := f.webhooks.StartReconcile(t.Context(), project, replay.ID, true)
	if err != nil || found.Deleted != n || found.Created != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}
