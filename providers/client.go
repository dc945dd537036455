package providers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Client reads the streams of one account. It is safe for concurrent use.
type Client struct {
	*setup
	turn      string // the stream for which it asks the budget
	http      *http.Client
	budget    *Budget
	keeper    *keeper
	trace     func(Exchange)
	review    *Review
	userAgent string
	maxWait   time.Duration
	timeout   time.Duration
	backoff   []time.Duration
	maxBody   int64
	probing   bool // one answer is enough: see Probe
}

const (
	// defaultMaxBody bounds one answer: a page of any provider is far smaller.
	defaultMaxBody = 64 << 20
	defaultMaxWait = 15 * time.Minute
	defaultTimeout = time.Minute
)

var defaultBackoff = []time.Duration{500 * time.Millisecond, 2 * time.Second, 8 * time.Second}

func newClient(s *setup, o Options) (*Client, error) {
	var client http.Client
	if o.HTTP != nil {
		client = *o.HTTP
	}
	// A redirect would carry the credentials to wherever it points.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	if certificate, err := s.certificate(); err != nil {
		return nil, err
	} else if certificate != nil {
		if err := certify(&client, certificate); err != nil {
			return nil, err
		}
	}
	if o.Budget == nil {
		o.Budget = NewBudget(s.limits.Limits)
	}
	if o.Tokens == nil {
		o.Tokens = NewTokens()
	}
	if o.Backoff == nil {
		o.Backoff = defaultBackoff
	}
	return &Client{
		setup: s, http: &client, budget: o.Budget, trace: o.Trace, review: o.Review,
		userAgent: cmp.Or(o.UserAgent, "synthook"),
		maxWait:   cmp.Or(o.MaxWait, defaultMaxWait),
		timeout:   cmp.Or(o.Timeout, defaultTimeout),
		backoff:   o.Backoff, maxBody: defaultMaxBody,
		keeper: &keeper{store: o.Tokens},
	}, nil
}

// ListOptions say how a stream is listed. The zero value is a full listing from its
// beginning.
type ListOptions struct {
	// Since asks only for what changed at or after it; StreamInfo.Since must be true. Such
	// a listing proves no absence. It may give more than asked for, up to everything.
	Since time.Time
	// Validators of an earlier listing of the same version that ended well. A full listing
	// whose provider answers that nothing changed ends with Page.NotModified; an
	// incremental one goes on from there where the provider works with tokens.
	Validators string
	// Resume is a Page.Resume of an interrupted listing of the same version: it goes on
	// behind that page. One that doesn't fit ends the listing with ErrResume.
	Resume string
}

// ErrResume is for a ListOptions.Resume that no longer fits: list from the beginning.
var ErrResume = errors.New("the listing can't go on where it ended: begin anew")

// Page is one page of a listing.
type Page struct {
	Number   int // 1-based
	Capacity int // the most records that a page can hold; 0: the provider decides
	Records  []Record
	Deleted  []string  // ids that the provider itself says are gone; in a listing, the latest word counts
	Requests int       // made for this page, new tries included
	Bytes    int64     // of its answer
	Date     time.Time // of the answer, by the provider's clock; zero: it does not tell
	Total    int       // the records of the whole listing, as the provider says; -1: not told

	NotModified bool   // nothing changed since the listing of ListOptions.Validators; there are no records
	Validators  string // on the last page: for a later listing; "": there are none
	Resume      string // where the listing can go on behind this page; holds no credential; "": it can't
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

// PageSize is how many records of a type a page is asked for; 0: the provider decides.
func (cl *Client) PageSize(recordType string) int {
	s := cl.stream(recordType)
	if s == nil {
		return 0
	}
	return cl.pageSizeOf(s.paging)
}

func (cl *Client) pageSizeOf(p paging) int {
	if cl.pageSize > 0 && p.size > 0 {
		return min(cl.pageSize, p.maxSize)
	}
	return p.size
}

// on is the client in the name of a stream.
func (cl *Client) on(recordType string) *Client {
	one := *cl
	one.turn = recordType
	return &one
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
// failed, and the records that could be read of it, to be shown: they prove nothing, and
// one whose id can't be read has none. The next page is fetched while the caller uses the
// present one, so two pages are in memory. A provider that no longer knows its own cursor
// makes the listing begin anew once: records can come twice, then.
func (cl *Client) List(ctx context.Context, recordType string, o ListOptions) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		s := cl.stream(recordType)
		if s == nil || !s.served {
			yield(Page{}, fmt.Errorf("list %s: this account has no such stream", recordType))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		l := newListing(cl, s, o)
		finished := false
		var fetcher sync.WaitGroup
		defer fetcher.Wait() // also when yield panics
		defer cancel()
		fetcher.Go(func() {
			defer close(l.pages)
			finished = l.run(ctx)
		})
		for p := range l.pages {
			if !yield(p.page, p.err) {
				return
			}
			l.release(p.sheet)
		}
		if !finished {
			yield(Page{}, fmt.Errorf("list %s: %w", recordType, context.Cause(ctx)))
		}
	}
}

// Exists asks for one record by its id. It is false when the provider answers that there
// is none, and an error when that can't be known, with StreamInfo.Confirms false, too.
func (cl *Client) Exists(ctx context.Context, recordType, id string) (bool, error) {
	s := cl.stream(recordType)
	if s == nil || !s.served || s.record == nil {
		return false, fmt.Errorf("look up %s: the connector can't ask for one record", recordType)
	}
	there, _, err := cl.on(recordType).exists(ctx, s, id)
	if e, ok := errors.AsType[*Error](err); ok {
		e.RecordType = recordType
		return false, e
	}
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", recordType, err)
	}
	return there, nil
}

// exists asks for one record of any stream that can.
func (cl *Client) exists(ctx context.Context, s *stream, id string) (there bool, requests int, err error) {
	q := &query{call: s.record.call, values: scope{account: cl.lookup, ids: []string{id}, idParts: splitID(id)}}
	if strings.Trim(id, ".") == "" || len(q.values.idParts) < len(s.records.id) {
		return false, 0, errors.New("the id is not one that can be asked for")
	}
	a, requests, err := cl.fetch(ctx, q, &room{})
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == NotFound {
		return false, requests, nil
	}
	if err != nil {
		return false, requests, err
	}
	return !s.record.gone.set() || !s.record.gone.holds(a), requests, nil
}
