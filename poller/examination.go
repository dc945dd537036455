package poller

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// room is what an examination may hold in memory.
type room struct{ records, digests int }

// examination is a diagnosis under way.
type examination struct {
	found             Diagnosis
	digester          *diff.Digester
	first             map[string]*sighted // by id: all that is known of the records
	room              room                // what is left
	differ, reordered map[int32]int       // records by diff.Digest.Path
}

// sighted is a record of the first listing, or of the second alone.
type sighted struct {
	digests []diff.Digest // of the first listing; nil: there was no room
	times   [2]int        // that each listing has it
}

// list reads one listing and gives see its records' ids and digests.
func (x *examination) list(ctx context.Context, pl *plan, recordType string, see func(id string, digests []diff.Digest)) error {
	x.found.Listings = append(x.found.Listings, Examined{})
	l, started := &x.found.Listings[len(x.found.Listings)-1], time.Now()
	defer func() { l.DurationMS = time.Since(started).Milliseconds() }()
	var digests []diff.Digest
	for page, err := range pl.client.List(ctx, recordType, providers.ListOptions{}) {
		l.Requests += page.Requests
		if err != nil {
			return err
		}
		l.Pages++
		for i, record := range page.Records {
			if digests, err = x.digester.Append(digests[:0], record.Raw); err != nil {
				return fmt.Errorf("record %d of page %d: %w", i+1, l.Pages, err)
			}
			l.Records++
			see(record.ID, digests)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	l.Complete = true
	return nil
}

// remember takes a record of the first listing.
func (x *examination) remember(id string, digests []diff.Digest) {
	s := x.sighted(id)
	if s == nil {
		return
	}
	if x.count(id, s, 0); s.times[0] > 1 {
		return
	}
	if len(digests) > x.room.digests {
		x.found.Sampled = true
		return
	}
	x.room.digests -= len(digests)
	s.digests = slices.Clone(digests)
}

// compare takes a record of the second listing. One that the first has repeated is not
// compared: there is no telling which one it is to be like.
func (x *examination) compare(id string, digests []diff.Digest) {
	s := x.sighted(id)
	if s == nil {
		return
	}
	if x.count(id, s, 1); s.digests == nil || s.times != [2]int{1, 1} {
		return
	}
	x.found.Compared++
	differ, reordered := x.digester.Compare(s.digests, digests)
	if len(differ)+len(reordered) > 0 {
		x.found.Unstable++
	}
	for _, path := range differ {
		x.differ[path]++
	}
	for _, path := range reordered {
		x.reordered[path]++
	}
}

// sighted finds what is known of a record; nil: nothing, and there is no room for it.
func (x *examination) sighted(id string) *sighted {
	s := x.first[id]
	if s != nil {
		return s
	}
	if x.room.records == 0 {
		x.found.Sampled = true
		return nil
	}
	x.room.records--
	s = &sighted{}
	x.first[strings.Clone(id)] = s
	return s
}

func (x *examination) count(id string, s *sighted, listing int) {
	if s.times[listing]++; s.times[listing] == 2 && s.times[1-listing] < 2 {
		x.found.Repeated.add(id)
	}
}

// diagnosis sums up. What one listing lacks is told only where both are complete.
func (x *examination) diagnosis() Diagnosis {
	d := x.found
	complete := len(d.Listings) == 2 && d.Listings[0].Complete && d.Listings[1].Complete
	if complete {
		for _, id := range slices.Sorted(maps.Keys(x.first)) {
			switch times := x.first[id].times; {
			case times[1] == 0:
				d.OnlyFirst.add(id)
			case times[0] == 0:
				d.OnlySecond.add(id)
			}
		}
	}
	d.Differ, d.Reordered = x.paths(x.differ), x.paths(x.reordered)
	d.Healthy = complete && d.Error == "" && d.Unstable+d.Repeated.Count+d.OnlyFirst.Count+d.OnlySecond.Count == 0
	return d
}

// paths names paths, most records first. Keys that turned out to be data share a name:
// their records are added up, and are never more than differ at all.
func (x *examination) paths(counts map[int32]int) []UnstablePath {
	byName := map[string]int{}
	for path, records := range counts {
		byName[x.digester.Name(path)] += records
	}
	list := make([]UnstablePath, 0, len(byName))
	for name, records := range byName {
		list = append(list, UnstablePath{name, min(records, x.found.Unstable)})
	}
	slices.SortFunc(list, func(a, b UnstablePath) int { return cmp.Or(b.Records-a.Records, strings.Compare(a.Path, b.Path)) })
	return list
}
