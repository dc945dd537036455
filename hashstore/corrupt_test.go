package hashstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// Whatever is wrong with what is stored is an error, never a difference.
func TestDamageIsNoDifference(t *testing.T) {
	flip := func(b []byte) []byte { b[20] ^= 1; return b }
	cut := func(b []byte) []byte { return b[:16] }
	none := func([]byte) []byte { return []byte{} }
	damages := map[string]func(d *damaged){
		"digest":      func(d *damaged) { d.change("stream_states", "digests", flip) },
		"digests cut": func(d *damaged) { d.change("stream_states", "digests", cut) },
		"root":        func(d *damaged) { d.exec(`UPDATE stream_states SET root = root + 1 WHERE stream_id = $1`, d.stream) },
		"count": func(d *damaged) {
			d.exec(`UPDATE stream_states SET records = records + 1 WHERE stream_id = $1`, d.stream)
		},
		"entries":             func(d *damaged) { d.change("stream_parts", "entries", flip) },
		"entries cut":         func(d *damaged) { d.change("stream_parts", "entries", cut) },
		"no entries":          func(d *damaged) { d.change("stream_parts", "entries", none) },
		"fewer entries":       func(d *damaged) { d.change("stream_parts", "entries", reseal(func(b []byte) []byte { return b[16:] })) },
		"entries disordered":  func(d *damaged) { d.change("stream_parts", "entries", reseal(reverse)) },
		"entries of a part":   func(d *damaged) { d.swap("entries") },
		"part lost":           func(d *damaged) { d.exec(`DELETE FROM stream_parts WHERE stream_id = $1 AND part = 1`, d.stream) },
		"ids":                 func(d *damaged) { d.change("stream_parts", "ids", flip) },
		"ids cut":             func(d *damaged) { d.change("stream_parts", "ids", cut) },
		"no ids":              func(d *damaged) { d.change("stream_parts", "ids", none) },
		"ids of another part": func(d *damaged) { d.swap("ids") },
		"run":                 func(d *damaged) { d.change("stream_runs", "run", flip) },
		"run cut":             func(d *damaged) { d.change("stream_runs", "run", cut) },
		"run without ids": func(d *damaged) {
			d.change("stream_runs", "run", reseal(func(b []byte) []byte { return b[:len(b)-1] }))
		},
		"run of too many": func(d *damaged) { d.change("stream_runs", "run", reseal(func(b []byte) []byte { b[0]++; return b })) },
		"run lost":        func(d *damaged) { d.exec(`DELETE FROM stream_runs WHERE stream_id = $1`, d.stream) },
		"part elsewhere": func(d *damaged) {
			d.exec(`UPDATE stream_parts SET part = part + 1000 WHERE stream_id = $1 AND part = 2`, d.stream)
		},
	}
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		s := New(db.DB)
		s.partSize = 50
		for name, damage := range damages {
			t.Run(name, func(t *testing.T) {
				stream := newStream(t, db)
				c := numbered(400, 1)
				poll(t, s, stream, c)
				c["3"], c["5"], c["x"], c["y"] = 7, 9, 11, 13
				poll(t, s, stream, c)
				if d := must[*Difference](t)(s.Compare(t.Context(), must[State](t)(s.Load(t.Context(), stream)), list1(contents{"3": 7}))); len(ids(d.Missing())) != 401 {
					t.Fatal("what is not damaged yet is not found")
				}
				damage(&damaged{t, db.DB, stream})
				st, err := s.Load(t.Context(), stream)
				var d *Difference
				if err == nil {
					d, err = s.Compare(t.Context(), st, list1(contents{"3": 7})) // every part is read, and its ids
				}
				if !errors.Is(err, ErrCorrupt) || d != nil {
					t.Fatalf("got %v", err)
				}
			})
		}
	})
}

// damaged is a stream whose rows a test spoils.
type damaged struct {
	t      *testing.T
	db     *sql.DB
	stream int64
}

func (d *damaged) exec(statement string, args ...any) {
	d.t.Helper()
	result, err := d.db.ExecContext(context.Background(), statement, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		d.t.Fatalf("nothing was damaged: %v", err)
	}
}

func (d *damaged) read(table, column string, part int) (blob []byte) {
	d.t.Helper()
	where := ` WHERE stream_id = $1`
	args := []any{d.stream}
	if table == "stream_parts" {
		where, args = where+` AND part = $2`, append(args, part)
	}
	if err := d.db.QueryRow(`SELECT `+column+` FROM `+table+where, args...).Scan(&blob); err != nil {
		d.t.Fatal(err)
	}
	return blob
}

// change spoils the one row of a table, or part 1.
func (d *damaged) change(table, column string, spoil func([]byte) []byte) {
	d.t.Helper()
	statement := `UPDATE ` + table + ` SET ` + column + ` = $1 WHERE stream_id = $2`
	if table == "stream_parts" {
		statement += ` AND part = 1`
	}
	d.exec(statement, spoil(d.read(table, column, 1)), d.stream)
}

// swap gives part 1 the column of part 2.
func (d *damaged) swap(column string) {
	d.t.Helper()
	other := d.read("stream_parts", column, 2)
	d.change("stream_parts", column, func([]byte) []byte { return other })
}

// reseal spoils a blob and seals it again: the seal alone must not be all that is checked.
func reseal(spoil func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte { return seal(spoil(b[:len(b)-sealSize]), 0) }
}

func reverse(entries []byte) []byte {
	var reversed []byte
	for i := len(entries) - entrySize; i >= 0; i -= entrySize {
		reversed = append(reversed, entries[i:i+entrySize]...)
	}
	return bytes.Clone(reversed)
}
