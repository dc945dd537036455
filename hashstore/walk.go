package hashstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// walkTries is how often Walk begins again when a poll commits while it reads.
const walkTries = 10

// Walk returns the records known of a stream in from ≤ place ≤ to, by place, by id within
// a place, as they were at one moment. It holds the parts that the range touches, and the
// runs' entries in them. The error is ErrConflict when polls commit faster than it reads.
func (s *Store) Walk(ctx context.Context, streamID int64, from, to uint64) ([]Item, error) {
	for range walkTries {
		st, err := s.Load(ctx, streamID)
		if err != nil {
			return nil, err
		}
		if st.Version == 0 {
			return nil, nil
		}
		items, err := s.walk(ctx, st, from, to)
		if err == nil || !errors.Is(err, ErrConflict) {
			return items, err
		}
	}
	return nil, fmt.Errorf("walk stream %d: %w", streamID, ErrConflict)
}

func (s *Store) walk(ctx context.Context, st State, from, to uint64) ([]Item, error) {
	first, last := partOf(from, st.Bits), partOf(to, st.Bits)
	parts := make([]int64, 0, last-first+1)
	for p := first; p <= last; p++ {
		parts = append(parts, int64(p))
	}
	c := &comparison{Difference: &Difference{state: st, touched: make([]touch, len(st.digests))}}
	c.delta.ids = []byte{0} // so that the id 0 is none
	bases := make([]pending, 0, len(parts))
	err := s.readParts(ctx, st, parts, func(part, _ int64, blob []byte) error {
		if part == isRun {
			return decodeRun(blob, func(e runEntry) {
				if p := partOf(e.place, st.Bits); first <= p && p <= last {
					c.addToDelta(e)
				}
			})
		}
		entries, err := unsealEntries(blob, int(part), st.Bits)
		bases = append(bases, pending{part: int(part), places: placesOf(entries), size: len(entries) / entrySize, entries: entries})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("walk stream %d: %w", st.StreamID, err)
	}
	c.runs = group(c.delta.records, st.Bits)
	var items []Item
	err = s.readIDs(ctx, st, parts, func(_, _ int64, blob []byte) error {
		base := bases[0]
		bases = bases[1:]
		ids, err := unsealIDs(blob, base.part, base.size, base.places)
		if err != nil {
			return err
		}
		items, err = c.walkPart(items, base, ids, from, to)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("walk stream %d: %w", st.StreamID, err)
	}
	return items, nil
}

// walkPart appends the records of one part, its runs laid over its base.
func (c *comparison) walkPart(items []Item, base pending, ids []byte, from, to uint64) ([]Item, error) {
	known, err := c.knowByID(base, ids)
	if err != nil {
		return nil, err
	}
	start := len(items)
	for place, there := range known {
		if place < from || place > to {
			continue
		}
		slices.SortFunc(there, func(a, b knownID) int { return bytes.Compare(a.id, b.id) })
		for _, k := range there {
			items = append(items, Item{ID: textOf(k.id), Place: place})
		}
	}
	slices.SortStableFunc(items[start:], func(a, b Item) int { return cmp.Compare(a.Place, b.Place) })
	return items, nil
}
