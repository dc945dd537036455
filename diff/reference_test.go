package diff

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// reference is the canonical form as its documentation says it, by other means: it leans
// on encoding/json, decodes everything, and is slow. It returns false for what is not JSON.
func reference(record []byte, rules Rules) (string, bool) {
	if !json.Valid(record) {
		return "", false
	}
	// encoding/json makes U+FFFD of invalid bytes and lone surrogates, so it gets the
	// strings in hexadecimal digits of their canonical text.
	record = jsonString.ReplaceAllFunc(record, func(quoted []byte) []byte {
		return []byte(`"` + hex.EncodeToString([]byte(referenceText(string(quoted[1:len(quoted)-1])))) + `"`)
	})
	decoder := json.NewDecoder(bytes.NewReader(record))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", false
	}
	return (&referenceWriter{rules}).value(value, nil), true
}

var jsonString = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"`)

// referenceText rewrites the inside of a JSON string.
func referenceText(text string) string {
	var out strings.Builder
	var units []uint16 // of \u escapes in a row
	flush := func() {
		for i := 0; i < len(units); i++ {
			u := rune(units[i])
			if i+1 < len(units) && utf16.DecodeRune(u, rune(units[i+1])) != '\uFFFD' {
				u = utf16.DecodeRune(u, rune(units[i+1]))
				i++
			}
			switch {
			case strings.ContainsRune("\"\\\b\f\n\r\t", u):
				quoted, _ := json.Marshal(string(u))
				out.Write(quoted[1 : len(quoted)-1])
			case u < 0x20 || 0xD800 <= u && u <= 0xDFFF:
				fmt.Fprintf(&out, `\u%04x`, u)
			default:
				out.WriteRune(u)
			}
		}
		units = nil
	}
	for len(text) > 0 {
		if strings.HasPrefix(text, `\u`) {
			u, _ := strconv.ParseUint(text[2:6], 16, 16)
			units, text = append(units, uint16(u)), text[6:]
			continue
		}
		flush()
		switch {
		case strings.HasPrefix(text, `\/`):
			out.WriteByte('/')
			text = text[2:]
		case text[0] == '\\':
			out.WriteString(text[:2])
			text = text[2:]
		default:
			out.WriteByte(text[0])
			text = text[1:]
		}
	}
	flush()
	return out.String()
}

const anElement = "\x00" // no key: it would be written \\u0000

type referenceWriter struct{ rules Rules }

func (w *referenceWriter) value(value any, at []string) string {
	switch value := value.(type) {
	case string:
		text, _ := hex.DecodeString(value)
		return `"` + w.text(string(text)) + `"`
	case json.Number:
		return referenceNumber(value.String())
	case map[string]any:
		members := map[string]string{}
		for key, v := range value {
			text, _ := hex.DecodeString(key)
			if below := append(slices.Clone(at), string(text)); v != nil && !w.matches(w.rules.Ignore, below) {
				members[string(text)] = w.value(v, below)
			}
		}
		var texts []string
		for _, key := range slices.Sorted(maps.Keys(members)) {
			texts = append(texts, `"`+key+`":`+members[key])
		}
		return "{" + strings.Join(texts, ",") + "}"
	case []any:
		var texts []string
		for _, v := range value {
			if below := append(slices.Clone(at), anElement); !w.matches(w.rules.Ignore, below) {
				texts = append(texts, w.value(v, below))
			}
		}
		if w.matches(w.rules.Sets, at) {
			slices.Sort(texts)
		}
		return "[" + strings.Join(texts, ",") + "]"
	}
	text, _ := json.Marshal(value) // true, false, null
	return string(text)
}

// matches tells whether one of the paths leads to where the value is.
func (w *referenceWriter) matches(paths []string, at []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		path = strings.NewReplacer(`\\`, "\x01", `\.`, "\x02", `\*`, "\x03").Replace(path)
		keys := strings.Split(path, ".")
		for i, key := range keys {
			literal := strings.NewReplacer("\x01", `\\`, "\x02", ".", "\x03", "*", `"`, `\"`).Replace(key)
			if i < len(at) && key != "*" && literal != at[i] {
				return false
			}
		}
		return len(keys) == len(at)
	})
}

var (
	referenceURL     = regexp.MustCompile(`^https?://[^?# \\]+\?[^ \\]*$`)
	referenceSigners = [][]*regexp.Regexp{
		{parameterPattern(`x-(amz|goog)-signature`)},
		{parameterPattern(`signature`), parameterPattern(`policy|expires|key-pair-id`)},
		{parameterPattern(`sig`), parameterPattern(`se|sv`)},
		{parameterPattern(`token`), parameterPattern(`expires`)},
	}
)

func parameterPattern(names string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)^[^?#]*\?([^#]*&)?(` + names + `)=[^&#]`)
}

func (w *referenceWriter) text(text string) string {
	if w.rules.KeepURLQueries || !referenceURL.MatchString(text) {
		return text
	}
	for _, all := range referenceSigners {
		if !slices.ContainsFunc(all, func(p *regexp.Regexp) bool { return !p.MatchString(text) }) {
			return text[:strings.Index(text, "?")]
		}
	}
	return text
}

func referenceNumber(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	coefficient, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, _ := strings.Cut(coefficient, ".")
	digits, _ := new(big.Int).SetString(whole+fraction, 10)
	if digits.Sign() == 0 {
		return "0"
	}
	power, ok := new(big.Int).SetString(exponent, 10)
	if !ok {
		power = new(big.Int)
	}
	power.Sub(power, big.NewInt(int64(len(fraction))))
	all := digits.String()
	kept := strings.TrimRight(all, "0")
	power.Add(power, big.NewInt(int64(len(all)-len(kept))))
	if power.Sign() != 0 {
		kept += "e" + power.String()
	}
	if negative {
		kept = "-" + kept
	}
	return kept
}

// canonical is the form that a new Canonicalizer writes.
func canonical(t testing.TB, rules Rules, record string) string {
	t.Helper()
	form, err := canonicalizer(t, rules).Append(nil, []byte(record))
	if err != nil {
		t.Fatalf("%q: %v", record, err)
	}
	return string(form)
}

func canonicalizer(t testing.TB, rules Rules) *Canonicalizer {
	t.Helper()
	c, err := NewCanonicalizer(rules)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
