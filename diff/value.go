package diff

import (
	"bytes"
	"slices"
)

// span is a piece of canonical text; the zero span is none.
type span struct {
	start, end int
	in         source
}

// source is where the text of a span stands. (As wide as the rest of it: a span that is
// copied right after one byte of it was written makes the processor wait.)
type source int

const (
	nowhere    source = iota
	nullInData        // canonical as it stands in data; as a member's value it is absent
	inData            // canonical as it stands in data
	withKey           // the same, and the member's key before it
	inOut             // written
)

func (c *Canonicalizer) text(s span) []byte {
	if s.in == inOut {
		return c.out[s.start:s.end]
	}
	return c.data[s.start:s.end]
}

// fail records the first error. Its result, -1, is the position after what failed.
func (c *Canonicalizer) fail(p int, reason string) int {
	if p >= len(c.data) {
		reason = "unexpected end"
	}
	c.err = &SyntaxError{Offset: int64(p), Reason: reason}
	return -1
}

// value reads the value at p and returns its canonical text and the position after it.
// What it writes is exactly that text, at the end of out.
func (c *Canonicalizer) value(p int, s *shape) (span, int) {
	if p >= len(c.data) {
		return span{}, c.fail(p, "")
	}
	switch c.data[p] {
	case '"':
		return c.string(p)
	case '{':
		start := len(c.out)
		p = c.object(p, s)
		return span{start: start, end: len(c.out), in: inOut}, p
	case '[':
		start := len(c.out)
		p = c.array(p, s)
		return span{start: start, end: len(c.out), in: inOut}, p
	case 't':
		return c.literal(p, "true", inData)
	case 'f':
		return c.literal(p, "false", inData)
	case 'n':
		return c.literal(p, "null", nullInData)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return c.number(p)
	}
	return span{}, c.fail(p, "expected a value")
}

// object reads the object at p. Each member's text is found or written first, in the
// order of the record; then the members are put in the order that the shape knows.
func (c *Canonicalizer) object(p int, s *shape) int {
	if c.depth++; c.depth > maxDepth {
		return c.fail(p, tooDeep)
	}
	if len(s.members) > maxMembers {
		s.forget()
	}
	start, base, next := len(c.out), len(c.spans), 0
	c.spans = slices.Grow(c.spans, len(s.members))[:base+len(s.members)]
	clear(c.spans[base:])
	p = c.space(p + 1)
	for first := true; ; first = false {
		if first && p < len(c.data) && c.data[p] == '}' {
			break
		}
		key, i, tight := p, next, false
		if next < len(s.members) && bytes.HasPrefix(c.data[p:], s.members[next].raw) {
			value := p + len(s.members[next].raw)
			p = c.space(value)
			tight = s.members[next].tight && p == value
		} else if i, p = c.key(p, s); p < 0 {
			return p
		}
		next = i + 1
		member := &s.members[i]
		before := len(c.out)
		v, after := c.value(p, member.shape)
		switch {
		case after < 0:
			return after
		case member.cut:
			c.out, v = c.out[:before], span{}
		case tight && v.in == inData:
			v.start, v.in = key, withKey
		}
		c.spans[base+i] = v
		p = c.space(after)
		if p < len(c.data) && c.data[p] == '}' {
			break
		}
		if p >= len(c.data) || c.data[p] != ',' {
			return c.fail(p, "expected , or } after a member")
		}
		p = c.space(p + 1)
	}
	c.learned += s.sort()
	if c.fields != nil && c.depth == 1 {
		c.fields.members(s, c.spans[base:])
	}
	c.writeMembers(start, s, c.spans[base:])
	c.spans = c.spans[:base]
	c.depth--
	return p + 1
}

// writeMembers writes an object where its members' texts begin, at start.
func (c *Canonicalizer) writeMembers(start int, s *shape, values []span) {
	end := len(c.out)
	out := append(c.out, '{')
	for _, i := range s.order {
		v := &values[i]
		switch v.in {
		case nowhere, nullInData:
			continue
		case withKey:
			out = append(out, c.data[v.start:v.end]...)
		case inData:
			out = append(append(out, s.members[i].text...), c.data[v.start:v.end]...)
		case inOut:
			out = append(append(out, s.members[i].text...), out[v.start:v.end]...)
		}
		out = append(out, ',')
	}
	c.out = closeAt(out, start, end, '}')
}

// array reads the array at p and writes its elements as they come.
func (c *Canonicalizer) array(p int, s *shape) int {
	if c.depth++; c.depth > maxDepth {
		return c.fail(p, tooDeep)
	}
	element := s.ofElements()
	start, base := len(c.out), len(c.spans)
	c.out = append(c.out, '[')
	p = c.space(p + 1)
	for first := true; ; first = false {
		if first && p < len(c.data) && c.data[p] == ']' {
			break
		}
		before := len(c.out)
		v, after := c.value(p, element)
		if after < 0 {
			return after
		}
		switch {
		case element.cut:
			c.out = c.out[:before]
		case s.set:
			if v.in != inOut {
				c.out = append(c.out, c.text(v)...)
			}
			c.spans = append(c.spans, span{start: before, end: len(c.out), in: inOut})
		default:
			if v.in != inOut {
				c.out = append(c.out, c.text(v)...)
			}
			c.out = append(c.out, ',')
		}
		p = c.space(after)
		if p < len(c.data) && c.data[p] == ']' {
			break
		}
		if p >= len(c.data) || c.data[p] != ',' {
			return c.fail(p, "expected , or ] after an element")
		}
		p = c.space(p + 1)
	}
	if s.set {
		c.writeSet(start, c.spans[base:])
		c.spans = c.spans[:base]
	} else {
		c.out = closeAt(c.out, start, start, ']')
	}
	c.depth--
	return p + 1
}

// writeSet writes an array where its elements' texts begin, at start.
func (c *Canonicalizer) writeSet(start int, elements []span) {
	slices.SortFunc(elements, func(a, b span) int { return bytes.Compare(c.text(a), c.text(b)) })
	end := len(c.out)
	out := append(c.out, '[')
	for _, e := range elements {
		out = append(out, out[e.start:e.end]...)
		out = append(out, ',')
	}
	c.out = closeAt(out, start, end, ']')
}

// closeAt ends the object or array at the end of out with the bracket, in place of the
// last comma, and moves it from its place at end to start.
func closeAt(out []byte, start, end int, bracket byte) []byte {
	if last := len(out) - 1; out[last] == ',' {
		out[last] = bracket
	} else {
		out = append(out, bracket)
	}
	if start == end {
		return out
	}
	return out[:start+copy(out[start:], out[end:])]
}
