// Package diff says whether a record changed: canonical form, fingerprint, comparison.
//
// It owns the canonical form and its Version. It is pure: it never does I/O, reads no
// clock, takes no context, and keeps nothing of a record but the names of its keys.
//
// # Canonical form
//
// The canonical form of a record is JSON without whitespace in which everything that
// does not change a value's meaning has one spelling:
//
//   - Members of an object are sorted bytewise by key, as the key is written here. Of
//     equal keys the last one counts.
//   - A member that is null is absent, so {"a":null} is {}. A member that is {} or []
//     is not absent, nor is null inside an array.
//   - Arrays keep their order, unless [Rules] call them sets: then their elements are
//     sorted bytewise as they are written here; equal ones all stay.
//   - Strings have the escapes \" \\ \b \f \n \r \t, \u00xx (lower-case) for the other
//     control characters, \udxxx (lower-case) for a surrogate escape without its
//     partner, and no others. Bytes that are not UTF-8 stay as they are.
//   - Numbers are the decimal digits of their text without leading and trailing zeros,
//     then e and the power of ten unless that is 0: 1 for 1.0, 15e-1 for 1.5, 5e4 for
//     50000. They never pass through a float; 0 and -0 are 0.
//   - What [Rules] ignore is left out, and the query and fragment of a signed URL.
//
// Two records have equal canonical bytes exactly when they are equal in this sense.
//
// # Fields
//
// Beside a fingerprint, small digests of a record's fields ([FieldDigester]) say which of
// them changed, and never a value.
package diff

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Version is the version of the canonical form, part of every [Rules.Recipe]. It rises
// whenever the canonical bytes of any record change.
const Version = 1

const (
	maxDepth   = 512     // of nested arrays and objects; providers stay below 20
	keepBuffer = 1 << 20 // bytes; what an unusual record made larger is given back
)

// SyntaxError tells where a record stops being JSON. It never quotes the record.
type SyntaxError struct {
	Offset int64 // in bytes from the record's start
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}

// Canonicalizer writes records in canonical form. It learns the order in which a
// provider writes its keys and is fastest when that order repeats; what it returns never
// depends on what it has seen. It is not safe for concurrent use.
type Canonicalizer struct {
	rules       []path
	keepQueries bool
	root        *shape
	learned     int            // members in root and below
	fields      *FieldDigester // takes the members of each record; nil: nobody does

	// While a record is read:
	data  []byte // the record
	out   []byte // what was written so far
	spans []span // of the open objects and sets, innermost last
	depth int    // open objects and arrays
	err   *SyntaxError
}

// NewCanonicalizer returns an error that names the first path that makes no sense.
func NewCanonicalizer(r Rules) (*Canonicalizer, error) {
	paths, err := r.paths()
	if err != nil {
		return nil, err
	}
	return &Canonicalizer{rules: paths, keepQueries: r.KeepURLQueries, root: &shape{below: paths}}, nil
}

// Append appends the canonical form of one record to dst. The error is a [*SyntaxError];
// then dst comes back as it was. Nothing of record is kept.
func (c *Canonicalizer) Append(dst, record []byte) ([]byte, error) {
	form, err := c.canonical(record)
	return append(dst, form...), err
}

// Sum returns xxhash64 of the canonical form of one record. The error is a [*SyntaxError].
func (c *Canonicalizer) Sum(record []byte) (uint64, error) {
	form, err := c.canonical(record)
	if err != nil {
		return 0, err
	}
	return xxhash.Sum64(form), nil
}

// canonical returns a slice of c.out or of record.
func (c *Canonicalizer) canonical(record []byte) ([]byte, error) {
	if c.learned > maxLearned {
		c.root, c.learned = &shape{below: c.rules}, 0
	}
	if cap(c.out) > keepBuffer {
		c.out, c.spans = nil, nil
	}
	c.data, c.out, c.spans, c.depth = record, c.out[:0], c.spans[:0], 0
	defer func() { c.data = nil }()
	v, p := c.value(c.space(0), c.root)
	if p < 0 {
		return nil, c.err
	}
	if p = c.space(p); p < len(record) {
		c.fail(p, "more data after the value")
		return nil, c.err
	}
	if v.in != inOut {
		return record[v.start:v.end], nil
	}
	return c.out, nil
}
