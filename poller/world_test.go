package poller

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synthook/synthook/providers"
	"github.com/tidwall/gjson"
)

// world is a provider without a network: an http.RoundTripper that the real engine walks.
// Its records are created, edited, deleted and put in another order between requests,
// and any request can go wrong.
type world struct {
	paging   string // none, page, offset, cursor, url
	keyed    bool   // a cursor or URL goes on behind a record; else it is a position
	order    string // ascending, descending: where new records go; none: anywhere
	total    bool   // the provider tells how many there are
	size     int
	confirms bool // it can be asked for one record
	filters  bool // it can be asked for changes alone
	tombs    bool // and says then what is gone
	kept     bool // its listings have checkpoints

	records []*fact // in the order of the list
	gone    []*fact
	next    int
	clock   int // minutes

	requests int                  // since the poll began
	during   map[int][]func()     // what happens before a request is answered
	faults   map[int]string       // what happens to its answer
	hides    func(id string) bool // what the credentials may not see; nil: all is seen
	foreign  bool                 // answers with another customer's list
	walks    []*sight             // of the listing under way
	ended    bool                 // the poll before is done with them
	resumed  bool                 // the last walk went on where another poll was interrupted
	asked    map[string]bool      // records asked for since the poll began: is it there?
	client   *providers.Client
	poisoned bool // the client was told to be silent for long
}

type fact struct {
	id      string
	key     int // by which a list in order is ordered
	changed int // when, as the provider says
	dead    bool
	version
}

// version is what a record says: its content, and something that only counts at times.
type version struct{ content, mood int }

// sight is what was to be seen during one walk, and what was seen.
type sight struct {
	there      map[string]bool    // existed from its beginning to now, and could be seen
	read       map[string]version // as they came
	often      map[string]bool    // read in more than one version
	said       map[string]bool    // to be gone
	pages      int
	partial    bool // changes alone
	unmodified bool
	moved      bool // something was created, deleted or moved meanwhile
	lied       bool // the provider withheld or invented records
	failed     bool
}

func (w *world) now() *sight {
	if len(w.walks) == 0 {
		return &sight{}
	}
	return w.walks[len(w.walks)-1]
}

func (w *world) time() time.Time {
	return time.Date(2026, 1, 1, 0, w.clock, 0, 0, time.UTC)
}

func (w *world) hire(at int) {
	w.next++
	f := &fact{id: strconv.Itoa(w.next), key: w.next, changed: w.clock, version: version{content: 1}}
	switch w.order {
	case "ascending":
		at = len(w.records)
	case "descending":
		at = 0
	}
	w.records = slices.Insert(w.records, at%(len(w.records)+1), f)
	w.now().moved = true
}

func (w *world) leave(at, n int) {
	for range min(n, len(w.records)) {
		i := at % len(w.records)
		delete(w.now().there, w.records[i].id)
		w.gone = append(w.gone, &fact{id: w.records[i].id, key: w.records[i].key, changed: w.clock, dead: true})
		w.records = slices.Delete(w.records, i, i+1)
		w.now().moved = true
	}
}

func (w *world) edit(at int) {
	if len(w.records) > 0 {
		f := w.records[at%len(w.records)]
		f.content, f.changed = f.content+1, w.clock
	}
}

// editInSecret changes a record without moving the time of its change.
func (w *world) editInSecret(at int) {
	if len(w.records) > 0 {
		w.records[at%len(w.records)].content++
	}
}

func (w *world) cheer(at int) {
	if len(w.records) > 0 {
		w.records[at%len(w.records)].mood++
	}
}

// move puts a record elsewhere; lists in order have none to move.
func (w *world) move(from, to int) {
	if w.order != "none" || len(w.records) == 0 {
		return
	}
	i := from % len(w.records)
	f := w.records[i]
	w.records = slices.Insert(slices.Delete(w.records, i, i+1), to%len(w.records), f)
	w.now().moved = true
}

func (w *world) contents() map[string]version {
	contents := map[string]version{}
	for _, f := range w.records {
		contents[f.id] = f.version
	}
	return contents
}

func (w *world) has(id string) bool {
	return slices.ContainsFunc(w.records, func(f *fact) bool { return f.id == id })
}

