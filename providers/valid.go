package providers

import "encoding/binary"

// soundness tells what is wrong with JSON, if anything.
type soundness uint8

const (
	sound   soundness = iota
	cut               // it ends too early, and is right so far
	unsound           // it is wrong somewhere
)

// maxDepth bounds nesting, as encoding/json does.
const maxDepth = 10_000

// check reads a whole JSON text (RFC 8259) as encoding/json.Valid does, many times faster:
// it is most of what listing costs beside the network.
func check(data []byte) soundness {
	c := checker{data: data}
	return c.whole()
}

func (c *checker) whole() soundness {
	c.space()
	if s := c.value(); s != sound {
		return s
	}
	c.space()
	if c.at < len(c.data) {
		return unsound
	}
	return sound
}

type checker struct {
	data  []byte
	at    int
	open  []byte // } and ] that are to come
	spans []span
	inner [spanDepth]int // the spans that are open
}

// note remembers where a value begins, as far as spans go.
func (c *checker) note() {
	if depth := len(c.open); depth < spanDepth {
		c.inner[depth] = len(c.spans)
		c.spans = append(c.spans, span{from: c.at})
	}
}

// noted remembers where it ends.
func (c *checker) noted() {
	if depth := len(c.open); depth < spanDepth {
		c.spans[c.inner[depth]].to = c.at
	}
}

func (c *checker) space() {
	for c.at < len(c.data) {
		switch c.data[c.at] {
		case ' ', '\n', '\t', '\r':
			c.at++
		default:
			return
		}
	}
}

// value reads one value with all that is in it.
func (c *checker) value() soundness {
	for {
		s, begun := c.begin()
		if s != sound {
			return s
		}
		if begun {
			continue
		}
		if s, done := c.end(); s != sound || done {
			return s
		}
	}
}

// begin reads a scalar, an empty object or list, or the opening of one, up to its first
// value, which begun tells.
func (c *checker) begin() (s soundness, begun bool) {
	if c.at == len(c.data) {
		return cut, false
	}
	switch b := c.data[c.at]; {
	case b == '"':
		return c.text(), false
	case b == '{' || b == '[':
		if len(c.open) == maxDepth {
			return unsound, false
		}
		c.note()
		c.at++
		c.space()
		if c.at == len(c.data) {
			return cut, false
		}
		if c.data[c.at] == b+2 {
			c.at++
			c.noted()
			return sound, false
		}
		c.open = append(c.open, b+2) // } and ] come two behind { and [
		if b == '{' {
			return c.key(), true
		}
		return sound, true
	case b == '-' || b >= '0' && b <= '9':
		return c.number(), false
	case b == 't':
		return c.literal("true"), false
	case b == 'f':
		return c.literal("false"), false
	case b == 'n':
		return c.literal("null"), false
	}
	return unsound, false
}

// end reads what follows a value: closings, and a comma up to the next value. done is
// true behind the outermost one.
func (c *checker) end() (s soundness, done bool) {
	for len(c.open) > 0 {
		c.space()
		if c.at == len(c.data) {
			return cut, false
		}
		closing := c.open[len(c.open)-1]
		switch c.data[c.at] {
		case closing:
			c.at++
			c.open = c.open[:len(c.open)-1]
			c.noted()
		case ',':
			c.at++
			c.space()
			if closing == '}' {
				return c.key(), false
			}
			return sound, false
		default:
			return unsound, false
		}
	}
	return sound, true
}

// key reads a member's name up to its value.
func (c *checker) key() soundness {
	if c.at == len(c.data) {
		return cut
	}
	if c.data[c.at] != '"' {
		return unsound
	}
	if s := c.text(); s != sound {
		return s
	}
	c.space()
	if c.at == len(c.data) {
		return cut
	}
	if c.data[c.at] != ':' {
		return unsound
	}
	c.at++
	c.space()
	return sound
}

// text reads a string.
func (c *checker) text() soundness {
	data, i := c.data, c.at+1
	for {
		i = plain(data, i)
		if i >= len(data) {
			return cut
		}
		switch b := data[i]; {
		case b == '"':
			c.at = i + 1
			return sound
		case b != '\\':
			return unsound // a control character
		}
		n, s := escape(data[i:])
		if s != sound {
			return s
		}
		i += n
	}
}

// plain is the place of the next quote, backslash or control character, eight bytes at a
// time.
func plain(data []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		if (((quote-ones)&^quote)|((slash-ones)&^slash)|((w-ones*' ')&^w))&highs != 0 {
			break
		}
	}
	for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= ' ' {
		i++
	}
	return i
}

// escape reads an escape sequence and returns its length.
func escape(data []byte) (int, soundness) {
	if len(data) < 2 {
		return 0, cut
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, sound
	case 'u':
		for i := 2; i < 6; i++ {
			if i == len(data) {
				return 0, cut
			}
			if b := data[i] | 0x20; (b < '0' || b > '9' || data[i] < '0') && (b < 'a' || b > 'f') {
				return 0, unsound
			}
		}
		return 6, sound
	}
	return 0, unsound
}

func (c *checker) literal(word string) soundness {
	for i := range len(word) {
		if c.at+i == len(c.data) {
			return cut
		}
		if c.data[c.at+i] != word[i] {
			return unsound
		}
	}
	c.at += len(word)
	return sound
}

func (c *checker) digits() int {
	begun := c.at
	for c.at < len(c.data) && c.data[c.at] >= '0' && c.data[c.at] <= '9' {
		c.at++
	}
	return c.at - begun
}

func (c *checker) is(b byte) bool { return c.at < len(c.data) && c.data[c.at] == b }

// number reads a number. One that ends with the data is whole only where nothing is open.
func (c *checker) number() soundness {
	if c.is('-') {
		c.at++
	}
	switch {
	case c.at == len(c.data):
		return cut
	case c.is('0'):
		c.at++
	case c.digits() == 0:
		return unsound
	}
	if c.is('.') {
		c.at++
		if c.digits() == 0 {
			return c.missing()
		}
	}
	if c.is('e') || c.is('E') {
		c.at++
		if c.is('+') || c.is('-') {
			c.at++
		}
		if c.digits() == 0 {
			return c.missing()
		}
	}
	return sound
}

func (c *checker) missing() soundness {
	if c.at == len(c.data) {
		return cut
	}
	return unsound
}
