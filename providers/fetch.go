package providers

import (
	"bytes"
	"context"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// answer is a page as it came.
type answer struct {
	header   http.Header
	status   int
	url      *url.URL // that was asked
	location *url.URL // that a redirect points at
	body     []byte
	more     bool         // the body goes on beyond what was read
	document document     // the body; empty where it isn't sound JSON
	last     gjson.Result // the last record of its page
}

// room is the memory of an answer.
type room struct {
	body  bytes.Buffer
	spans []span
}

// fetch gets one answer: it waits for the account's budget, obeys the provider's limits,
// and tries again what may pass. requests counts the tries.
func (cl *Client) fetch(ctx context.Context, q *query, into *room) (a answer, requests int, err error) {
	deadline := time.Now().Add(cl.maxWait)
	var shows, refused access
	for failures, throttles := 0, 0; ; {
		if q.grant == nil {
			shows, err = cl.access(ctx, refused)
			requests += cl.keeper.spent()
			if err != nil {
				return answer{}, requests, err
			}
		}
		r, err := cl.request(q, shows)
		if err != nil {
			return answer{}, requests, err
		}
		if err := cl.budget.acquire(ctx, cl.turn, deadline); err != nil {
			return answer{}, requests, err
		}
		requests++
		a, failure := cl.send(ctx, r, &into.body)
		cl.budget.release()
		throttled := false
		if failure == nil {
			if failure, throttled = cl.judge(&a, into, q.grant != nil); failure != nil {
				failure.hear(&a, append([]string{shows.token, shows.session}, cl.secrets...))
			}
		}
		if ctx.Err() != nil {
			return answer{}, requests, interrupted(ctx)
		}
		if throttled {
			until := cl.silence(a, throttles)
			throttles++
			cl.budget.BlockUntil(until)
			if cl.probing || until.After(deadline) {
				e := silenced(until)
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
		if failure.Kind == Auth && refused == (access{}) && shows.mayHaveEnded(a.status) {
			refused = shows // once: a new one that is refused, too, is not the reason
			continue
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

// mayHaveEnded tells whether a refusal may mean that the token or the session is over. A
// 403 means that it is good and may not read this.
func (shown access) mayHaveEnded(status int) bool {
	return (shown.token != "" || shown.session != "") && status != http.StatusForbidden
}

// judge sorts an answer: nil for a good one. What throttles has no error. Where tokens
// are given, the provider's API has no say.
func (cl *Client) judge(a *answer, into *room, grant bool) (failure *Error, throttled bool) {
	good := a.status >= 200 && a.status <= 299
	if good {
		failure = a.parse(into)
	} else if a.status != http.StatusNotModified && (grant || len(cl.errors.code) > 0) {
		if document, s := readDocument(a.body, into); s == sound {
			a.document = document
		}
	}
	if failure != nil || a.status == http.StatusNotModified || a.more {
		return failure, false
	}
	if grant && !good {
		failure = statusError(a.status, a.location)
		failure.oauth = oauthError(*a)
		return failure, throttles(a)
	}
	if good && (grant || a.status == http.StatusNoContent || !cl.errors.ok.set() || cl.errors.ok.holds(*a)) {
		return nil, false
	}
	class, code := cl.errors.class(*a)
	if class == classThrottle || class == "" && throttles(a) {
		return nil, true
	}
	if class == "" && good {
		return protocol("the provider answers an error in a %d: %s is not so", a.status, cl.errors.ok.text), false
	}
	return classError(class, a.status, code, a.location), false
}

// throttles tells whether an answer asks for silence by its status alone.
func throttles(a *answer) bool {
	return a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
}

// resetHeaders are read when an answer throttles, beside those that the connector names.
var resetHeaders = []string{"X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset"}

// silence tells until when an answer that throttles asks for silence. One that doesn't
// say how long is asked again after a second, two, four, at most a minute.
func (cl *Client) silence(a answer, before int) time.Time {
	now := time.Now()
	for _, names := range [][]string{{"Retry-After"}, cl.limits.reset, resetHeaders} {
		if value, ok := firstHeader(a.header, names); ok {
			if until, ok := parseWait(value, serverTime(a.header, now), now); ok {
				return until
			}
		}
	}
	wait := min(time.Second<<min(before, 6), time.Minute)
	return now.Add(wait/2 + rand.N(wait/2+1))
}

// heedRemaining blocks the account when an answer says that nothing is left of its window.
func (cl *Client) heedRemaining(a answer) {
	remaining, ok := firstHeader(a.header, cl.limits.remaining)
	if !ok || strings.TrimSpace(remaining) != "0" {
		return
	}
	now := time.Now()
	if value, ok := firstHeader(a.header, cl.limits.reset); ok {
		if until, ok := parseWait(value, serverTime(a.header, now), now); ok && until.After(now) {
			cl.budget.BlockUntil(until)
		}
	}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// parse checks that an answer is JSON, whole. JSON that stops early was cut and may be
// whole next time; other bad JSON stays so.
func (a *answer) parse(into *room) *Error {
	if a.status == http.StatusNoContent {
		return nil
	}
	a.body = bytes.TrimPrefix(a.body, byteOrderMark)
	document, s := readDocument(a.body, into)
	switch s {
	case sound:
		a.document = document
		return nil
	case cut:
		if a.more {
			return nil
		}
		return &Error{Kind: Transient, Detail: "the answer's JSON is cut short"}
	}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if start := bytes.TrimLeft(a.body, " \t\r\n"); media == "text/html" || bytes.HasPrefix(start, []byte("<")) {
		e := protocol("the answer is a web page or XML, not JSON: check the base URL and the credentials")
		e.Fault = FaultForeign
		return e
	}
	return protocol("the answer is not valid JSON")
}
