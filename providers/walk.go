package providers

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"math"
	"net/http"
	"net/url"
)

// place is where a page begins.
type place struct {
	number int
	offset int
	cursor string
	url    *url.URL // the page's whole address; nil: made from the connector's request
	size   int
}

// walk goes through one paged list.
type walk struct {
	cl         *Client
	stream     *stream
	call       *call
	scope      scope
	place      place
	conditions http.Header // under which the first answer is wanted
	pages      int         // read
	rows       int         // records read, repeated ones too

	places   map[uint64]struct{} // cursors and URLs followed so far
	ids      map[uint64]struct{} // distinct records; kept only where a total is to be checked
	before   int                 // distinct records that came before a resumption
	total    int                 // the provider's latest; -1: not told
	lastPage uint64              // the ids of the page before
	header   http.Header         // of the latest answer
	sync     string              // the latest token for the next listing

	variant int
	seen    func(id uint64) bool // true for an id that no variant of the list gave yet; nil: there is one
}

// seed is for hashes that live as long as the process.
var seed = maphash.MakeSeed()

func newWalk(cl *Client, s *stream, c *call, v scope) *walk {
	w := &walk{cl: cl, stream: s, call: c, scope: v, places: map[uint64]struct{}{}, total: -1}
	p := s.paging
	w.place = place{number: p.start, offset: p.start, cursor: p.first, size: cl.pageSizeOf(p)}
	w.scope.paged = pagingKinds[p.kind].variable
	if p.total.text != "" {
		w.ids = map[uint64]struct{}{}
	}
	return w
}

// query asks for the page at the walk's place.
func (w *walk) query() *query {
	q := &query{call: w.call, values: w.scope, url: w.place.url}
	q.values.place = w.place
	q.only = w.stream.paging.alone && w.pages > 0
	if w.pages == 0 {
		q.headers = w.conditions
	}
	return q
}

// next reads one page; more is false after the last. With an error, the page has the
// records that could be read all the same.
func (w *walk) next(ctx context.Context, s *sheet) (page Page, more bool, err error) {
	page.Capacity, page.Total = w.capacity(), -1
	a, requests, err := w.cl.fetch(ctx, w.query(), &s.room)
	page.Requests = requests
	if w.stands(err) {
		return page, false, w.checkTotal()
	}
	if err != nil {
		return page, false, err
	}
	page.Bytes, w.header = int64(len(a.body)), a.header
	page.Date, _ = http.ParseTime(a.header.Get("Date"))
	if a.status == http.StatusNotModified {
		if page.NotModified = w.pages == 0 && len(w.conditions) > 0; !page.NotModified {
			err = protocol("the provider answers 304 to a request without a condition")
		}
		return page, false, err
	}
	n, err := w.read(&a, s, &page)
	if err == nil {
		w.pages++
		more, err = w.advance(a, n)
	}
	if err != nil {
		return page, false, err
	}
	w.cl.review.page(w, a, n, len(page.Records)+len(page.Deleted), more)
	if w.stream.detail != nil {
		if err = w.details(ctx, s, &page); err != nil {
			page.Records = nil
			return page, false, err
		}
	}
	page.Total = w.total
	return page, more, err
}

// stands tells whether an error says that there are no more records, as the connector
// declares it: by a word of the provider's own, or by 404 for a parent that has none, or
// behind the last page. For a whole list a 404 would hide a wrong address.
func (w *walk) stands(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if ok && e.empty {
		return true
	}
	return ok && e.Kind == NotFound && w.stream.records.empty["not_found"] && (w.pages > 0 || w.stream.parent != nil)
}

// capacity is the most records that a page can hold; 0: the provider decides.
func (w *walk) capacity() int {
	if w.stream.paging.end.signal == endOnly {
		return math.MaxInt
	}
	return w.place.size
}

