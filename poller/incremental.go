package poller

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

// A stream may have two speeds: between its complete listings, listings of what changed
// since the one before. They find created and updated records soon and cheaply; the
// fingerprints decide, as ever, and absence means nothing.

const (
	// sinceMargin is how much earlier than the listing before a listing of changes asks,
	// where the connector does not know better.
	sinceMargin = 5 * time.Minute
	// clockMargin is what the provider's clock may be behind ours, where it does not tell.
	clockMargin = 5 * time.Minute
	// maxMemory bounds the validators that are kept.
	maxMemory = 8 << 10
)

// incremental tells whether this poll asks for changes alone: where the stream has the
// faster schedule, no complete listing is due, and nothing waits for one.
func (a *attempt) incremental() bool {
	return a.fast != nil && !a.complete && !a.listing && a.since.Valid && a.state.Version != 0 && a.before.calm() &&
		!a.find.blind && !a.find.mapped && !a.relaid
}

func (a *attempt) listChanges(ctx context.Context) error {
	w, before := newWalk(), a.remembered()
	w.options = providers.ListOptions{Since: a.since.Time.Add(-cmp.Or(a.info.SinceMargin, sinceMargin)), Validators: before.Latest}
	a.result.Incremental = true
	err := a.list(ctx, a.recordType, w)
	a.result.Pages, a.result.Requests, a.bytes = w.pages, w.requests, w.bytes
	if err != nil {
		return err
	}
	a.result.Complete, a.result.Records = true, w.listing.Len()
	reached := time.Now()
	defer func() { a.storeTime += time.Since(reached) }()
	gone := hashstore.NewListing()
	for id := range w.said {
		gone.Add(id, diff.Place(id), 0)
	}
	d, err := a.Store.ComparePartial(ctx, a.state, a.comparable(w.listing, w.former), gone)
	if err != nil {
		return err
	}
	f := a.find
	f.fields = changedFieldsOf(d)
	f.difference, f.partial, f.listed, f.known = a.sift(d, a.before), true, a.result.Records, a.state.Records
	after := memory{Latest: cmp.Or(w.validators, before.Latest)}
	if d.Unchanged() { // else a validator of what was before could hide that a change is taken back
		after.Full = before.Full
	}
	if err := a.remind(w, after); err != nil {
		return err
	}
	return a.judge(ctx, d, w, f)
}

// memory is what later listings may ask the provider to compare with.
type memory struct {
	Full   string `json:"full,omitempty"`   // the last complete listing, which everything known is of
	Latest string `json:"latest,omitempty"` // the last listing of either kind
}

func (a *attempt) memoryPurpose() string {
	return fmt.Sprintf("stream:%d:validators:%s", a.streamID, a.bound)
}

// remembered opens what is kept. What was kept of another recipe, connector or account
// can't be opened: it is worth nothing any more.
func (a *attempt) remembered() (m memory) {
	if len(a.validators) == 0 {
		return memory{}
	}
	plain, err := a.Sealer.Open(a.validators, a.memoryPurpose())
	if err != nil || json.Unmarshal(plain, &m) != nil {
		return memory{}
	}
	return m
}

// remind sets what is kept once the poll has succeeded: m, and from when on the next
// listing of changes has to ask.
func (a *attempt) remind(w *walk, m memory) error {
	a.asOf = cmp.Or(w.began, a.began(clockMargin))
	if m == (memory{}) || len(m.Full)+len(m.Latest) > maxMemory {
		return nil
	}
	plain, err := json.Marshal(m)
	if err == nil {
		a.memory, err = a.Sealer.Seal(plain, a.memoryPurpose())
	}
	if err != nil {
		return fmt.Errorf("keep the provider's validators: %w", err)
	}
	return nil
}

// checkIncremental checks a schedule of listings of changes alone: the stream's provider
// must have a filter for it that is proven.
func (s *Streams) checkIncremental(ctx context.Context, stream Stream, u StreamUpdate) error {
	if u.IncrementalSchedule == nil || *u.IncrementalSchedule == "" {
		return nil
	}
	if _, err := ParseSchedule(*u.IncrementalSchedule, s.MinInterval); err != nil {
		return invalid("incremental_schedule", "%s", err)
	}
	info, err := s.streamInfo(ctx, stream)
	if err != nil {
		return err
	}
	if !info.Since {
		return invalid("incremental_schedule", "%s has no proven filter for what changed in %s: every poll has to be complete", stream.Provider, stream.RecordType)
	}
	return nil
}

// streamInfo is what the connector says of a stream as its account reads it.
func (s *Streams) streamInfo(ctx context.Context, stream Stream) (providers.StreamInfo, error) {
	var target providers.Target
	var sealed []byte
	err := s.DB.QueryRowContext(ctx, `SELECT base_url, page_size, credentials FROM accounts WHERE id = $1`, stream.AccountID).
		Scan(&target.BaseURL, &target.PageSize, &sealed)
	if err != nil {
		return providers.StreamInfo{}, fmt.Errorf("read account: %w", err)
	}
	if target.Credentials, err = openCredentials(s.Sealer, stream.AccountID, sealed); err != nil {
		return providers.StreamInfo{}, err
	}
	connector, err := s.Catalog.Connector(stream.Provider)
	if err != nil {
		return providers.StreamInfo{}, nil // gone from the catalogue: its polls say so
	}
	client, err := connector.Open(target, providers.Options{})
	if err != nil {
		return providers.StreamInfo{}, invalid("account", "%s", err)
	}
	info, _ := client.Stream(stream.RecordType)
	return info, nil
}
