package sample

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a server. The zero value behaves as the provider does.
type Options struct {
	// PageSize is the most records on a page, whatever is asked for; 0: the provider's
	// own maximum. Small ones give small companies several pages.
	PageSize int
	// Limit requests are answered per Window; 0: Workable's 10 per 10 s, and no limit in
	// the other dialects; negative: none.
	Limit  int
	Window time.Duration
}

// Credentials are what a server expects. All are invented.
type Credentials struct {
	Key       string // BambooHR, StackOne: the user of basic authentication; Workable: the bearer token
	AccountID string // StackOne: x-account-id
	MemberID  string // Workable: member_id of an employees listing, where it is sent
}

// Server serves a company in one dialect: BambooHR under /v1/, Workable under
// /spi/v3/, StackOne under /unified/. Several may serve one company.
type Server struct {
	Faults Faults // to switch on at any time

	company *Company
	dialect dialect
	options Options
	mux     *http.ServeMux
	other   func() *Company // another customer's
	reads   atomic.Uint64

	mu   sync.Mutex // guards the window of the limit
	ends time.Time
	used int
}

// dialect is how a provider speaks.
type dialect struct {
	name       Dialect
	maxPage    int
	authorized func(w http.ResponseWriter, r *http.Request) bool // answers itself when not
	sign       func(r *rand.Rand) string
	routes     []route
}

// route is one listing call.
type route struct {
	path   string
	list   string
	ask    func(r *http.Request) (ask, error) // a size of 0: everything on one page
	answer func(r *http.Request, a ask, p page) any
	ends   func(p *page) // makes a page say that it is the last where a total is what says so
	xml    bool          // answers XML to whoever doesn't accept JSON
}

// NewServer makes a server of the company in the dialect.
func NewServer(c *Company, d Dialect, options Options) *Server {
	s := &Server{company: c, options: options, mux: http.NewServeMux()}
	switch d {
	case BambooHR:
		s.dialect = bamboohr()
	case Workable:
		s.dialect = workable()
		if options.Limit == 0 {
			s.options.Limit = 10
		}
	default:
		s.dialect = stackone()
	}
	if s.options.Window <= 0 {
		s.options.Window = 10 * time.Second
	}
	if s.options.PageSize <= 0 || s.options.PageSize > s.dialect.maxPage {
		s.options.PageSize = s.dialect.maxPage
	}
	s.other = sync.OnceValue(func() *Company {
		config := c.config
		config.Seed++
		return found(config, 5000) // no id of one customer is another's
	})
	for _, rt := range s.dialect.routes {
		s.mux.HandleFunc("GET "+rt.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, rt) })
		s.mux.HandleFunc("GET "+rt.path+"/{id}", func(w http.ResponseWriter, r *http.Request) { s.serveOne(w, r, rt) })
	}
	return s
}

// Credentials are the only ones that the server accepts.
func (s *Server) Credentials() Credentials {
	return Credentials{Key: key(s.dialect.name), AccountID: sampleAccount, MemberID: sampleMember}
}

func key(d Dialect) string { return "sample-key-" + string(d) }

const (
	sampleAccount = "sample-account-1"
	sampleMember  = "1f0001"
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Start serves on a free port of 127.0.0.1 until ctx ends or stop is called, which
// waits for the end. baseURL is http://127.0.0.1:PORT, without the dialect's path.
func (s *Server) Start(ctx context.Context) (baseURL string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen on loopback: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	unhook := context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + listener.Addr().String(), func() {
		unhook()
		cancel()
		_ = server.Close()
		serving.Wait()
	}, nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, rt route) {
	if f := s.Faults.strike(r, refusals); f.Kind != "" {
		f.refuse(w)
		return
	}
	if !s.dialect.authorized(w, r) || !s.within(w) {
		return
	}
	if rt.xml && !strings.Contains(r.Header.Get("Accept"), "json") {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte("<?xml version=\"1.0\"?>\n<table></table>\n"))
		return
	}
	a, err := rt.ask(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if a.size = s.size(a.size); a.pages {
		a.at *= a.size
	}
	lie := s.Faults.strike(r, lies)
	company := s.company
	if lie.Kind == OtherCustomer {
		company = s.other()
	}
	hidden := a.hide != nil
	a = lie.veil(a)
	l := company.list(s.dialect.name, rt.list)
	p := company.page(l, a)
	lie.bend(&p, l, rt)
	body := newScribe(company.config.Seed, s.reads.Add(1), s.dialect.sign).append(nil, rt.answer(r, a, p))
	s.send(w, r, body, func() {
		if company != s.company {
			return
		}
		company.serve(l, p, hidden || lie.Kind != "")
		if l.positional && p.more && !hidden {
			s.Faults.strikeIf(r, shifts, func() bool { return company.shift(l, p) })
		}
	})
}

// serveOne answers for one record of a list by its id.
func (s *Server) serveOne(w http.ResponseWriter, r *http.Request, rt route) {
	if f := s.Faults.strike(r, refusals); f.Kind != "" {
		f.refuse(w)
		return
	}
	if !s.dialect.authorized(w, r) || !s.within(w) {
		return
	}
	record, ok := s.company.record(s.company.list(s.dialect.name, rt.list), r.PathValue("id"))
	if !ok {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(newScribe(s.company.config.Seed, s.reads.Add(1), s.dialect.sign).append(nil, record))
}

func (s *Server) size(asked int) int {
	if asked <= 0 {
		return everything
	}
	return min(asked, s.options.PageSize)
}

const everything = 1 << 30

// send writes the body, damaged where a fault says so. served runs when all but the
// last byte is out: before the reader can do anything with the answer, and not when
// the answer was lost.
func (s *Server) send(w http.ResponseWriter, r *http.Request, body []byte, served func()) {
	w.Header().Set("Content-Type", "application/json")
	f := s.Faults.strike(r, damages)
	if f.Kind == Truncated {
		body = body[:len(body)/2]
		served = func() {}
	}
	w.Header().Set("Content-Length", decimal(len(body)))
	if f.Kind == Cut {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if f.Kind == Slow && !f.dawdle(w, r, body) {
		return
	}
	last := len(body) - 1
	if f.Kind != Slow {
		_, _ = w.Write(body[:last])
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) || r.Context().Err() != nil {
		return
	}
	served()
	_, _ = w.Write(body[last:])
}

// within counts the request against the limit and answers it when it is beyond.
func (s *Server) within(w http.ResponseWriter) bool {
	if s.options.Limit <= 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); !now.Before(s.ends) {
		s.ends, s.used = now.Add(s.options.Window), 0
	}
	s.used++
	w.Header().Set("X-Rate-Limit-Limit", decimal(s.options.Limit))
	w.Header().Set("X-Rate-Limit-Remaining", decimal(max(0, s.options.Limit-s.used)))
	w.Header().Set("X-Rate-Limit-Reset", decimal(int(s.ends.Add(time.Second-1).Unix())))
	if s.used > s.options.Limit {
		refuse(w, http.StatusTooManyRequests, "Too many requests")
		return false
	}
	return true
}

// refuse answers with a status and a word.
func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write((&scribe{}).append(nil, object{{"error", reason}}))
}

// origin is where the client reached the server: next URLs are absolute.
func origin(r *http.Request) string { return "http://" + r.Host }
