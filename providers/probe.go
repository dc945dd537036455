package providers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	probeWait  = 10 * time.Second // for the connector's own limits
	probeBody  = 1 << 20          // bytes of an answer that are read
	probeRetry = 500 * time.Millisecond
)

// Probe makes the first request of a listing, for the smallest page that the connector can
// ask for, and reads that one page: nil says that the provider takes the credentials and
// answers with such a list. Of a list below parents that is the parents' own. An answer
// that goes on for long is not read to its end. A provider that asks for silence is not
// waited for (Throttled); one that fails is asked once more. The error is an *Error, ctx's,
// or the token store's.
func (cl *Client) Probe(ctx context.Context, recordType string) error {
	s := cl.stream(recordType)
	if s == nil || !s.served {
		return fmt.Errorf("ask for %s: this account has no such stream", recordType)
	}
	for s.parent != nil {
		s = s.parent.stream
	}
	probe := cl.on(recordType)
	probe.probing, probe.maxWait, probe.maxBody = true, min(cl.maxWait, probeWait), probeBody
	probe.backoff = cl.backoff[:min(len(cl.backoff), 1)]
	if len(probe.backoff) > 0 {
		probe.backoff = []time.Duration{min(probe.backoff[0], probeRetry)}
	}
	err := probe.first(ctx, s, 1)
	if e, ok := errors.AsType[*Error](err); ok && s.paging.size > 1 && e.Kind == Protocol && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnprocessableEntity) {
		err = probe.first(ctx, s, 0) // there are providers with a smallest page
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.RecordType, e.Page = recordType, 1
	}
	return err
}

// first reads the first page of a list; size 0: as large as the account has it.
func (cl *Client) first(ctx context.Context, s *stream, size int) error {
	w := newWalk(cl, s, s.calls[0], scope{account: cl.lookup, separator: ","})
	if size > 0 && s.paging.size > 0 {
		w.place.size = size
	}
	sheet := &sheet{}
	a, _, err := cl.fetch(ctx, w.query(), &sheet.room)
	if err != nil || a.more {
		return err
	}
	_, err = w.read(&a, sheet, &Page{})
	return err
}

// Host is where the account's lists are.
func (cl *Client) Host() string { return cl.base.Hostname() }

// HostCredentials are the credentials that become part of the provider's address: of the
// base URL, where the account has none of its own, and of the one that gives tokens.
func (c *Connector) HostCredentials() []string {
	names := slices.Concat(credentialsIn(c.file.base), credentialsIn(c.file.basePath))
	for _, f := range c.file.auth {
		names = slices.Concat(names, credentialsIn(or(f.token.get, f.token.post)), credentialsIn(or(f.session.get, f.session.post)))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// SpendsCredentials tells whether a refresh token among an account's credentials is good
// once: who asks for an access token with it has to keep what comes back, or the account
// is lost.
func (c *Connector) SpendsCredentials(t Target) bool {
	s, err := c.setup(t)
	return err == nil && s.auth.token != nil && s.auth.token.rotating
}
