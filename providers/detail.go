package providers

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/tidwall/gjson"
	"golang.org/x/sync/errgroup"
)

// detail asks for what a list leaves out of its records.
type detail struct {
	*call
	records records // with batch: where the answer has them, and their ids
	path    path    // without: where it has the one
	batch   int
}

// details completes the records of a page, several at the same time. A record whose
// detail the provider doesn't know is left out: it has gone since it was listed, or will
// be missing again, and whoever compares listings has to find out. When none is known,
// the connector asks wrongly.
func (w *walk) details(ctx context.Context, s *sheet, page *Page) error {
	known := map[string][]byte{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.cl.budget.concurrency())
	for batch := range slices.Chunk(page.Records, w.stream.detail.batch) {
		group.Go(func() error {
			var own room // the answers outlive the page's body
			a, requests, err := w.cl.fetch(ctx, w.detailQuery(batch), &own)
			mu.Lock()
			defer mu.Unlock()
			page.Requests += requests
			page.Bytes += int64(len(a.body))
			if e, ok := errors.AsType[*Error](err); ok && e.Kind == NotFound {
				return nil
			}
			if err != nil {
				return err
			}
			return w.stream.detail.read(a, batch, known)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	listed := len(page.Records)
	complete := page.Records[:0]
	for _, r := range page.Records {
		more, ok := known[r.ID]
		if !ok {
			continue
		}
		from := len(s.arena)
		s.arena = joined(s.arena, r.Raw, more)
		complete = append(complete, Record{r.ID, s.arena[from:]})
	}
	if len(complete) < listed {
		page.Capacity = 0 // its one page is no proof of absence
	}
	if len(complete) == 0 && listed > 0 {
		return &Error{Kind: NotFound, Detail: "the provider knows the details of none of the records it lists: check detail"}
	}
	page.Records = complete
	return nil
}

func (w *walk) detailQuery(batch []Record) *query {
	v := w.scope
	for _, r := range batch {
		v.ids = append(v.ids, r.ID)
	}
	if len(batch) == 1 {
		v.idParts = splitID(batch[0].ID)
	}
	return &query{call: w.stream.detail.call, values: v}
}

// read takes the details of an answer.
func (d *detail) read(a answer, batch []Record, known map[string][]byte) error {
	if d.batch == 1 {
		one := a.document.get(d.path)
		if !one.IsObject() {
			return protocol("the detail of a record is not an object: check detail.path")
		}
		known[batch[0].ID] = a.body[one.Index : one.Index+len(one.Raw)]
		return nil
	}
	n := 0
	return d.records.each(a, func(f spot) error {
		n++
		id, err := d.records.recordID(f, "")
		if err != nil {
			return protocol("detail %d has no id: %s", n, err)
		}
		if f.record.IsObject() {
			known[id] = a.body[f.record.Index : f.record.Index+len(f.record.Raw)]
		}
		return nil
	})
}

// joined writes a record with its detail; where both have a field, the detail's counts.
func joined(dst, listed, more []byte) []byte {
	own := map[string]bool{}
	dst = append(dst, '{')
	add := func(key, value gjson.Result) bool {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, key.Raw...), ':'), value.Raw...)
		return true
	}
	parsed(more).ForEach(func(key, value gjson.Result) bool {
		own[key.Str] = true
		return add(key, value)
	})
	parsed(listed).ForEach(func(key, value gjson.Result) bool { return own[key.Str] || add(key, value) })
	return append(dst, '}')
}
