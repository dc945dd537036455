package api_test

import (
	"net/http"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// What was seen of a project's streams, and of no other's, becomes a proposal; streams
// that are not polled are left out.
func TestTune(t *testing.T) {
	each(t, func(t *testing.T, r *servicetest.Rig) {
		c := r.Admin("")
		provider := servicetest.NewProvider(t, map[string]string{"1": "Ann"})
		n := provider.Account()
		n.Schedule = ""
		busy, paused := post[api.Account](t, c, "/v1/accounts", n), post[api.Account](t, c, "/v1/accounts", n)
		post[api.Account](t, c, "/v1/accounts/"+paused.ID+"/pause", nil)
		poll(t, c, busy.ID)
		provider.Set("2", "Bob")
		poll(t, c, busy.ID)
		found := get[api.Tuning](t, c, "/v1/tune?staleness=10m20s&streams=true")
		if len(found.RecordTypes) != 1 || len(found.Streams) != 1 {
			t.Fatalf("%+v", found)
		}
		v, s := found.RecordTypes[0], found.Streams[0]
		if v.RecordType != "employees" || v.Changes != 1 || v.Proposed != "20m" || v.Schedules[0] != "1h" || v.ChangesPerHour < 0.05 {
			t.Errorf("record type: %+v", v)
		}
		if s.AccountID != busy.ID || s.RequestsPerPoll != 1 || s.Proposed != "" || s.Before.RequestsPerHour != 1 || s.After.RequestsPerHour != 3 {
			t.Errorf("stream: %+v", s)
		}
		if mean := found.After.MeanMS; mean > 620_000 || mean < 600_000 || !found.Met {
			t.Errorf("aimed at 10m20s: %+v", found)
		}
		post[api.Project](t, c, "/v1/projects", api.NewProject{ID: "other", Name: "Other"})
		key := post[api.APIKey](t, c, "/v1/projects/other/api-keys", api.NewAPIKey{Name: "test"}).Key
		if other := get[api.Tuning](t, client.New(r.URL(), key, ""), "/v1/tune?streams=true"); len(other.RecordTypes)+len(other.Streams) != 0 {
			t.Errorf("another project sees %+v", other)
		}
		for query, location := range map[string]string{"budget=x": "query.budget", "budget=NaN": "query.budget", "staleness=1": "query.staleness", "window=0s": "query.window", "budget=1/h&staleness=1h": "query.staleness"} {
			p := refused(t, r.Call("GET /v1/tune?"+query, servicetest.AdminKey, ""), http.StatusUnprocessableEntity)
			if len(p.Errors) != 1 || p.Errors[0].Location != location {
				t.Errorf("%s: %+v", query, p)
			}
		}
	})
}
