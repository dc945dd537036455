package main

import (
	"context"
	"maps"
	"slices"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// readings compare the same records read twice, by digests of their fields.
type readings struct {
	digester *diff.Digester
	records  map[string][]diff.Digest
	differ   map[int32]bool
	id       string // of the first record
}

func newReadings(info providers.StreamInfo) (*readings, error) {
	d, err := diff.NewDigester(diff.Rules{Ignore: info.Ignore, Sets: info.Sets, KeepURLQueries: info.KeepURLQueries})
	return &readings{digester: d, records: map[string][]diff.Digest{}, differ: map[int32]bool{}}, err
}

func (r *readings) first(record providers.Record) error {
	if r.id == "" {
		r.id = record.ID
	}
	digests, err := r.digester.Append(nil, record.Raw)
	r.records[record.ID] = digests
	return err
}

// again reads as many pages a second time.
func (r *readings) again(ctx context.Context, client *providers.Client, recordType string, pages int) error {
	n := 0
	for page, err := range client.List(ctx, recordType, providers.ListOptions{}) {
		if err != nil {
			return err
		}
		for _, record := range page.Records {
			before, known := r.records[record.ID]
			if !known {
				continue
			}
			now, err := r.digester.Append(nil, record.Raw)
			if err != nil {
				return err
			}
			differ, reordered := r.digester.Compare(before, now)
			for _, path := range slices.Concat(differ, reordered) {
				r.differ[path] = true
			}
		}
		if n++; n == pages {
			return nil
		}
	}
	return nil
}

// volatile lists the paths that differed.
func (r *readings) volatile() []string {
	names := map[string]bool{}
	for path := range r.differ {
		names[r.digester.Name(path)] = true
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(names))))
}
