package hashstore

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestIDSizes(t *testing.T) {
	for id, size := range map[string]int{
		"":                                     1,
		"0":                                    1,
		"7":                                    2,
		"3223323715753018140":                  9,
		"18446744073709551615":                 9,
		"18446744073709551616":                 11, // above 64 bits: 20 hexadecimal digits
		"007":                                  4,
		"0042":                                 3,
		"deadbeef":                             5,
		"DEADBEEF":                             9,
		"64b7f0a1c2d3e4f5a6b7c8d9":             13,
		"0f8fad5b-d9cb-469f-a165-70867728950e": 17,
		"0F8FAD5B-D9CB-469F-A165-70867728950E": 37,
		"0f8fad5b-d9cb-469f-a165-70867728950g": 37,
		"12-34":                                6,
		strings.Repeat("é", 100):               203,
		strings.Repeat("ab", 32):               33,
		strings.Repeat("ab", 33):               67,
	} {
		if stored := appendID(nil, id); len(stored) != size || textOf(stored) != id {
			t.Errorf("%q: stored in %d bytes, want %d, and read as %q", id, len(stored), size, textOf(stored))
		}
	}
}

// Stored ids lie one behind the other: each gives back its text, ends where the next
// begins, and one that is cut short is noticed.
func FuzzIDs(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		f.Add(someID(random), someID(random))
	}
	f.Add(strings.Repeat("x", 300), "0")
	f.Add("00", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		stored := appendID(appendID(nil, a), b)
		first, rest, ok := cutID(stored)
		if !ok || textOf(first) != a {
			t.Fatalf("%q came back as %q", a, first)
		}
		second, rest, ok := cutID(rest)
		if !ok || textOf(second) != b || len(rest) != 0 {
			t.Fatalf("%q came back as %q", b, second)
		}
		if bytes.Equal(first, second) != (a == b) {
			t.Fatalf("%q and %q have one form", a, b)
		}
		if _, _, ok := cutID(first[:len(first)-1]); ok {
			t.Fatalf("%q: a cut form was accepted", a)
		}
	})
}

// Whatever stands in a blob, reading an id from it neither fails badly nor reads beyond it.
func FuzzCutID(f *testing.F) {
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Add([]byte{254, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, rest, ok := cutID(b)
		if !ok {
			return
		}
		if len(id)+len(rest) != len(b) {
			t.Fatalf("%x: %d and %d bytes of %d", b, len(id), len(rest), len(b))
		}
		textOf(id)
	})
}
