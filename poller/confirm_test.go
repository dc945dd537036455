package poller

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/providers"
)

// lab connects the directory by a connector that can do everything.
func (r *rig) lab(change func(*NewAccount)) Account {
	r.t.Helper()
	return r.account(func(n *NewAccount) {
		n.Provider, n.Credentials = "lab", map[string]string{"paging": "page", "page_size": "10", "end": "has_more is false"}
		if change != nil {
			change(n)
		}
	})
}

// single answers requests for one record, and notes them.
type single struct {
	asked  []string
	status func(id string) int
}

func (s *single) answer(_ int, w http.ResponseWriter, r *http.Request) bool {
	id, one := strings.CutPrefix(r.URL.Path, "/people/")
	if !one {
		return false
	}
	s.asked = append(s.asked, id)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.status(id))
	_, _ = w.Write([]byte("{}"))
	return true
}

func always(status int) func(string) int { return func(string) int { return status } }

// truly answers as a provider does that knows what it lists: a status for all else.
func (r *rig) truly(gone int) func(string) int {
	return func(id string) int {
		r.people.mu.Lock()
		defer r.people.mu.Unlock()
		if slices.ContainsFunc(r.people.records, func(p person) bool { return p.id == id }) {
			return http.StatusOK
		}
		return gone
	}
}

func TestMissingRecordIsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		one := &single{status: r.truly(404)}
		r.people.setFault(one.answer)
		a := r.lab(nil)
		r.poll(a)
		var seen int64
		r.people.remove("4", "17")
		if got := r.poll(a); got.Deleted != 2 || got.Suspected != 0 || got.Requests != 6 {
			t.Fatalf("%+v", got)
		}
		r.expect(a, &seen, "deleted 17", "deleted 4")
	})
}

// A record request that finds nothing, not even what is listed, confirms nothing.
func TestWrongRecordRequestConfirmsNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		one := &single{status: always(404)}
		r.people.setFault(one.answer)
		a := r.lab(nil)
		r.poll(a)
		var seen int64
		r.people.remove("4", "17")
		if got := r.poll(a); got.Deleted != 0 || got.Suspected != 2 || len(one.asked) != 3 {
			t.Fatalf("%+v after asking for %q", got, one.asked)
		}
		if got := r.poll(a); got.Deleted != 2 {
			t.Fatalf("missing again: %+v", got)
		}
		r.expect(a, &seen, "deleted 17", "deleted 4")
	})
}

// What is not listed any more and there all the same is neither deleted nor suspected,
// nor asked for with every poll.
func TestHiddenRecordIsKept(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		one := &single{status: always(200)}
		r.people.setFault(one.answer)
		a := r.lab(nil)
		r.poll(a)
		var seen int64
		r.people.remove("4")
		for n := 1; n <= 4; n++ {
			r.people.rename("9", fmt.Sprint("renamed ", n/2)) // in two of them
			if got := r.poll(a); got.Deleted+got.Suspected != 0 {
				t.Fatalf("poll %d: %+v", n, got)
			}
			if s := r.stream(a); s.Hidden != 1 || !slices.Equal(s.HiddenSample, []string{"4"}) || s.Suspected != 0 || s.State != StreamOK {
				t.Errorf("poll %d: %+v", n, s)
			}
		}
		if len(one.asked) != 1 {
			t.Errorf("asked for %q", one.asked)
		}
		r.expect(a, &seen, "updated 9", "updated 9", "updated 9")
		before, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 20)
		if err != nil {
			t.Fatal(err)
		}
		r.poll(a)
		if after, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 20); err != nil || len(after) != len(before) {
			t.Errorf("a poll that found nothing is on record: %v, %v", after, err)
		}
		if err := (&installation{rig: r, account: a}).wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.poll(a); len(one.asked) != 2 {
			t.Errorf("later: asked for %q", one.asked)
		}
		r.people.add(person{id: "4", name: "person 4"})
		r.poll(a)
		if s := r.stream(a); s.Hidden != 0 || len(s.HiddenSample) != 0 {
			t.Errorf("back again: %+v", s)
		}
		r.people.remove("4")
		one.status = r.truly(410)
		r.poll(a)
		r.expect(a, &seen, "deleted 4")
	})
}

