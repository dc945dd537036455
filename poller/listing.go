package poller

import (
	"context"
	"fmt"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

// walk is the reading of a stream: what it is to be, what it cost and what it gave.
type walk struct {
	options providers.ListOptions
	union   bool // a listing that records can slip between is read twice
	resumed bool // the beginning was read by another poll
	// onPage, where not nil, hears of every page once it is read. An error ends the walk.
	onPage func(ctx context.Context, w *walk, resume string) error

	listing *hashstore.Listing
	former  *hashstore.Listing // the same records by the former recipe; nil: there is none
	first   *hashstore.Listing // what the first of two walks saw; nil: this is the first
	said    map[string]bool    // ids that the provider says are gone, and did not list since

	// What came since onPage took the pieces for the last time is not in listing, former
	// and first yet.
	piece, formerPiece *hashstore.Listing
	rest               *hashstore.Listing // the last piece of first, which onPage has not taken; nil: it has

	joined *hashstore.Listing // the piece before

	pages    int // of the last listing
	records  int // of it, repeated ones too
	capacity int // records that one of its pages can hold; 0: not known
	total    int // records, as the provider says; -1: it does not
	requests int // of all listings
	bytes    int64

	unmodified bool      // the listing is as its validators say; it has no records
	validators string    // for a later listing
	began      time.Time // by the provider's clock; zero: it does not tell
}

func newWalk() *walk {
	return &walk{listing: hashstore.NewListing(), former: hashstore.NewListing(), said: map[string]bool{}, total: -1}
}

// list reads the stream. What w is without an error is what w.options ask for, up to its
// end. With w.union, a listing of several pages that records can slip between is read
// twice at once: nothing that was there all along is missing from both taken together.
func (pl *plan) list(ctx context.Context, recordType string, w *walk) error {
	for {
		if err := pl.walk(ctx, recordType, w); err != nil {
			return err
		}
		if !w.union || w.first != nil || !pl.info.Positional || w.pages < 2 {
			break
		}
		w.first, w.listing, w.rest, w.pages = w.listing, hashstore.NewListing(), w.joined, 0
		w.records = 0
	}
	if w.first != nil {
		w.listing.Union(w.first)
	}
	if len(w.said) > 0 {
		w.listing.Remove(w.said)
		w.former.Remove(w.said)
	}
	return pl.nameFields(w.listing, w.former, w.resumed || !w.options.Since.IsZero())
}

// walk reads one listing into w. Of a record only its id, its fingerprint and
// the digests of its fields outlive the page.
func (pl *plan) walk(ctx context.Context, recordType string, w *walk) error {
	options, asked := w.options, time.Now()
	w.options.Resume = "" // a second walk begins at the beginning
	w.piece, w.formerPiece = hashstore.NewListing(), hashstore.NewListing()
	for page, err := range pl.client.List(ctx, recordType, options) {
		w.requests += page.Requests
		w.bytes += page.Bytes
		if err != nil {
			return err
		}
		if w.began.IsZero() && !page.Date.IsZero() {
			w.began = page.Date.Add(-time.Since(asked))
		}
		w.pages++
		w.capacity, w.total, w.validators, w.unmodified = page.Capacity, page.Total, page.Validators, page.NotModified
		if err := pl.take(w, page); err != nil {
			return err
		}
		if w.onPage != nil {
			if err := w.onPage(ctx, w, page.Resume); err != nil {
				return err
			}
		}
	}
	w.join()
	// A client whose context ended may have stopped between two pages.
	return context.Cause(ctx)
}

// take reads a page's records into the pieces.
func (pl *plan) take(w *walk, page providers.Page) error {
	for _, id := range page.Deleted {
		w.said[id] = true
	}
	w.records += len(page.Records)
	for i, record := range page.Records {
		if len(w.said) > 0 {
			delete(w.said, record.ID)
		}
		err := add(w.piece, hasher{pl.canonical, pl.seal}, pl.fields, record)
		if err == nil && pl.former != nil {
			err = add(w.formerPiece, *pl.former, pl.formerFields, record)
		}
		if err != nil {
			return fmt.Errorf("record %d of page %d: %w", i+1, w.pages, err)
		}
	}
	return nil
}

func add(l *hashstore.Listing, h hasher, fields *fieldReader, record providers.Record) error {
	place := diff.Place(record.ID)
	if fields == nil {
		content, err := h.canonical.Sum(record.Raw)
		if err == nil {
			l.Add(record.ID, place, h.seal.Fingerprint(place, content))
		}
		return err
	}
	content, digests, err := fields.Sum(record.Raw, place)
	if err == nil {
		l.AddFields(record.ID, place, h.seal.Fingerprint(place, content), digests)
	}
	return err
}

// join adds the pieces to the listings, and begins new ones.
func (w *walk) join() {
	w.listing.Append(w.piece)
	w.former.Append(w.formerPiece)
	w.joined = w.piece
	w.piece, w.formerPiece = hashstore.NewListing(), hashstore.NewListing()
}

// onePage tells whether nothing can have shifted between pages: there was one, and what
// is known would fit on it. A list of several pages that has one all of a sudden was
// rather cut short.
func (w *walk) onePage(known int) bool { return w.pages == 1 && known <= w.capacity }
