package providers

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// listing is one reading of a stream: its walks one after the other, and their pages on
// the way to the caller.
type listing struct {
	cl     *Client
	stream *stream
	o      ListOptions
	before validators
	pages  chan handed
	free   chan *sheet

	page     int // pages handed over
	requests int // made for no page yet
}

// sheet is the memory of one page.
type sheet struct {
	body    bytes.Buffer
	records []Record
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
		pages: make(chan handed), free: make(chan *sheet, 64),
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
		err = l.read(ctx)
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		return l.hand(ctx, Page{Total: -1}, nil, err)
	}
	return true
}

// read walks through the stream.
func (l *listing) read(ctx context.Context) error {
	from, err := l.resumed()
	if err != nil {
		return err
	}
	for variant := from.Variant; variant < len(l.stream.calls); variant++ {
		w := newWalk(l.cl, l.stream, l.stream.calls[variant], l.scope())
		if variant == from.Variant {
			if err := w.resume(from); err != nil {
				return err
			}
		}
		if err := l.walk(ctx, w, variant); err != nil {
			return err
		}
	}
	return nil
}

// walk reads one list and hands its pages over.
func (l *listing) walk(ctx context.Context, w *walk, variant int) error {
	last := variant == len(l.stream.calls)-1
	if l.conditional() {
		w.conditions = l.before.headers()
	}
	for more := true; more; {
		s := l.blank()
		var page Page
		var err error
		page, more, err = w.next(ctx, s)
		if err != nil {
			l.requests += page.Requests
			return err
		}
		if len(l.stream.calls) > 1 {
			page.Total = -1
		}
		switch {
		case page.NotModified:
			page.Validators = l.o.Validators
		case !more && last:
			page.Validators = l.validators(w)
		case !more:
			page.Resume = l.mark(&walk{}, variant+1)
		default:
			page.Resume = l.mark(w, variant)
		}
		if !l.hand(ctx, page, s, nil) {
			return context.Cause(ctx)
		}
	}
	return nil
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

// hand gives a page to the caller; false when the context ended first. Taking it means
// that the caller is done with the page before.
func (l *listing) hand(ctx context.Context, page Page, s *sheet, err error) bool {
	page.Number = l.page + 1
	page.Requests += l.requests
	l.requests = 0
	if e, ok := errors.AsType[*Error](err); ok {
		e.RecordType, e.Page = l.stream.info.RecordType, page.Number
	}
	select {
	case l.pages <- handed{page, err, s}:
		l.page++
		return true
	case <-ctx.Done():
		return false
	}
}
