package providers

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"
)

// listing is one walk through a stream.
type listing struct {
	cl     *Client
	stream *stream
	place  place
	page   int // pages read
	rows   int // records read, repeated ones too

	seed     maphash.Seed
	places   map[uint64]struct{} // cursors and URLs followed so far
	ids      map[uint64]struct{} // distinct records; kept only where a total is to be checked
	total    int                 // the provider's latest; -1: not told
	lastPage uint64              // the ids of the page before

	buffers [2]bytes.Buffer // bodies of this page and the one that the caller still uses
	records [2][]Record
}

func newListing(cl *Client, s *stream) *listing {
	l := &listing{cl: cl, stream: s, seed: maphash.MakeSeed(), places: map[uint64]struct{}{}, total: -1}
	p := s.paging
	l.place = place{number: p.start, offset: p.start, size: p.size}
	if cl.pageSize > 0 && p.size > 0 {
		l.place.size = min(cl.pageSize, p.maxSize)
	}
	if p.total.text != "" {
		l.ids = map[uint64]struct{}{}
	}
	return l
}

// next reads one page; more is false after the last.
func (l *listing) next(ctx context.Context) (page Page, more bool, err error) {
	page.Number, page.Capacity = l.page+1, l.capacity()
	r, err := l.cl.request(l.stream, l.place)
	if err != nil {
		return page, false, err
	}
	buffer := &l.buffers[l.page%2]
	a, requests, err := l.cl.fetch(ctx, r, buffer)
	page.Requests = requests
	if err != nil {
		return page, false, err
	}
	page.Bytes = int64(len(a.body))
	if page.Records, err = l.read(a); err != nil {
		return page, false, err
	}
	l.page++
	more, err = l.advance(a, r.url, len(page.Records))
	if err != nil {
		page.Records = nil
	}
	return page, more, err
}

// capacity is the most records that a page can hold; 0: the provider decides.
func (l *listing) capacity() int {
	if l.stream.paging.end.signal == endOnly {
		return math.MaxInt
	}
	return l.place.size
}

// read takes the records of a page and their ids.
func (l *listing) read(a answer) ([]Record, error) {
	found, err := l.stream.list(a)
	if err != nil {
		return nil, err
	}
	records := l.records[l.page%2][:0]
	var ids maphash.Hash
	ids.SetSeed(l.seed)
	found.ForEach(func(_, record gjson.Result) bool {
		var id string
		if id, err = recordID(record, l.stream.id); err != nil {
			err = protocol("record %d has no id: %s", len(records)+1, err)
			return false
		}
		_, _ = ids.WriteString(id)
		_ = ids.WriteByte(0)
		if l.ids != nil {
			l.ids[maphash.String(l.seed, id)] = struct{}{}
		}
		records = append(records, Record{id, a.body[record.Index : record.Index+len(record.Raw)]})
		return true
	})
	if err != nil {
		return nil, err
	}
	l.records[l.page%2] = records
	l.rows += len(records)
	before := l.lastPage
	if l.lastPage = ids.Sum64(); len(records) > 0 && l.lastPage == before {
		return nil, protocol("the page has the same records as the one before: the provider doesn't heed the paging parameters, or its cursor leads back")
	}
	return records, nil
}

// list finds the records of a page: a JSON array, or whatever else the connector says
// stands for an empty one.
func (s *stream) list(a answer) (gjson.Result, error) {
	var none gjson.Result
	if a.status == http.StatusNoContent {
		if !s.empty["no_content"] {
			return none, protocol("the provider answers 204, no content, where a list is expected")
		}
		return none, nil
	}
	found := s.records.get(a.document)
	where := cmp.Or(s.records.text, "the answer")
	switch {
	case found.IsArray():
		return found, nil
	case !found.Exists():
		if s.empty["missing"] {
			return none, nil
		}
		return none, protocol("the answer has no %s: records.path is not where the records are", where)
	case found.Type == gjson.Null:
		if s.empty["null"] {
			return none, nil
		}
		return none, protocol("%s is null, not a list", where)
	default:
		return none, protocol("%s is not a list", where)
	}
}

