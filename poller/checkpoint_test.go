package poller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/synthook/synthook/providers"
)

// keeping is another process, which makes a checkpoint after every page.
func (r *rig) keeping() *Poller {
	c := r.config
	c.Checkpoint = 1
	p := New(c)
	p.open = r.poller.open
	return p
}

// interrupt polls with a process that is killed before the answer to a page: nothing is
// given back, and the lease has run out.
func (r *rig) interrupt(a Account, page int) (requests []int) {
	r.t.Helper()
	ctx, kill := context.WithCancel(r.t.Context())
	defer kill()
	one := &single{status: always(500)}
	r.people.setFault(func(n int, w http.ResponseWriter, req *http.Request) bool {
		if one.answer(n, w, req) {
			return true
		}
		requests = append(requests, n)
		if n == page {
			kill()
		}
		return false
	})
	result, err := r.keeping().Poll(ctx, r.stream(a).ID)
	if err == nil && result.Complete {
		return requests
	}
	if !errors.Is(err, context.Canceled) {
		r.t.Fatalf("%+v, %v", result, err)
	}
	if _, err := r.db.Exec(`UPDATE streams SET lease_owner = 'the dead', lease_until = $1`, time.Now().Add(-time.Second).UTC()); err != nil {
		r.t.Fatal(err)
	}
	return requests
}

// A listing that is killed at any page is gone on with where it was: each change is told
// once, and what has gone when all of it is read.
func TestKilledListingGoesOn(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		const people, pages = 300, 30
		r.people.staff(people)
		a := r.lab(nil)
		r.poll(a)
		random, next := rand.New(rand.NewPCG(7, 7)), people
		var seen int64
		for round := range 4 {
			var want, gone []string
			for n := range 8 {
				id := strconv.Itoa(10 + 40*round + 5*n) // nobody twice
				switch n % 3 {
				case 0:
					r.people.rename(id, fmt.Sprint("renamed ", round))
					want = append(want, "updated "+id)
				case 1:
					gone = append(gone, id)
				default:
					next++
					r.people.add(person{id: strconv.Itoa(next), name: "new"})
					want = append(want, fmt.Sprint("created ", next))
				}
			}
			r.people.remove(gone...)
			read := map[int]int{}
			for _, page := range []int{2 + random.IntN(9), 12 + random.IntN(8), 21 + random.IntN(8), 0} {
				for _, n := range r.interrupt(a, page) {
					read[n]++
				}
				if page > 0 {
					if p := r.stream(a).Progress; p == nil || p.Running || p.Records == 0 || int(p.Pages) >= page || p.Since.IsZero() {
						t.Errorf("killed at page %d: progress %+v", page, p)
					}
				}
			}
			again := 0
			for n, times := range read {
				if n > pages {
					continue
				}
				if again += times - 1; times > 3 {
					t.Errorf("page %d was read %d times", n, times)
				}
			}
			if len(read) < pages-1 || again > 9 {
				t.Errorf("%d pages, %d of them once more", len(read), again)
			}
			if s := r.stream(a); s.Progress != nil || s.Suspected != len(gone) {
				t.Errorf("at its end: progress %+v, suspected %d of %d", s.Progress, s.Suspected, len(gone))
			}
			r.poll(a)
			r.expect(a, &seen, sorted(append(want, deleted(gone)...))...)
			if got := r.poll(a); got.Events != 0 {
				t.Fatalf("settled: %+v", got)
			}
		}
	})
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// What is found on the way is told on the way, unless it is too much to believe.
func TestCheckpointsTell(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(100)
		a := r.lab(nil)
		r.poll(a)
		var seen int64
		r.people.rename("3", "renamed")
		for i := 21; i <= 40; i++ {
			r.people.rename(strconv.Itoa(i), "all of them")
		}
		r.people.rename("55", "renamed")
		r.interrupt(a, 8)
		r.expect(a, &seen, "updated 3", "updated 55")
		polls, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 10)
		if err != nil || len(polls) == 0 || polls[0].Complete || polls[0].Error == "" || polls[0].Updated != 2 {
			t.Errorf("on record: %+v, %v", polls, err)
		}
		r.people.setFault(nil)
		if got := r.poll(a); got.Updated != 20 {
			t.Fatalf("%+v", got)
		}
		var want []string
		for i := 21; i <= 40; i++ {
			want = append(want, fmt.Sprint("updated ", i))
		}
		r.expect(a, &seen, sorted(want)...)
	})
}

// A poll whose checkpoints have told all there was is on record as complete.
func TestCheckpointsThatToldEverything(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(100)
		a := r.lab(nil)
		r.poll(a)
		r.people.rename("3", "renamed")
		if got, err := r.keeping().Poll(t.Context(), r.stream(a).ID); err != nil || !got.Complete || got.Updated != 1 || got.Events != 1 {
			t.Fatal(got, err)
		}
		polls, err := r.streams.Polls(t.Context(), r.stream(a).ID, 0, 10)
		if err != nil || !polls[0].Complete || polls[0].Error != "" || polls[0].Updated != 1 || polls[0].Number != 2 {
			t.Errorf("on record: %+v, %v", polls, err)
		}
		if s := r.stream(a); s.LastChangeAt.IsZero() || s.Progress != nil {
			t.Errorf("%+v", s)
		}
	})
}

