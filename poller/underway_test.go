package poller

import (
	"net/http"
	"testing"
)

// Of a poll that its own process makes, each page is seen at once, however short it is.
func TestUnderwayIsSeenAtOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(30)
		r.config.Underway = &Underway{}
		streams, elsewhere := NewStreams(r.config), r.streams
		a := r.lab(nil)
		reached, goOn := make(chan struct{}), make(chan struct{})
		r.people.setFault(func(page int, w http.ResponseWriter, _ *http.Request) bool {
			if page == 3 {
				close(reached)
				<-goOn
			}
			return false
		})
		done := make(chan Result, 1)
		go func() {
			got, _ := r.newPoller().Poll(t.Context(), r.stream(a).ID)
			done <- got
		}()
		<-reached
		waitFor(t, "two pages", func() bool {
			s, err := streams.Get(t.Context(), DefaultProject, a.ID, "employees")
			if err != nil {
				t.Fatal(err)
			}
			p := s.Progress
			return s.Polling && p != nil && p.Running && p.Pages == 2 && p.Records == 20 && p.Total == -1
		})
		if s, err := elsewhere.Get(t.Context(), DefaultProject, a.ID, "employees"); err != nil || !s.Polling || s.Progress != nil {
			t.Errorf("another process sees %+v %v", s, err)
		}
		r.people.setFault(nil)
		close(goOn)
		<-done
		if s, err := streams.Get(t.Context(), DefaultProject, a.ID, "employees"); err != nil || s.Polling || s.Progress != nil {
			t.Errorf("at its end: %+v %v", s, err)
		}
	})
}
