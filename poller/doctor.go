package poller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// Diagnosis is what two listings of a stream, one right after the other, differ in. It
// holds paths, counts and record ids, and no value of a record.
type Diagnosis struct {
	Healthy    bool           `json:"healthy"` // both are complete and agree, and no id repeats
	Listings   []Examined     `json:"listings"`
	Error      string         `json:"error,omitempty"` // why a listing did not reach its end, or was not made
	Compared   int            `json:"compared"`        // records of both
	Sampled    bool           `json:"sampled"`         // there are more records than are compared: the first ones were
	Unstable   int            `json:"unstable"`        // compared ones that differ
	Differ     []UnstablePath `json:"differ"`          // paths with other values
	Reordered  []UnstablePath `json:"reordered"`       // paths of arrays that only come in another order
	Repeated   Records        `json:"repeated"`        // come more than once in a listing
	OnlyFirst  Records        `json:"only_first"`      // not in the second listing
	OnlySecond Records        `json:"only_second"`     // not in the first listing
}

// Examined is one listing of a Diagnosis.
type Examined struct {
	Complete   bool  `json:"complete"` // its end was seen, and the provider's total, where it gives one, agrees
	Pages      int   `json:"pages"`
	Requests   int   `json:"requests"`
	Records    int   `json:"records"` // repeated ones each time
	DurationMS int64 `json:"duration_ms"`
}

// UnstablePath is a path, as ignored paths are written, and how many records differ there.
type UnstablePath struct {
	Path    string `json:"path"`
	Records int    `json:"records"`
}

// Records are counted, and the ids of some shown.
type Records struct {
	Count  int      `json:"count"`
	Sample []string `json:"sample"` // at most 5
}

func (r *Records) add(id string) {
	if r.Count++; len(r.Sample) < 5 {
		r.Sample = append(r.Sample, id)
	}
}

const (
	// doctorRecords and doctorDigests bound what a diagnosis holds in memory: ids of so
	// many records, and digests for so many paths of all of them together (48 MB).
	doctorRecords = 200_000
	doctorDigests = 2 << 20
	// doctorPause is the shortest time between the starts of two listings: what ticks by
	// the second has to be seen ticking.
	doctorPause = 2 * time.Second
)

// Doctor lists a stream twice, one right after the other, under its present rules, and
// tells what differs though nothing happened. It keeps the stream from being polled
// meanwhile, and changes nothing: no fingerprint, no event, no schedule. What the
// provider does stands in the diagnosis; the error is ErrPolling, ErrNotFound, the
// database's or ctx's.
func (p *Poller) Doctor(ctx context.Context, streamID int64) (Diagnosis, error) {
	c, err := p.claimOne(ctx, streamID)
	if err != nil {
		return Diagnosis{}, err
	}
	x := &examination{first: map[string]*sighted{}, differ: map[int32]int{}, reordered: map[int32]int{}, room: p.doctorRoom}
	err = p.underLease(ctx, c, func(ctx context.Context) error { return p.examine(ctx, c, x) })
	// Where this fails, the lease runs out by itself.
	released := p.release(ctx, c)
	switch {
	case errors.Is(err, errLeaseLost):
		err = ErrPolling
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil: // the provider, or how the stream is set up
		x.found.Error, err = fmt.Sprintf("%.500s", err.Error()), released
	default:
		err = released
	}
	found := x.diagnosis()
	p.logDiagnosis(c, found, err)
	return found, err
}

func (p *Poller) examine(ctx context.Context, c *claim, x *examination) error {
	pl, err := p.plan(c)
	if err != nil {
		return err
	}
	if x.digester, err = diff.NewDigester(rulesOf(pl.info, c.ignore)); err != nil {
		return fmt.Errorf("read the stream's rules: %w", err)
	}
	started := time.Now()
	err = x.list(ctx, pl, c.recordType, x.remember)
	if wrong, ok := errors.AsType[*providers.Error](err); err != nil && (!ok || wrong.Kind != providers.Protocol) {
		return err
	}
	// What is wrong with the list itself, such as its total, hides nothing of its records.
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(p.doctorPause - time.Since(started)):
	}
	return cmp.Or(err, x.list(ctx, pl, c.recordType, x.compare))
}

// logDiagnosis writes one line: counts, and neither a path nor an id.
func (p *Poller) logDiagnosis(c *claim, d Diagnosis, err error) {
	level := zerolog.InfoLevel
	if err != nil && !errors.Is(err, context.Canceled) || d.Error != "" {
		level = zerolog.WarnLevel
	}
	requests, records := 0, 0
	for _, l := range d.Listings {
		requests, records = requests+l.Requests, l.Records
	}
	p.Logger.WithLevel(level).Str("account_id", c.account.id).Str("provider", c.account.provider).Str("record_type", c.recordType).
		Bool("healthy", d.Healthy).Int("requests", requests).Int("records", records).Int("compared", d.Compared).Int("unstable", d.Unstable).
		Int("paths", len(d.Differ)).Int("reordered", len(d.Reordered)).Int("repeated", d.Repeated.Count).
		Int("only_first", d.OnlyFirst.Count).Int("only_second", d.OnlySecond.Count).
		AnErr("error", err).Str("reason", d.Error).Msg("doctor")
}
