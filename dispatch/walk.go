package dispatch

import (
	"context"
	"strings"
)

// walked is what a worker has in hand of a walk: one range at a time.
type walked struct {
	walker
	found []owed // of the range, not taken in hand yet
	// What the log has said of records of the range since it was read: whether they were
	// deleted. The range is not younger than that, and says nothing more of them where it
	// says the opposite.
	told       map[string]bool
	first, end int64 // spots of the range
}

// readWalk goes on through a stream's records.
func (w *worker) readWalk(ctx context.Context) {
	r := w.replay
	for len(r.found) > 0 && r.room() > 0 {
		w.takeFound(r)
	}
	if len(r.found) > 0 || r.reading || r.covered >= r.through {
		return
	}
	end, from, to := r.next(r.covered)
	r.first, r.end, r.told, r.reading = r.covered+1, end, map[string]bool{}, true
	w.beside(ctx, func(ctx context.Context) func() {
		found, err := r.read(ctx, from, to)
		return func() {
			r.reading = false
			if err != nil {
				w.pause(err)
				return
			}
			w.resume()
			for len(found) > 0 && found[0].spot < r.first {
				found = found[1:] // sent before a restart
			}
			if r.found = found; len(found) == 0 {
				r.covered = end
			}
		}
	})
}

// takeFound takes the next event of a walk in hand.
func (w *worker) takeFound(r *replay) {
	o := r.found[0]
	r.found = r.found[1:]
	if r.covered = o.spot; len(r.found) == 0 {
		r.covered = r.end
	}
	gone, told := r.told[o.event.RecordID]
	if told && gone != strings.HasSuffix(o.event.Name, deleted) {
		r.passed++
		return
	}
	d := &delivery{event: o.event, spot: o.spot, key: w.orderOf(o.event), source: fromReplay, replay: r}
	r.open = append(r.open, d)
	w.admit(d)
}

// tell notes what the log says of a record while a range with it is in hand.
func (r *replay) tell(e Event) {
	if r == nil || r.walked == nil || r.told == nil || e.AccountID != r.Stream.AccountID || e.RecordType != r.Stream.RecordType {
		return
	}
	if spot := spotOf(r.records.Place(e.RecordID)); r.first <= spot && spot <= r.end {
		r.told[e.RecordID] = strings.HasSuffix(e.Name, deleted)
	}
}