// open makes the real engine read this provider.
func (w *world) open(catalog *providers.Catalog) error {
	credentials := map[string]string{"paging": w.paging, "page_size": strconv.Itoa(w.size)}
	switch {
	case w.paging == "cursor" || w.paging == "url":
		credentials["next_path"], credentials["end"] = "next", "no_next"
	case w.total && w.paging != "none":
		credentials["end"] = "total"
	}
	if w.total {
		credentials["total_path"] = "total"
	}
	connector, err := catalog.Connector("lab")
	if err != nil {
		return err
	}
	w.client, err = connector.Open(providers.Target{BaseURL: "http://provider.test", Credentials: credentials},
		providers.Options{HTTP: &http.Client{Transport: w}, Backoff: []time.Duration{0}})
	w.poisoned = false
	return err
}

func (w *world) Stream(recordType string) (providers.StreamInfo, bool) {
	info, ok := w.client.Stream(recordType)
	info.Confirms, info.Since = w.confirms, w.filters
	return info, ok
}

func (w *world) Probe(ctx context.Context, recordType string) error {
	return w.client.Probe(ctx, recordType)
}

func (w *world) Exists(ctx context.Context, recordType, id string) (bool, error) {
	there, err := w.client.Exists(ctx, recordType, id)
	if err == nil {
		w.asked[id] = there
	}
	return there, err
}

// List notes what the real one gives. A listing that goes on is one with what it gave
// before.
func (w *world) List(ctx context.Context, recordType string, o providers.ListOptions) iter.Seq2[providers.Page, error] {
	return func(yield func(providers.Page, error) bool) {
		s := w.now()
		if w.resumed = o.Resume != ""; !w.resumed {
			s = w.look(!o.Since.IsZero())
		}
		s.failed = true // until it has ended
		s.lied = s.lied || w.hides != nil || w.foreign
		failed := false
		for page, err := range w.client.List(ctx, recordType, o) {
			failed = err != nil
			s.note(page)
			if !yield(page, err) {
				return
			}
		}
		if s.failed = failed; !failed {
			w.ended = false // what is listed next in this poll is another walk
		}
	}
}

// look begins a walk.
func (w *world) look(partial bool) *sight {
	s := &sight{there: map[string]bool{}, read: map[string]version{}, often: map[string]bool{}, said: map[string]bool{}, partial: partial}
	for _, f := range w.records {
		s.there[f.id] = w.hides == nil || !w.hides(f.id)
	}
	if w.ended {
		w.walks, w.ended = nil, false
	}
	w.walks = append(w.walks, s)
	return s
}

func (s *sight) note(page providers.Page) {
	s.pages++
	s.unmodified = page.NotModified
	for _, id := range page.Deleted {
		s.said[id] = true
		delete(s.read, id)
	}
	for _, r := range page.Records {
		v := version{int(gjson.GetBytes(r.Raw, "v").Int()), int(gjson.GetBytes(r.Raw, "mood").Int())}
		if before, ok := s.read[r.ID]; ok && before != v {
			s.often[r.ID] = true
		}
		s.read[r.ID] = v
		delete(s.said, r.ID)
	}
}

// RoundTrip answers one request. The engine makes them one after the other.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests++
	w.clock++
	for _, happens := range w.during[w.requests] {
		happens()
	}
	fault := w.faults[w.requests]
	answer := &http.Response{StatusCode: 200, Request: r, Header: http.Header{
		"Content-Type": {"application/json"}, "Date": {w.time().Format(http.TimeFormat)},
	}}
	var body []byte
	if id, one := strings.CutPrefix(r.URL.Path, "/people/"); one {
		if body = []byte(`{}`); w.foreign || !w.has(id) {
			answer.StatusCode = 404
		}
	} else {
		query, since := r.URL.Query(), time.Time{}
		if text := query.Get("since"); text != "" {
			since, _ = time.Parse(time.RFC3339, text)
		}
		view := w.view(since)
		body = w.page(view, w.from(view, query.Get), query, fault)
		if w.paging == "none" {
			answer.Header.Set("ETag", etag(body))
			if fault == "" && r.Header.Get("If-None-Match") == etag(body) {
				answer.StatusCode, body = 304, nil
			}
		}
	}
	return w.spoil(answer, body, fault)
}

