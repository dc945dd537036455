package hashstore

import (
	"iter"

	"github.com/synthook/synthook/diff"
)

// Item is one record of a difference.
type Item struct {
	ID      string
	Place   uint64
	Changed diff.FieldSet // of an updated one: the fields that differ; none: they are not known
}

// Difference is how a listing differs from what is known of its stream. It refers to
// the listing, which must stay as it is until the difference is committed.
type Difference struct {
	state     State
	unchanged bool
	listing   *Listing
	groups    *groups  // of the listing, by the parts of the state
	sums      []uint64 // of the listing, by the same parts

	created, updated []int           // where in groups.records, ascending by place
	missing          list            // ascending by place, by id within a place
	shared           map[uint64]bool // places that two records have, here or there
	touched          []touch         // what the runs hold of each part

	partial *comparison // not nil: the listing says nothing about absence

	changed    []diff.FieldSet            // of updated; nil: not known of any
	fieldNames map[diff.FieldSet][]string // that were asked for
}

// touch says what has happened to a part since it was folded last.
type touch uint8

const (
	touchEntries touch = 1 << iota // its entries are not those of the base
	touchMembers                   // nor are its ids
	touchShared                    // a run speaks of a shared place in it
)

// Unchanged says that the listing is exactly what is known. It is false for the first
// listing of a stream, even an empty one: that has yet to be committed.
func (d *Difference) Unchanged() bool { return d.unchanged }

// Counts are the numbers of Created, Updated and Missing.
func (d *Difference) Counts() (created, updated, missing int) {
	return len(d.created), len(d.updated), len(d.missing.records)
}

// Created are the records of the listing that are not known.
func (d *Difference) Created() iter.Seq[Item] { return d.items(d.created) }

// Updated are the records that are known with another fingerprint.
func (d *Difference) Updated() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		next := 0
		for item := range d.items(d.updated) {
			if d.changed != nil {
				item.Changed = d.changed[next]
			}
			if next++; !yield(item) {
				return
			}
		}
	}
}

// Missing are the known records that the listing lacks; of a partial compare, those that
// are said to be gone.
func (d *Difference) Missing() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, r := range d.missing.records {
			if !yield(d.missing.item(r)) {
				return
			}
		}
	}
}

func (d *Difference) items(positions []int) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, i := range positions {
			if !yield(d.listing.item(d.groups.records[i])) {
				return
			}
		}
	}
}
