package poller

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// dump is every value of every table, by table.
func dump(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	names := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if migrations.IsPostgres(db) {
		names = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	}
	tables := map[string]string{}
	for _, row := range query(t, db, names) {
		name := strings.Trim(row, "[]")
		tables[name] = strings.Join(query(t, db, `SELECT * FROM `+name+` ORDER BY 1`), "\n")
	}
	if len(tables) < 15 {
		t.Fatalf("only %d tables were found", len(tables))
	}
	return tables
}

// query gives the rows as text, bytes as they are.
func query(t *testing.T, db *sql.DB, text string) (lines []string) {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for _, v := range values {
			if b, ok := (*v.(*any)).([]byte); ok {
				line = append(line, string(b))
				continue
			}
			line = append(line, fmt.Sprint(*v.(*any)))
		}
		lines = append(lines, fmt.Sprint(line))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// Whatever happens in polls, nothing of a record but its id is left anywhere.
func TestNothingPersonalIsKept(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		markers := []string{"Adaeze-Marker", "Boris-Marker", "Chiara-Marker", "token-one", "body-marker", "query-marker"}
		r.people.staff(40)
		r.people.rename("7", markers[0])
		a := r.account(func(n *NewAccount) { n.Credentials["key"] = "query-marker" })
		quiet := r.account(func(n *NewAccount) { n.Baseline = BaselineEmit })
		r.poll(a)
		r.poll(quiet)
		r.people.rename("7", markers[1])
		r.people.add(person{id: "41", name: markers[2]})
		r.poll(a)
		r.people.remove("40")
		r.poll(a)
		r.poll(a)
		halve(r)
		r.poll(a)
		r.people.setFault(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"items":[{"id":"1","name":"body-marker"`))
			return true
		})
		r.poll(a)
		for _, status := range []int{500, 429, 404, 401} {
			r.people.setFault(func(page int, w http.ResponseWriter, req *http.Request) bool {
				w.Header().Set("Retry-After", "7200")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(`{"error":"body-marker"}`))
				return true
			})
			r.poll(a)
		}
		places := dump(t, r.db)
		places["the log"] = r.log.String()
		if !strings.Contains(places["event_chunks"], "hris_employees.created") || !strings.Contains(places["the log"], "quarantined") {
			t.Fatal("the dump holds nothing")
		}
		for place, content := range places {
			for _, marker := range markers {
				for _, form := range []string{marker, hex.EncodeToString([]byte(marker)), base64.StdEncoding.EncodeToString([]byte(marker))[:len(marker)]} {
					if strings.Contains(content, form) {
						t.Errorf("%q stands in %s", form, place)
					}
				}
			}
		}
		if log := r.log.String(); strings.Contains(log, `"41"`) || strings.Contains(log, "/people") {
			t.Error("the log names a record or a path")
		}
	})
}

// An unchanged poll writes its stream's row and nothing else.
func TestUnchangedPollWritesOneRow(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(25)
		a := r.account(nil)
		other := r.account(nil)
		r.poll(a)
		r.poll(other)
		before := dump(t, r.db)
		if got := r.poll(a); got.Events != 0 || !got.Complete {
			t.Fatalf("%+v", got)
		}
		for table, rows := range dump(t, r.db) {
			if table != "streams" && rows != before[table] {
				t.Errorf("table %s has changed", table)
			}
			if table == "streams" && strings.Split(rows, "\n")[1] != strings.Split(before[table], "\n")[1] {
				t.Error("another stream's row has changed")
			}
		}
	})
}

// counter is a tracer of statements.
type counter struct {
	mu         sync.Mutex
	statements []string
}

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statements = append(c.statements, strings.Join(strings.Fields(data.SQL), " "))
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *counter) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.statements
	c.statements = nil
	return slices.DeleteFunc(taken, func(s string) bool { return s == "-- ping" })
}

func TestUnchangedPollTakesThreeStatements(t *testing.T) {
	onPostgres(t, func(t *testing.T, location string) {
		migrationstest.Open(t, location)
		config, err := pgxpool.ParseConfig(location)
		if err != nil {
			t.Fatal(err)
		}
		statements := &counter{}
		config.ConnConfig.Tracer = statements
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		db := stdlib.OpenDBFromPool(pool)
		defer db.Close()
		r := newRig(t, db)
		r.people.staff(25)
		a := r.account(nil)
		r.poll(a)
		if err := r.streams.RequestPoll(t.Context(), DefaultProject, a.ID, "employees"); err != nil {
			t.Fatal(err)
		}
		statements.taken()
		claims, err := r.poller.claimDue(t.Context(), 10)
		if err != nil || len(claims) != 1 {
			t.Fatal(claims, err)
		}
		if got, err := r.poller.poll(t.Context(), claims[0]); err != nil || !got.Complete {
			t.Fatal(got, err)
		}
		taken := statements.taken()
		writes := 0
		for _, s := range taken {
			if !strings.HasPrefix(s, "SELECT") {
				writes++
			}
		}
		if len(taken) > 3 || writes > 2 { // the claim and the end, both of the stream's row
			t.Errorf("%d statements, %d of them writes:\n%s", len(taken), writes, strings.Join(taken, "\n"))
		}
	})
}