// spoil makes the body the answer's, as far as the fault leaves it.
func (w *world) spoil(answer *http.Response, body []byte, fault string) (*http.Response, error) {
	var reader io.Reader = bytes.NewReader(body)
	switch fault {
	case "429":
		answer.StatusCode, answer.Header["Retry-After"] = 429, []string{"0"}
	case "429 for long":
		answer.StatusCode, answer.Header["Retry-After"], w.poisoned = 429, []string{"7200"}, true
	case "500":
		answer.StatusCode = 500
	case "no network":
		return nil, io.ErrUnexpectedEOF
	case "cut body":
		reader = io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{})
	case "cut JSON":
		reader = bytes.NewReader(body[:len(body)/2])
	case "no body":
		reader = bytes.NewReader(nil)
	}
	answer.Body = io.NopCloser(reader)
	return answer, nil
}

// etag is the same for equal lists, whatever ticks in them by itself.
func etag(body []byte) string {
	sum := fnv.New64()
	for _, r := range gjson.GetBytes(body, "items").Array() {
		fmt.Fprint(sum, r.Get("id"), r.Get("v"), r.Get("mood"), r.Get("gone"), "|")
	}
	return fmt.Sprintf("%q", fmt.Sprint(sum.Sum64()))
}

// view is the list that is asked for: all records, or what changed since a time, with
// what is gone since then where the provider tells.
func (w *world) view(since time.Time) []*fact {
	if since.IsZero() {
		return w.records
	}
	after := int(since.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).Minutes())
	var view []*fact
	for _, f := range w.records {
		if f.changed >= after {
			view = append(view, f)
		}
	}
	if w.tombs {
		for _, f := range w.gone {
			if f.changed >= after {
				view = append(view, f)
			}
		}
	}
	switch w.order {
	case "ascending":
		slices.SortFunc(view, func(a, b *fact) int { return a.key - b.key })
	case "descending":
		slices.SortFunc(view, func(a, b *fact) int { return b.key - a.key })
	}
	return view
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// from is where in the list a page begins.
func (w *world) from(view []*fact, query func(string) string) int {
	number := func(name string) int { n, _ := strconv.Atoi(query(name)); return n }
	switch {
	case w.paging == "none":
		return 0
	case w.paging == "page":
		return (number("page") - 1) * w.size
	case w.paging == "offset":
		return number("offset")
	case !w.keyed || query("cursor") == "":
		return number("cursor")
	}
	after := number("cursor")
	i := slices.IndexFunc(view, func(f *fact) bool {
		return w.order == "ascending" && f.key > after || w.order == "descending" && f.key < after
	})
	if i < 0 {
		return len(view)
	}
	return i
}

// page is an answer's body; what it withholds or invents is noted.
func (w *world) page(view []*fact, from int, query url.Values, fault string) []byte {
	from = min(from, len(view))
	to := min(from+w.size, len(view))
	if w.paging == "none" {
		to = len(view)
	}
	shown, more, total := slices.Clone(view[from:to]), to < len(view), len(view)
	lies := func(instead []*fact) { shown, w.now().lied = instead, true }
	switch {
	case fault == "empty page":
		lies(nil)
	case fault == "empty answer":
		lies(nil)
		more, total = false, 0
	case w.foreign || fault == "foreign page":
		others := make([]*fact, len(shown))
		for i, f := range shown {
			others[i] = &fact{id: "other " + f.id, version: version{content: 1}}
		}
		lies(others)
	case fault == "wrong total":
		total++
	case w.hides != nil:
		lies(slices.DeleteFunc(shown, func(f *fact) bool { return w.hides(f.id) }))
		for _, f := range view {
			if w.hides(f.id) {
				total--
			}
		}
	}
	next := strconv.Itoa(to)
	if w.keyed && to > from {
		next = strconv.Itoa(view[to-1].key)
	}
	if cursor := query.Get("cursor"); fault == "repeated cursor" && cursor != "" {
		next = cursor
	}
	body := []byte(`{"items":[`)
	for i, f := range shown {
		if i > 0 {
			body = append(body, ',')
		}
		// What ticks by itself and where keys stand means nothing.
		body = fmt.Appendf(body, `{"seen":%d,"id":%q,"v":%d,"mood":%d,"gone":%t}`, w.requests, f.id, f.content, f.mood, f.dead)
	}
	body = fmt.Appendf(body, `],"more":%t,"total":%d`, more, total)
	switch {
	case more && w.paging == "url":
		body = fmt.Appendf(body, `,"next":"/people?cursor=%s&since=%s"`, next, query.Get("since"))
	case more:
		body = fmt.Appendf(body, `,"next":%q`, next)
	}
	return append(body, '}')
}
