package diff

// Entry is a record as a stream keeps it.
type Entry struct{ Place, Fingerprint uint64 }

// Op is a kind of change.
type Op uint8

const (
	Created Op = iota + 1
	Updated
	Deleted
)

// String returns the action as events name it: created, updated, deleted.
func (o Op) String() string {
	switch o {
	case Created:
		return "created"
	case Updated:
		return "updated"
	case Deleted:
		return "deleted"
	}
	return "none"
}

// Compare visits every change from old to new in ascending order of places. Both must be
// ascending by Place. visit gets the indexes of the entries, -1 for the one that is absent.
// Entries that share a place are paired in the order in which they stand.
func Compare(old, new []Entry, visit func(op Op, old, new int)) {
	i, j := 0, 0
	for i < len(old) && j < len(new) {
		switch {
		case old[i].Place < new[j].Place:
			visit(Deleted, i, -1)
			i++
		case old[i].Place > new[j].Place:
			visit(Created, -1, j)
			j++
		default:
			if old[i].Fingerprint != new[j].Fingerprint {
				visit(Updated, i, j)
			}
			i++
			j++
		}
	}
	for ; i < len(old); i++ {
		visit(Deleted, i, -1)
	}
	for ; j < len(new); j++ {
		visit(Created, -1, j)
	}
}
