package diff

import (
	"bytes"
	"slices"
	"strings"
)

const (
	maxMembers = 256     // keys kept of one place; maps with keys like ids have no shape
	maxLearned = 1 << 14 // keys kept in all
)

// shape is what is known of the values at one place of a record: what the rules say of
// them and, of objects, the keys that were seen there.
type shape struct {
	cut   bool   // the value is left out
	set   bool   // the order of an array means nothing
	below []path // the rules for what stands inside, relative to it

	members  []member         // in the order in which they were first seen
	order    []int32          // indexes of members, sorted by key
	index    map[string]int32 // of members, by key
	elements *shape           // of an array
}

// member is what is known of one key.
type member struct {
	raw   []byte // what stood before the value when it was first seen: "key" :
	text  string // the same in canonical form: "key":
	tight bool   // raw is text
	cut   bool   // as shape has it
	shape *shape
	field *field // of a member of the record; nil: not asked for yet
}

// key returns the member's key as it is written, without quotes.
func (m *member) key() string { return m.text[1 : len(m.text)-2] }

// key reads a key that the shape did not foresee at p, and the colon. It returns the
// member's index, learning it where it is new, and the position of the value.
func (c *Canonicalizer) key(p int, s *shape) (index, after int) {
	if p >= len(c.data) || c.data[p] != '"' {
		return 0, c.fail(p, "expected a key")
	}
	before := len(c.out)
	v, end := c.plain(p)
	if end < 0 {
		return 0, end
	}
	text := c.text(v)
	c.out = c.out[:before] // text stays until something is written
	if end = c.space(end); end >= len(c.data) || c.data[end] != ':' {
		return 0, c.fail(end, "expected : after a key")
	}
	end = c.space(end + 1)
	i, ok := s.index[string(text)]
	if !ok {
		i = s.learn(string(text), bytes.Clone(c.data[p:end]))
		c.spans = append(c.spans, span{})
	}
	return int(i), end
}

func (s *shape) learn(quoted string, raw []byte) int32 {
	i := int32(len(s.members))
	if s.index == nil {
		s.index = make(map[string]int32)
	}
	text := quoted + ":"
	s.index[text[:len(quoted)]] = i
	at := s.at(quoted)
	s.members = append(s.members, member{raw: raw, text: text, tight: string(raw) == text, cut: at.cut, shape: at})
	return i
}

// sort puts the members that were learned in order and returns how many those are.
func (s *shape) sort() int {
	fresh := len(s.members) - len(s.order)
	if fresh == 0 {
		return 0
	}
	byKey := func(a, b int32) int { return strings.Compare(s.members[a].key(), s.members[b].key()) }
	for i := len(s.order); i < len(s.members); i++ {
		if fresh > 8 {
			s.order = append(s.order, int32(i))
			continue
		}
		at, _ := slices.BinarySearchFunc(s.order, int32(i), byKey)
		s.order = slices.Insert(s.order, at, int32(i))
	}
	if fresh > 8 {
		slices.SortFunc(s.order, byKey)
	}
	return fresh
}

func (s *shape) forget() { s.members, s.order, s.index = nil, nil, nil }

// ofElements returns the shape that the elements of an array share.
func (s *shape) ofElements() *shape {
	if s.elements == nil {
		s.elements = s.at(anyKey)
	}
	return s.elements
}

// at returns a new shape for the member with the quoted key, or for elements.
func (s *shape) at(quoted string) *shape {
	next := &shape{}
	for _, p := range s.below {
		if p.keys[0] != anyKey && p.keys[0] != quoted {
			continue
		}
		switch {
		case len(p.keys) > 1:
			next.below = append(next.below, path{keys: p.keys[1:], set: p.set})
		case p.set:
			next.set = true
		default:
			next.cut = true
		}
	}
	return next
}
