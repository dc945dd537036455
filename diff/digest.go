package diff

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Digest stands for what a record has at one path: a value that holds no other, or an
// array. Digests say whether two records differ there, and nothing else of the values.
type Digest struct {
	Path  int32  // of [Digester.Name]
	Exact uint64 // what stands there, and where in its arrays; of an array: the order of its elements
	Loose uint64 // the same without any order
}

// Digester makes digests of the records of one stream. It learns their keys; digests of
// one Digester can be compared, whatever it has learned between them. It is not safe for
// concurrent use.
type Digester struct {
	canonical *Canonicalizer
	root      *place
	places    []*place // by Digest.Path

	// While a record is read:
	form []byte
	sums []Digest // by Path
	used []int32  // paths that the record has
}

// place is what stands in all records at the same keys, whatever the element.
type place struct {
	key    string // as a path has it
	above  *place // nil: the root
	shape  *shape // the rules for it; nothing is learned there
	named  map[string]*place
	other  *place // of elements, and of all keys that are not named
	value  int32  // Digest.Path of its values; -1: it had none yet
	array  int32  // Digest.Path of its arrays; -1: it had none yet
	filled bool   // too many keys for names: they are data
}

// NewDigester returns an error that names the first path that makes no sense.
func NewDigester(r Rules) (*Digester, error) {
	c, err := NewCanonicalizer(r)
	if err != nil {
		return nil, err
	}
	return &Digester{canonical: c, root: &place{shape: &shape{below: c.rules}, value: -1, array: -1}}, nil
}

// Append appends the digests of one record, by Path. Two records have equal digests
// exactly when their canonical forms are equal (short of two values with one xxhash64).
// The error is a [*SyntaxError].
func (d *Digester) Append(dst []Digest, record []byte) ([]Digest, error) {
	form, err := d.canonical.canonical(record)
	if err != nil {
		return dst, err
	}
	d.form, d.used = form, d.used[:0]
	d.value(0, d.root, 0)
	slices.Sort(d.used)
	for _, path := range d.used {
		dst = append(dst, d.sums[path])
		d.sums[path] = Digest{}
	}
	d.form = nil
	return dst, nil
}

// Compare tells of two records which paths have other values, and which arrays only come
// in another order. What an array's order moved is not told of the paths below it. A
// record with other values in an array's elements may hide that their order differs too.
func (d *Digester) Compare(old, new []Digest) (differ, reordered []int32) {
	var moved []int32 // the same values elsewhere in their arrays
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].Path < new[0].Path:
			differ, old = d.onlyOne(differ, old[0].Path), old[1:]
			continue
		case len(old) == 0 || new[0].Path < old[0].Path:
			differ, new = d.onlyOne(differ, new[0].Path), new[1:]
			continue
		}
		path, isArray := old[0].Path, d.isArray(old[0].Path)
		switch same := old[0].Loose == new[0].Loose; {
		case old[0].Exact == new[0].Exact:
		case same && isArray:
			reordered = append(reordered, path)
		case same:
			moved = append(moved, path)
		case !isArray: // what changed in an array is told of its elements
			differ = append(differ, path)
		}
		old, new = old[1:], new[1:]
	}
	for _, path := range moved {
		if !slices.ContainsFunc(append(slices.Clone(reordered), differ...), func(cause int32) bool { return d.sharesArray(path, cause) }) {
			differ = append(differ, path)
		}
	}
	return differ, reordered
}

// onlyOne adds a path that one of two records has. An array that one has is told of what
// it holds.
func (d *Digester) onlyOne(paths []int32, path int32) []int32 {
	if d.isArray(path) {
		return paths
	}
	return append(paths, path)
}

func (d *Digester) isArray(path int32) bool { return d.places[path].array == path }

// sharesArray tells whether what happened at cause moves what stands at path: some array
// around path is cause, or holds it.
func (d *Digester) sharesArray(path, cause int32) bool {
	for p := d.places[path].above; p != nil; p = p.above {
		if p.array < 0 && !p.shape.set {
			continue
		}
		for c := d.places[cause]; c != nil; c = c.above {
			if c == p {
				return true
			}
		}
	}
	return false
}

// Name is a path as [Rules] take it. Keys that may be data are * in it; so are all keys
// of a place that has very many.
func (d *Digester) Name(path int32) string {
	var keys []string
	for p := d.places[path]; p.above != nil; p = p.above {
		if p.above.filled {
			keys = append(keys, "*")
		} else {
			keys = append(keys, p.key)
		}
	}
	slices.Reverse(keys)
	return strings.Join(keys, ".")
}

