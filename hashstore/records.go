package hashstore

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
)

// record is one record of a list: 24 bytes, wherever its id stands.
type record struct {
	place, fingerprint uint64
	id                 uint64 // where its stored id begins in the list's ids
}

// list is records and the stored forms of their ids, one behind the other.
type list struct {
	records []record
	ids     []byte
}

func (l *list) id(r record) []byte {
	id, _, _ := cutID(l.ids[r.id:])
	return id
}

func (l *list) item(r record) Item { return Item{ID: textOf(l.id(r)), Place: r.place} }

// add appends a record whose id is in its stored form.
func (l *list) add(place, fingerprint uint64, id []byte) {
	l.records = append(l.records, record{place, fingerprint, uint64(len(l.ids))})
	l.ids = append(l.ids, id...)
}

// partOf is the part of 2^bits in which a place stands.
func partOf(place uint64, bits int) int { return int(place >> (64 - bits)) }

// groups is records grouped by part. settle may leave a gap behind a group.
type groups struct {
	records    []record
	start, end []int // the group of part p is records[start[p]:end[p]]
	dropped    bool  // settle found an id twice
}

// group copies records into the groups of 2^bits parts; a group keeps their order.
func group(records []record, bits int) *groups {
	grouped := make([]record, len(records))
	bounds := make([]int, 1<<bits+1)
	scatter(grouped, records, bounds, 0, bits)
	return &groups{records: grouped, start: bounds[:1<<bits], end: slices.Clone(bounds[1:])}
}

// scatter copies src to dst in the order of the width bits of a place that follow its
// first skip bits, and tells in bounds where each of the 2^width buckets begins and, one
// further, ends. Records of one bucket keep their order.
func scatter(dst, src []record, bounds []int, skip, width int) {
	clear(bounds)
	for i := range src {
		bounds[src[i].place<<skip>>(64-width)]++
	}
	sum := 0
	for i, n := range bounds {
		sum += n
		bounds[i] = sum
	}
	// Filled from behind, each bucket's end becomes its beginning.
	for i := len(src) - 1; i >= 0; i-- {
		b := src[i].place << skip >> (64 - width)
		bounds[b]--
		dst[bounds[b]] = src[i]
	}
}

func (g *groups) part(p int) []record { return g.records[g.start[p]:g.end[p]] }

// sorter sorts the groups of one stream; it keeps what it needs for that between them.
type sorter struct {
	scratch []record
	bounds  []int
}

// sort orders a group, whose places agree in their first skip bits, by place. Records of
// one place keep their order. Places are hashes: scattered once by their next bits,
// hardly any two are left in one bucket.
func (s *sorter) sort(group []record, skip int) {
	width := min(bits.Len(uint(len(group))), 12)
	s.scratch = slices.Grow(s.scratch[:0], len(group))[:len(group)]
	s.bounds = slices.Grow(s.bounds[:0], 1<<width+1)[:1<<width+1]
	scatter(s.scratch, group, s.bounds, skip, width)
	copy(group, s.scratch)
	for i := range 1 << width {
		if bucket := group[s.bounds[i]:s.bounds[i+1]]; len(bucket) > 1 {
			slices.SortStableFunc(bucket, func(a, b record) int { return cmp.Compare(a.place, b.place) })
		}
	}
}

// settle orders the group of part p by place, and by id within a place; of an id that
// stands there twice it keeps the last.
func (g *groups) settle(p, skip int, ids *list, s *sorter) {
	group := g.part(p)
	s.sort(group, skip)
	kept := 0
	for i := 0; i < len(group); {
		j := i + 1
		for j < len(group) && group[j].place == group[i].place {
			j++
		}
		same := group[i:j]
		if len(same) > 1 {
			slices.SortStableFunc(same, func(a, b record) int { return bytes.Compare(ids.id(a), ids.id(b)) })
		}
		for k, r := range same {
			if k+1 < len(same) && bytes.Equal(ids.id(r), ids.id(same[k+1])) {
				g.dropped = true
				continue
			}
			group[kept] = r
			kept++
		}
		i = j
	}
	g.end[p] = g.start[p] + kept
}

// compact returns the records of all groups without gaps.
func (g *groups) compact() []record {
	if !g.dropped {
		return g.records
	}
	records := make([]record, 0, len(g.records))
	for p := range g.start {
		records = append(records, g.part(p)...)
	}
	return records
}

// sumOf is the digest of records: the wrapping sum of their fingerprints, which no order
// changes and which a record added or taken away moves by its own.
func sumOf(records []record) (sum uint64) {
	for i := range records {
		sum += records[i].fingerprint
	}
	return sum
}
