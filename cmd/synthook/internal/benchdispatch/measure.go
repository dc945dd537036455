package benchdispatch

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/dispatch"
)

// measured is one run of one way.
type measured struct {
	perSecond   float64
	cpu         time.Duration // of our processes
	cpuKnown    bool
	databaseCPU time.Duration // of the server's sessions
	serverKnown bool
	rows        int64
}

// slots are the deliveries that a service makes to one webhook at a time. There may be
// more connections: net/http dials while another one becomes free.
const slots = 16

// names are the projects, one a webhook.
func (b *bench) names() []string {
	names := make([]string, b.Webhooks)
	for i := range names {
		names[i] = fmt.Sprintf("bench-%d", i)
	}
	return names
}

// parkedProject has the webhook whose endpoint is down, and nothing else.
const parkedProject = "bench-parked"

// events are those of a run.
func (b *bench) events() order { return order{Names: b.names(), Round: b.round, Events: b.Events} }

func webhookURL(base string, n int) string { return fmt.Sprintf("%s/hook/%d?token=bench", base, n) }

// register makes projects and webhooks through the API of a service.
func (b *bench) register(ctx context.Context) error {
	s, err := b.service(ctx, "")
	if err != nil {
		return err
	}
	create := func(project, url string) (webhook api.Webhook, err error) {
		c := client.New(s.began.URL, adminKey, project)
		n := api.NewWebhook{URL: url, Events: []string{"*"}, Secret: dispatch.NewSecret(), WebhookSettings: api.WebhookSettings{LogAttempts: new(!b.NoAttempts)}}
		return client.Send[api.Webhook](ctx, c, http.MethodPost, "/v1/webhooks", n)
	}
	projects := b.names()
	if b.Parked > 0 {
		projects = append(projects, parkedProject)
	}
	for i, name := range projects {
		c := client.New(s.began.URL, adminKey, "")
		if err := c.Do(ctx, http.MethodPost, "/v1/projects", api.NewProject{ID: name, Name: name}, nil); err != nil {
			return fmt.Errorf("make project: %w", err)
		}
		url := webhookURL(b.fast, i)
		if name == parkedProject {
			url = b.odd + "/parked/"
		}
		made, err := create(name, url)
		if err != nil {
			return fmt.Errorf("make webhook: %w", err)
		}
		if name == parkedProject {
			b.parking = made.ID
		} else {
			b.secrets = append(b.secrets, made.Secret)
		}
	}
	for i := range b.Slow {
		if _, err := create(projects[i%b.Webhooks], fmt.Sprintf("%s/slow/%d", b.odd, i)); err != nil {
			return fmt.Errorf("make slow webhook: %w", err)
		}
	}
	_, err = s.stop()
	return err
}

func (b *bench) service(ctx context.Context, profile string) (*part, error) {
	return b.start(ctx, order{Do: "serve", Location: b.db.location, Profile: profile})
}

// stop ends a service in order, and says what CPU it used.
func (p *part) stop() (answer, error) {
	a, err := p.ask(order{Do: "stop"})
	p.end()
	return a, err
}

// services starts as many as are asked for.
func (b *bench) services(ctx context.Context, profile string) (started []*part, err error) {
	for range b.Processes {
		s, err := b.service(ctx, profile)
		if err != nil {
			return nil, err
		}
		started, profile = append(started, s), ""
	}
	return started, nil
}

// deliver is a run of ours: the events are in the log, then the services start.
func (b *bench) deliver(ctx context.Context, profile string) (m measured, err error) {
	b.round++
	if err := b.db.fill(ctx, b.events()); err != nil {
		return m, err
	}
	if err := b.expect(b.round, b.Events); err != nil {
		return m, err
	}
	before, err := b.db.written(ctx)
	if err != nil {
		return m, err
	}
	started, err := b.services(ctx, profile)
	if err != nil {
		return m, err
	}
	arrived, err := b.await(ctx, b.Events)
	if err != nil {
		return m, err
	}
	m.perSecond = arrived.perSecond()
	b.concurrency = cmp.Or(b.concurrency, min(arrived.Connections, slots*b.Webhooks))
	if m.databaseCPU, m.serverKnown, err = b.db.cpu(ctx); err != nil {
		return m, err
	}
	m.cpuKnown = true
	for _, s := range started {
		a, err := s.stop()
		if err != nil {
			return m, err
		}
		m.cpu += a.CPU
		m.cpuKnown = m.cpuKnown && !a.CPUUnknown
	}
	after, err := b.db.written(ctx)
	m.rows = after - before
	return m, err
}

// post is a run of the floor.
func (b *bench) post(ctx context.Context) (m measured, err error) {
	b.round++
	if err := b.expect(b.round, b.Events); err != nil {
		return m, err
	}
	p, err := b.start(ctx, order{Do: "post", Names: b.names(), Secrets: b.secrets, URL: b.fast, Round: b.round, Events: b.Events, Concurrency: b.concurrency})
	if err != nil {
		return m, err
	}
	p.end()
	arrived, err := b.await(ctx, b.Events)
	return measured{perSecond: arrived.perSecond(), cpu: p.began.CPU, cpuKnown: !p.began.CPUUnknown}, err
}

func (b *bench) expect(round, events int) error {
	_, err := b.receiver.ask(order{Do: "expect", Round: round, Events: events})
	return err
}

// stuck is how long nothing may arrive.
const stuck = 2 * time.Minute

// await waits until everything has arrived.
func (b *bench) await(ctx context.Context, events int) (answer, error) {
	last, at, said := 0, time.Now(), time.Now()
	for {
		a, err := b.receiver.ask(order{Do: "await"})
		if err != nil || a.Arrived == events {
			return a, err
		}
		if ctx.Err() != nil {
			return a, ctx.Err()
		}
		if a.Arrived > last {
			last, at = a.Arrived, time.Now()
		}
		if time.Since(at) > stuck {
			return a, fmt.Errorf("nothing arrived for %s: %d of %d events were delivered", stuck, a.Arrived, events)
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			b.Note("%d of %d delivered …", a.Arrived, events)
		}
	}
}

func (a answer) perSecond() float64 {
	if a.Arrived < 2 || a.Last <= a.First {
		return 0
	}
	return float64(a.Arrived-1) / time.Duration(a.Last-a.First).Seconds()
}
