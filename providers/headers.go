package providers

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBlock bounds what a header can ask for: no provider's window is longer than a day,
// and a nonsense value must not silence an account for years.
const maxBlock = 24 * time.Hour

// resetLayouts are the dates met in reset headers, beside those of HTTP itself.
var resetLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05 -0700", // Gusto
	"2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05",
}

// parseWait reads a Retry-After (RFC 9110, section 10.2.3) or a rate-limit reset header:
// seconds left, seconds or milliseconds since the epoch, or a date. Which of them it is
// shows in the value. server is the answer's own date, so that a clock that is wrong on
// either side doesn't matter. The result is within a day of now, never before it.
func parseWait(value string, server, now time.Time) (time.Time, bool) {
	value = strings.TrimSpace(value)
	wait, ok := time.Duration(0), false
	if n, err := strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(n) {
		ok = true
		switch {
		case n > 1e11: // milliseconds since the epoch: 1973 and later
			n = n/1e3 - float64(server.UnixMilli())/1e3
		case n > 1e8: // seconds since the epoch: 1973 and later
			n -= float64(server.UnixMilli()) / 1e3
		}
		wait = time.Duration(min(max(n, 0), maxBlock.Seconds()) * float64(time.Second))
	} else if at, found := parseDate(value); found {
		wait, ok = at.Sub(server), true
	}
	return now.Add(min(max(wait, 0), maxBlock)), ok
}

func parseDate(value string) (time.Time, bool) {
	if at, err := http.ParseTime(value); err == nil {
		return at, true
	}
	for _, layout := range resetLayouts {
		if at, err := time.Parse(layout, value); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// serverTime is the Date of an answer, or now.
func serverTime(h http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return now
}

// firstHeader returns the first of the named headers that the answer has.
func firstHeader(h http.Header, names []string) (string, bool) {
	for _, name := range names {
		if value := h.Get(name); value != "" {
			return value, true
		}
	}
	return "", false
}

// nextLink finds the target with relation "next" in Link headers (RFC 8288).
func nextLink(values []string) (string, bool) {
	for _, value := range values {
		for rest := value; ; {
			start := strings.IndexByte(rest, '<')
			if start < 0 {
				break
			}
			length := strings.IndexByte(rest[start:], '>')
			if length < 0 {
				break
			}
			target := rest[start+1 : start+length]
			rel, after := linkRelation(rest[start+length+1:])
			for r := range strings.FieldsSeq(rel) {
				if strings.EqualFold(r, "next") {
					return target, true
				}
			}
			rest = after
		}
	}
	return "", false
}

// linkRelation reads the parameters of one link up to the comma that ends it. The first
// rel counts.
func linkRelation(s string) (rel, rest string) {
	found := false
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] != ';' {
			_, rest, _ = strings.Cut(s, ",")
			return rel, rest
		}
		s = strings.TrimLeft(s[1:], " \t")
		end := strings.IndexAny(s, "=;,")
		if end < 0 {
			return rel, ""
		}
		name, value := strings.TrimSpace(s[:end]), ""
		if s = s[end:]; s[0] == '=' {
			value, s = linkValue(strings.TrimLeft(s[1:], " \t"))
		}
		if !found && strings.EqualFold(name, "rel") {
			rel, found = value, true
		}
	}
}

// linkValue reads a token or a quoted string.
func linkValue(s string) (value, rest string) {
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, ";,")
		if end < 0 {
			end = len(s)
		}
		return strings.TrimSpace(s[:end]), s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
