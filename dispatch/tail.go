package dispatch

import (
	"context"
	"slices"
	"time"
)

// The end of the log is read once for all webhooks of a dispatcher, when it has grown.
// Each worker gets what is new in its project; one that is further behind, or busy with
// the log, reads for itself.

// news is what the log got: the events of one project with after < id ≤ through.
type news struct {
	after, through int64
	events         []Event
}

// passOn hands what the log got to whom it is for.
func (s *share) passOn(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, s.config.DatabaseTimeout)
	defer cancel()
	events, through, err := s.config.Log.Read(reading, "", Filter{}, s.last, 0, readLimit)
	if err != nil || len(events) == readLimit {
		s.pokeAll() // more than one read, or it is theirs to find out what is wrong
		return
	}
	s.last = max(s.last, through)
	for len(events) > 0 {
		project := events[0].ProjectID
		var theirs []Event
		for _, e := range events {
			if e.ProjectID == project {
				theirs = append(theirs, e)
			}
		}
		events = slices.DeleteFunc(events, func(e Event) bool { return e.ProjectID == project })
		for _, w := range s.workers {
			if w.project == project {
				w.tell(news{w.told, s.last, theirs})
				w.told = s.last
			}
		}
	}
}

// pokeAll makes every worker read the log. They come past s.last, so news can begin there.
func (s *share) pokeAll() {
	for _, w := range s.workers {
		w.poke()
		w.told = s.last
	}
	s.poked, s.pokedAt = s.last, time.Now()
}

// tell gives news to the worker, or makes it read for itself. It never blocks.
func (w *worker) tell(n news) {
	select {
	case w.news <- n:
		signal(w.wake)
	default:
		w.poke()
	}
}

// hear takes the news, where they join what was read.
func (w *worker) hear() {
	select {
	case n := <-w.news:
		t := &w.log
		if t.behind || t.covered < n.after || len(t.open) > window-readLimit {
			t.behind = true
			return
		}
		choice, covered := w.choice(), t.covered
		t.covered = max(covered, n.through)
		for _, e := range n.events {
			if e.ID > covered && choice.Match(e) {
				w.take(e)
			}
		}
	default:
	}
}
