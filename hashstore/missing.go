package hashstore

import "context"

// pending is a part whose ids have yet to be read.
type pending struct {
	part    int
	places  uint64    // the seed of the ids' seal
	size    int       // entries of the base's part
	missing []unnamed // ascending
	byID    bool      // places are shared: to be compared yet, by ids
	entries []byte    // of the base's part, where byID
}

// unnamed is a missing record whose id is still in the base.
type unnamed struct{ base, missing int }

// nameMissing reads the ids of pending parts: those of missing records, and all of
// parts with shared places, which are compared now.
func (c *comparison) nameMissing(ctx context.Context, s *Store) error {
	parts := make([]int64, len(c.pending))
	for i := range c.pending {
		parts[i] = int64(c.pending[i].part)
	}
	next := 0
	err := s.readIDs(ctx, c.state, parts, func(_, _ int64, blob []byte) error {
		p := c.pending[next]
		next++
		ids, err := unsealIDs(blob, p.part, p.size, p.places)
		if err != nil {
			return err
		}
		if p.byID {
			return c.compareByID(p, ids)
		}
		c.name(p.missing, ids)
		return nil
	})
	if c.shared != nil {
		c.restoreOrder()
	}
	return err
}

// name gives missing records of one part their ids.
func (c *comparison) name(missing []unnamed, ids []byte) {
	for at := 0; len(missing) > 0; at++ {
		id, rest, _ := cutID(ids)
		if ids = rest; at == missing[0].base {
			c.missing.records[missing[0].missing].id = uint64(len(c.missing.ids))
			c.missing.ids = append(c.missing.ids, id...)
			missing = missing[1:]
		}
	}
}
