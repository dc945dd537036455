package hashstore

import (
	"bytes"
	"cmp"
	"slices"
)

// compareByID compares a part in which records share places: each by its id. Hardly any
// stream ever comes here, so it is plain rather than fast.
func (c *comparison) compareByID(p pending, ids []byte) error {
	known, err := c.knowByID(p, ids)
	if err != nil {
		return err
	}
	if c.shared == nil {
		c.shared = map[uint64]bool{}
	}
	for place, there := range known {
		if len(there) > 1 {
			c.shared[place] = true
		}
	}
	listed := c.groups.part(p.part)
	for i, r := range listed {
		if i > 0 && listed[i-1].place == r.place {
			c.shared[r.place] = true
		}
		position := c.groups.start[p.part] + i
		at := find(known[r.place], c.listing.id(r))
		if at < 0 {
			c.created = append(c.created, position)
			c.gain(p.part, r.fingerprint)
			continue
		}
		if known[r.place][at].fingerprint != r.fingerprint {
			c.updated = append(c.updated, position)
			c.gain(p.part, r.fingerprint-known[r.place][at].fingerprint)
		}
		known[r.place] = slices.Delete(known[r.place], at, at+1)
	}
	for place, gone := range known {
		for _, k := range gone {
			if c.partial != nil && !c.gone[string(k.id)] {
				continue
			}
			c.missing.add(place, k.fingerprint, k.id)
		}
	}
	return nil
}

// restoreOrder sorts what parts compared by id have added behind the others.
func (c *comparison) restoreOrder() {
	slices.Sort(c.created)
	slices.Sort(c.updated)
	slices.SortFunc(c.missing.records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.place, b.place), bytes.Compare(c.missing.id(a), c.missing.id(b)))
	})
}

type knownID struct {
	id          []byte
	fingerprint uint64
	row         []uint16 // digests of its fields; nil: not known, or not asked for
}

func find(known []knownID, id []byte) int {
	return slices.IndexFunc(known, func(k knownID) bool { return bytes.Equal(k.id, id) })
}

// knowByID is the base of a part with its runs laid over it, by place.
func (c *comparison) knowByID(p pending, ids []byte) (map[uint64][]knownID, error) {
	known := map[uint64][]knownID{}
	for i := range p.size {
		id, rest, _ := cutID(ids)
		e := entryAt(p.entries, i)
		known[e.Place], ids = append(known[e.Place], knownID{id: bytes.Clone(id), fingerprint: e.Fingerprint}), rest
	}
	for _, r := range c.runs.part(p.part) {
		there, at := known[r.place], 0
		if r.id != 0 {
			if at = find(there, c.delta.id(r)); at < 0 {
				there, at = append(there, knownID{id: c.delta.id(r)}), len(there)
			}
		} else if len(there) != 1 {
			return nil, corrupt("a run changes a record that part %d lacks", p.part)
		}
		if there[at].fingerprint = r.fingerprint; r.fingerprint == 0 {
			there = slices.Delete(there, at, at+1)
		}
		known[r.place] = there
	}
	var sum uint64
	for _, there := range known {
		for _, k := range there {
			sum += k.fingerprint
		}
	}
	if sum != c.state.digests[p.part] {
		return nil, corrupt("part %d doesn't match its digest", p.part)
	}
	return known, nil
}
