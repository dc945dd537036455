package dashboard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// pagedProvider lists employees in pages of ten, each only when it may.
type pagedProvider struct {
	url   string
	pages int
	may   chan struct{}
}

func newPagedProvider(t testing.TB, pages int) *pagedProvider {
	t.Helper()
	p := &pagedProvider{pages: pages, may: make(chan struct{}, 100)}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(p.may) })
	p.url = server.URL
	return p
}

// give lets it answer some more requests.
func (p *pagedProvider) give(pages int) {
	for range pages {
		p.may <- struct{}{}
	}
}

func (p *pagedProvider) account() api.NewAccount {
	return api.NewAccount{
		Provider: "generic", BaseURL: p.url, Schedule: "24h", OriginOwnerName: "Umbrella",
		Credentials: map[string]string{
			"employees_path": "/people", "records_path": "items", "paging": "cursor", "next_path": "next", "end": "no_next", "total_path": "total",
			"header_value": "Bearer hunter2hunter2",
		},
	}
}

func (p *pagedProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-p.may:
	case <-r.Context().Done():
		return
	}
	page := 1
	_, _ = fmt.Sscan(r.FormValue("cursor"), &page)
	w.Header().Set("Content-Type", "application/json")
	next := "null"
	if page < p.pages {
		next = fmt.Sprint(page + 1)
	}
	fmt.Fprintf(w, `{"total": %d, "next": %s, "items": [`, 10*p.pages, next)
	for i := range 10 {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, `{"id": "%d", "name": "Person"}`, 10*page+i)
	}
	fmt.Fprint(w, "]}")
}
