package poller

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

// Which fields of a record changed is known by digests, where a stream keeps some. They
// are made beside the fingerprints and by the same recipe.

// fieldReader digests the fields of records.
type fieldReader struct {
	*diff.FieldDigester
	layout string
}

// readFields returns the reader of fields that a recipe asks for, which goes on with the
// names that are stored; nil where it asks for none.
func readFields(of recipe, seal *diff.Sealer, stored hashstore.Fields) (*fieldReader, error) {
	if !of.Fields {
		return nil, nil
	}
	r := &fieldReader{layout: of.layout()}
	var known []string
	if stored.Layout == r.layout {
		known = stored.Names
	}
	var err error
	if r.FieldDigester, err = diff.NewFieldDigester(of.rules(), of.Digests, seal, known); err != nil {
		return nil, fmt.Errorf("read the stream's fields: %w", err)
	}
	return r, nil
}

// readFields makes the plan digest fields: by its recipe, and by the one that what is
// known was made with where both are read. It tells whether the next commit keeps digests
// of another layout, or none, from then on.
func (pl *plan) readFields(known hashstore.State) (relaid bool, err error) {
	if pl.fields, err = readFields(pl.recipe, pl.seal, known.Fields); err != nil {
		return false, err
	}
	if pl.former != nil {
		former, err := decodeRecipe(known.Recipe)
		if err != nil {
			return false, err
		}
		if pl.formerFields, err = readFields(former, pl.former.seal, known.Fields); err != nil {
			return false, err
		}
	}
	layout := ""
	if pl.fields != nil {
		layout = pl.fields.layout
	}
	return known.Version != 0 && layout != known.Fields.Layout, nil
}

// name ends a listing whose records' fields r has read. A part of a listing teaches no
// names: what most of its records have may be one person's.
func (r *fieldReader) name(l *hashstore.Listing, part bool) error {
	if r == nil || l == nil {
		return nil
	}
	names, slots := r.KnownNames()
	if !part {
		names, slots = r.Names()
	}
	return l.Name(hashstore.Fields{Layout: r.layout, Names: names}, slots)
}

// nameFields ends listings, or parts of them.
func (pl *plan) nameFields(listing, former *hashstore.Listing, part bool) error {
	return errors.Join(pl.fields.name(listing, part), pl.formerFields.name(former, part))
}

// layout names all that digests depend on: those of one layout can be compared.
func (r recipe) layout() string {
	paths := slices.Compact(slices.Sorted(slices.Values(r.Digests)))
	text, _ := json.Marshal([]any{r.Rules, r.Mapping, r.Key, paths}) // strings can't be refused
	return fmt.Sprintf("f%d-%016x", diff.FieldVersion, xxhash.Sum64(text))
}

// withFields is the recipe of a stream that tells changed fields: also those at paths.
func (r recipe) withFields(paths ...[]string) recipe {
	r.Fields, r.Digests = true, slices.Concat(paths...)
	return r
}

// checkDigestPaths says what is wrong with paths that somebody gives.
func checkDigestPaths(info providers.StreamInfo, paths []string) error {
	seal, err := diff.NewSealer(make([]byte, 16), "")
	if err != nil {
		return err
	}
	if slices.Contains(paths, "") {
		return errors.New("a path is empty")
	}
	_, err = diff.NewFieldDigester(diff.Rules{}, slices.Concat(info.Digests, paths), seal, nil)
	return err
}

// changedFields tells in how many updated records each field changed.
type changedFields struct {
	byName  map[string]int
	unknown int // updated, and nobody knows where
}

func changedFieldsOf(d *hashstore.Difference) (c changedFields) {
	c.byName, c.unknown = d.FieldCounts()
	return c
}

// updateFields writes what a stream tells of changed fields. A poll under way would keep
// other digests: it is revoked.
func (s *Streams) updateFields(ctx context.Context, tx *sql.Tx, id int64, u StreamUpdate) error {
	var paths any
	if u.DigestPaths != nil {
		text, err := json.Marshal(append([]string{}, *u.DigestPaths...))
		if err != nil {
			return err
		}
		paths = string(text)
	}
	_, err := tx.ExecContext(ctx, `UPDATE streams SET changed_fields = coalesce($1, changed_fields), digest_paths = coalesce($2, digest_paths),
		fence = fence + 1, lease_owner = '', lease_until = NULL WHERE id = $3`, u.ChangedFields, paths, id)
	return err
}

// sifted is a difference without the updates that are none by a new recipe: those in
// fields that are ignored from now on. They were found by the old one.
type sifted struct {
	difference
	means   func(hashstore.Item) bool
	updated int
}

// sift drops from what was compared by the former recipe the updates that the present one
// ignores, where a storm is held: whoever has seen it and ignores its fields has decided.
func (pl *plan) sift(d *hashstore.Difference, before doubts) difference {
	if pl.former == nil || pl.formerFields == nil || len(before.stormed) == 0 {
		return d
	}
	s := sifted{difference: d, means: func(item hashstore.Item) bool {
		names := d.FieldNames(item.Changed)
		return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return !ignores(pl.recipe.Ignore, name) })
	}}
	for range s.Updated() {
		s.updated++
	}
	return s
}

func (s sifted) Counts() (created, updated, missing int) {
	created, _, missing = s.difference.Counts()
	return created, s.updated, missing
}

func (s sifted) Updated() iter.Seq[hashstore.Item] {
	return func(yield func(hashstore.Item) bool) {
		for item := range s.difference.Updated() {
			if s.means(item) && !yield(item) {
				return
			}
		}
	}
}

// ignores tells whether one of the paths takes all of the field with it.
func ignores(paths []string, field string) bool {
	return slices.ContainsFunc(paths, func(path string) bool { return path == field || strings.HasPrefix(field, path+".") })
}
