package providers

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"
)

// parent is the list for each of whose records a stream is asked.
type parent struct {
	stream    *stream
	key       path // of what ${parent} is; the empty path: the id
	batch     int
	separator string
}

// taker takes the pages of a walk. The walks of several parents run at the same time.
type taker func(ctx context.Context, w *walk, page Page, s *sheet, more bool) error

// each walks through a stream, all its variants and parents, and gives its pages to take.
// from is where the walk begins, for streams without a parent.
func (l *listing) each(ctx context.Context, s *stream, v scope, from mark, take taker) error {
	if s.parent != nil {
		return l.children(ctx, s, v, take)
	}
	for variant := from.Variant; variant < len(s.calls); variant++ {
		w := l.start(s, variant, v)
		if variant == from.Variant {
			if err := w.resume(from); err != nil {
				return err
			}
		}
		if s == l.stream && l.conditional() {
			w.conditions = l.before.headers()
		}
		if err := l.through(ctx, w, take); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) start(s *stream, variant int, v scope) *walk {
	w := newWalk(l.cl, s, s.calls[variant], v)
	w.variant = variant
	if s == l.stream && len(s.calls) > 1 {
		w.seen = l.first
	}
	return w
}

// through reads one list to its end.
func (l *listing) through(ctx context.Context, w *walk, take taker) error {
	for more := true; more; {
		s := l.blank()
		var page Page
		var err error
		if page, more, err = w.next(ctx, s); err != nil {
			l.spend(page.Requests)
			if w.stream == l.stream {
				l.leave(page.Records, s)
			}
			return err
		}
		if err := take(ctx, w, page, s, more); err != nil {
			return err
		}
	}
	return nil
}

// family is one parent or a batch of them: their ids, and what stands for them in requests.
type family struct{ ids, keys []string }

// children walks through a list for each of its parents, several at the same time.
//
// A parent that has gone meanwhile takes its children with it. So 404 for a child list is
// no end of the listing where the provider confirms, asked for the parent itself, that it
// is gone; in any other case the listing fails: the records of a parent that is still
// there would look deleted.
func (l *listing) children(ctx context.Context, s *stream, v scope, take taker) error {
	families, err := l.parents(ctx, s.parent, v)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.cl.budget.concurrency())
	for variant := range s.calls {
		for _, f := range families {
			if ctx.Err() != nil {
				break
			}
			group.Go(func() error {
				own := v
				own.parents, own.separator = f.keys, s.parent.separator
				err := l.through(ctx, l.start(s, variant, own), take)
				if e, ok := errors.AsType[*Error](err); ok && e.Kind == NotFound {
					return l.orphans(ctx, s.parent.stream, f, e)
				}
				return err
			})
		}
	}
	return group.Wait()
}

// orphans decides what a 404 for the list of a parent means.
func (l *listing) orphans(ctx context.Context, parent *stream, f family, e *Error) error {
	if parent.record == nil || len(f.ids) != 1 {
		e.Detail = "the provider lists a parent and knows no list of its records: say records: {empty: not_found} where that means none, or give the parent's stream a record request"
		return e
	}
	there, requests, err := l.cl.exists(ctx, parent, f.ids[0])
	l.spend(requests)
	switch {
	case err != nil:
		return err
	case there:
		e.Detail = "the provider has a parent and knows no list of its records: say records: {empty: not_found} where that means none"
		return e
	}
	return nil
}

// parents reads the list of parents, whole, before their children are asked for: a list
// that fails half-way would look like parents without children.
func (l *listing) parents(ctx context.Context, p *parent, v scope) ([]family, error) {
	var mu sync.Mutex
	var all []family
	known := map[string]bool{}
	v.since, v.until, v.token = "", "", ""
	err := l.each(ctx, p.stream, v, mark{}, func(_ context.Context, _ *walk, page Page, s *sheet, _ bool) error {
		mu.Lock()
		defer mu.Unlock()
		defer l.release(s)
		l.spend(page.Requests)
		for _, r := range page.Records {
			key := r.ID
			if p.key.json != "" {
				var err error
				if key, err = idPart(parsed(r.Raw), p.key); err != nil {
					return protocol("a parent's key can't be read: %s", err)
				}
			}
			if known[r.ID] {
				continue
			}
			known[r.ID] = true
			if n := len(all); n > 0 && len(all[n-1].ids) < p.batch {
				all[n-1].ids, all[n-1].keys = append(all[n-1].ids, r.ID), append(all[n-1].keys, key)
				continue
			}
			all = append(all, family{[]string{r.ID}, []string{key}})
		}
		return nil
	})
	return all, err
}
