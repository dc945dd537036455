package sample

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"unicode/utf8"
)

// What a record is made of besides strings, ints (always spelled plainly: they are
// ids), booleans, nil and []any.
type (
	object []member
	member struct {
		name  string
		value any
	}
	record    object   // below it a null may as well be absent
	amount    float64  // a number that may be spelled in any way
	signedURL string   // gets a new signature on every read
	volatile  struct{} // a count that is another on every read
)

// scribe writes JSON. Without rand it is plain and always the same; with it, it uses
// every freedom JSON leaves: order of keys, white space, escapes in values, spelling of
// numbers, null or absent.
type scribe struct {
	rand  *rand.Rand
	sign  func(r *rand.Rand) string // the query of a signed URL
	wide  bool
	loose bool
}

func newScribe(seed, read uint64, sign func(*rand.Rand) string) *scribe {
	r := rand.New(rand.NewPCG(seed, read))
	return &scribe{rand: r, sign: sign, wide: r.IntN(2) == 0}
}

// chance is true once in n times, and never without rand.
func (s *scribe) chance(n int) bool { return s.rand != nil && s.rand.IntN(n) == 0 }

func (s *scribe) append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return s.appendString(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case bool:
		return strconv.AppendBool(dst, v)
	case amount:
		return s.appendAmount(dst, float64(v))
	case signedURL:
		if s.sign != nil {
			v += signedURL("?" + s.sign(s.rand))
		}
		return s.appendString(dst, string(v))
	case volatile:
		if s.rand == nil {
			return append(dst, '0')
		}
		return strconv.AppendInt(dst, s.rand.Int64N(50), 10)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = s.append(s.space(dst), item)
		}
		return append(s.space(dst), ']')
	case record:
		defer func(before bool) { s.loose = before }(s.loose)
		s.loose = true
		return s.appendObject(dst, object(v))
	case object:
		return s.appendObject(dst, v)
	}
	panic("sample: a record holds a value that JSON has no form for")
}

func (s *scribe) appendObject(dst []byte, o object) []byte {
	if s.rand != nil {
		o = slices.Clone(o)
		s.rand.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
	}
	dst = append(dst, '{')
	first := true
	for _, m := range o {
		if m.value == nil && s.loose && s.chance(2) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(s.space(dst), '"')
		dst = append(append(dst, m.name...), '"')
		dst = append(s.space(dst), ':')
		dst = s.append(s.space(dst), m.value)
	}
	return append(s.space(dst), '}')
}

func (s *scribe) space(dst []byte) []byte {
	if s.wide && s.chance(3) {
		return append(dst, []string{" ", "\n", "\t", "\r\n  "}[s.rand.IntN(4)]...)
	}
	return dst
}

func (s *scribe) appendAmount(dst []byte, f float64) []byte {
	form, precision := byte('f'), -1
	if s.rand != nil {
		switch s.rand.IntN(4) {
		case 0:
			form = 'e'
		case 1:
			form = 'E'
		case 2:
			precision = 2 // amounts have no more
		}
	}
	return strconv.AppendFloat(dst, f, form, precision, 64)
}

const hex = "0123456789abcdef"

func (s *scribe) appendString(dst []byte, v string) []byte {
	dst = append(dst, '"')
	for _, c := range v {
		switch {
		case c == '"' || c == '\\' || c == '/' && s.chance(4):
			dst = append(dst, '\\', byte(c))
		case c < 0x20 || c < 0x10000 && (c >= utf8.RuneSelf && s.chance(2) || s.chance(60)):
			dst = append(dst, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return append(dst, '"')
}
