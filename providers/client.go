package providers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// Client reads the streams of one account. It is safe for concurrent use.
type Client struct {
	*setup
	http      *http.Client
	budget    *Budget
	trace     func(Exchange)
	userAgent string
	maxWait   time.Duration
	timeout   time.Duration
	backoff   []time.Duration
	maxBody   int64
}

const (
	// defaultMaxBody bounds one answer: a page of any provider is far smaller.
	defaultMaxBody = 64 << 20
	defaultMaxWait = 15 * time.Minute
	defaultTimeout = time.Minute
)

var defaultBackoff = []time.Duration{500 * time.Millisecond, 2 * time.Second, 8 * time.Second}

func newClient(s *setup, o Options) *Client {
	var client http.Client
	if o.HTTP != nil {
		client = *o.HTTP
	}
	// A redirect would carry the credentials to wherever it points.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	if o.Budget == nil {
		o.Budget = NewBudget(s.limits.Limits)
	}
	if o.Backoff == nil {
		o.Backoff = defaultBackoff
	}
	return &Client{
		setup: s, http: &client, budget: o.Budget, trace: o.Trace,
		userAgent: cmp.Or(o.UserAgent, "synthook"),
		maxWait:   cmp.Or(o.MaxWait, defaultMaxWait),
		timeout:   cmp.Or(o.Timeout, defaultTimeout),
		backoff:   o.Backoff, maxBody: defaultMaxBody,
	}
}

// Page is one page of a listing.
type Page struct {
	Number   int // 1-based
	Capacity int // the most records that a page can hold; 0: the provider decides
	Records  []Record
	Requests int   // made for this page, new tries included
	Bytes    int64 // of its answer
}

// Record is one record as the provider gave it.
type Record struct {
	ID  string
	Raw []byte // its JSON; valid until the next page is taken
}

// RecordTypes lists the record types that this account has.
func (cl *Client) RecordTypes() []string { return cl.served() }

// Stream tells of one record type as this account reads it.
func (cl *Client) Stream(recordType string) (StreamInfo, bool) {
	s := cl.stream(recordType)
	if s == nil || !s.served {
		return StreamInfo{}, false
	}
	return s.info, true
}

func (cl *Client) stream(recordType string) *stream {
	i := slices.IndexFunc(cl.streams, func(s *stream) bool { return s.info.RecordType == recordType })
	if i < 0 {
		return nil
	}
	return cl.streams[i]
}

// List reads all pages of a stream. It ends without an error only when the end signal was
// seen and the provider's own total, where it gives one, agrees; otherwise the last
// element is an error, most often an *Error, with the requests made for the page that
// failed. The next page is fetched while the caller uses the present one, so two pages
// are in memory.
func (cl *Client) List(ctx context.Context, recordType string) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		s := cl.stream(recordType)
		if s == nil || !s.served {
			yield(Page{}, fmt.Errorf("list %s: this account has no such stream", recordType))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		pages := make(chan outcome)
		finished := false
		var fetcher sync.WaitGroup
		defer fetcher.Wait() // also when yield panics
		defer cancel()
		fetcher.Go(func() {
			defer close(pages)
			finished = cl.walk(ctx, s, pages)
		})
		for o := range pages {
			if !yield(o.page, o.err) {
				return
			}
		}
		if !finished {
			yield(Page{}, fmt.Errorf("list %s: %w", recordType, context.Cause(ctx)))
		}
	}
}

type outcome struct {
	page Page
	err  error
}

// walk sends the pages one by one, and the error that ends them, if any. Handing over a
// page means that the caller is done with the one before, whose memory the next but one
// takes. It is false when the context ended first.
func (cl *Client) walk(ctx context.Context, s *stream, pages chan<- outcome) bool {
	l := newListing(cl, s)
	for more := true; more; {
		var o outcome
		o.page, more, o.err = l.next(ctx)
		if ctx.Err() != nil {
			return false
		}
		if e, ok := errors.AsType[*Error](o.err); ok {
			e.RecordType, e.Page = s.info.RecordType, o.page.Number
		}
		select {
		case pages <- o:
		case <-ctx.Done():
			return false
		}
		more = more && o.err == nil
	}
	return true
}

// answer is a page as it came.
type answer struct {
	header   http.Header
	status   int
	body     []byte
	document gjson.Result // body, parsed; its texts are copies
}
