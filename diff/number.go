package diff

import (
	"bytes"
	"strconv"
)

// number reads the number at p.
func (c *Canonicalizer) number(p int) (span, int) {
	start := p
	if c.data[p] == '-' {
		p++
	}
	whole := p
	if p = c.digits(p); p < 0 {
		return span{}, p
	}
	if c.data[whole] == '0' {
		p = whole + 1 // a second digit is what the caller does not expect
	}
	if p >= len(c.data) || c.data[p] != '.' && c.data[p]|0x20 != 'e' {
		if c.data[p-1] != '0' || p == start+1 { // no zeros to move, or just 0
			return span{start: start, end: p, in: inData}, p
		}
		return c.decimal(c.data[start:whole], c.data[whole:p], nil, nil), p
	}
	integer, fraction, exponent := c.data[whole:p], []byte(nil), []byte(nil)
	if c.data[p] == '.' {
		point := p + 1
		if p = c.digits(point); p < 0 {
			return span{}, p
		}
		fraction = c.data[point:p]
	}
	if p < len(c.data) && c.data[p]|0x20 == 'e' {
		e := p + 1
		if p = e; p < len(c.data) && (c.data[p] == '+' || c.data[p] == '-') {
			p++
		}
		if p = c.digits(p); p < 0 {
			return span{}, p
		}
		exponent = c.data[e:p]
	}
	return c.decimal(c.data[start:whole], integer, fraction, exponent), p
}

// digits returns the position after the digits at p, of which there must be one.
func (c *Canonicalizer) digits(p int) int {
	start := p
	for p < len(c.data) && c.data[p]-'0' <= 9 {
		p++
	}
	if p == start {
		return c.fail(p, "expected a digit")
	}
	return p
}

// decimal writes a number without zeros at either end of its digits.
func (c *Canonicalizer) decimal(sign, integer, fraction, exponent []byte) span {
	start := len(c.out)
	c.out = append(append(append(c.out, sign...), integer...), fraction...)
	digits := bytes.TrimLeft(c.out[start+len(sign):], "0")
	if len(digits) == 0 {
		c.out = append(c.out[:start], '0')
		return span{start: start, end: len(c.out), in: inOut}
	}
	significant := bytes.TrimRight(digits, "0")
	shift := int64(len(digits)-len(significant)) - int64(len(fraction))
	c.out = append(c.out[:start+len(sign)], significant...)
	c.out = appendExponent(c.out, exponent, shift)
	return span{start: start, end: len(c.out), in: inOut}
}

// appendExponent appends e and the sum of exponent and shift; nothing when that is 0.
func appendExponent(out, exponent []byte, shift int64) []byte {
	negative := len(exponent) > 0 && exponent[0] == '-'
	digits := bytes.TrimLeft(bytes.TrimLeft(exponent, "+-"), "0")
	if len(digits) > 18 { // more than int64 is sure to hold, and |shift| is far smaller
		if negative {
			return appendSum(append(out, 'e', '-'), digits, -shift)
		}
		return appendSum(append(out, 'e'), digits, shift)
	}
	var e int64
	for _, d := range digits {
		e = e*10 + int64(d-'0')
	}
	if negative {
		e = -e
	}
	if e += shift; e == 0 {
		return out
	}
	return strconv.AppendInt(append(out, 'e'), e, 10)
}

// appendSum appends digits + shift, where shift is smaller than what digits say.
func appendSum(out, digits []byte, shift int64) []byte {
	start := len(out)
	out = append(append(out, '0'), digits...) // 0: room for one that is carried
	for i := len(out) - 1; shift != 0; i-- {
		sum := int64(out[i]-'0') + shift
		digit := (sum%10 + 10) % 10
		out[i], shift = '0'+byte(digit), (sum-digit)/10
	}
	sum := bytes.TrimLeft(out[start:], "0")
	return out[:start+copy(out[start:], sum)]
}
