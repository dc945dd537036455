package diff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// The values that property tests draw: nil, bool, number, text, []any, object. Two are
// the same value exactly when same says so.
type (
	number struct {
		negative bool
		digits   string // without zeros at either end; "" is 0
		power    int64
	}
	text   string // pieces of characters, one after the other
	object map[text]any
)

// characters are what texts are made of. No row of them makes another one.
var characters = []string{
	"a", "b", "c", "Z", "0", " ", "/", ".", "*", ":", ",", "{", "]", "\"", "\\", "<", "\u00e9", "\u2028", "\ufffd", "\U0001f600", "\x7f",
	"\x00", "\x1f", "\n", "\t", "\b", "\f", "\r", "\xff", "\xc0",
	loneHigh, loneLow, "http://", "https://h/p?", "X-Amz-Signature=", "&sig=", "&se=", "#", "u", "long text without anything of note",
}

const (
	loneHigh = "\xed\xa0\xbd" // \ud83d and \ude00 without a partner
	loneLow  = "\xed\xb8\x80"
)

var texts = rapid.Custom(func(t *rapid.T) text {
	return text(strings.ReplaceAll(strings.Join(rapid.SliceOfN(rapid.SampledFrom(characters), 0, 6).Draw(t, "text"), ""), loneHigh+loneLow, loneHigh))
})

var numbers = rapid.Custom(func(t *rapid.T) number {
	digits := strings.Trim(rapid.StringMatching(`[0-9]{0,4}|[0-9]{20,30}`).Draw(t, "digits"), "0")
	if digits == "" {
		return number{}
	}
	power := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64Range(-1e18, 1e18)).Draw(t, "power")
	return number{rapid.Bool().Draw(t, "negative"), digits, power}
})

