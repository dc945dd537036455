package providers

import (
	"context"
	"errors"
	"sync"
	"time"
)

// listing is one reading of a stream: its walks, and their pages on the way to the caller.
type listing struct {
	cl     *Client
	stream *stream
	o      ListOptions
	before validators
	pages  chan handed
	free   chan *sheet

	handing sync.Mutex // one page after the other
	page    int        // pages handed over

	mu       sync.Mutex
	requests int                 // made for no page yet
	seen     map[uint64]struct{} // ids, where several variants of the list can give one
	done     *finished           // parents, of a list that has them
	left     []Record            // of the page that failed
	leftOn   *sheet
}

// sheet is the memory of one page.
type sheet struct {
	room
	records []Record
	arena   []byte // of records that were written anew
}

// handed is a page for the caller, or the error that ends the listing.
type handed struct {
	page  Page
	err   error
	sheet *sheet
}

func newListing(cl *Client, s *stream, o ListOptions) *listing {
	return &listing{
		cl: cl.on(s.info.RecordType), stream: s, o: o, before: readValidators(o.Validators, s.info.Version),
		pages: make(chan handed), free: make(chan *sheet, 64), seen: map[uint64]struct{}{},
	}
}

func (l *listing) blank() *sheet {
	select {
	case s := <-l.free:
		return s
	default:
		return &sheet{}
	}
}

// release takes a page's memory back.
func (l *listing) release(s *sheet) {
	if s == nil {
		return
	}
	select {
	case l.free <- s:
	default:
	}
}

// run sends the pages and the error that ends them, if any. It is false when the context
// ended first.
func (l *listing) run(ctx context.Context) bool {
	err := l.read(ctx)
	if e, ok := errors.AsType[*Error](err); ok && e.restart && (l.o.Resume != "" || l.before.Sync != "" || l.page > 0) {
		l.o.Resume, l.before.Sync = "", ""
		clear(l.seen)
		l.left, l.leftOn = nil, nil
		err = l.read(ctx)
	}
	if err == nil && l.page == 0 && ctx.Err() == nil { // a list of no parents has no pages of its own
		err = l.hand(ctx, Page{Total: -1}, nil, nil)
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		return l.hand(ctx, Page{Total: -1, Records: l.left}, l.leftOn, err) == nil
	}
	return true
}

// read walks through the stream.
func (l *listing) read(ctx context.Context) error {
	from, err := l.resumed()
	if err != nil {
		return err
	}
	v := l.scope()
	if l.stream.tombstones != nil && !l.o.Since.IsZero() && l.o.Resume == "" {
		if err := l.each(ctx, l.stream.tombstones, v, mark{}, l.bury); err != nil {
			return err
		}
	}
	return l.each(ctx, l.stream, v, from, l.deliver)
}

// scope is what every request of the listing has.
func (l *listing) scope() scope {
	v := scope{account: l.cl.lookup, separator: ","}
	if !l.o.Since.IsZero() {
		v.token = l.before.Sync
		if l.stream.since.token.text == "" {
			v.since = l.stream.since.write(l.o.Since)
			v.until = l.stream.since.write(time.Now())
		}
	}
	return v
}

// deliver hands over a page of the stream itself, which is the last one of its walk
// unless there is more.
func (l *listing) deliver(ctx context.Context, w *walk, page Page, s *sheet, more bool) error {
	last := w.variant == len(l.stream.calls)-1
	if len(l.stream.calls) > 1 || l.stream.parent != nil {
		page.Total, page.Capacity = -1, 0 // one page is not all there is
	}
	switch {
	case page.NotModified:
		page.Validators = l.o.Validators
	case l.stream.parent != nil:
		page.Resume = l.marked(l.finished().mark())
	case !more && last:
		page.Validators = l.validators(w)
	case !more:
		page.Resume = l.mark(&walk{}, w.variant+1)
	default:
		page.Resume = l.mark(w, w.variant)
	}
	return l.hand(ctx, page, s, nil)
}

// bury hands over a page of the list of deleted records.
func (l *listing) bury(ctx context.Context, _ *walk, page Page, s *sheet, _ bool) error {
	for _, r := range page.Records {
		page.Deleted = append(page.Deleted, r.ID)
	}
	page.Records, page.Total = nil, -1
	return l.hand(ctx, page, s, nil)
}

// first tells whether an id comes for the first time, over all variants.
func (l *listing) first(id uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, again := l.seen[id]
	l.seen[id] = struct{}{}
	return !again
}

// spend counts requests that were made for no page of their own; the next page tells them.
func (l *listing) spend(requests int) {
	l.mu.Lock()
	l.requests += requests
	l.mu.Unlock()
}

// leave keeps what could be read of the page that ends the listing with an error. Of several
// walks, the first one to fail is the one whose error is told.
func (l *listing) leave(records []Record, s *sheet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == nil && len(records) > 0 {
		l.left, l.leftOn = records, s
	}
}

// finish begins to keep which parents are finished.
func (l *listing) finish(done *finished) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = done
}

func (l *listing) finished() *finished {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// hand gives a page to the caller; its error is that of a context that ended first.
// Taking a page means that the caller is done with the one before.
func (l *listing) hand(ctx context.Context, page Page, s *sheet, err error) error {
	l.handing.Lock()
	defer l.handing.Unlock()
	l.mu.Lock()
	page.Requests += l.requests
	l.requests = 0
	l.mu.Unlock()
	page.Number = l.page + 1
	if e, ok := errors.AsType[*Error](err); ok {
		e.RecordType, e.Page = l.stream.info.RecordType, page.Number
	}
	select {
	case l.pages <- handed{page, err, s}:
		l.page++
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}
