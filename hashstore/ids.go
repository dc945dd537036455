package hashstore

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strconv"
)

// A stored id begins with a byte that tells its form, and so its length:
//
//	0 … 191      that many bytes as they are
//	192 … 200    0 … 8 bytes of a big-endian number: a decimal without leading zeros
//	208 … 239    1 … 32 bytes: lower-case hexadecimal digits
//	254          16 bytes: a lower-case UUID
//	255          uvarint n, then n bytes as they are
//
// Every text has exactly one stored form, so two ids are equal when their stored forms are.
const (
	formDecimal = 192
	formHex     = 208
	formUUID    = 254
	formLong    = 255
)

// notHex is nibble's answer to what is no lower-case hexadecimal digit.
const notHex = 0xff

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return notHex
}

// appendID appends the stored form of id.
func appendID(dst []byte, id string) []byte {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		stored, ok := append(dst, formUUID), true
		for _, group := range [...]string{id[:8], id[9:13], id[14:18], id[19:23], id[24:]} {
			if stored, ok = appendHex(stored, group); !ok {
				break
			}
		}
		if ok {
			return stored
		}
	}
	if n, ok := parseDecimal(id); ok {
		size := (bits.Len64(n) + 7) / 8
		dst = append(dst, byte(formDecimal+size))
		for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
			dst = append(dst, byte(n>>shift))
		}
		return dst
	}
	if n := len(id) / 2; n > 0 && n <= 32 && len(id)%2 == 0 {
		if stored, ok := appendHex(append(dst, byte(formHex+n-1)), id); ok {
			return stored
		}
	}
	if len(id) < formDecimal {
		return append(append(dst, byte(len(id))), id...)
	}
	return append(binary.AppendUvarint(append(dst, formLong), uint64(len(id))), id...)
}

func appendHex(dst []byte, digits string) ([]byte, bool) {
	for i := 0; i+1 < len(digits); i += 2 {
		high, low := nibble(digits[i]), nibble(digits[i+1])
		if high|low == notHex {
			return dst, false
		}
		dst = append(dst, high<<4|low)
	}
	return dst, true
}

func parseDecimal(id string) (uint64, bool) {
	if id == "" || len(id) > 20 || id[0] == '0' && id != "0" {
		return 0, false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(id, 10, 64)
	return n, err == nil
}

// cutID returns the first stored id of b and what follows it; ok is false when b ends
// before the id does.
func cutID(b []byte) (id, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	var head, size uint64 = 1, 0
	switch form := b[0]; {
	case form < formDecimal:
		size = uint64(form)
	case form <= formDecimal+8:
		size = uint64(form - formDecimal)
	case form >= formHex && form < formHex+32:
		size = uint64(form-formHex) + 1
	case form == formUUID:
		size = 16
	case form == formLong:
		n, width := binary.Uvarint(b[1:])
		if width <= 0 {
			return nil, nil, false
		}
		head, size = 1+uint64(width), n
	default:
		return nil, nil, false
	}
	if size > uint64(len(b))-head {
		return nil, nil, false
	}
	return b[:head+size], b[head+size:], true
}

// textOf returns the id whose stored form is b.
func textOf(b []byte) string {
	body := b[1:]
	switch form := b[0]; {
	case form < formDecimal:
		return string(body)
	case form <= formDecimal+8:
		var n uint64
		for _, c := range body {
			n = n<<8 | uint64(c)
		}
		return strconv.FormatUint(n, 10)
	case form == formUUID:
		var text [36]byte
		hex.Encode(text[:8], body[:4])
		hex.Encode(text[9:13], body[4:6])
		hex.Encode(text[14:18], body[6:8])
		hex.Encode(text[19:23], body[8:10])
		hex.Encode(text[24:], body[10:])
		text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
		return string(text[:])
	case form == formLong:
		_, width := binary.Uvarint(body)
		return string(body[width:])
	default:
		return hex.EncodeToString(body)
	}
}
