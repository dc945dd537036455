package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/providers/sample"
	"golang.org/x/sync/errgroup"
)

// stage is one sample provider, the project that polls it, and the receiver of its
// webhook.
type stage struct {
	dialect   sample.Dialect
	server    *sample.Server
	client    *client.Client
	receiver  *receiver.Receiver
	accountID string

	mu   sync.Mutex
	seen []sample.Seen // record events in the order of arrival, each once
}

func (s *stage) received() []sample.Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// options of the sample servers: small pages, so that listings have several.
var options = map[sample.Dialect]sample.Options{
	sample.BambooHR: {PageSize: 15},
	sample.Workable: {PageSize: 40},
	sample.StackOne: {PageSize: 20},
}

// setUp makes a project, a webhook and an account for each sample provider.
func (d *demo) setUp(parts context.Context, g *errgroup.Group) error {
	for _, dialect := range sample.Dialects() {
		s := &stage{dialect: dialect, server: sample.NewServer(d.company, dialect, options[dialect])}
		d.stages = append(d.stages, s)
		base, stop, err := s.server.Start(parts)
		if err != nil {
			return err
		}
		g.Go(func() error {
			<-parts.Done()
			stop()
			return nil
		})
		hook, err := d.receive(parts, g, s)
		if err != nil {
			return err
		}
		if err := d.connect(parts, s, base, hook); err != nil {
			return fmt.Errorf("%s: %w", dialect, err)
		}
	}
	return nil
}

// hook is where a stage's receiver listens, and the secret that it expects.
type hook struct{ url, secret string }

func (d *demo) receive(parts context.Context, g *errgroup.Group, s *stage) (hook, error) {
	listener, err := (&net.ListenConfig{}).Listen(parts, "tcp", "127.0.0.1:0")
	if err != nil {
		return hook{}, fmt.Errorf("listen for webhooks: %w", err)
	}
	secret := dispatch.NewSecret()
	s.receiver = receiver.New(receiver.Options{Secrets: []string{secret}, OnReceipt: func(r receiver.Receipt) { d.take(s, r) }})
	g.Go(func() error { return s.receiver.Serve(parts, listener) })
	return hook{url: "http://" + listener.Addr().String() + "/" + string(s.dialect), secret: secret}, nil
}

// take keeps and prints an event that arrived.
func (d *demo) take(s *stage, r receiver.Receipt) {
	if action := r.Event[strings.LastIndexByte(r.Event, '.')+1:]; r.OK() && !r.Duplicate && r.RecordType != "account" {
		s.mu.Lock()
		s.seen = append(s.seen, sample.Seen{Dialect: s.dialect, RecordType: r.RecordType, RecordID: r.RecordID, Action: action})
		s.mu.Unlock()
	}
	if !d.JSON {
		fmt.Fprintf(d.Out, "%-9s %s\n", s.dialect, r)
	}
}

func (d *demo) connect(ctx context.Context, s *stage, base string, to hook) error {
	admin := client.New(d.url, d.key, "")
	project, err := client.Send[api.Project](ctx, admin, http.MethodPost, "/v1/projects",
		api.NewProject{ID: "demo-" + string(s.dialect), Name: "Demo of " + string(s.dialect)})
	if err != nil {
		return err
	}
	s.client = client.New(d.url, d.key, project.ID)
	if _, err := client.Send[api.Webhook](ctx, s.client, http.MethodPost, "/v1/webhooks",
		api.NewWebhook{URL: to.url, Events: []string{"*"}, Secret: to.secret}); err != nil {
		return err
	}
	credentials := s.server.Credentials()
	given := map[string]string{"api_key": credentials.Key}
	switch s.dialect {
	case sample.Workable:
		given["member_id"] = credentials.MemberID
	case sample.StackOne:
		given["account_id"] = credentials.AccountID
	}
	account, err := client.Send[api.Account](ctx, s.client, http.MethodPost, "/v1/accounts", api.NewAccount{
		Provider: string(s.dialect), BaseURL: base, Credentials: given, Schedule: schedule,
		OriginOwnerID: "sample", OriginOwnerName: "Sample company",
	})
	if err != nil {
		return err
	}
	s.accountID = account.ID
	return nil
}

// streams lists the streams of every stage.
func (d *demo) streams(ctx context.Context) ([]api.Stream, error) {
	var all []api.Stream
	for _, s := range d.stages {
		for stream, err := range client.List[api.Stream](ctx, s.client, "/v1/streams", nil) {
			if err != nil {
				return nil, err
			}
			all = append(all, stream)
		}
	}
	return all, nil
}

const look = 200 * time.Millisecond // between two looks at whether something is done

func (d *demo) awaitBaselines(ctx, parts context.Context) error {
	return until(ctx, "the baselines", func() (string, error) {
		streams, err := d.streams(parts)
		for _, s := range streams {
			if s.LastCompleteAt == nil {
				return s.Provider + " " + s.RecordType + " is not listed: " + s.LastError, err
			}
		}
		return "", err
	})
}

// settle waits until the standing company has been listed by everybody, nothing is
// suspected any more, and everything is delivered.
func (d *demo) settle(ctx context.Context) error {
	return until(ctx, "the last polls and deliveries", func() (string, error) {
		if !d.company.Settled() {
			return "some lists have yet to be read again", nil
		}
		streams, err := d.streams(ctx)
		if err != nil {
			return "", err
		}
		for _, s := range streams {
			if s.Suspected > 0 || s.Quarantine != nil {
				return s.Provider + " " + s.RecordType + " has records in doubt", nil
			}
		}
		for _, s := range d.stages {
			for w, err := range client.List[api.Webhook](ctx, s.client, "/v1/webhooks", nil) {
				if err != nil {
					return "", err
				}
				if w.Backlog+w.Retrying > 0 {
					return "deliveries are under way", nil
				}
			}
		}
		return "", nil
	})
}

// until looks again and again until done says "", that is: nothing is left to wait for.
func until(ctx context.Context, what string, done func() (string, error)) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		left, err := done()
		if err != nil || left == "" {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come: %s", what, left)
		case <-tick.C:
		}
	}
}
