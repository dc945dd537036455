package poller

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// VolatileField is a field that seems to change by itself: it changed in most records of
// a poll, or with most of the polls. What stands behind the verdict is shown, because
// only people know what a field means.
type VolatileField struct {
	Path    string // as ignored paths are written; *: fields without a name of their own
	Polls   int    // that found it changed …
	Of      int    // … of so many, up to the present one
	Records int    // in which they did, all together
	Most    []FieldEvidence
}

// FieldEvidence is a poll in which a field changed in most of the records.
type FieldEvidence struct {
	PollID      int64
	StartedAt   time.Time
	Records, Of int
}

const (
	evidentPolls   = 20 // on record: the latest that are looked at
	fewestPolls    = 5  // of which most is said
	fewestRecords  = 10 // the same
	shownEvidence  = 5
	volatileFields = 20 // are told, at most
)

// VolatileFields looks through the latest polls on record of a stream. Fields that are
// ignored by now are not told. Nothing is told of a stream that keeps no digests of fields.
func (s *Streams) VolatileFields(ctx context.Context, stream Stream) ([]VolatileField, error) {
	polls, err := s.Polls(ctx, stream.ID, 0, evidentPolls)
	if err != nil {
		return nil, err
	}
	found := findVolatile(polls, stream.Polls)
	return slices.DeleteFunc(found, func(f VolatileField) bool { return ignores(stream.IgnorePaths, f.Path) }), nil
}

// findVolatile judges polls on record, newest first, of a stream that was polled so often.
func findVolatile(polls []Poll, number int64) []VolatileField {
	polls = slices.DeleteFunc(slices.Clone(polls), func(p Poll) bool { return !p.Complete })
	if len(polls) == 0 {
		return nil
	}
	byPath := map[string]*VolatileField{}
	of := int(number - polls[len(polls)-1].Number + 1) // those that found nothing included
	for _, p := range polls {
		for path, records := range p.Fields {
			f := byPath[path]
			if f == nil {
				f = &VolatileField{Path: path, Of: of}
				byPath[path] = f
			}
			f.Polls++
			f.Records += records
			if p.Records >= fewestRecords && 2*records > p.Records && len(f.Most) < shownEvidence {
				f.Most = append(f.Most, FieldEvidence{p.ID, p.StartedAt, records, p.Records})
			}
		}
	}
	var found []VolatileField
	for _, f := range byPath {
		if len(f.Most) > 0 || of >= fewestPolls && 2*f.Polls > of {
			found = append(found, *f)
		}
	}
	slices.SortFunc(found, func(a, b VolatileField) int { return cmp.Or(b.Records-a.Records, strings.Compare(a.Path, b.Path)) })
	return found[:min(len(found), volatileFields)]
}
