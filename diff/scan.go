package diff

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	tooDeep = "nested more than 512 deep"
	hexes   = "0123456789abcdef"
)

// space returns the position of the first byte from p on that is not whitespace.
func (c *Canonicalizer) space(p int) int {
	if p < len(c.data) && c.data[p] > ' ' {
		return p
	}
	return skipSpace(c.data, p)
}

func skipSpace(data []byte, p int) int {
	for p < len(data) && (data[p] == ' ' || data[p] == '\n' || data[p] == '\t' || data[p] == '\r') {
		p++
	}
	return p
}

func (c *Canonicalizer) literal(p int, word string, in source) (span, int) {
	for i := range len(word) {
		if p+i >= len(c.data) || c.data[p+i] != word[i] {
			return span{}, c.fail(p+i, "expected "+word)
		}
	}
	return span{start: p, end: p + len(word), in: in}, p + len(word)
}

// string reads the string at p as a value: signed URLs lose what expires.
func (c *Canonicalizer) string(p int) (span, int) {
	v, after := c.plain(p)
	if after < 0 || c.keepQueries {
		return v, after
	}
	text := c.text(v)
	if !bytes.HasPrefix(text[1:], []byte("http")) { // said twice, for the speed of it
		return v, after
	}
	if n := signedURL(text[1 : len(text)-1]); n >= 0 {
		if v.in == inOut {
			c.out = append(c.out[:v.start+1+n], '"')
		} else {
			v = span{start: len(c.out), in: inOut}
			c.out = append(append(c.out, text[:1+n]...), '"')
		}
		v.end = len(c.out)
	}
	return v, after
}

// plain reads the string at p, quotes included.
func (c *Canonicalizer) plain(p int) (span, int) {
	start, canonical := p, true
	for p++; ; {
		if p = c.special(p); p >= len(c.data) {
			return span{}, c.fail(p, "")
		}
		switch c.data[p] {
		case '"':
			v := span{start: start, end: p + 1, in: inData}
			if !canonical {
				v = c.unescape(v)
			}
			return v, p + 1
		case '\\':
			n, same := c.escape(p)
			if n < 0 {
				return span{}, n
			}
			p, canonical = p+n, canonical && same
		default:
			return span{}, c.fail(p, "control character in a string")
		}
	}
}

// special returns the position of the next byte from p on that is a quote, a backslash
// or a control character.
func (c *Canonicalizer) special(p int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	data := c.data
	for ; p+8 <= len(data); p += 8 {
		w := binary.LittleEndian.Uint64(data[p:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		// The lowest high bit that is set stands at the first byte of its kind:
		// a borrow goes upwards only.
		if hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-' '*ones)&^w) & highs; hit != 0 {
			return p + bits.TrailingZeros64(hit)/8
		}
	}
	for p < len(data) && data[p] != '"' && data[p] != '\\' && data[p] >= ' ' {
		p++
	}
	return p
}

// escape returns the length of the escape at p and whether the canonical form has it.
func (c *Canonicalizer) escape(p int) (n int, canonical bool) {
	if p+1 >= len(c.data) {
		return c.fail(p+1, ""), false
	}
	switch c.data[p+1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2, true
	case '/':
		return 2, false
	case 'u':
		for i := p + 2; i < p+6; i++ {
			if i >= len(c.data) || unhex(c.data[i]) > 15 {
				return c.fail(i, "expected a hexadecimal digit"), false
			}
		}
		return 6, false
	}
	return c.fail(p+1, "unknown escape"), false
}

// unescape writes a valid string with canonical escapes.
func (c *Canonicalizer) unescape(v span) span {
	start, rest := len(c.out), c.data[v.start:v.end]
	for {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			break
		}
		c.out = append(c.out, rest[:i]...)
		n := 2
		switch rest[i+1] {
		case '/':
			c.out = append(c.out, '/')
		case 'u':
			r := hex4(rest[i+2:])
			n = 6
			if rest[i+6] == '\\' && rest[i+7] == 'u' {
				if pair := utf16.DecodeRune(r, hex4(rest[i+8:])); pair != utf8.RuneError {
					r, n = pair, 12
				}
			}
			c.out = appendRune(c.out, r)
		default:
			c.out = append(c.out, rest[i:i+2]...)
		}
		rest = rest[i+n:]
	}
	c.out = append(c.out, rest...)
	return span{start: start, end: len(c.out), in: inOut}
}

// appendRune appends a character that was written as \u….
func appendRune(out []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(out, '\\', byte(r))
	case r < ' ':
		if i := bytes.IndexByte([]byte("\b\f\n\r\t"), byte(r)); i >= 0 {
			return append(out, '\\', "bfnrt"[i])
		}
		fallthrough
	case utf16.IsSurrogate(r):
		return append(out, '\\', 'u', hexes[r>>12], hexes[r>>8&15], hexes[r>>4&15], hexes[r&15])
	}
	return utf8.AppendRune(out, r)
}

func hex4(digits []byte) rune {
	return rune(unhex(digits[0]))<<12 | rune(unhex(digits[1]))<<8 | rune(unhex(digits[2]))<<4 | rune(unhex(digits[3]))
}

// unhex returns the value of a hexadecimal digit; more than 15 when it is none.
func unhex(digit byte) byte {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0'
	case 'a' <= digit|0x20 && digit|0x20 <= 'f':
		return digit | 0x20 - 'a' + 10
	}
	return 255
}
