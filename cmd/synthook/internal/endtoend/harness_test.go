// Package endtoend holds the tests that need everything at once: the service on a real
// database, a sample provider, and consumers of other makes.
package endtoend

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/providers/sample"
)

// sampleProvider serves the company in a dialect until the test ends.
func sampleProvider(t *testing.T, company *sample.Company, dialect sample.Dialect, pageSize int) (*sample.Server, string) {
	t.Helper()
	server := sample.NewServer(company, dialect, sample.Options{PageSize: pageSize, Limit: -1})
	base, stop, err := server.Start(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatalf("start sample provider: %v", err)
	}
	t.Cleanup(stop)
	return server, base
}

// send makes one call of the API.
func send[T any](t *testing.T, c *client.Client, method, path string, body any) T {
	t.Helper()
	answer, err := client.Send[T](t.Context(), c, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// addAccount connects a sample server, with a name that is hard on signatures.
func addAccount(t *testing.T, c *client.Client, server *sample.Server, provider, base string) api.Account {
	t.Helper()
	credentials := map[string]string{"api_key": server.Credentials().Key}
	if provider == "stackone" {
		credentials["account_id"] = server.Credentials().AccountID
	}
	return send[api.Account](t, c, http.MethodPost, "/v1/accounts", api.NewAccount{
		Provider: provider, BaseURL: base, Credentials: credentials, Schedule: "2s",
		OriginOwnerID: "owner-1", OriginOwnerName: nastyName, OriginUsername: `back\slash "quoted"`,
		SetupInformation: map[string]string{"domain": "companytest", "note": nastyName},
	})
}

// nastyName holds what JSON writers disagree about: HTML, line separators,
// characters beyond the BMP.
const nastyName = "Tom & <Jerry> \u2028\u2029 é 日本 😀"

// await looks until done says "", and fails the test when that takes too long.
func await(t *testing.T, what string, done func() string) {
	t.Helper()
	deadline := time.NewTimer(3 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		left := done()
		if left == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s did not come: %s", what, left)
		case <-tick.C:
		}
	}
}

// awaitBaselines waits until every stream has been listed.
func awaitBaselines(t *testing.T, c *client.Client) {
	t.Helper()
	await(t, "baselines", func() string {
		var missing []string
		for s, err := range client.List[api.Stream](t.Context(), c, "/v1/streams", nil) {
			if err != nil {
				return err.Error()
			}
			if s.LastCompleteAt == nil {
				missing = append(missing, s.RecordType+" "+s.LastError)
			}
		}
		return strings.Join(missing, ", ")
	})
}

// openBeside opens the database of a running service to look at it.
func openBeside(t *testing.T, location string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.Contains(location, "://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// query returns every value of every row as text; bytes as they are.
func query(t *testing.T, db *sql.DB, statement string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var all []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			all = append(all, fmt.Sprint(v))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