// A first listing is silent however often it is interrupted, in either of its two walks.
func TestKilledFirstListing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(200)
		a := r.lab(nil)
		walks := 0
		for _, page := range []int{5, 14, 0} {
			for _, n := range r.interrupt(a, page) {
				if n == 1 {
					walks++
				}
			}
		}
		if s := r.stream(a); s.State != StreamOK || s.Records != 200 || walks != 2 {
			t.Fatalf("%+v after %d walks", s, walks)
		}
		var seen int64
		r.expect(a, &seen)
		if got := r.poll(a); got.Created+got.Updated+got.Suspected != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// What was kept is worth nothing when what it depends on has changed, it is old, or the
// provider doesn't go on there.
func TestListingBeginsAnew(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, r *rig, a Account){
		"another recipe": func(_ *testing.T, r *rig, a Account) { r.ignore(a, "seat") },
		"other credentials": func(t *testing.T, r *rig, a Account) {
			if _, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: map[string]string{"paging": "page", "page_size": "11", "end": "has_more is false"}}); err != nil {
				t.Fatal(err)
			}
		},
		"a day": func(t *testing.T, r *rig, _ Account) {
			if _, err := r.db.Exec(`UPDATE listings SET updated_at = $1`, time.Now().Add(-25*time.Hour).UTC()); err != nil {
				t.Fatal(err)
			}
		},
		"damage": func(t *testing.T, r *rig, _ Account) {
			if _, err := r.db.Exec(`UPDATE listing_segments SET segment = $1 WHERE seq = 2`, []byte("damaged")); err != nil {
				t.Fatal(err)
			}
		},
		"the provider": func(_ *testing.T, r *rig, _ Account) {
			refused := false
			r.people.setFault(func(page int, w http.ResponseWriter, _ *http.Request) bool {
				if page > 1 && !refused {
					refused = true
					w.WriteHeader(http.StatusBadRequest)
					return true
				}
				return false
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				r.people.staff(100)
				a := r.lab(nil)
				r.poll(a)
				var seen int64
				r.people.rename("3", "renamed")
				r.interrupt(a, 6)
				r.expect(a, &seen, "updated 3")
				r.people.setFault(nil)
				r.people.rename("4", "renamed, on a page that was read")
				change(t, r, a)
				if got := r.poll(a); !got.Complete || got.Updated != 1 || got.Records != 100 || got.Pages < 9 {
					t.Fatalf("%+v", got)
				}
				r.expect(a, &seen, "updated 4")
			})
		})
	}
}

// A listing that ends with an error that asking again does not mend is not gone on with.
func TestWorthlessListingIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(100)
		a := r.lab(nil)
		r.poll(a)
		for status, kept := range map[int]bool{503: true, 404: false} {
			r.people.setFault(func(page int, w http.ResponseWriter, _ *http.Request) bool {
				if page == 7 {
					w.WriteHeader(status)
				}
				return page == 7
			})
			if got, err := r.keeping().Poll(t.Context(), r.stream(a).ID); err != nil || got.Complete {
				t.Fatal(got, err)
			}
			if p := r.stream(a).Progress; (p != nil) != kept {
				t.Errorf("after %d: %+v", status, p)
			}
			r.people.setFault(nil)
			if got := r.poll(a); !got.Complete {
				t.Errorf("%+v", got)
			}
		}
	})
}

// While a listing runs, how far it is can be seen.
func TestProgressIsVisible(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(100)
		r.config.Lease = 30 * time.Millisecond // renewed every 10 ms
		a := r.lab(nil)
		reached, goOn := make(chan struct{}), make(chan struct{})
		r.people.setFault(func(page int, w http.ResponseWriter, _ *http.Request) bool {
			if page == 5 {
				close(reached)
				<-goOn
			}
			return false
		})
		p := New(r.config)
		p.open = func(c *providers.Connector, t providers.Target, o providers.Options) (lister, error) {
			o.Backoff = []time.Duration{}
			return c.Open(t, o)
		}
		done := make(chan Result, 1)
		go func() {
			got, _ := p.Poll(t.Context(), r.stream(a).ID)
			done <- got
		}()
		<-reached
		waitFor(t, "progress", func() bool {
			shown := r.stream(a).Progress
			return shown != nil && shown.Running && shown.Pages == 4 && shown.Records == 40 && shown.Total == -1
		})
		r.people.setFault(nil)
		close(goOn)
		if got := <-done; !got.Complete {
			t.Fatalf("%+v", got)
		}
		if shown := r.stream(a).Progress; shown != nil {
			t.Errorf("at its end: %+v", shown)
		}
	})
}
