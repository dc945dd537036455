package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/migrations"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// When the server shuts down, a listing that waits is answered at once.
func TestWaitEndsWithTheServer(t *testing.T) {
	migrationstest.EachMigrated(t, func(t *testing.T, db *migrations.DB) {
		a := &API{Config: Config{Events: hashstore.New(db.DB)}}
		a.closing, a.close = context.WithCancel(context.Background())
		ctx := WithCaller(t.Context(), Caller{Project: DefaultProject})
		answered := make(chan error, 1)
		began := time.Now()
		go func() { // joined by the answer
			page, err := a.listEvents(ctx, &eventQuery{Listing: Listing{Limit: 10}, Order: "asc", Wait: "60s"})
			if len(page.Items) != 0 || page.Items == nil {
				t.Errorf("answered %v", page.Items)
			}
			answered <- err
		}()
		for asked := false; !asked; {
			a.news.mu.Lock()
			asked = a.news.waiter != nil
			a.news.mu.Unlock()
		}
		a.close()
		if err := <-answered; err != nil || time.Since(began) > 30*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// What happens between asking for the channel and waiting on it is not lost.
func TestNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n news
		n.tell() // nobody waits
		first, second := n.wait(), n.wait()
		n.tell()
		<-first
		<-second
		select {
		case <-n.wait():
			t.Error("old news were told again")
		default:
		}
	})
}

// The server's limits don't end what is meant to take long, and end everything else.
func TestWhatMayTakeLong(t *testing.T) {
	for target, want := range map[string]bool{
		"GET /v1/events?wait=30s": true, "POST /v1/accounts/a/streams/employees/poll?wait=true": true,
		"POST /v1/accounts/a/streams/employees/doctor": true, "POST /v1/reconciliations/rc_1/ids": true, "POST /v1/reconciliations": false, "GET /v1/accounts/doctor": false, "GET /v1/events": false,
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := waits(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %t", target, got)
		}
	}
}