func TestHiddenRecordIsAskedForEverMoreRarely(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for times, want := range map[uint32]time.Duration{1: time.Hour, 2: 2 * time.Hour, 3: 4 * time.Hour, 5: 16 * time.Hour, 6: 24 * time.Hour, 4000: 24 * time.Hour} {
		h := hidden{asked: now, times: times}
		if h.due(now.Add(want-time.Second)) || !h.due(now.Add(want)) {
			t.Errorf("asked for %d times: not due after %s", times, want)
		}
	}
}

// No answer confirms nothing, and the first one without an answer is the last question.
func TestQuestionWithoutAnswer(t *testing.T) {
	for _, status := range []int{500, 403, 400} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				r.people.staff(30)
				one := &single{status: always(status)}
				r.people.setFault(one.answer)
				a := r.lab(nil)
				r.poll(a)
				r.people.remove("4", "17")
				if got := r.poll(a); got.Suspected != 2 || got.Deleted != 0 || !got.Complete {
					t.Fatalf("%+v", got)
				}
				if len(one.asked) != 1 {
					t.Errorf("asked for %q", one.asked)
				}
				if s := r.stream(a); s.State != StreamOK {
					t.Errorf("%+v", s)
				}
				if got := r.poll(a); got.Deleted != 2 {
					t.Fatalf("missing again: %+v", got)
				}
			})
		})
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(400)
		one := &single{status: r.truly(404)}
		r.people.setFault(one.answer)
		a := r.lab(func(n *NewAccount) { n.Credentials["page_size"] = "100" })
		r.poll(a)
		var gone []string
		for i := 101; i <= 125; i++ {
			gone = append(gone, strconv.Itoa(i))
		}
		r.people.remove(gone...)
		if got := r.poll(a); got.Deleted != askedAtMost || got.Suspected != 25-askedAtMost || len(one.asked) != askedAtMost+1 {
			t.Fatalf("%+v after %d questions", got, len(one.asked))
		}
		r.poll(a)
		var seen int64
		r.expect(a, &seen, deleted(gone)...)
	})
}

// A quarantine is not taken apart by asking for each of its records.
func TestQuarantineComesBeforeQuestions(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		one := &single{status: r.truly(404)}
		r.people.setFault(one.answer)
		a := r.lab(nil)
		r.poll(a)
		halve(r)
		if got := r.poll(a); got.Quarantined != 15 || len(one.asked) != 0 {
			t.Fatalf("%+v after asking for %q", got, one.asked)
		}
	})
}

// A provider that takes us for another customer knows none of our records.
func TestHalfOfAStreamIsNotGoneAtFirstSight(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(16)
		r.people.setFault((&single{status: r.truly(404)}).answer)
		a := r.lab(nil)
		r.poll(a)
		var gone []string
		for i := range 8 {
			gone = append(gone, strconv.Itoa(i+1))
		}
		r.people.remove(gone...)
		if got := r.poll(a); got.Suspected != 8 || got.Deleted != 0 {
			t.Fatalf("%+v", got)
		}
	})
}

// Where the connector can't ask, nobody asks.
func TestWithoutARecordRequest(t *testing.T) {
	r := newDirectory(t)
	c, _, err := providers.Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	generic, err := c.Connector("generic")
	if err != nil {
		t.Fatal(err)
	}
	info, _ := generic.Stream("employees")
	f := finding{difference: contrast{}, known: 100, confirms: info.Confirms}
	if got := f.questions(doubts{}, time.Now()); got != nil || r.requested() != 0 {
		t.Errorf("asked for %v", got)
	}
}
