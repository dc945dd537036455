package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// A stream that is read already is refused, not waited for; a whole diagnosis has every
// list, if empty.
func TestDoctorRefusesWhatIsRead(t *testing.T) {
	reached, opened := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var hold atomic.Bool // the first poll is over
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if hold.Load() {
			once.Do(func() { close(reached) })
			<-opened
		}
		_, _ = w.Write([]byte(`[{"id":1,"name":"marker"}]`))
	}))
	t.Cleanup(provider.Close)
	r := servicetest.Start(t, servicetest.Settings(migrationstest.SQLite(t)))
	c := r.Admin("")
	account := post[api.Account](t, c, "/v1/accounts", api.NewAccount{Provider: "generic", BaseURL: provider.URL, Schedule: "24h", Credentials: map[string]string{"employees_path": "/", "paging": "none"}})
	route := "/v1/accounts/" + account.ID + "/streams/employees"
	if first := post[api.PollResult](t, c, route+"/poll?wait=true", nil); !first.Complete {
		t.Fatalf("%+v", first)
	}
	hold.Store(true)
	var doctor sync.WaitGroup
	defer doctor.Wait()
	open := sync.OnceFunc(func() { close(opened) })
	defer open()
	doctor.Go(func() {
		a := r.Call("POST "+route+"/doctor", servicetest.AdminKey, "")
		for _, want := range []string{`"healthy":true`, `"differ":[]`, `"reordered":[]`, `"sample":[]`, `"record_type":"employees"`} {
			if a.Status != http.StatusOK || !strings.Contains(a.Body, want) || strings.Contains(a.Body, "marker") {
				t.Errorf("%d, want %s in %s", a.Status, want, a.Body)
			}
		}
	})
	<-reached
	if p := refused(t, r.Call("POST "+route+"/doctor", servicetest.AdminKey, ""), http.StatusConflict); !strings.Contains(p.Detail, "being polled") {
		t.Errorf("%+v", p)
	}
	open()
	refused(t, r.Call("POST /v1/accounts/"+account.ID+"/streams/nothing/doctor", servicetest.AdminKey, ""), http.StatusNotFound)
}
