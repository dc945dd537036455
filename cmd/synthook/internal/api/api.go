package api

import (
	"context"
	"database/sql"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/audit"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/once"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/poller"
	"github.com/synthook/synthook/providers"
)

// Config is what the API stands on.
type Config struct {
	DB       *sql.DB // for nothing but locks
	Keys     *keys.Keys
	Once     *once.Keeper
	APIKeys  *keys.APIKeys
	Catalog  *providers.Catalog
	Projects *poller.Projects
	Accounts *poller.Accounts
	Streams  *poller.Streams
	Poller   *poller.Poller
	Webhooks *dispatch.Webhooks
	Events   *hashstore.Store
	Audit    *audit.Trail
	Pages    http.Handler                      // what there is beside the API; nil: nothing
	Metrics  http.Handler                      // GET /metrics, for the admin key
	Ready    func(ctx context.Context) []Check // for /readyz
	Version  string
	Logger   zerolog.Logger
}

// API is the HTTP API: an http.Handler.
type API struct {
	Config
	huma    huma.API
	mux     *http.ServeMux
	news    news            // of the event log
	turns   *turns          // of updates
	closing context.Context // ends when the server shuts down
	close   func()
}

// New makes the API with all its routes.
func New(c Config) (*API, error) {
	a := &API{Config: c, mux: http.NewServeMux(), turns: newTurns(c.DB)}
	a.closing, a.close = context.WithCancel(context.Background())
	a.huma = humago.New(a.mux, huma.Config{
		OpenAPI:                      document(c.Version),
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{withoutValues},
	})
	a.huma.UseMiddleware(a.authorize, withRequest)
	a.providerRoutes()
	a.projectRoutes()
	a.apiKeyRoutes()
	a.accountRoutes()
	a.streamRoutes()
	a.scheduleRoutes()
	a.tuneRoutes()
	a.webhookRoutes()
	a.secretRoutes()
	a.rotationRoutes()
	a.eventRoutes()
	a.replayRoutes()
	a.auditRoutes()
	a.resyncRoutes()
	a.healthRoutes()
	a.mux.HandleFunc("GET /metrics", a.metrics)
	return a, a.documentRoutes()
}

// Wake tells those who wait for events that there may be some. It never blocks.
func (a *API) Wake() { a.news.tell() }

// Closing is closed when the server shuts down.
func (a *API) Closing() <-chan struct{} { return a.closing.Done() }

// optional is a moment of an answer; the zero time is left out.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// orEmpty keeps a list that has nothing from becoming null in an answer.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