// read takes the records of a page and their ids. n counts all that came, those that are
// gone, too, and those that another variant of the list gave already.
func (w *walk) read(a *answer, s *sheet, page *Page) (n int, err error) {
	page.Records, s.arena = s.records[:0], s.arena[:0]
	var ids maphash.Hash
	ids.SetSeed(seed)
	err = w.stream.records.each(*a, func(f spot) error {
		n++
		raw := a.body[f.record.Index : f.record.Index+len(f.record.Raw)]
		from := len(s.arena)
		var merged bool
		if s.arena, merged = w.stream.records.merged(f.record, s.arena); merged {
			raw = s.arena[from:]
			f.record = parsed(raw)
		}
		id, err := w.stream.records.recordID(f, w.scope.parent())
		if err != nil {
			page.Records = append(page.Records, Record{Raw: raw})
			return protocol("record %d has no id: %s", n, err)
		}
		_, _ = ids.WriteString(id)
		_ = ids.WriteByte(0)
		key := maphash.String(seed, id)
		if w.ids != nil {
			w.ids[key] = struct{}{}
		}
		a.last = f.record
		switch gone := w.stream.gone.set() && w.stream.gone.of(f.record); {
		case w.seen != nil && !w.seen(key):
		case gone:
			page.Deleted = append(page.Deleted, id)
		default:
			page.Records = append(page.Records, Record{id, raw})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.records = page.Records
	before := w.lastPage
	if w.lastPage = ids.Sum64(); n > 0 && w.lastPage == before {
		page.Records = nil // they were handed over
		return 0, protocol("the page has the same records as the one before: the provider doesn't heed the paging parameters, or its cursor leads back")
	}
	n = w.stream.records.paged(*a, n)
	w.rows += n
	return n, nil
}

// advance decides whether the page of n records was the last one and finds the next.
func (w *walk) advance(a answer, n int) (more bool, err error) {
	p := w.stream.paging
	if err := w.readTotal(a); err != nil {
		return false, err
	}
	if err := w.readSync(a); err != nil {
		return false, err
	}
	ended := a.status == http.StatusNoContent
	if !ended {
		if ended, err = w.ended(a, n); err != nil {
			return false, err
		}
	}
	if ended {
		return false, w.checkTotal()
	}
	if w.pages >= p.maxPages {
		return false, protocol("the listing has no end after %d pages (max_pages)", w.pages)
	}
	switch p.kind {
	case "page":
		w.place.number++
	case "offset":
		// By what came, not by what was asked for: a provider that gives less skips nothing.
		step := cmp.Or(n, w.place.size, 1)
		if p.bySize {
			step = w.place.size
		}
		w.place.offset += step
	default:
		return true, w.follow(a)
	}
	return true, nil
}

func (w *walk) ended(a answer, n int) (bool, error) {
	p := w.stream.paging
	switch p.end.signal {
	case endOnly:
		return true, nil
	case endEmpty:
		return n == 0, nil
	case endShort:
		return n < w.place.size, nil
	case endTotal:
		if w.total < 0 {
			return false, protocol("the answer has no %s, so the end of the list can't be known", p.total.text)
		}
		// An empty page before the total is reached leaves a listing that can't be completed.
		return w.rows >= w.total || n == 0, nil
	case endLastPage:
		pages, ok, err := number(p.totalPages, a)
		if err == nil && !ok {
			err = protocol("the answer has no %s, so the end of the list can't be known", p.totalPages.text)
		}
		return w.pages >= pages, err
	case endFlag:
		flag, err := readFlag(p.end.flag, a)
		return flag == p.end.is, err
	default: // endNoNext
		target, err := w.target(a)
		return target == "", err
	}
}

// follow takes the cursor or the URL of the next page. One that was followed before
// would go round for ever.
func (w *walk) follow(a answer) error {
	target, err := w.target(a)
	if err != nil {
		return err
	}
	if target == "" {
		return protocol("the answer says that there is more and doesn't name the next page")
	}
	if w.stream.paging.kind == "cursor" {
		w.place.cursor = target
	} else {
		next, err := a.url.Parse(target)
		if err != nil {
			return protocol("the URL of the next page can't be parsed")
		}
		if !sameHost(next, a.url) {
			return &Error{Kind: Refused, Detail: "the next page is on another host: credentials go to the account's own host only"}
		}
		next.Fragment = ""
		w.place.url, target = next, next.String()
	}
	key := maphash.String(seed, target)
	if _, again := w.places[key]; again {
		return protocol("the next page was read before: the provider repeats its cursor")
	}
	w.places[key] = struct{}{}
	return nil
}

// target is the next cursor or URL as the answer gives it; "" for none.
func (w *walk) target(a answer) (string, error) {
	if w.stream.paging.kind == "link" {
		target, _ := nextLink(a.header.Values("Link"))
		return target, nil
	}
	target, _, err := w.stream.paging.next.scalar(a)
	if err != nil {
		return "", protocol("%s", err)
	}
	return target, nil
}

// readTotal keeps the latest total: the one nearest to the end of the walk, so that a
// record created or deleted meanwhile is counted on both sides.
func (w *walk) readTotal(a answer) error {
	if w.ids == nil || a.status == http.StatusNoContent {
		return nil
	}
	total, ok, err := number(w.stream.paging.total, a)
	if err == nil && ok {
		w.total = total
	}
	return err
}

func (w *walk) readSync(a answer) error {
	if w.stream.since.token.text == "" || a.status == http.StatusNoContent {
		return nil
	}
	token, ok, err := w.stream.since.token.scalar(a)
	if err != nil {
		return protocol("%s", err)
	}
	if ok {
		w.sync = token
	}
	return nil
}

// distinct counts the different records so far, where a total is to be checked.
func (w *walk) distinct() int { return w.before + len(w.ids) }

// checkTotal compares the distinct records listed with the provider's own number, or what
// was around them, where that is what the provider counts.
func (w *walk) checkTotal() error {
	got := w.distinct()
	if len(w.stream.records.path) > 1 {
		got = w.rows
	}
	if w.total >= 0 && got != w.total {
		return protocol("listing incomplete: provider says %d, got %d (%s)", w.total, got, w.stream.paging.total.text)
	}
	return nil
}
