package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/eventlog"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/cmd/synthook/internal/netguard"
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
	guard := netguard.New(s.settings.AllowPrivateNetworks)
	s.store = hashstore.New(s.db.DB)
	s.wake = func() {
		s.dispatcher.Wake()
		s.api.Wake()
	}
	s.store.OnAppend = s.wake
	polling := poller.Config{
		DB: s.db.DB, Store: s.store, Catalog: catalog, Sealer: k.Sealer, HTTP: guard.PollClient(), Logger: s.log,
		CheckURL: guard.CheckURL, Wake: func() { s.poller.Wake() },
		MinInterval: s.settings.MinInterval, Concurrency: s.settings.PollConcurrency, ConfirmDelay: o.ConfirmDelay,
	}
	s.poller = poller.New(polling)
	log, records, agent := eventlog.Log{Store: s.store}, eventlog.Records{Store: s.store}, "synthook/"+o.Version
	s.dispatcher = dispatch.New(dispatch.Config{
		DB: s.db.DB, Log: log, Records: records, HTTP: guard.DeliveryClient(), Sealer: k.Sealer, Logger: s.log,
		UserAgent: agent, Refused: netguard.Refused, NoticeURL: s.settings.OperatorURL,
	})
	s.webhooks = dispatch.NewWebhooks(dispatch.WebhooksConfig{
		DB: s.db.DB, Log: log, Records: records, Sealer: k.Sealer, Names: catalog.EventNames, Check: guard.CheckURL, Changed: s.dispatcher.Refresh,
		HTTP: guard.DeliveryClient(), UserAgent: agent, Refused: netguard.Refused,
	})
	projects := poller.NewProjects(polling)
	s.streams = poller.NewStreams(polling)
	if _, err := projects.Ensure(ctx, poller.DefaultProject); err != nil {
		return fmt.Errorf("make the project %q: %w", poller.DefaultProject, err)
	}
	s.api, err = api.New(api.Config{
		Keys: k, APIKeys: keys.NewAPIKeys(s.db.DB), Catalog: catalog,
		Projects: projects, Accounts: poller.NewAccounts(polling), Streams: s.streams, Poller: s.poller,
		Webhooks: s.webhooks, Events: s.store, Ready: s.ready, Version: o.Version, Logger: s.log,
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
