package poller

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A deletion is derived from absence, and absence has many causes: a page that
// shifted, a permission that was taken away, a provider having a bad day. What is
// decided here, from one complete listing and what was doubted before it:
//
//   - more than max(10, a tenth) missing, or an empty listing where there were
//     records: the poll is held until a person has approved, or the records are back,
//     or so many listings as the stream asks for have missed the very same ones. Nothing
//     else counts then;
//   - most records updated in the same fields: held in the same way, see storm.go;
//   - what the provider itself says is gone, in the listing or when asked for the record,
//     is deleted, as long as it is fewer than half of what is known (a provider that takes
//     us for another customer knows none of our records);
//   - what is there when it is asked for is hidden: known, and missing for no matter how
//     long. It is asked for again, ever more rarely;
//   - one page holds everything, and could hold all that is known: missing is deleted,
//     as long as it is fewer than half of that;
//   - else missing is suspected first, and deleted when missing again in the next
//     complete listing.
//
// A listing of changes alone proves no absence. What it says is gone is believed when the
// record, asked for, is gone indeed, and else suspected: the next complete listing, which
// is made soon, has the second word. More than max(10, a tenth) at once are left to it.

// quarantineFloor is how many records may always go in one poll.
const quarantineFloor = 10

// trust is what a stream asks for before a big change is believed.
type trust struct {
	percent      int // of the records may go in one poll
	releaseAfter int // listings that lack the same records release them; 0: none do
}

// limit is how many of the known records may go in one poll.
func (t trust) limit(known int) int { return max(quarantineFloor, known*t.percent/100) }

// releases tells whether a listing that lacks what is quarantined is the last one needed.
func (t trust) releases(missing []uint64, d doubts) bool {
	return t.releaseAfter > 0 && len(missing) > 0 && d.polls+1 >= t.releaseAfter && slices.Equal(missing, d.quarantined)
}

// doubts is what a stream's poller does not believe yet. Sets are ascending places.
type doubts struct {
	suspected   []uint64 // missing in the last complete listing
	quarantined []uint64 // missing in the last one, and too many to believe
	hidden      []hidden // missing in the last one, and there when asked for; ascending
	stormed     []uint64 // updated in the last one, and too many to believe
	approved    bool     // the quarantined may be believed
	polls       int      // listings in a row that left the same quarantine, or any suspicion
	since       time.Time

	// For whoever decides on the quarantine:
	reason           string
	sample           []string // ids of some of the quarantined, or else of the stormed
	hiddenSample     []string // and of the hidden
	fields           []string // that changed in most of the stormed
	created, updated int      // held with it
}

func (d doubts) none() bool { return d.calm() && len(d.hidden) == 0 }

// calm tells whether nothing waits for a listing or a person.
func (d doubts) calm() bool { return len(d.suspected) == 0 && !d.holds() }

// holds tells whether a change waits for a decision.
func (d doubts) holds() bool { return len(d.quarantined)+len(d.stormed) > 0 }

// after is what is doubted once v was found.
func (d doubts) after(v verdict, now time.Time) doubts {
	next := doubts{
		suspected: v.suspected, quarantined: v.held, stormed: v.stormed, hidden: d.stillHidden(v, now),
		fields: v.stormFields, reason: v.reason, polls: 1, since: now,
	}
	switch {
	case next.holds() && d.holds():
		next.since = d.since
		if slices.Equal(v.held, d.quarantined) && slices.Equal(v.stormed, d.stormed) {
			next.polls = d.polls + 1
		}
	case !next.holds() && !d.holds() && len(v.suspected) > 0 && len(d.suspected) > 0:
		next.polls = d.polls + 1
	}
	return next
}

// sighting is what a listing showed.
type sighting struct {
	known   int      // records in the hash store
	listed  int      // records in the listing
	onePage bool     // nothing can shift between pages
	missing []uint64 // known, but not listed; ascending
	replies
	trust trust
}

// replies are the provider's own words about missing records, ascending.
type replies struct {
	gone  []uint64
	exist []uint64
	asked int // questions
}

// verdict is what to believe of it.
type verdict struct {
	deleted   []uint64 // believed: delete them
	suspected []uint64 // wait for the next complete listing
	hidden    []uint64 // there, but not listed
	exist     []uint64 // of the hidden: just asked for
	held      []uint64 // not empty: nothing of this poll counts
	stormed   []uint64 // the same, of updates
	reason    string   // why held
	relist    bool     // nothing of a listing of changes counts: it takes a complete one

	stormFields []string // that changed in most of the stormed
}

