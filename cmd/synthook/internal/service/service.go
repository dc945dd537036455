// Package service puts the rooms together and runs them: database, keys, catalogue,
// poller, dispatcher, HTTP API and dashboard in one process.
//
// It owns the order in which things are opened and closed, what is kept for how long,
// and how parts that don't know each other wake each other. It decides nothing that a
// room decides.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/audit"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/metrics"
	"github.com/synthook/synthook/cmd/synthook/internal/once"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/cmd/synthook/internal/tally"
	"github.com/synthook/synthook/cmd/synthook/internal/trace"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/poller"
)

// Options are what a service is started with.
type Options struct {
	Settings settings.Settings
	Logger   zerolog.Logger
	Version  string // of the program: in the user agent and the API's document
	// ConfirmDelay is the longest wait for the listing that confirms a deletion; 0: the
	// poller's default. The demo is in a hurry.
	ConfirmDelay time.Duration
}

// Service is everything open and ready to run.
type Service struct {
	// NewAdminKey is the admin key, where this start made it: it can't be had again.
	NewAdminKey string
	// NewKeyFile is the path of the key file, where this start made it.
	NewKeyFile string

	settings   settings.Settings
	log        zerolog.Logger
	db         *migrations.DB
	store      *hashstore.Store
	poller     *poller.Poller
	accounts   *poller.Accounts
	streams    *poller.Streams
	dispatcher *dispatch.Dispatcher
	webhooks   *dispatch.Webhooks
	api        *api.API
	tally      *tally.Tally
	audit      *audit.Trail
	listener   net.Listener
	once       *once.Keeper
	metrics    *metrics.Metrics
	traces     *trace.Exporter // nil: nobody is told
	scraped    net.Listener    // where the metrics are served to everybody; nil: nowhere
	wake       func()          // whoever waits for events
	parts      []*part
}

// Start opens everything, in order: database, schema, the address to listen on, keys,
// catalogue, the rooms. What it opened before an error it closes. Nothing is polled,
// sent or answered before Run.
func Start(ctx context.Context, o Options) (_ *Service, err error) {
	s := &Service{settings: o.Settings, log: o.Logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.openDatabase(ctx); err != nil {
		return nil, err
	}
	// Before the keys: those that a first start makes must reach somebody.
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", o.Settings.Listen); err != nil {
		return nil, fmt.Errorf("listen for the API (--listen, SYNTHOOK_LISTEN): %w", err)
	}
	if o.Settings.MetricsListen != "" {
		if s.scraped, err = new(net.ListenConfig).Listen(ctx, "tcp", o.Settings.MetricsListen); err != nil {
			return nil, fmt.Errorf("listen for the metrics (--metrics-listen, SYNTHOOK_METRICS_LISTEN): %w", err)
		}
	}
	config := keys.Config{MasterKey: o.Settings.MasterKey.Reveal(), AdminKey: o.Settings.AdminKey.Reveal()}
	if s.db.Path != "" {
		config.KeyFile = s.db.Path + ".key"
	}
	opened, err := keys.Open(ctx, s.db.DB, config)
	if err != nil {
		return nil, err
	}
	s.NewAdminKey, s.NewKeyFile = opened.NewAdminKey, opened.NewKeyFile
	if err := s.wire(ctx, o, opened); err != nil {
		return nil, err
	}
	s.parts = []*part{{name: "api", run: s.serve}, {name: "poller", run: s.poller.Run}, {name: "dispatcher", run: s.dispatcher.Run}, {name: "cleaner", run: s.clean}, {name: "tally", run: s.tally.Run}}
	if s.traces != nil {
		s.parts = append(s.parts, &part{name: "traces", run: s.traces.Run})
	}
	if s.scraped != nil {
		s.parts = append(s.parts, &part{name: "metrics", run: s.serveMetrics})
	}
	if s.db.Pool != nil {
		s.parts = append(s.parts, &part{name: "notifications", run: s.listen})
	}
	return s, nil
}

func (s *Service) openDatabase(ctx context.Context) (err error) {
	if s.db, err = migrations.Open(ctx, s.settings.DatabaseURL.Reveal()); err != nil {
		return err
	}
	before, after, err := migrations.Up(ctx, s.db.DB)
	if err != nil {
		return err
	}
	if before != after {
		s.log.Info().Int64("before", before).Int64("after", after).Msg("schema migrated")
	}
	return nil
}

// Close closes what Start opened. Run does it by itself.
func (s *Service) Close() error {
	var err error
	for _, l := range []net.Listener{s.listener, s.scraped} {
		if l == nil {
			continue
		}
		if closing := l.Close(); !errors.Is(closing, net.ErrClosed) {
			err = errors.Join(err, closing)
		}
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// Addr is the host:port that the API listens on.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// URL is where a client on this machine finds the API.
func (s *Service) URL() string {
	addr, err := netip.ParseAddrPort(s.Addr())
	if err == nil && addr.Addr().IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", addr.Port())
	}
	return "http://" + s.Addr()
}

// Announce tells a person what this start made and where the service is. It is the only
// place that shows the admin key.
func (s *Service) Announce(w io.Writer) error {
	var text string
	if s.NewKeyFile != "" {
		text += fmt.Sprintf("Made the key file %s. Keep it with the database: without it the stored credentials can't be read.\n", s.NewKeyFile)
	}
	if s.NewAdminKey != "" {
		text += fmt.Sprintf("Made the admin key, which is shown only now: %s\nCommands take it as SYNTHOOK_API_KEY.\n", s.NewAdminKey)
	}
	_, err := fmt.Fprintf(w, "%ssynthook listens on %s: the dashboard is there, the API below /v1\n", text, s.URL())
	return err
}