// values draws any value at most so deep, with few keys so that some are equal.
func values(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		switch {
		case kind == 0:
			return nil
		case kind == 1:
			return rapid.Bool().Draw(t, "bool")
		case kind <= 3:
			return numbers.Draw(t, "number")
		case kind <= 5 || depth == 0:
			return texts.Draw(t, "text")
		case kind <= 7:
			return rapid.SliceOfN(values(depth-1), 0, 4).Draw(t, "array")
		}
		keys := rapid.OneOf(rapid.SampledFrom([]text{"a", "b", "c", "a.b", "*", "", `\`, "name"}), texts)
		return object(rapid.MapOfN(keys, values(depth-1), 0, 5).Draw(t, "object"))
	})
}

// same compares by meaning.
func same(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case object:
		b, ok := b.(object)
		return ok && maps.EqualFunc(withoutNulls(a), withoutNulls(b), same)
	}
	switch b.(type) {
	case []any, object:
		return false
	}
	return a == b
}

func withoutNulls(o object) object {
	o = maps.Clone(o)
	maps.DeleteFunc(o, func(_ text, v any) bool { return v == nil })
	return o
}

// changed returns a value with something in it drawn anew, added, removed or moved. It may
// be the same.
func changed(t *rapid.T, value any) any {
	if rapid.IntRange(0, 5).Draw(t, "here") == 0 {
		return values(1).Draw(t, "other")
	}
	switch v := value.(type) {
	case []any:
		v = slices.Clone(v)
		if len(v) == 0 || rapid.IntRange(0, 5).Draw(t, "insert") == 0 {
			return slices.Insert(v, rapid.IntRange(0, len(v)).Draw(t, "at"), values(1).Draw(t, "element"))
		}
		i, j := rapid.IntRange(0, len(v)-1).Draw(t, "i"), rapid.IntRange(0, len(v)-1).Draw(t, "j")
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			v[i], v[j] = v[j], v[i]
		case 1:
			v = slices.Delete(v, i, i+1)
		default:
			v[i] = changed(t, v[i])
		}
		return v
	case object:
		v = maps.Clone(v)
		if len(v) == 0 || rapid.IntRange(0, 5).Draw(t, "insert") == 0 {
			v[texts.Draw(t, "key")] = values(1).Draw(t, "member")
			return v
		}
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(v))).Draw(t, "key")
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			renamed := v[key]
			delete(v, key)
			v[texts.Draw(t, "new key")] = renamed
		case 1:
			delete(v, key)
		default:
			v[key] = changed(t, v[key])
		}
		return v
	case number:
		if v.digits != "" {
			v.digits = strings.Trim(v.digits+rapid.StringMatching(`[0-9]`).Draw(t, "digit"), "0")
			v.power += rapid.Int64Range(-1, 1).Draw(t, "shift")
		}
		return v
	case text:
		return v + text(rapid.SampledFrom(characters[:20]).Draw(t, "more"))
	}
	return values(0).Draw(t, "scalar")
}

// spell writes a value as JSON, every time in another way.
func spell(t *rapid.T, value any) string {
	space := func() string {
		return rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n      "}).Draw(t, "space")
	}
	return space() + spellTight(t, value, space) + space()
}

func spellTight(t *rapid.T, value any, space func() string) string {
	switch value := value.(type) {
	case number:
		return spellNumber(t, value)
	case text:
		return spellText(t, value)
	case []any:
		var elements []string
		for _, v := range value {
			elements = append(elements, spell(t, v))
		}
		return "[" + cmp.Or(strings.Join(elements, ","), space()) + "]"
	case object:
		var members []string
		for _, key := range rapid.Permutation(slices.Sorted(maps.Keys(value))).Draw(t, "order") {
			member := func(v any) string { return space() + spellText(t, key) + space() + ":" + spell(t, v) }
			if rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
				members = append(members, member(values(1).Draw(t, "not the last")))
			}
			if value[key] != nil || len(members) > 0 || rapid.Bool().Draw(t, "null") {
				members = append(members, member(value[key]))
			}
		}
		if key := texts.Draw(t, "absent"); rapid.Bool().Draw(t, "null") {
			if _, ok := value[key]; !ok {
				members = append(members, space()+spellText(t, key)+space()+":"+spell(t, nil))
			}
		}
		return "{" + cmp.Or(strings.Join(members, ","), space()) + "}"
	case nil:
		return "null"
	}
	return fmt.Sprint(value)
}

func spellNumber(t *rapid.T, n number) string {
	sign := ""
	if n.negative {
		sign = "-"
	}
	if n.digits == "" {
		return rapid.SampledFrom([]string{"0", "-0", "0.0", "-0.00", "0e7", "0E-99999999999999999999", "-0.0e+1"}).Draw(t, "zero")
	}
	zeros := rapid.IntRange(0, 3).Draw(t, "zeros")
	digits := n.digits + strings.Repeat("0", zeros)
	point := rapid.IntRange(0, len(digits)+2).Draw(t, "digits behind the point")
	power := n.power - int64(zeros) + int64(point)
	digits = strings.Repeat("0", max(0, point+1-len(digits))) + digits
	if point > 0 {
		digits = digits[:len(digits)-point] + "." + digits[len(digits)-point:]
	}
	exponent := strconv.FormatInt(power, 10)
	switch {
	case power == 0 && rapid.Bool().Draw(t, "no exponent"):
		return sign + digits
	case power >= 0:
		exponent = rapid.SampledFrom([]string{"", "+", "+00", "0000000000000000000000"}).Draw(t, "plus") + exponent
	default:
		exponent = "-" + rapid.SampledFrom([]string{"", "0", "0000000000000000000000"}).Draw(t, "minus") + exponent[1:]
	}
	if rapid.IntRange(0, 3).Draw(t, "expand") == 0 && point == 0 && 0 < power && power < 40 {
		return sign + digits + strings.Repeat("0", int(power))
	}
	return sign + digits + rapid.SampledFrom([]string{"e", "E"}).Draw(t, "e") + exponent
}

func spellText(t *rapid.T, s text) string {
	var out strings.Builder
	out.WriteByte('"')
	for rest := string(s); rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		short, _ := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}[r]
		switch {
		case strings.HasPrefix(rest, loneHigh):
			size = len(loneHigh)
			out.WriteString(rapid.SampledFrom([]string{`\ud83d`, `\uD83D`}).Draw(t, "high"))
		case strings.HasPrefix(rest, loneLow):
			size = len(loneLow)
			out.WriteString(rapid.SampledFrom([]string{`\ude00`, `\uDE00`}).Draw(t, "low"))
		case r == utf8.RuneError && size == 1:
			out.WriteByte(rest[0])
		case short != "" && rapid.Bool().Draw(t, "short"):
			out.WriteString(short)
		case r > 0xFFFF && rapid.Bool().Draw(t, "pair"):
			fmt.Fprintf(&out, `\ud83d\uDE00`)
		case r <= 0xFFFF && (r < ' ' || r == '"' || r == '\\' || rapid.IntRange(0, 3).Draw(t, "escape") == 0):
			fmt.Fprintf(&out, rapid.SampledFrom([]string{`\u%04x`, `\u%04X`}).Draw(t, "case"), r)
		default:
			out.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	out.WriteByte('"')
	return out.String()
}