// holds tells whether nothing of the poll counts.
func (v verdict) holds() bool { return len(v.held)+len(v.stormed) > 0 }

func believe(s sighting, d doubts) verdict {
	hidden := s.hidden(d)
	missing := without(s.missing, hidden)
	unapproved := without(missing, s.approved(d))
	limit := s.trust.limit(s.known)
	switch {
	case len(unapproved) == 0:
	case s.listed == 0:
		return hold(s, d, fmt.Sprintf("the listing is empty, %d records were known", s.known))
	case len(unapproved) > limit:
		return hold(s, d, fmt.Sprintf("%d of %d records missing in one poll, at most %d are believed", len(unapproved), s.known, limit))
	}
	v := verdict{hidden: hidden, exist: s.exist}
	remaining := s.known - len(hidden) - len(missing) + len(unapproved)
	switch few := 2*len(unapproved) < remaining; {
	case few && s.onePage:
	case few:
		v.suspected = without(without(unapproved, d.suspected), s.gone)
	default:
		v.suspected = without(unapproved, d.suspected)
	}
	v.deleted = without(missing, v.suspected)
	return v
}

// believePart is believe for a listing of changes alone, of which so many are told.
func believePart(s sighting, d doubts, told int) verdict {
	if limit := s.trust.limit(s.known); told > limit || len(s.missing) > limit {
		return verdict{relist: true, hidden: placesOf(d.hidden)}
	}
	v := verdict{suspected: without(s.missing, s.exist), hidden: placesOf(d.hidden)}
	if 2*len(s.missing) < s.known {
		v.suspected = without(v.suspected, s.gone)
	}
	v.deleted = without(without(s.missing, v.suspected), s.exist)
	v.hidden = without(v.hidden, union(v.deleted, v.suspected))
	return v
}

// approved are the missing records that a person or a rule has decided about.
func (s sighting) approved(d doubts) []uint64 {
	if d.approved || s.trust.releases(without(s.missing, s.hidden(d)), d) {
		return d.quarantined
	}
	return nil
}

// hidden are the missing records that are there as far as anybody knows.
func (s sighting) hidden(d doubts) []uint64 {
	return without(union(intersection(s.missing, placesOf(d.hidden)), s.exist), s.gone)
}

// hold keeps everything as it was. What is listed again is no longer suspected, but
// a listing that is not believed confirms no suspicion.
func hold(s sighting, d doubts, reason string) verdict {
	hidden := s.hidden(d)
	missing := without(s.missing, hidden)
	return verdict{suspected: intersection(missing, d.suspected), hidden: hidden, held: missing, reason: reason}
}

// Places (64-bit hashes of record ids) travel as ascending sets, in the database as
// 8 big-endian bytes each.

func encodePlaces(places []uint64) []byte {
	data := make([]byte, 0, 8*len(places)) // never nil: the columns are NOT NULL
	for _, p := range places {
		data = binary.BigEndian.AppendUint64(data, p)
	}
	return data
}

func decodePlaces(data []byte) ([]uint64, error) {
	if len(data)%8 != 0 {
		return nil, errors.New("stored places are cut")
	}
	places := make([]uint64, 0, len(data)/8)
	for ; len(data) > 0; data = data[8:] {
		places = append(places, binary.BigEndian.Uint64(data))
	}
	return places, nil
}

func contains(set []uint64, place uint64) bool {
	_, found := slices.BinarySearch(set, place)
	return found
}

// union is the ascending set of what is in a or b.
func union(a, b []uint64) []uint64 {
	if len(a) == 0 || len(b) == 0 {
		return append(a[:len(a):len(a)], b...)
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func intersection(a, b []uint64) []uint64 { return filter(a, b, true) }

func without(a, b []uint64) []uint64 { return filter(a, b, false) }

// filter keeps what of a is, or is not, in b.
func filter(a, b []uint64, keep bool) []uint64 {
	var kept []uint64
	for _, place := range a {
		for len(b) > 0 && b[0] < place {
			b = b[1:]
		}
		if (len(b) > 0 && b[0] == place) == keep {
			kept = append(kept, place)
		}
	}
	return kept
}
