package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/audit"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/session"
	"github.com/synthook/synthook/cmd/synthook/internal/eventlog"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/metrics"
	"github.com/synthook/synthook/cmd/synthook/internal/netguard"
	"github.com/synthook/synthook/cmd/synthook/internal/once"
	"github.com/synthook/synthook/cmd/synthook/internal/tally"
	"github.com/synthook/synthook/cmd/synthook/internal/trace"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/poller"
	"github.com/synthook/synthook/providers"
)

// wire makes the rooms and tells each what it needs of the others.
func (s *Service) wire(ctx context.Context, o Options, k *keys.Keys) (err error) {
	catalog, problems, err := providers.Load(s.settings.Connectors)
	if err != nil {
		return err
	}
	for _, p := range problems {
		s.log.Warn().Str("problem", p.String()).Msg("connector left out")
	}
	if s.settings.Connectors != "" {
		catalog.Hint = "the folder of --connectors is read once, when the service starts: restart it after a change there; provider lint tells what would be left out"
	}
	guard, err := netguard.New(s.settings.Network())
	if err != nil {
		return err
	}
	s.store = hashstore.New(s.db.DB)
	s.wake = func() {
		s.dispatcher.Wake()
		s.api.Wake()
	}
	s.store.OnAppend = s.wake
	s.metrics = metrics.New(metrics.Options{Version: o.Version, State: s.state, Logger: s.log})
	if s.settings.OTLPEndpoint != "" {
		s.traces = trace.New(s.settings.OTLPEndpoint, o.Version, s.log)
	}
	polling := poller.Config{
		DB: s.db.DB, Store: s.store, Catalog: catalog, Sealer: k.Sealer, HTTP: guard.PollClient(), Logger: s.log,
		CheckURL: guard.CheckURL, Wake: func() { s.poller.Wake() }, OnPoll: s.onPoll, OnSilence: s.metrics.Silence, Underway: &poller.Underway{},
		MinInterval: s.settings.MinInterval, Concurrency: s.settings.PollConcurrency, ConfirmDelay: o.ConfirmDelay,
	}
	s.poller = poller.New(polling)
	log, records, agent := eventlog.Log{Store: s.store}, eventlog.Records{Store: s.store}, "synthook/"+o.Version
	s.dispatcher = dispatch.New(dispatch.Config{
		DB: s.db.DB, Log: log, Records: records, HTTP: guard.DeliveryClient(), Sealer: k.Sealer, Logger: s.log,
		UserAgent: agent, Refused: netguard.Refused, OnAttempt: s.onAttempt, NoticeURL: s.settings.OperatorURL,
	})
	s.webhooks = dispatch.NewWebhooks(dispatch.WebhooksConfig{
		DB: s.db.DB, Log: log, Records: records, Sealer: k.Sealer, Names: catalog.EventNames, Check: guard.CheckURL, Changed: s.dispatcher.Refresh,
		HTTP: guard.DeliveryClient(), UserAgent: agent, Refused: netguard.Refused,
	})
	projects := poller.NewProjects(polling)
	s.accounts, s.streams = poller.NewAccounts(polling), poller.NewStreams(polling)
	if _, err := projects.Ensure(ctx, poller.DefaultProject); err != nil {
		return fmt.Errorf("make the project %q: %w", poller.DefaultProject, err)
	}
	s.once = once.New(s.db.DB, k.Sealer)
	s.audit = audit.New(s.db.DB)
	apiKeys := keys.NewAPIKeys(s.db.DB)
	s.api, err = api.New(api.Config{
		DB: s.db.DB, Once: s.once, Keys: k, APIKeys: apiKeys, Catalog: catalog, Audit: s.audit,
		Projects: projects, Accounts: s.accounts, Streams: s.streams, Poller: s.poller,
		Webhooks: s.webhooks, Events: s.store, Metrics: s.metrics.Handler(), Ready: s.ready, Version: o.Version, Logger: s.log,
	})
	if err != nil {
		return err
	}
	s.tally = tally.New(s.db.DB, s.log)
	s.api.Pages, err = dashboard.New(dashboard.Config{
		API: client.Within(s.api), Closing: s.api.Closing(), Sessions: session.New(s.db.DB, k), Keys: k, APIKeys: apiKeys, Sealer: k.Sealer, Audit: s.audit,
		Streams: s.streams, Accounts: s.accounts, Activity: s.tally, Deliveries: s.webhooks,
		Settings: s.settings.Effective(), Version: o.Version, Logger: s.log,
	})
	return err
}

// readyTimeout bounds what /readyz asks the database.
const readyTimeout = 3 * time.Second

// ready says what holds: the database answers, its schema is this program's, and every
// part runs.
func (s *Service) ready(ctx context.Context) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	check := func(name string, err error) api.Check {
		if err != nil {
			return api.Check{Name: name, Note: err.Error()}
		}
		return api.Check{Name: name, OK: true}
	}
	version, err := migrations.Status(ctx, s.db.DB)
	if err != nil {
		// The driver's words may name users and hosts, and everybody may ask.
		return []api.Check{check("database", errors.New("can't be reached"))}
	}
	checks := []api.Check{check("database", nil)}
	if version.Current != version.Latest {
		err = fmt.Errorf("is at version %d, this program at %d", version.Current, version.Latest)
	}
	checks = append(checks, check("schema", err))
	for _, p := range s.parts {
		checks = append(checks, check(p.name, p.state()))
	}
	return checks
}
