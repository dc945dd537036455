package sample

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is a way in which a provider misbehaves.
type Kind string

// Refusals: 429 with each way of saying until when, errors, answers that are no answer.
const (
	ThrottledSeconds  Kind = "429 Retry-After in seconds"
	ThrottledDate     Kind = "429 Retry-After as a date"
	ThrottledEpoch    Kind = "429 X-RateLimit-Reset as epoch seconds"
	ThrottledLeft     Kind = "429 X-RateLimit-Reset as seconds left"
	ThrottledDatetime Kind = "429 X-RateLimit-Reset as a date and time"
	Throttled406      Kind = "406 for too many requests"
	ServerError       Kind = "500"
	Unavailable       Kind = "503 with Retry-After"
	Unauthorized      Kind = "401"
	Forbidden         Kind = "403"
	HTML              Kind = "200 with a page of HTML"
	EmptyBody         Kind = "200 without a body"
)

// Damage on the way.
const (
	Cut       Kind = "connection cut in the middle of a body"
	Truncated Kind = "JSON that ends in the middle"
	Slow      Kind = "a body that comes slowly"
)

// Lies about a list. A walk in which one was told proves nothing to the reckoning.
const (
	EmptyPage      Kind = "an empty page with more behind it"
	EarlyEnd       Kind = "half a page that says it is the last"
	RepeatedCursor Kind = "a cursor that leads back to its own page" // lists that follow a cursor or a next URL
	WrongTotal     Kind = "a total that is wrong"                    // lists that tell one
	HalfHidden     Kind = "a permission that hides half of the records"
	OtherCustomer  Kind = "another customer's list"
	EmptyList      Kind = "a list of nothing"
)

// ShiftPages moves a record to the front of a list paged by page number or offset
// while it is being listed, so that it is skipped and another is repeated: no lie, it
// happens. However often it strikes, two clean walks come in between: no record is
// skipped twice running, which no poller could tell from a deletion.
const ShiftPages Kind = "a record moves to another page"

var (
	refusals = []Kind{ThrottledSeconds, ThrottledDate, ThrottledEpoch, ThrottledLeft, ThrottledDatetime, Throttled406,
		ServerError, Unavailable, Unauthorized, Forbidden, HTML, EmptyBody}
	damages = []Kind{Cut, Truncated, Slow}
	lies    = []Kind{EmptyPage, EarlyEnd, RepeatedCursor, WrongTotal, HalfHidden, OtherCustomer, EmptyList}
	shifts  = []Kind{ShiftPages}
)

// Fault is a misbehaviour and when it strikes.
type Fault struct {
	Kind  Kind
	Next  int           // strikes so many times, then it is over; 0: no end
	Every int           // strikes every nth of the requests that it could; 0: each
	Path  string        // strikes only requests whose path contains it
	Wait  time.Duration // how long it tells to wait, or takes; default 1 s
}

// Faults are those that are switched on. The zero value is none. Methods are safe
// while the server serves.
type Faults struct {
	mu     sync.Mutex
	armed  []*armed
	struck map[Kind]int
}

type armed struct {
	Fault
	met, left int
}

// Add switches faults on. Of several that could refuse, damage or belie one answer,
// the one added first does.
func (f *Faults) Add(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		if fault.Wait <= 0 {
			fault.Wait = time.Second
		}
		f.armed = append(f.armed, &armed{Fault: fault, left: fault.Next})
	}
}

// Clear switches all off.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = nil
}

// Struck counts how often a kind of fault has struck.
func (f *Faults) Struck(kind Kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.struck[kind]
}

// strike returns the fault of these kinds that befalls the request, the zero one where
// none does.
func (f *Faults) strike(r *http.Request, kinds []Kind) Fault {
	return f.strikeIf(r, kinds, func() bool { return true })
}

// strikeIf leaves alone what can't happen.
func (f *Faults) strikeIf(r *http.Request, kinds []Kind, happens func() bool) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.armed {
		if !slices.Contains(kinds, a.Kind) || !strings.Contains(r.URL.Path, a.Path) {
			continue
		}
		if a.met++; a.Every > 1 && a.met%a.Every != 0 {
			continue
		}
		if a.Next > 0 && a.left == 0 || !happens() {
			continue
		}
		a.left--
		if f.struck == nil {
			f.struck = map[Kind]int{}
		}
		f.struck[a.Kind]++
		return a.Fault
	}
	return Fault{}
}

// refuse answers in place of the provider.
func (f Fault) refuse(w http.ResponseWriter) {
	until := time.Now().Add(f.Wait)
	seconds := decimal(int((f.Wait + time.Second - 1) / time.Second))
	status := http.StatusTooManyRequests
	h := w.Header()
	switch f.Kind {
	case ThrottledSeconds:
		h.Set("Retry-After", seconds)
	case ThrottledDate:
		h.Set("Retry-After", ceil(until).UTC().Format(http.TimeFormat))
	case ThrottledEpoch:
		h.Set("X-RateLimit-Reset", decimal(int(ceil(until).Unix())))
	case ThrottledLeft:
		h.Set("X-RateLimit-Reset", seconds)
	case ThrottledDatetime: // as Gusto writes it
		h.Set("X-RateLimit-Reset", ceil(until).In(time.FixedZone("", -7*3600)).Format("2006-01-02 15:04:05 -0700"))
	case Throttled406: // as Namely answers
		status = http.StatusNotAcceptable
	case ServerError:
		status = http.StatusInternalServerError
	case Unavailable: // as BambooHR answered until September 2026
		h.Set("Retry-After", seconds)
		status = http.StatusServiceUnavailable
	case Unauthorized:
		status = http.StatusUnauthorized
	case Forbidden:
		status = http.StatusForbidden
	case HTML:
		h.Set("Content-Type", "text/html; charset=UTF-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body>Please sign in.</body></html>"))
		return
	case EmptyBody:
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", "0")
		return
	}
	refuse(w, status, string(f.Kind))
}

// ceil is the next full second: a header that tells no less than the wait.
func ceil(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// dawdle writes all but the last byte in four parts over the wait.
func (f Fault) dawdle(w http.ResponseWriter, r *http.Request, body []byte) bool {
	const parts = 4
	body = body[:len(body)-1]
	for i := range parts {
		_, _ = w.Write(body[len(body)*i/parts : len(body)*(i+1)/parts])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(f.Wait / parts):
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

// veil hides records from a request.
func (f Fault) veil(a ask) ask {
	switch f.Kind {
	case HalfHidden:
		before := a.hide
		a.hide = func(c *Company, id int) bool { return id%2 == 1 || before != nil && before(c, id) }
	case EmptyList:
		a.hide = func(*Company, int) bool { return true }
	}
	return a
}

// bend makes a page lie.
func (f Fault) bend(p *page, l *list, rt route) {
	switch f.Kind {
	case EmptyPage:
		// What was to be here comes next where a cursor says where that is.
		if p.next = p.at; p.at == 0 && len(p.keys) > 0 && !l.positional {
			p.next = p.keys[0]
		}
		p.keys, p.versions, p.records, p.more = nil, nil, nil, true
		p.nonce++
	case EarlyEnd:
		half := len(p.keys) / 2
		p.keys, p.versions, p.records, p.more = p.keys[:half], p.versions[:half], p.records[:half], false
		if rt.ends != nil {
			rt.ends(p)
		}
	case RepeatedCursor:
		if len(p.keys) > 0 && p.more {
			p.next = p.keys[0]
			if l.positional {
				p.next = p.at
			}
		}
	case WrongTotal:
		p.total += 7
	}
}
