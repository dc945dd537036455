package once

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/keys"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

type secret struct{ Secret string }

func each(t *testing.T, test func(t *testing.T, k *Keeper)) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		sealer, err := keys.NewSealer(rand.Text() + rand.Text())
		if err != nil {
			t.Fatal(err)
		}
		test(t, New(db.DB, sealer))
	})
}

// However many ask at once, the work is done once; everybody gets its answer or is told
// to wait; another request under the key is refused; another project's is its own.
func TestWorkIsDoneOnce(t *testing.T) {
	each(t, func(t *testing.T, k *Keeper) {
		var made atomic.Int32
		ask := func(project, key string, content any) (secret, bool, error) {
			return Do(t.Context(), k, Request{project, key, content}, func() (secret, error) {
				return secret{fmt.Sprintf("open sesame %d", made.Add(1))}, nil
			})
		}
		var all sync.WaitGroup
		var firsts atomic.Int32
		for range 20 {
			all.Go(func() {
				answer, again, err := ask("acme", "key", "content")
				switch {
				case errors.Is(err, ErrUnderWay):
				case err != nil || answer.Secret != "open sesame 1":
					t.Errorf("%+v %v", answer, err)
				case !again:
					firsts.Add(1)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || firsts.Load() != 1 {
			t.Fatalf("done %d times, %d were the first", made.Load(), firsts.Load())
		}
		if answer, again, err := ask("acme", "key", "content"); !again || err != nil || answer.Secret != "open sesame 1" {
			t.Errorf("later: %+v %v %v", answer, again, err)
		}
		if _, _, err := ask("acme", "key", "other content"); !errors.Is(err, ErrOther) {
			t.Errorf("another request: %v", err)
		}
		if answer, again, err := ask("globex", "key", "content"); again || err != nil || answer.Secret != "open sesame 2" {
			t.Errorf("another project: %+v %v %v", answer, again, err)
		}
	})
}

// A failure gives the key back, a panic too; a process that died keeps it for a while;
// after a day everything is forgotten.
func TestKeysComeFree(t *testing.T) {
	each(t, func(t *testing.T, k *Keeper) {
		ctx := t.Context()
		now := time.Now().UTC()
		k.now = func() time.Time { return now }
		request := Request{"acme", "key", "content"}
		refusal := errors.New("refused")
		if _, _, err := Do(ctx, k, request, func() (int, error) { return 0, refusal }); !errors.Is(err, refusal) {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			_, _, _ = Do(ctx, k, request, func() (int, error) { panic("a bug") })
		}()
		gone, cancel := context.WithCancel(ctx)
		if n, again, err := Do(gone, k, request, func() (int, error) { cancel(); return 1, nil }); n != 1 || again || err != nil {
			t.Fatalf("whoever asked went away meanwhile: %d %v %v", n, again, err)
		}
		if n, again, err := Do(ctx, k, request, func() (int, error) { return 2, nil }); n != 1 || !again || err != nil {
			t.Fatalf("and asks again: %d %v %v", n, again, err)
		}
		now = now.Add(Kept)
		if n, again, err := Do(ctx, k, Request{"acme", "key", "other"}, func() (int, error) { return 3, nil }); n != 3 || again || err != nil {
			t.Fatalf("a day later: %d %v %v", n, again, err)
		}

		e, err := k.entry(Request{"acme", "dead", 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.begin(ctx, e); err != nil {
			t.Fatal(err)
		}
		make4 := func() (int, error) { return 4, nil }
		if _, _, err := Do(ctx, k, Request{"acme", "dead", 1}, make4); !errors.Is(err, ErrUnderWay) {
			t.Fatalf("its process may live: %v", err)
		}
		now = now.Add(abandoned)
		if n, _, err := Do(ctx, k, Request{"acme", "dead", 1}, make4); n != 4 || err != nil {
			t.Fatalf("its process is dead: %d %v", n, err)
		}
		now = now.Add(Kept - time.Minute)
		if n, err := k.Purge(ctx); n != 1 || err != nil {
			t.Errorf("purged %d %v", n, err)
		}
		if n, again, err := Do(ctx, k, Request{"acme", "dead", 1}, make4); n != 4 || !again || err != nil {
			t.Errorf("the younger one: %d %v %v", n, again, err)
		}
	})
}

// Neither a key, nor what was asked, nor the answer stands in the table.
func TestNothingIsReadable(t *testing.T) {
	each(t, func(t *testing.T, k *Keeper) {
		_, _, err := Do(t.Context(), k, Request{"acme", "the-clients-key", map[string]string{"api_key": "hunter2hunter2"}}, func() (secret, error) { return secret{"open sesame"}, nil })
		if err != nil {
			t.Fatal(err)
		}
		var key, content, answer []byte
		if err := k.db.QueryRowContext(t.Context(), `SELECT key_hash, request_hash, answer FROM idempotency_keys`).Scan(&key, &content, &answer); err != nil {
			t.Fatal(err)
		}
		all := string(bytes.Join([][]byte{key, content, answer}, nil))
		for _, text := range []string{"clients", "hunter2", "sesame"} {
			if strings.Contains(all, text) {
				t.Errorf("the table holds %q", text)
			}
		}
	})
}
