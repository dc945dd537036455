package providers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
// from is where it begins.
func (l *listing) each(ctx context.Context, s *stream, v scope, from mark, take taker) error {
	if s.parent != nil {
		return l.children(ctx, s, v, from, take)
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

// last is the id behind which the next family's begin.
func (f family) last() string { return f.ids[len(f.ids)-1] }

// children walks through a list for each of its parents, several at the same time.
//
// A parent that has gone meanwhile takes its children with it. So 404 for a child list is
// no end of the listing where the provider confirms, asked for the parent itself, that it
// is gone; in any other case the listing fails: the records of a parent that is still
// there would look deleted.
//
// The parents' order is that of their ids, so that a listing can go on behind those that
// are finished. What has come since of a parent before them is found by the next one.
func (l *listing) children(ctx context.Context, s *stream, v scope, from mark, take taker) error {
	families, err := l.parents(ctx, s.parent, v)
	if err != nil {
		return err
	}
	for variant := from.Variant; variant < len(s.calls); variant++ {
		rest := families
		if variant == from.Variant {
			rest = slices.DeleteFunc(slices.Clone(families), func(f family) bool { return f.last() <= from.Parent })
		}
		done := &finished{variant: variant, families: rest, of: len(families), by: make([]bool, len(rest))}
		if err := l.variant(ctx, s, v, done, take); err != nil {
			return err
		}
	}
	return nil
}

// variant walks through one variant of a list for each of its parents.
func (l *listing) variant(ctx context.Context, s *stream, v scope, done *finished, take taker) error {
	l.cl.review.families(s, len(done.families))
	if s == l.stream {
		l.finish(done)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.cl.budget.concurrency())
	for i, f := range done.families {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			own := v
			own.parents, own.separator = f.keys, s.parent.separator
			err := l.through(ctx, l.start(s, done.variant, own), take)
			if e, ok := errors.AsType[*Error](err); ok && e.Kind == NotFound {
				err = l.orphans(ctx, s.parent.stream, f, e)
			}
			if err == nil {
				done.family(i)
				l.cl.review.family(s)
			} else if e, ok := errors.AsType[*Error](err); ok && e.of == "" {
				e.of = done.place(i, s.parent)
			}
			return err
		})
	}
	return group.Wait()
}

// finished keeps how many of the first families are read to their end.
type finished struct {
	variant  int
	families []family
	of       int // parents or batches, those before a resumption, too

	mu    sync.Mutex
	by    []bool
	first int // so many of the first ones
}

func (f *finished) family(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.by[i] = true; f.first < len(f.by) && f.by[f.first]; {
		f.first++
	}
}

// place tells which of a parent's lists one is, by its number alone.
func (f *finished) place(i int, p *parent) string {
	lists := p.stream.info.RecordType
	if p.batch > 1 {
		lists = "batches of " + lists
	}
	return fmt.Sprintf("the %s of %d %s", ordinal(f.of-len(f.families)+i+1), f.of, lists)
}

// ordinal writes 1 as 1st.
func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		suffix = cmp.Or(map[int]string{1: "st", 2: "nd", 3: "rd"}[n%10], suffix)
	}
	return strconv.Itoa(n) + suffix
}

// mark is where a listing can go on: behind the last parent before which all are read.
func (f *finished) mark() mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := mark{Variant: f.variant}
	if f.first > 0 {
		m.Parent = f.families[f.first-1].last()
	}
	return m
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
	keys := map[string]string{} // by id
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
			if _, known := keys[r.ID]; !known {
				keys[r.ID] = key
			}
		}
		return nil
	})
	var all []family
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(keys)), p.batch) {
		f := family{ids: batch}
		for _, id := range batch {
			f.keys = append(f.keys, keys[id])
		}
		all = append(all, f)
	}
	return all, err
}
