package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// isoMillis is the form of JavaScript's Date.toISOString for a UTC time.
const isoMillis = "2006-01-02T15:04:05.000Z"

// Body writes the request body of an event: compact JSON with the seven keys of the
// StackOne webhook contract in their order, and for account events those of e.Account
// that have a value. The result is a fixed point of JSON.stringify(JSON.parse(body)),
// because older consumers sign that instead of the bytes. Bytes that are not UTF-8
// become U+FFFD. It fails only for setup information that CheckSetupInformation refuses.
func Body(e Event, sentAt time.Time) ([]byte, error) {
	b := make([]byte, 0, 384)
	b = append(b, `{"project_id":`...)
	b = appendString(b, e.ProjectID)
	b = append(b, `,"account_id":`...)
	b = appendString(b, e.AccountID)
	b = append(b, `,"event":`...)
	b = appendString(b, e.Name)
	b = append(b, `,"event_date":"`...)
	b = e.OccurredAt.UTC().AppendFormat(b, isoMillis)
	b = append(b, `","record_type":`...)
	b = appendString(b, e.RecordType)
	b = append(b, `,"record_id":`...)
	b = appendString(b, e.RecordID)
	b = append(b, `,"sent_at":"`...)
	b = sentAt.UTC().AppendFormat(b, isoMillis)
	b = append(b, '"')
	if a := e.Account; a != nil {
		b = appendMember(b, `,"provider":`, a.Provider)
		b = appendMember(b, `,"origin_owner_id":`, a.OriginOwnerID)
		b = appendMember(b, `,"origin_owner_name":`, a.OriginOwnerName)
		b = appendMember(b, `,"origin_username":`, a.OriginUsername)
		object, err := appendSetup(nil, a.SetupInformation)
		if err != nil {
			return nil, err
		}
		if len(object) > 0 {
			b = append(b, `,"setup_information":`...)
			b = append(b, object...)
		}
	}
	return append(b, '}'), nil
}

func appendMember(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, key...), value)
}

// appendSetup rewrites an account's setup information; an object without members is left
// out. It must be one flat object of strings, booleans and whole numbers within ±2^53, no
// key twice, and no key that is a number (JavaScript moves those to the front): what else
// would not survive JSON.parse and JSON.stringify unchanged. The error names a key at
// most, never a value.
func appendSetup(b []byte, raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return b, nil
	}
	if !json.Valid(raw) || bytes.TrimLeft(raw, " \t\r\n")[0] != '{' {
		return b, fmt.Errorf("setup_information is not a JSON object")
	}
	tokens := json.NewDecoder(bytes.NewReader(raw))
	tokens.UseNumber()
	_, _ = tokens.Token() // the opening brace
	seen := map[string]bool{}
	separator := byte('{')
	for tokens.More() {
		token, _ := tokens.Token()
		key, _ := token.(string)
		if seen[key] || isIndex(key) {
			return b, fmt.Errorf("setup_information: key %q stands twice or is a number", key)
		}
		seen[key] = true
		b = append(b, separator)
		separator = ','
		b = append(appendString(b, key), ':')
		token, _ = tokens.Token()
		switch value := token.(type) {
		case string:
			b = appendString(b, value)
		case bool:
			b = strconv.AppendBool(b, value)
		case json.Number:
			n, err := value.Int64()
			if err != nil || n < -1<<53 || n > 1<<53 {
				return b, fmt.Errorf("setup_information: the number of key %q is not whole or too big", key)
			}
			b = strconv.AppendInt(b, n, 10)
		default:
			return b, fmt.Errorf("setup_information: the value of key %q is not a string, boolean or whole number", key)
		}
	}
	if separator == '{' {
		return b, nil
	}
	return append(b, '}'), nil
}

// isIndex says whether JavaScript might take key for an array index, which it would
// enumerate before all other keys.
func isIndex(key string) bool {
	for _, c := range []byte(key) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return key != ""
}

// appendString writes s as JSON.stringify does: no HTML escaping, U+2028 and U+2029 as
// they are, control characters as \b \f \n \r \t or \u00xx.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0 // of the run that needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if c < ' ' {
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&15])
			} else {
				b = append(b, "\uFFFD"...)
			}
		}
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
