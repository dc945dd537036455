package hashstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/synthook/synthook/migrations"
)

// recorder notes the first word of every statement.
type recorder struct {
	mu         sync.Mutex
	statements []string
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, strings.ToUpper(strings.Fields(data.SQL)[0]))
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns what was noted since it was called last.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	statements := slices.DeleteFunc(r.statements, func(s string) bool { return strings.HasPrefix(s, "--") }) // pings
	r.statements = nil
	return strings.Join(statements, " ")
}

func TestStatementsOfAPoll(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *migrations.DB) {
		config := db.Pool.Config().ConnConfig.Copy()
		traced := &recorder{}
		config.Tracer = traced
		tracedDB := stdlib.OpenDB(*config)
		defer tracedDB.Close()
		s, stream := New(tracedDB), newStream(t, db)
		c := numbered(20_000, 1)
		poll(t, s, stream, c)
		for _, w := range []struct {
			what                     string
			change                   func()
			load, compare, committed string
		}{
			{"nothing", func() {}, "SELECT", "", "BEGIN SELECT COMMIT"},
			{"updates", func() { c["1"], c["2"] = 1, 1 }, "SELECT", "SELECT", "BEGIN UPDATE INSERT COMMIT"},
			{"events", func() { c["n"] = 1 }, "SELECT", "SELECT", "BEGIN UPDATE INSERT SELECT INSERT COMMIT"},
			{"deletions", func() { delete(c, "3") }, "SELECT", "SELECT SELECT", "BEGIN UPDATE INSERT COMMIT"},
		} {
			w.change()
			traced.take()
			st := must[State](t)(s.Load(t.Context(), stream))
			load := traced.take()
			d := must[*Difference](t)(s.Compare(t.Context(), st, list1(c)))
			compared := traced.take()
			must[int](t)(s.Commit(t.Context(), st, d, Commit{Recipe: "r", Delete: always, Events: eventsOf(d)}))
			if committed := traced.take(); load != w.load || compared != w.compare || committed != w.committed {
				t.Errorf("%s: %q, %q, %q", w.what, load, compared, committed)
			}
		}
	})
}
