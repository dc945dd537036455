// Package dashboard serves the web pages of a service: what there is, how it is, and
// forms for whatever can be done about it.
//
// It owns the pages, who is logged in, and how things are said. It is one more client of
// the HTTP API: whatever changes something is asked of the API, in this process and as
// the caller whom the session knows, so that rules, refusals and the audit log are the
// API's. Beside it a page may read sums and searches that the API does not have, through
// an interface of its own. Nothing changes on GET; every page works without scripts.
//
// Words: a notice is what a page tells of the action that led to it; a form that is
// refused comes back with what was typed (never a secret) and the reason beside the field.
package dashboard

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/explain"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/session"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/cmd/synthook/internal/tally"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/poller"
)

// Streams sums up and searches the streams of a project.
type Streams interface {
	Health(ctx context.Context, projectID string) (poller.Health, error)
	Find(ctx context.Context, projectID string, f poller.StreamFilter) ([]poller.Stream, error)
}

// Accounts counts and searches the accounts of a project.
type Accounts interface {
	AccountStates(ctx context.Context, projectID string) (map[string]int, error)
	Find(ctx context.Context, projectID string, f poller.AccountFilter) ([]poller.Account, error)
	Names(ctx context.Context, projectID string, ids []string) (map[string]string, error)
	CredentialNames(ctx context.Context, projectID, id string) ([]string, error)
}

// Activity tells what happened of late.
type Activity interface {
	Last(ctx context.Context, projectID string) tally.Series
}

// Deliveries tells of attempts, and what they sent.
type Deliveries interface {
	Recent(ctx context.Context, projectID, webhookID string, limit int) ([]dispatch.RecentAttempt, error)
	Parked(ctx context.Context, projectID, webhookID string, limit int) ([]dispatch.Parked, error)
	Sent(ctx context.Context, projectID, webhookID string, e dispatch.Event, at time.Time) (dispatch.Request, error)
}

// Keys are whom a login lets in.
type Keys interface {
	IsAdmin(key string) bool
}

// APIKeys finds the API key that a login shows.
type APIKeys interface {
	Find(ctx context.Context, key string) (keys.APIKey, error)
}

// Config is what the dashboard stands on.
type Config struct {
	API        *client.Client // of this process: client.Within
	Closing    <-chan struct{}
	Sessions   *session.Sessions
	Keys       Keys
	APIKeys    APIKeys
	Sealer     frame.Sealer
	Audit      Trail
	Streams    Streams
	Accounts   Accounts
	Activity   Activity
	Deliveries Deliveries
	Settings   []settings.Effective // as they are shown
	Version    string
	Logger     zerolog.Logger
}

// Dashboard is the pages: an http.Handler.
type Dashboard struct {
	Config
	mux      *http.ServeMux
	guard    http.Handler
	renderer *frame.Renderer
	limiter  *session.Limiter
	assets   map[string]asset // by path
}

//go:embed templates assets
var files embed.FS

// asset is a file that never changes under its name, which holds a hash of it.
type asset struct {
	kind string
	data []byte
}

// New makes the dashboard with all its pages.
func New(c Config) (*Dashboard, error) {
	d := &Dashboard{Config: c, mux: http.NewServeMux(), limiter: session.NewLimiter(), assets: map[string]asset{}}
	names, err := d.readAssets()
	if err != nil {
		return nil, err
	}
	templates, err := fs.Sub(files, "templates")
	if err != nil {
		return nil, fmt.Errorf("find templates: %w", err)
	}
	functions := template.FuncMap{"asset": func(name string) string { return names[name] }, "explain": explain.Attempt, "means": explain.Last, "said": explain.Said, "standing": standing}
	if d.renderer, err = frame.NewRenderer(templates, functions); err != nil {
		return nil, err
	}
	d.routes()
	refused := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, http.StatusForbidden, "This request came from another site. Open the page here and try again.")
	})
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(refused)
	d.guard = origin.Handler(d.mux)
	return d, nil
}

func (d *Dashboard) readAssets() (map[string]string, error) {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	entries, err := files.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("list assets: %w", err)
	}
	names := map[string]string{}
	for _, e := range entries {
		data, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(data)
		extension := path.Ext(e.Name())
		hashed := "/assets/" + strings.TrimSuffix(e.Name(), extension) + "." + hex.EncodeToString(sum[:6]) + extension
		names[e.Name()] = hashed
		d.assets[hashed] = asset{kinds[extension], data}
		if e.Name() == "icon.svg" {
			d.assets["/favicon.ico"] = d.assets[hashed] // where browsers look without being told
		}
	}
	return names, nil
}

// policy lets a page load what this server gives and send forms to it, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP answers every page with the headers that keep it to itself.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "interest-cohort=()")
	h.Set("Cache-Control", "no-store")
	d.guard.ServeHTTP(w, r)
}

func (d *Dashboard) routes() {
	d.mux.HandleFunc("GET /assets/{name}", d.asset)
	d.mux.HandleFunc("GET /favicon.ico", d.asset)
	d.mux.HandleFunc("GET /login", d.loginPage)
	d.mux.HandleFunc("POST /login", d.login)
	d.page("POST /logout", d.logout)
	d.page("POST /project", d.chooseProject)

	d.page("GET /{$}", d.overview)
	d.page("GET /live", d.live)
	d.page("GET /watch/{account}", d.watch)
	d.page("GET /watch/{account}/{type}", d.watch)

	d.page("GET /accounts", d.accounts)
	d.page("GET /accounts/new", d.chooseProvider)
	d.page("GET /accounts/new/{provider}", d.newAccount)
	d.page("POST /accounts/new/{provider}", d.createAccount)
	d.page("GET /accounts/{account}", d.account)
	d.page("POST /accounts/{account}/{action}", d.changeAccount)

	d.page("GET /streams", d.streams)
	d.page("GET /accounts/{account}/streams/{type}", d.stream)
	d.page("GET /accounts/{account}/streams/{type}/polls/{poll}", d.poll)
	d.page("POST /accounts/{account}/streams/{type}/{action}", d.changeStream)

	d.page("GET /webhooks", d.webhooks)
	d.page("GET /webhooks/new", d.newWebhook)
	d.page("POST /webhooks/new", d.createWebhook)
	d.page("GET /webhooks/{webhook}", d.webhook)
	d.page("POST /webhooks/{webhook}/{action}", d.changeWebhook)
	d.page("GET /webhooks/{webhook}/replay", d.planReplay)
	d.page("GET /webhooks/{webhook}/resync", d.resync)
	d.page("GET /webhooks/{webhook}/reconcile/{replay}", d.countReconcile)
	d.page("POST /webhooks/{webhook}/reconcile/{replay}", d.startReconcile)
	d.page("POST /replays/{replay}/cancel", d.cancelReplay)

	d.page("GET /events", d.events)
	d.page("GET /events/{event}", d.event)
	d.page("POST /events/{event}/resend", d.resend)

	d.page("GET /providers", d.providers)
	d.page("GET /providers/{provider}", d.provider)
	d.page("GET /tune", d.tune)
	d.page("POST /tune", d.applyTuning)
	d.page("GET /settings", d.settings)
	d.page("POST /settings/{action}", d.changeSettings)

	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, http.StatusNotFound, "There is no such page.")
	})
}

func (d *Dashboard) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := d.assets[r.URL.Path]
	if !ok {
		d.fail(w, r, http.StatusNotFound, "There is no such file.")
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.data) // fails only when the reader is gone
}
