package poller

import (
	"strings"
	"testing"
)

// A restart doesn't renew what the provider allows in a day.
func TestQuotaOutlivesTheProcess(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(func(n *NewAccount) { n.Provider, n.Credentials = "metered", nil })
		other := r.account(func(n *NewAccount) { n.Provider, n.Credentials = "metered", nil })
		for n := range 2 {
			if got := r.poll(a); !got.Complete || got.Requests != 1 {
				t.Fatalf("poll %d: %+v", n+1, got)
			}
		}
		r.poller = r.newPoller()
		asked := r.people.requested()
		if got := r.poll(a); got.Complete || got.Error == "" || r.people.requested() != asked {
			t.Errorf("the third of two, after a restart: %+v", got)
		}
		if s := r.stream(a); s.NextPollAt.Sub(s.LastPollAt).Hours() < 23 {
			t.Errorf("asked again at %s", s.NextPollAt)
		}
		if got := r.poll(other); !got.Complete {
			t.Errorf("another account's quota: %+v", got)
		}
		if strings.Contains(r.log.String(), "not stored") {
			t.Error(r.log.String())
		}
	})
}
