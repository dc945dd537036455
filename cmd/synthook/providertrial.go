package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// fetch reads pages into t, twice. Requests are traced from wherever the engine makes them.
func (t *trial) fetch(ctx context.Context, c *providers.Connector, target providers.Target, o providers.Options) error {
	var mu sync.Mutex
	o.Review = &providers.Review{}
	o.Trace = func(e providers.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		t.Requests = append(t.Requests, request{e.Method, e.URL, e.Status, e.Duration.Milliseconds(), e.Bytes, e.Dropped})
	}
	client, err := c.Open(target, o)
	if err != nil {
		return err
	}
	info, _ := client.Stream(t.RecordType)
	t.Lacks, t.PageSize = lacking(c, info), client.PageSize(t.RecordType)
	seen, err := newReadings(info)
	if err != nil {
		return err
	}
	t.stage = stageList
	err = t.read(ctx, client, seen)
	t.reviewed(o.Review)
	if err != nil {
		return err
	}
	t.stage = stageAgain
	if err := seen.again(ctx, client, t.RecordType, t.Pages); err != nil {
		return err
	}
	t.Volatile = seen.volatile()
	t.stage = stageRecord
	return t.lookUp(ctx, client, info, seen)
}

// reviewed takes what the first reading gave reason to doubt. Keys of an answer are shown
// as paths are: those that may be data as *.
func (t *trial) reviewed(r *providers.Review) {
	for _, d := range r.Doubts() {
		text := d.Text
		if d.List != t.RecordType {
			text = d.List + ": " + text
		}
		var keys []string
		for _, key := range d.Keys {
			keys = append(keys, diff.PathKey(key))
		}
		if slices.Sort(keys); len(keys) > 0 {
			text += "; what it has there: " + strings.Join(slices.Compact(keys), ", ")
		}
		t.Doubts = append(t.Doubts, text)
	}
	if c := r.Children(t.RecordType); c.Parent != "" {
		t.Parents = &parents{c.Parent, c.Read, c.Of, c.Batched}
	}
}

// read is the first reading.
func (t *trial) read(ctx context.Context, client *providers.Client, seen *readings) error {
	found, ids := newShapes(), map[string]bool{}
	for page, failure := range client.List(ctx, t.RecordType, providers.ListOptions{}) {
		if failure == nil || len(page.Records) > 0 {
			t.Pages++
		}
		for _, r := range page.Records {
			if r.ID != "" {
				ids[r.ID] = true
			}
			if err := found.add(r.Raw); err != nil {
				return err
			}
			if err := seen.first(r); err != nil {
				return err
			}
		}
		t.Records, t.IDs, t.Shape = found.records, len(ids), found.sorted()
		if failure != nil {
			return failure
		}
		if t.Pages == t.pages {
			return nil
		}
	}
	t.Complete = true
	return nil
}

// lookUp asks for one record by its id, and for one that there can't be.
func (t *trial) lookUp(ctx context.Context, client *providers.Client, info providers.StreamInfo, seen *readings) error {
	if !info.Confirms || seen.id == "" {
		return nil
	}
	there, err := client.Exists(ctx, t.RecordType, seen.id)
	if err != nil {
		return err
	}
	other, err := client.Exists(ctx, t.RecordType, seen.id+"0x0")
	if err == nil && (!there || other) {
		err = errors.New("the connector's record request doesn't tell a listed record from one that isn't there: check record")
	}
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.Protocol {
		return nil // an id that can't be one is refused: that tells them apart, too
	}
	return err
}

// lacking is what the connector doesn't say of a stream, and what follows.
func lacking(c *providers.Connector, info providers.StreamInfo) []string {
	lacks := []string{}
	if !info.Since {
		lacks = append(lacks, "since, with proven: true: every poll lists everything")
	}
	if !info.Confirms {
		lacks = append(lacks, "record: a deletion is believed when a record is missing from two listings")
	}
	if l := c.Limits(); l.Requests == 0 && len(l.Quotas) == 0 {
		lacks = append(lacks, "limits: only what the provider's answers say slows polls down")
	}
	return lacks
}