// fieldName is what a field's name looks like.
var fieldName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]{0,63}$`)

// maxDigits is how many digits a field's name has: customField12345. Generated ids have more.
const maxDigits = 6

// PathKey is a key as it may be shown in a path: itself where it looks like a field's
// name, and * where it may be data, as in a map by address, by id or by full name.
func PathKey(key string) string {
	digits := 0
	for i := range len(key) {
		if '0' <= key[i] && key[i] <= '9' {
			digits++
		}
	}
	if digits > maxDigits || !fieldName.MatchString(key) {
		return "*"
	}
	return key
}

// below returns the place of a member with the quoted key.
func (p *place) below(quoted []byte) (next *place, named bool) {
	if next := p.named[string(quoted)]; next != nil {
		return next, true
	}
	key := PathKey(string(quoted[1 : len(quoted)-1]))
	if key == "*" || p.filled {
		return p.element(), false
	}
	if p.named == nil {
		p.named = map[string]*place{}
	}
	next = &place{key: key, above: p, shape: p.shape.at(string(quoted)), value: -1, array: -1}
	p.named[string(quoted)] = next
	p.filled = len(p.named) >= maxMembers
	return next, true
}

func (p *place) element() *place {
	if p.other == nil {
		p.other = &place{key: "*", above: p, shape: p.shape.at(anyKey), value: -1, array: -1}
	}
	return p.other
}

// add counts something of the record at a path, which it learns where it is new.
func (d *Digester) add(path *int32, at *place, exact, loose uint64) {
	if *path < 0 {
		*path = int32(len(d.places))
		d.places, d.sums = append(d.places, at), append(d.sums, Digest{})
	}
	sum := &d.sums[*path]
	if *sum == (Digest{}) {
		d.used = append(d.used, *path)
	}
	// Sums make no difference of order: exact has the position in it where that counts.
	sum.Path, sum.Exact, sum.Loose = *path, sum.Exact+exact, sum.Loose+loose
}

// Kinds of what is hashed, so that none is taken for another.
const (
	hashValue = iota + 1
	hashMember
	hashObject
	hashElement
	hashArray
	hashOrder
	hashStep
)

func hash(kind byte, a, b uint64) uint64 {
	var text [17]byte
	text[0] = kind
	binary.LittleEndian.PutUint64(text[1:], a)
	binary.LittleEndian.PutUint64(text[9:], b)
	return xxhash.Sum64(text[:])
}

// value reads the canonical value at p. way stands for the elements and the keys without
// a name through which it was reached. It returns a hash of the value in which no array
// has an order, and the position after it.
func (d *Digester) value(p int, at *place, way uint64) (uint64, int) {
	if next := d.form[p+1:]; d.form[p] == '{' && next[0] != '}' {
		return d.object(p+1, at, way)
	} else if d.form[p] == '[' && next[0] != ']' {
		return d.array(p+1, at, way)
	}
	end := valueEnd(d.form, p)
	content := xxhash.Sum64(d.form[p:end])
	d.add(&at.value, at, hash(hashValue, way, content), hash(hashValue, 0, content))
	return content, end
}

func (d *Digester) object(p int, at *place, way uint64) (uint64, int) {
	var sum uint64
	for {
		end := valueEnd(d.form, p)
		key := d.form[p:end]
		name := xxhash.Sum64(key)
		next, named := at.below(key)
		below := way
		if !named {
			below = hash(hashStep, way, name)
		}
		content, after := d.value(end+1, next, below)
		sum += hash(hashMember, name, content)
		if p = after + 1; d.form[after] == '}' {
			return hash(hashObject, 0, sum), p
		}
	}
}

func (d *Digester) array(p int, at *place, way uint64) (uint64, int) {
	next := at.element()
	var order, sum uint64
	for i := uint64(0); ; i++ {
		content, after := d.value(p, next, hash(hashStep, way, i))
		order = hash(hashOrder, order, content)
		sum += hash(hashElement, 0, content)
		if p = after + 1; d.form[after] == ']' {
			break
		}
	}
	content := hash(hashArray, 0, sum)
	if !at.shape.set {
		d.add(&at.array, at, hash(hashOrder, 0, order), content)
	}
	return content, p
}

// valueEnd returns the position after the string, number, literal or empty array or
// object at p of a canonical form.
func valueEnd(form []byte, p int) int {
	switch form[p] {
	case '{', '[':
		return p + 2
	case '"':
		for p++; form[p] != '"'; p++ {
			if form[p] == '\\' {
				p++
			}
		}
		return p + 1
	}
	if n := bytes.IndexAny(form[p:], ",]}"); n >= 0 {
		return p + n
	}
	return len(form)
}
