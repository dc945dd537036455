package benchdispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// PartArgs are the arguments with which the program runs Part.
var PartArgs = []string{"bench", "part"}

// order is what a part is told to do, one JSON value after the other on its standard
// input; it answers each on its standard output, and ends when there are no more.
type order struct {
	Do          string
	Location    string   // of the database
	Names       []string // of the projects
	Secrets     []string // of the webhooks
	URL         string   // to post to
	Round       int
	Events      int
	Concurrency int
	Rate        int
	Profile     string // file
	Down        bool
}

type answer struct {
	Error       string
	URL, OddURL string
	Arrived     int
	First, Last int64 // arrivals, Unix nanoseconds
	Connections int   // at most, at a time
	Probes      int
	Times       []int64 // by event, Unix nanoseconds
	CPU         time.Duration
	CPUUnknown  bool
	HeapBytes   int64
	Reached     float64 // events a second
}

// Part is what the program does when Run started it: a receiver, a service or the floor.
// What goes wrong with that is in its answers; its error is that nobody hears them.
func Part(ctx context.Context, in io.Reader, out io.Writer) error {
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	var first order
	if err := orders.Decode(&first); err != nil {
		return fmt.Errorf("read the first order: %w", err)
	}
	role, ok := map[string]func(context.Context, order) (follow, error){"receive": receive, "serve": serve, "post": post}[first.Do]
	if !ok {
		return fmt.Errorf("no such part: %q", first.Do)
	}
	do, err := role(ctx, first)
	if err != nil {
		return answers.Encode(answer{Error: err.Error()})
	}
	for next := first; ; {
		a, err := do(ctx, next)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		next = order{}
		if err := orders.Decode(&next); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
	}
}

// follow carries out an order; the first it gets is the one that began it.
type follow func(context.Context, order) (answer, error)

// part is a process of ours, as Run sees it.
type part struct {
	role   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	orders *json.Encoder
	out    *json.Decoder
	began  answer
	end    func()
}

// start runs this program as a part.
func (b *bench) start(ctx context.Context, first order) (*part, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &part{role: first.Do, cmd: exec.CommandContext(ctx, path, PartArgs...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.role, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.role, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.role, err)
	}
	p.orders, p.out = json.NewEncoder(p.in), json.NewDecoder(out)
	p.end = sync.OnceFunc(func() {
		_ = p.in.Close()
		_ = p.cmd.Wait() // what went wrong was in an answer
	})
	b.parts = append(b.parts, p)
	p.began, err = p.ask(first)
	return p, err
}

// end waits for every part to end by itself.
func (b *bench) end() {
	for _, p := range b.parts {
		p.end()
	}
}

// ask gives an order and waits for its answer.
func (p *part) ask(o order) (a answer, err error) {
	if err := p.orders.Encode(o); err != nil {
		return a, fmt.Errorf("ask the process %q: %w", p.role, err)
	}
	if err := p.out.Decode(&a); err != nil {
		return a, fmt.Errorf("hear from the process %q: %w", p.role, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}
