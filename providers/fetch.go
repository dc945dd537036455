package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// fetch gets one page: it waits for the account's budget, obeys the provider's limits,
// and tries again what may pass. requests counts the tries.
func (cl *Client) fetch(ctx context.Context, r *request, buffer *bytes.Buffer) (a answer, requests int, err error) {
	deadline := time.Now().Add(cl.maxWait)
	for failures, throttles := 0, 0; ; {
		if err := cl.budget.acquire(ctx, deadline); err != nil {
			return answer{}, requests, err
		}
		requests++
		a, failure := cl.send(ctx, r, buffer)
		cl.budget.release()
		if failure == nil {
			failure = a.parse()
		}
		if ctx.Err() != nil {
			return answer{}, requests, context.Cause(ctx)
		}
		if until, ok := cl.throttledUntil(a, throttles); ok {
			throttles++
			cl.budget.BlockUntil(until)
			if until.After(deadline) {
				e := throttled(until)
				e.Status = a.status
				return answer{}, requests, e
			}
			continue
		}
		cl.heedRemaining(a)
		if failure == nil {
			return a, requests, nil
		}
		if failure.Status == 0 {
			failure.Status = a.status
		}
		if failure.Kind != Transient || failures >= len(cl.backoff) {
			return answer{}, requests, failure
		}
		wait := cl.backoff[failures]
		failures++
		if err := sleep(ctx, wait/2+rand.N(wait/2+1)); err != nil {
			return answer{}, requests, err
		}
	}
}

// resetHeaders are read when an answer throttles, beside those that the connector names.
var resetHeaders = []string{"X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset"}

// throttledUntil tells whether an answer asks for silence, and until when. An answer that
// doesn't say how long is asked again after a second, two, four, at most a minute.
func (cl *Client) throttledUntil(a answer, before int) (time.Time, bool) {
	switch {
	case a.status == http.StatusTooManyRequests, slices.Contains(cl.limits.throttle, a.status):
	case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
	default:
		return time.Time{}, false
	}
	now := time.Now()
	names := slices.Concat([]string{"Retry-After"}, textValues(cl.limits.reset), resetHeaders)
	if value, ok := firstHeader(a.header, names); ok {
		if until, ok := parseWait(value, serverTime(a.header, now), now); ok {
			return until, true
		}
	}
	wait := min(time.Second<<min(before, 6), time.Minute)
	return now.Add(wait/2 + rand.N(wait/2+1)), true
}

// heedRemaining blocks the account when an answer says that nothing is left of its window.
func (cl *Client) heedRemaining(a answer) {
	remaining, ok := firstHeader(a.header, textValues(cl.limits.remaining))
	if !ok || strings.TrimSpace(remaining) != "0" {
		return
	}
	now := time.Now()
	if value, ok := firstHeader(a.header, textValues(cl.limits.reset)); ok {
		if until, ok := parseWait(value, serverTime(a.header, now), now); ok && until.After(now) {
			cl.budget.BlockUntil(until)
		}
	}
}

func textValues(texts []text) []string {
	var values []string
	for _, t := range texts {
		values = append(values, t.value)
	}
	return values
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// parse checks that an answer is JSON, whole. JSON that stops early was cut and may be
// whole next time; other bad JSON stays so.
func (a *answer) parse() *Error {
	if a.status == http.StatusNoContent {
		return nil
	}
	a.body = bytes.TrimPrefix(a.body, byteOrderMark)
	if json.Valid(a.body) {
		a.document = gjson.ParseBytes(a.body)
		return nil
	}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if start := bytes.TrimLeft(a.body, " \t\r\n"); media == "text/html" || bytes.HasPrefix(start, []byte("<")) {
		return protocol("the answer is a web page or XML, not JSON: check the base URL and the credentials")
	}
	syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(a.body, new(json.RawMessage)))
	if !ok || syntax.Offset >= int64(len(a.body)) && strings.Contains(syntax.Error(), "unexpected end") {
		return &Error{Kind: Transient, Detail: "the answer's JSON is cut short"}
	}
	return protocol("the answer is not valid JSON")
}
