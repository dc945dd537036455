package hashstore

import (
	crand "crypto/rand"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// newStream makes a stream of an account of its own.
func newStream(t testing.TB, db *migrations.DB) int64 {
	t.Helper()
	now, name := time.Now().UTC(), crand.Text()
	for _, insert := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO projects (id, name, hash_key, created_at) VALUES ($1, $1, $2, $3)`, []any{name, []byte("k"), now}},
		{`INSERT INTO accounts (id, project_id, provider, credentials, created_at, updated_at) VALUES ($1, $1, 'x', $2, $3, $3)`, []any{name, []byte("c"), now}},
		{`INSERT INTO streams (account_id, record_type) VALUES ($1, 'employees')`, []any{name}},
	} {
		if _, err := db.Exec(insert.text, insert.args...); err != nil {
			t.Fatal(err)
		}
	}
	var id int64
	if err := db.QueryRow(`SELECT id FROM streams WHERE account_id = $1`, name).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// onPostgres is for what SQLite, with its one writer, has no counterpart of.
func onPostgres(t *testing.T, test func(t *testing.T, db *migrations.DB)) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		if migrations.IsPostgres(db.DB) {
			test(t, db)
		}
	})
}

// contents is what a stream holds: fingerprints by id.
type contents map[string]uint64

// listingOf lists contents in a random order, some records twice: the earlier one with
// another fingerprint.
func listingOf(c contents, place func(string) uint64, random *rand.Rand) *Listing {
	l := NewListing()
	ids := slices.Sorted(maps.Keys(c))
	random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, id := range ids {
		if random.IntN(20) == 0 {
			l.Add(id, place(id), random.Uint64())
		}
	}
	for _, id := range ids {
		l.Add(id, place(id), c[id])
	}
	return l
}

func ids(items iter.Seq[Item]) []string {
	var ids []string
	for i := range items {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	return ids
}

// someID is an id of one of the forms that providers have.
func someID(random *rand.Rand) string {
	switch random.IntN(5) {
	case 0:
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), random.IntN(1<<16), random.IntN(1<<12), random.IntN(1<<12), random.Int64N(1<<48))
	case 1:
		return fmt.Sprint(random.Uint64() >> random.IntN(64))
	case 2:
		return fmt.Sprintf("%024x", random.Uint64())
	case 3:
		return fmt.Sprintf("Zoë/%d|%d", random.IntN(100), random.Uint32())
	default:
		return fmt.Sprintf("%c%04d", 'A'+random.IntN(26), random.IntN(10000))
	}
}

// uuidListing lists n records with UUID ids; changed of them, others each time, have
// another fingerprint than in the round before.
func uuidListing(n, changed, round int) *Listing {
	l, random := NewListing(), rand.New(rand.NewPCG(1, 2))
	turns := n / max(changed, 1)
	for i := range n {
		id := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), i%(1<<16), random.IntN(1<<12), random.IntN(1<<12), random.Int64N(1<<48))
		fingerprint := random.Uint64() | 1
		if changed > 0 {
			fingerprint += 2 * uint64((round+turns-i%turns)/turns)
		}
		l.Add(id, diff.Place(id), fingerprint)
	}
	return l
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
