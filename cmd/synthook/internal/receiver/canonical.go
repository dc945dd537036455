package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const maxDepth = 32

// reencode returns what JSON.stringify(JSON.parse(body)) gives, and the keys of the
// outermost object. What only JavaScript's own rules could reorder or round (a
// repeated key, a key that looks like an array index, a fraction, a number beyond
// ±2^53) is an error, since a body must not hold it.
//
// Invalid UTF-8 comes out as U+FFFD, here as there, so it differs from the body.
func reencode(body []byte) (again []byte, keys []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	e := encoder{decoder: decoder}
	if err := e.value(0); err != nil {
		return nil, nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("more than one JSON value")
	}
	return e.out, e.keys, nil
}

type encoder struct {
	decoder *json.Decoder
	out     []byte
	keys    []string
}

func (e *encoder) value(depth int) error {
	token, err := e.decoder.Token()
	if err != nil {
		return errors.New("not JSON") // the decoder's own words quote the body
	}
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return e.object(depth)
		}
		return e.array(depth)
	case string:
		e.out = appendString(e.out, t)
	case json.Number:
		if !exact(t.String()) {
			return errors.New("a number that JavaScript would not keep")
		}
		e.out = append(e.out, t...)
	case bool:
		e.out = strconv.AppendBool(e.out, t)
	case nil:
		e.out = append(e.out, "null"...)
	}
	return nil
}

func (e *encoder) object(depth int) error {
	e.out = append(e.out, '{')
	seen := map[string]bool{}
	for e.decoder.More() {
		token, err := e.decoder.Token()
		if err != nil {
			return errors.New("not JSON")
		}
		key, ok := token.(string)
		switch {
		case !ok:
			return errors.New("not JSON")
		case seen[key]:
			return errors.New("a key is repeated")
		case looksLikeIndex(key):
			return errors.New("a key looks like an array index")
		}
		if len(seen) > 0 {
			e.out = append(e.out, ',')
		}
		seen[key] = true
		if depth == 0 {
			e.keys = append(e.keys, key)
		}
		e.out = append(appendString(e.out, key), ':')
		if err := e.value(depth + 1); err != nil {
			return err
		}
	}
	return e.end('}')
}

func (e *encoder) array(depth int) error {
	e.out = append(e.out, '[')
	for first := true; e.decoder.More(); first = false {
		if !first {
			e.out = append(e.out, ',')
		}
		if err := e.value(depth + 1); err != nil {
			return err
		}
	}
	return e.end(']')
}

func (e *encoder) end(closing byte) error {
	if _, err := e.decoder.Token(); err != nil {
		return errors.New("not JSON")
	}
	e.out = append(e.out, closing)
	return nil
}

// exact says whether JavaScript prints the number as it is written: an integer
// within ±2^53.
func exact(number string) bool {
	n, err := strconv.ParseInt(number, 10, 64)
	return err == nil && -1<<53 <= n && n <= 1<<53 && strconv.FormatInt(n, 10) == number
}

// looksLikeIndex says whether JavaScript sorts the key before all others: an
// integer below 2^32-1, written plainly (ECMA-262, "array index").
func looksLikeIndex(key string) bool {
	n, err := strconv.ParseUint(key, 10, 32)
	return err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == key
}

// appendString quotes s as JSON.stringify does (ECMA-262, QuoteJSONString): only what
// must be escaped is, so <, >, & and U+2028 stand as they are.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		}
	}
	return append(dst, '"')
}