// advance decides whether the page was the last one and finds the next.
func (l *listing) advance(a answer, from *url.URL, n int) (more bool, err error) {
	p := l.stream.paging
	if err := l.readTotal(a); err != nil {
		return false, err
	}
	ended := a.status == http.StatusNoContent
	if !ended {
		if ended, err = l.ended(a, n); err != nil {
			return false, err
		}
	}
	if ended {
		return false, l.checkTotal()
	}
	if l.page >= p.maxPages {
		return false, protocol("the listing has no end after %d pages (max_pages)", l.page)
	}
	switch p.kind {
	case "page":
		l.place.number++
	case "offset":
		// By what came, not by what was asked for: a provider that gives less skips nothing.
		l.place.offset += cmp.Or(n, l.place.size, 1)
	default:
		return true, l.follow(a, from)
	}
	return true, nil
}

func (l *listing) ended(a answer, n int) (bool, error) {
	p := l.stream.paging
	switch p.end.signal {
	case endOnly:
		return true, nil
	case endEmpty:
		return n == 0, nil
	case endShort:
		return n < l.place.size, nil
	case endTotal:
		if l.total < 0 {
			return false, protocol("the answer has no %s, so the end of the list can't be known", p.total.text)
		}
		// An empty page before the total is reached leaves a listing that can't be completed.
		return l.rows >= l.total || n == 0, nil
	case endLastPage:
		pages, ok, err := number(p.totalPages, a)
		if err == nil && !ok {
			err = protocol("the answer has no %s, so the end of the list can't be known", p.totalPages.text)
		}
		return l.page >= pages, err
	case endFlag:
		flag, err := readFlag(p.end.flag, a)
		return flag == p.end.is, err
	default: // endNoNext
		target, err := l.target(a)
		return target == "", err
	}
}

// follow takes the cursor or the URL of the next page. One that was followed before
// would go round for ever.
func (l *listing) follow(a answer, from *url.URL) error {
	target, err := l.target(a)
	if err != nil {
		return err
	}
	if target == "" {
		return protocol("the answer says that there is more and doesn't name the next page")
	}
	if l.stream.paging.kind == "cursor" {
		l.place.cursor = target
	} else {
		next, err := from.Parse(target)
		if err != nil {
			return protocol("the URL of the next page can't be parsed")
		}
		if !sameHost(next, l.cl.base) {
			return &Error{Kind: Refused, Detail: "the next page is on another host: credentials go to the account's own host only"}
		}
		next.Fragment = ""
		l.place.url, target = next, next.String()
	}
	key := maphash.String(l.seed, target)
	if _, again := l.places[key]; again {
		return protocol("the next page was read before: the provider repeats its cursor")
	}
	l.places[key] = struct{}{}
	return nil
}

// target is the next cursor or URL as the answer gives it; "" for none.
func (l *listing) target(a answer) (string, error) {
	if l.stream.paging.kind == "link" {
		target, _ := nextLink(a.header.Values("Link"))
		return target, nil
	}
	target, _, err := l.stream.paging.next.scalar(a)
	if err != nil {
		return "", protocol("%s", err)
	}
	return target, nil
}

// readTotal keeps the latest total: the one nearest to the end of the walk, so that a
// record created or deleted meanwhile is counted on both sides.
func (l *listing) readTotal(a answer) error {
	if l.ids == nil || a.status == http.StatusNoContent {
		return nil
	}
	total, ok, err := number(l.stream.paging.total, a)
	if err == nil && ok {
		l.total = total
	}
	return err
}

// checkTotal compares the distinct records listed with the provider's own number.
func (l *listing) checkTotal() error {
	if l.total >= 0 && len(l.ids) != l.total {
		return protocol("listing incomplete: provider says %d, got %d", l.total, len(l.ids))
	}
	return nil
}

func number(s source, a answer) (int, bool, error) {
	value, ok, err := s.scalar(a)
	if err == nil && !ok {
		return 0, false, nil
	}
	n, wrong := strconv.Atoi(value)
	if err != nil || wrong != nil || n < 0 {
		return 0, false, protocol("%s is not a whole number", s.text)
	}
	return n, true, nil
}

func readFlag(s source, a answer) (bool, error) {
	word := ""
	if s.header != "" {
		word = a.header.Get(s.header)
	} else if value := s.path.get(a.document); value.IsBool() || value.Type == gjson.String {
		word = value.String()
	}
	if !slices.Contains([]string{"true", "false"}, word) {
		return false, protocol("%s is neither true nor false, so the end of the list can't be known", s.text)
	}
	return word == "true", nil
}
