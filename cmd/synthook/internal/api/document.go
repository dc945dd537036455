package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synthook/synthook/cmd/synthook/internal/reference"
)

// document is what the OpenAPI document says beside the routes.
func document(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:       "synthook",
			Version:     version,
			Description: "Webhooks for HR and recruiting systems that have none. Errors are problem details (RFC 9457); listings are pages: pass `next` as `cursor`.",
			Contact:     &huma.Contact{Name: "synthook", URL: "https://github.com/synthook/synthook"},
			License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{"key": {
				Type: "http", Scheme: "bearer",
				Description: "An API key of a project, or the admin key. With the admin key the header " + projectHeader + " names the project; default: the project \"" + DefaultProject + "\".",
			}},
		},
	}
}

// documentRoutes serves the document, which is complete once all routes are.
func (a *API) documentRoutes() error {
	a.describe()
	asJSON, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		return fmt.Errorf("write OpenAPI document: %w", err)
	}
	asYAML, err := a.huma.OpenAPI().YAML()
	if err != nil {
		return fmt.Errorf("write OpenAPI document: %w", err)
	}
	for path, text := range map[string][]byte{"/openapi.json": asJSON, "/openapi.yaml": asYAML} {
		kind := "application/openapi+" + path[len("/openapi."):]
		a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(text)
		})
	}
	page, err := reference.Handler(a.huma.OpenAPI(), docsPath)
	if err != nil {
		return err
	}
	a.mux.Handle("GET "+docsPath, page)
	a.mux.Handle("GET "+docsPath+"/style.css", page)
	return nil
}

// docsPath is where the document is shown to people.
const docsPath = "/docs"

// Check is one thing that has to hold for the process to be ready.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Note string `json:"note,omitempty"`
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status string  `json:"status" enum:"ok"`
	Checks []Check `json:"checks,omitempty"`
}

func (a *API) healthRoutes() {
	serve(a, route{pattern: "GET /healthz", access: forAnyone, summary: "The process is up"},
		func(context.Context, *empty) (Health, error) { return Health{Status: "ok"}, nil })
	serve(a, route{pattern: "GET /readyz", access: forAnyone, summary: "The database is reachable, its schema right, and the workers run"},
		func(ctx context.Context, _ *empty) (Health, error) {
			checks := a.Ready(ctx)
			refused := problem(http.StatusServiceUnavailable, "not ready")
			for _, c := range checks {
				if !c.OK {
					refused.Add(&huma.ErrorDetail{Location: c.Name, Message: c.Note})
				}
			}
			if len(refused.Errors) > 0 {
				return Health{}, refused
			}
			return Health{Status: "ok", Checks: checks}, nil
		})
}
