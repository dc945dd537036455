package hashstore

import "github.com/synthook/synthook/diff"

// sharesPlaces says whether two of entries or two of listed, both ascending, stand in
// one place.
func sharesPlaces(entries []byte, listed []record) bool {
	for i := 1; i < len(entries)/entrySize; i++ {
		if entryAt(entries, i).Place == entryAt(entries, i-1).Place {
			return true
		}
	}
	for i := 1; i < len(listed); i++ {
		if listed[i].place == listed[i-1].place {
			return true
		}
	}
	return false
}

// know lays the runs over the entries of part p: of each place the newest word counts.
func (c *comparison) know(p int, entries []byte) error {
	known, origins, sum := c.known[:0], c.origins[:0], uint64(0)
	push := func(e diff.Entry, origin int) {
		known, origins = append(known, e), append(origins, origin)
		sum += e.Fingerprint
	}
	i, n, delta := 0, len(entries)/entrySize, c.runs.part(p)
	for len(delta) > 0 {
		place := delta[0].place
		for ; i < n && entryAt(entries, i).Place < place; i++ {
			push(entryAt(entries, i), i)
		}
		origin, inBase := 0, i < n && entryAt(entries, i).Place == place
		if inBase {
			origin = i
			i++
		}
		var last record
		for len(delta) > 0 && delta[0].place == place {
			if last, delta = delta[0], delta[1:]; last.id != 0 {
				origin = -int(last.id)
			}
		}
		if last.fingerprint == 0 {
			continue
		}
		if !inBase && origin == 0 {
			return corrupt("a run changes a record that part %d lacks", p)
		}
		push(diff.Entry{Place: place, Fingerprint: last.fingerprint}, origin)
	}
	for ; i < n; i++ {
		push(entryAt(entries, i), i)
	}
	if c.known, c.origins = known, origins; sum != c.state.digests[p] {
		return corrupt("part %d doesn't match its digest", p)
	}
	return nil
}
