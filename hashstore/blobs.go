package hashstore

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/synthook/synthook/diff"
)

// Stored blobs. All numbers of fixed width are big-endian: their bytes sort as they do.
//
//	digests   8 bytes a part
//	entries   n × (place 8, fingerprint 8), ascending by place, by id within a place; seal
//	ids       n stored ids in the order of entries; seal over them, seeded with the places
//	run       uvarint m; m × (place 8, fingerprint 8; 0 = gone), ascending by place; m × a
//	          byte: plain, named or shared; the stored ids of the named and shared; seal
//	fields    see fields.go
//	fields    digests of fields, beside the entries of a part or a run: see fields.go
//
// A run's entry is named when it adds a record to the store, and shared when its place is;
// a plain one speaks of the only record of its place. A seal is 8 bytes of xxhash64.
const entrySize, sealSize = 16, 8

func appendEntry(dst []byte, place, fingerprint uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, place), fingerprint)
}

func entryAt(entries []byte, i int) diff.Entry {
	e := entries[i*entrySize : (i+1)*entrySize]
	return diff.Entry{Place: binary.BigEndian.Uint64(e), Fingerprint: binary.BigEndian.Uint64(e[8:])}
}

func checksum(b []byte, seed uint64) uint64 {
	if seed == 0 {
		return xxhash.Sum64(b)
	}
	h := xxhash.NewWithSeed(seed)
	_, _ = h.Write(b) // never an error
	return h.Sum64()
}

func seal(b []byte, seed uint64) []byte {
	return binary.BigEndian.AppendUint64(b, checksum(b, seed))
}

// unseal returns what was sealed; ok is false when it is not what it was.
func unseal(b []byte, seed uint64) (content []byte, ok bool) {
	n := len(b) - sealSize
	if n < 0 || binary.BigEndian.Uint64(b[n:]) != checksum(b[:n], seed) {
		return nil, false
	}
	return b[:n], true
}

// unsealEntries checks that entries belong to part p of 2^bits and ascend. An absent
// part is an empty one.
func unsealEntries(b []byte, p, bits int) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	entries, ok := unseal(b, 0)
	if !ok || len(entries)%entrySize != 0 {
		return nil, corrupt("the entries of part %d don't match their seal", p)
	}
	var last uint64
	for i := range len(entries) / entrySize {
		place := entryAt(entries, i).Place
		if place < last || partOf(place, bits) != p {
			return nil, corrupt("part %d is out of order", p)
		}
		last = place
	}
	return entries, nil
}

// placesOf is the seed of the seal of a part's ids: ids are only valid beside the places
// that they were written for.
func placesOf(entries []byte) uint64 {
	places := make([]byte, 0, len(entries)/2)
	for e := range slices.Chunk(entries, entrySize) {
		places = append(places, e[:8]...)
	}
	return xxhash.Sum64(places)
}

// unsealIDs checks that ids are those of a part with size records at places.
func unsealIDs(b []byte, p, size int, places uint64) ([]byte, error) {
	if b == nil && size == 0 {
		return nil, nil
	}
	ids, ok := unseal(b, places)
	if !ok {
		return nil, corrupt("the ids of part %d don't match their seal", p)
	}
	rest := ids
	for range size {
		if _, rest, ok = cutID(rest); !ok {
			return nil, corrupt("part %d lacks ids", p)
		}
	}
	if len(rest) > 0 {
		return nil, corrupt("part %d has ids of no record", p)
	}
	return ids, nil
}

func rootOf(digests []uint64, records int) uint64 {
	return checksum(digestBytes(digests), uint64(records))
}

func digestBytes(digests []uint64) []byte {
	b := make([]byte, 0, 8*len(digests))
	for _, d := range digests {
		b = binary.BigEndian.AppendUint64(b, d)
	}
	return b
}

// The kinds of a run's entries.
const (
	plain byte = iota
	named
	shared
)

// runEntry is one entry of a run; its id is nil when it is plain.
type runEntry struct {
	place, fingerprint uint64
	kind               byte
	id                 []byte
	of                 record // of the listing; where it is to be encoded
}

// encodeRun makes a run of entries that ascend by place.
func encodeRun(entries []runEntry) []byte {
	b := binary.AppendUvarint(nil, uint64(len(entries)))
	for _, e := range entries {
		b = appendEntry(b, e.place, e.fingerprint)
	}
	for _, e := range entries {
		b = append(b, e.kind)
	}
	for _, e := range entries {
		b = append(b, e.id...)
	}
	return seal(b, 0)
}

// decodeRun calls visit with every entry of a run, in order.
func decodeRun(run []byte, visit func(runEntry)) error {
	b, ok := unseal(run, 0)
	if !ok {
		return corrupt("a run doesn't match its seal")
	}
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width)/(entrySize+1) {
		return corrupt("a run is cut")
	}
	entries := b[width:]
	kinds := entries[n*entrySize:]
	ids := kinds[n:]
	for i, kind := range kinds[:n] {
		stored := entryAt(entries, i)
		e := runEntry{place: stored.Place, fingerprint: stored.Fingerprint, kind: kind}
		if kind != plain {
			if e.id, ids, ok = cutID(ids); !ok {
				return corrupt("a run lacks ids")
			}
		}
		visit(e)
	}
	if len(ids) > 0 {
		return corrupt("a run has ids of no entry")
	}
	return nil
}
