package poller

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/synthook/synthook/hashstore"
)

// Where the connector can ask for a single record, a missing one is asked for at once
// instead of waiting for a second listing. What is there all the same is hidden: a
// permission or a filter keeps it from the list. It is not suspected for ever, and not
// asked for with every poll either.

const (
	// askedAtMost is how many records one poll asks for. The others wait for the second
	// listing, which decides about them alone.
	askedAtMost = 20
	// A hidden record is asked for again after firstAsk, then after twice as long each
	// time, and at least every lastAsk: so long may its deletion take to be noticed.
	firstAsk = time.Hour
	lastAsk  = 24 * time.Hour
)

// hidden is a record that is missing in the listings and there when it is asked for.
type hidden struct {
	place uint64
	asked time.Time // to the second
	times uint32
}

// due tells whether it should be asked for again.
func (h hidden) due(now time.Time) bool {
	return now.Sub(h.asked) >= min(firstAsk<<min(h.times-1, 16), lastAsk)
}

// stillHidden is what is hidden once v was found.
func (d doubts) stillHidden(v verdict, now time.Time) []hidden {
	var all []hidden
	before := d.hidden
	for _, place := range v.hidden {
		for len(before) > 0 && before[0].place < place {
			before = before[1:]
		}
		h := hidden{place: place}
		if len(before) > 0 && before[0].place == place {
			h = before[0]
		}
		if contains(v.exist, place) {
			h.asked, h.times = now.Truncate(time.Second), h.times+1
		}
		all = append(all, h)
	}
	return all
}

func placesOf(all []hidden) []uint64 {
	places := make([]uint64, len(all))
	for i, h := range all {
		places[i] = h.place
	}
	return places
}

// questions are the missing records to ask for: none where the poll is held whatever
// the answers are, hidden ones last.
func (f finding) questions(before doubts, now time.Time) []hashstore.Item {
	if !f.confirms {
		return nil
	}
	s, v := f.judge(before)
	if v.holds() || v.relist {
		return nil
	}
	open := without(without(without(s.missing, v.hidden), s.approved(before)), s.gone)
	var again []uint64
	for _, h := range before.hidden {
		if !f.partial && h.due(now) && contains(v.hidden, h.place) {
			again = append(again, h.place)
		}
	}
	var first, last []hashstore.Item
	for item := range f.Missing() {
		switch {
		case contains(open, item.Place) && len(first) < askedAtMost:
			first = append(first, item)
		case contains(again, item.Place) && len(last) < askedAtMost:
			last = append(last, item)
		}
	}
	return append(first, last...)[:min(len(first)+len(last), askedAtMost)]
}

// ask asks the provider for records, one after the other. The first question that gets no
// answer is the last one: what is not answered is not confirmed. A provider that says gone
// of a record that it lists (control; "": none is asked for) knows none by these requests:
// a path that is wrong, or a permission that is lacking. Then nothing is believed gone.
func (pl *plan) ask(ctx context.Context, recordType string, items []hashstore.Item, control string) (replies, error) {
	var said replies
	exists := func(id string) (there, answered bool) {
		said.asked++
		there, err := pl.client.Exists(ctx, recordType, id)
		return there, err == nil
	}
	for _, item := range items {
		there, answered := exists(item.ID)
		if !answered {
			break
		}
		if there {
			said.exist = append(said.exist, item.Place)
		} else {
			said.gone = append(said.gone, item.Place)
		}
	}
	if len(said.gone) > 0 && control != "" {
		if there, _ := exists(control); !there {
			said.gone = nil
		}
	}
	return said.sorted(), context.Cause(ctx)
}

// control is a record that the listing has; "" where its absence proves nothing anyway.
func (w *walk) control(f finding) string {
	if !f.partial {
		for item := range w.listing.All() {
			return item.ID
		}
	}
	return ""
}

func (a replies) sorted() replies {
	slices.Sort(a.gone)
	slices.Sort(a.exist)
	return a
}

// Hidden records travel as 16 bytes each: place, when asked last in seconds, how often.

func encodeHidden(all []hidden) []byte {
	data := make([]byte, 0, 16*len(all)) // never nil: the column is NOT NULL
	for _, h := range all {
		data = binary.BigEndian.AppendUint64(data, h.place)
		data = binary.BigEndian.AppendUint32(data, uint32(h.asked.Unix()))
		data = binary.BigEndian.AppendUint32(data, h.times)
	}
	return data
}

func decodeHidden(data []byte) ([]hidden, error) {
	if len(data)%16 != 0 {
		return nil, errors.New("stored hidden places are cut")
	}
	var all []hidden
	for ; len(data) > 0; data = data[16:] {
		all = append(all, hidden{
			place: binary.BigEndian.Uint64(data),
			asked: time.Unix(int64(binary.BigEndian.Uint32(data[8:])), 0).UTC(),
			times: binary.BigEndian.Uint32(data[12:]),
		})
	}
	return all, nil
}
