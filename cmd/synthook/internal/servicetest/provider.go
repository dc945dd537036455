package servicetest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// Provider is a provider with one list of employees on one page, for the generic
// connector.
type Provider struct {
	URL     string
	mu      sync.Mutex
	records map[string]string
}

// NewProvider starts a provider with records: id and name of each.
func NewProvider(t testing.TB, records map[string]string) *Provider {
	t.Helper()
	p := &Provider{records: maps.Clone(records)}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Set changes a record, or adds it.
func (p *Provider) Set(id, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records[id] = name
}

// Clear removes all records.
func (p *Provider) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.records)
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(p.records)) {
		list = append(list, map[string]string{"id": id, "name": p.records[id]})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// Account is an account of the provider that is polled only when asked to.
func (p *Provider) Account() api.NewAccount {
	return api.NewAccount{
		Provider: "generic", BaseURL: p.URL, Schedule: "24h",
		Credentials: map[string]string{"employees_path": "/employees", "paging": "none", "header_value": "Bearer hunter2hunter2"},
	}
}
