package poller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/synthook/synthook/providers"
	"github.com/tidwall/gjson"
)

// world is a provider without a network: an http.RoundTripper that the real engine walks.
// Its records are created, edited, deleted and put in another order between requests,
// and any request can go wrong.
type world struct {
	paging string // page, offset, cursor, url
	keyed  bool   // a cursor or URL goes on behind a record; else it is a position
	order  string // ascending, descending: where new records go; none: anywhere
	total  bool   // the provider tells how many there are
	size   int

	records []*fact // in the order of the list
	next    int

	requests int                  // since the poll began
	during   map[int][]func()     // what happens before a request is answered
	faults   map[int]string       // what happens to its answer
	hides    func(id string) bool // what the credentials may not see; nil: all is seen
	foreign  bool                 // answers with another customer's list
	walks    []*sight             // of the poll under way
	client   *providers.Client
	poisoned bool // the client was told to be silent for long
}

type fact struct {
	id  string
	key int // by which a list in order is ordered
	version
}

// version is what a record says: its content, and something that only counts at times.
type version struct{ content, mood int }

// sight is what was to be seen during one walk, and what was seen.
type sight struct {
	there  map[string]bool    // existed from its beginning to now, and could be seen
	read   map[string]version // as they came
	pages  int
	moved  bool // something was created, deleted or moved meanwhile
	lied   bool // the provider withheld or invented records
	failed bool
}

func (w *world) now() *sight {
	if len(w.walks) == 0 {
		return &sight{}
	}
	return w.walks[len(w.walks)-1]
}

func (w *world) hire(at int) {
	w.next++
	f := &fact{id: strconv.Itoa(w.next), key: w.next, version: version{content: 1}}
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
		w.records = slices.Delete(w.records, i, i+1)
		w.now().moved = true
	}
}

func (w *world) edit(at int) {
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

// open makes the real engine read this provider.
func (w *world) open(catalog *providers.Catalog) error {
	credentials := map[string]string{
		"employees_path": "/people", "records_path": "items", "paging": w.paging, "page_size": strconv.Itoa(w.size), "end": "more is false",
	}
	switch {
	case w.paging == "cursor" || w.paging == "url":
		credentials["next_path"], credentials["end"] = "next", ""
	case w.total:
		credentials["end"] = "total"
	}
	if w.total {
		credentials["total_path"] = "total"
	}
	connector, err := catalog.Connector("generic")
	if err != nil {
		return err
	}
	w.client, err = connector.Open(providers.Target{BaseURL: "http://provider.test", Credentials: credentials},
		providers.Options{HTTP: &http.Client{Transport: w}, Backoff: []time.Duration{0}})
	w.poisoned = false
	return err
}

func (w *world) Stream(recordType string) (providers.StreamInfo, bool) {
	return w.client.Stream(recordType)
}

// List notes what the real one gives.
func (w *world) List(ctx context.Context, recordType string, o providers.ListOptions) iter.Seq2[providers.Page, error] {
	return func(yield func(providers.Page, error) bool) {
		s := &sight{there: map[string]bool{}, read: map[string]version{}, lied: w.hides != nil || w.foreign}
		for _, f := range w.records {
			s.there[f.id] = w.hides == nil || !w.hides(f.id)
		}
		w.walks = append(w.walks, s)
		for page, err := range w.client.List(ctx, recordType, o) {
			s.failed = err != nil
			s.pages++
			for _, r := range page.Records {
				s.read[r.ID] = version{int(gjson.GetBytes(r.Raw, "v").Int()), int(gjson.GetBytes(r.Raw, "mood").Int())}
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// RoundTrip answers one request. The engine makes them one after the other.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests++
	for _, happens := range w.during[w.requests] {
		happens()
	}
	query := r.URL.Query()
	from := w.from(query.Get)
	fault := w.faults[w.requests]
	body := w.page(from, query.Get("cursor"), fault)
	answer := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
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

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// from is where in the list a page begins.
func (w *world) from(query func(string) string) int {
	number := func(name string) int { n, _ := strconv.Atoi(query(name)); return n }
	switch {
	case w.paging == "page":
		return (number("page") - 1) * w.size
	case w.paging == "offset":
		return number("offset")
	case !w.keyed || query("cursor") == "":
		return number("cursor")
	}
	after := number("cursor")
	i := slices.IndexFunc(w.records, func(f *fact) bool {
		return w.order == "ascending" && f.key > after || w.order == "descending" && f.key < after
	})
	if i < 0 {
		return len(w.records)
	}
	return i
}

// page is an answer's body; what it withholds or invents is noted.
func (w *world) page(from int, cursor, fault string) []byte {
	from = min(from, len(w.records))
	to := min(from+w.size, len(w.records))
	shown, more, total := slices.Clone(w.records[from:to]), to < len(w.records), len(w.records)
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
	case w.hides != nil:
		lies(slices.DeleteFunc(shown, func(f *fact) bool { return w.hides(f.id) }))
		total = len(w.records) - w.hidden()
	}
	next := strconv.Itoa(to)
	if w.keyed && to > from {
		next = strconv.Itoa(w.records[to-1].key)
	}
	if fault == "repeated cursor" && cursor != "" {
		next = cursor
	}
	body := []byte(`{"items":[`)
	for i, f := range shown {
		if i > 0 {
			body = append(body, ',')
		}
		// What ticks by itself and where keys stand means nothing.
		body = fmt.Appendf(body, `{"seen":%d,"id":%q,"v":%d,"mood":%d}`, w.requests, f.id, f.content, f.mood)
	}
	body = fmt.Appendf(body, `],"more":%t,"total":%d`, more, total)
	switch {
	case more && w.paging == "url":
		body = fmt.Appendf(body, `,"next":"/people?cursor=%s"`, next)
	case more:
		body = fmt.Appendf(body, `,"next":%q`, next)
	}
	return append(body, '}')
}

func (w *world) hidden() (n int) {
	for _, f := range w.records {
		if w.hides(f.id) {
			n++
		}
	}
	return n
}
