// Package demo runs everything on one machine: sample providers over an invented
// company that lives, the service, and receivers that verify every delivery. At the
// end it compares the company's own journal with what arrived, record by record.
//
// It sets things up through the same HTTP API that users have, and it owns nothing
// that outlives it: the database is a temporary file, or a schema of its own that is
// dropped at the end.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/scratch"
	"github.com/synthook/synthook/cmd/synthook/internal/service"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/providers/sample"
	"golang.org/x/sync/errgroup"
)

// Options are what the demo is told.
type Options struct {
	For         time.Duration // how long the company lives; 0: until ctx ends
	JSON        bool          // print only the account at the end, as one JSON object
	DatabaseURL string        // PostgreSQL; "": an embedded database in a temporary directory
	Version     string        // of the program
	Out, Err    io.Writer
}

// ErrDishonest is returned when something was missed, false or badly signed; the
// account that was printed says what.
var ErrDishonest = errors.New("the events are not what happened in the sample company")

const (
	schedule    = "2s"
	changesRate = 4.0 // a second, as far as pollers keep up
	// What the last polls and deliveries are given once the company stands still.
	settleTimeout = 3 * time.Minute
)

// Account is the honest account at the end.
type Account struct {
	Changes       map[string]int `json:"changes"` // visible ones, by the company's journal
	Events        map[string]int `json:"events"`  // received, each once
	Missed        int            `json:"missed"`
	False         int            `json:"false"`
	BadSignatures int            `json:"bad_signatures"`
	Duplicates    int            `json:"duplicates"`
	Polls         int64          `json:"polls"`
}

// Run runs the demo. It returns ErrDishonest when the account does not add up, nil
// when it does, however the demo was ended.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{Options: o, company: sample.New(sample.Config{Seed: uint64(time.Now().UnixNano())})}
	database, drop, err := scratch.Database(ctx, "demo", o.DatabaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()

	// The parts outlive ctx: after Ctrl-C, the last polls and deliveries still count.
	parts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, parts := errgroup.WithContext(parts)
	g.Go(func() error {
		defer stop()
		if err := d.serve(parts, database, g); err != nil {
			return err
		}
		return d.play(ctx, parts, g)
	})
	return g.Wait()
}

// demo is one run.
type demo struct {
	Options
	company *sample.Company
	stages  []*stage
	url     string // of the API
	key     string // the admin's
}

// serve starts the service on the database, as `synthook serve` would but for the
// intervals, which are those of somebody who watches.
func (d *demo) serve(parts context.Context, database string, g *errgroup.Group) error {
	key := rand.Text()
	s, err := service.Start(parts, service.Options{
		Settings: settings.Settings{
			DatabaseURL: settings.Secret(database), Listen: "127.0.0.1:0",
			MasterKey: settings.Secret(rand.Text() + rand.Text()), AdminKey: settings.Secret(key),
			AllowPrivateNetworks: true, MinInterval: time.Second, PollConcurrency: 32,
			ShutdownTimeout: 20 * time.Second,
		},
		Logger:       zerolog.New(d.Err).Level(zerolog.ErrorLevel),
		Version:      d.Version,
		ConfirmDelay: time.Second,
	})
	if err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	g.Go(func() error { return s.Run(parts) })
	d.url, d.key = s.URL(), key
	return nil
}

// play is the demo from the rise of the curtain to the account.
func (d *demo) play(ctx, parts context.Context, g *errgroup.Group) error {
	if err := d.setUp(parts, g); err != nil {
		return fmt.Errorf("set up demo: %w", err)
	}
	d.say("Dashboard: " + d.url + "\nLog in with the key " + d.key + "\n")
	d.say("Baselines: every record type of every account is listed once, silently …")
	if err := d.awaitBaselines(ctx, parts); err != nil {
		return err
	}
	d.company.Mark()
	for _, s := range d.stages {
		s.server.Faults.Add(sample.Fault{Kind: sample.ShiftPages, Every: 3})
	}
	d.say("The company lives. Photo URLs are signed anew and keys shuffled on every read, records move between pages: none of it is an event.\n")
	living, cancel := ctx, context.CancelFunc(func() {})
	if d.For > 0 {
		living, cancel = context.WithTimeout(ctx, d.For)
	}
	err := d.company.Live(living, changesRate)
	cancel()
	if err != nil {
		return err
	}
	d.company.Quiet()
	d.say("\nThe company stands still; last polls and deliveries …")
	settling, cancel := context.WithTimeout(parts, settleTimeout)
	defer cancel()
	if err := d.settle(settling); err != nil {
		return err
	}
	return d.account(parts)
}

// say tells people what happens; programs get only the account.
func (d *demo) say(text string) {
	if !d.JSON {
		fmt.Fprintln(d.Out, text)
	}
}

// account prints how the journal and the events compare.
func (d *demo) account(ctx context.Context) error {
	a := Account{Changes: map[string]int{}, Events: map[string]int{}}
	var notes []string
	for _, s := range d.stages {
		r := sample.Reckon(d.company.Expected(s.dialect), s.received())
		for action, n := range r.Changes {
			a.Changes[action] += n
		}
		for action, n := range r.Events {
			a.Events[action] += n
		}
		a.Missed += len(r.Missed)
		a.False += len(r.False)
		for _, missed := range r.Missed {
			notes = append(notes, "missed: "+missed.String())
		}
		for _, untrue := range r.False {
			notes = append(notes, "false: "+untrue.String())
		}
		counts := s.receiver.Counts()
		a.BadSignatures += counts.Bad
		a.Duplicates += counts.Duplicates
	}
	streams, err := d.streams(ctx)
	if err != nil {
		return err
	}
	for _, s := range streams {
		a.Polls += s.Polls
	}
	for _, note := range notes {
		fmt.Fprintln(d.Err, note)
	}
	if err := d.print(a); err != nil {
		return err
	}
	if a.Missed+a.False+a.BadSignatures > 0 {
		return ErrDishonest
	}
	return nil
}

func (d *demo) print(a Account) error {
	if d.JSON {
		return json.NewEncoder(d.Out).Encode(a)
	}
	_, err := fmt.Fprintf(d.Out, `
                    created  updated  deleted
journal, visible  %9d%9d%9d
events received   %9d%9d%9d

missed %d, false %d, bad signatures %d, in %d polls.
`,
		a.Changes[sample.Created], a.Changes[sample.Updated], a.Changes[sample.Deleted],
		a.Events[sample.Created], a.Events[sample.Updated], a.Events[sample.Deleted],
		a.Missed, a.False, a.BadSignatures, a.Polls)
	return err
}
