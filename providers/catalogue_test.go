package providers_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/emulator"
)

// invented gives a connector's credentials values that show where they go.
func invented(c *providers.Connector) map[string]string {
	values := map[string]string{}
	for _, credential := range c.Credentials {
		switch kind, report := strings.CutSuffix(credential.Name, "_report"); {
		case report:
			values[credential.Name] = "/owner/" + kind
		case strings.Contains(credential.Name, "certificate"):
			values[credential.Name], _ = emulator.Certificate()
		case strings.Contains(credential.Name, "private_key"):
			_, values[credential.Name] = emulator.Certificate()
		case credential.Default == "":
			values[credential.Name] = "the-" + strings.ReplaceAll(credential.Name, "_", "-")
		}
	}
	return values
}

// Each connector of the catalogue, against answers of invented people in its provider's
// shapes: what it asks, with which headers, and what it lists.
func TestCatalogue(t *testing.T) {
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for _, c := range catalog.Connectors() {
		if c.Name == "generic" {
			continue // described by its accounts: TestGeneric
		}
		t.Run(c.Name, func(t *testing.T) {
			if c.Verified == "" || c.Title == "" {
				t.Error("a connector says what it is and against what it was proven")
			}
			var got strings.Builder
			for i, recordType := range c.RecordTypes() {
				var header http.Header
				p := &emulator.Provider{Dir: "testdata/fixtures/" + c.Name, Host: strings.TrimPrefix(testHost, "http://")}
				p.Alter = func(r *http.Request, _ int, _ *emulator.Answer) { header = r.Header.Clone() }
				// One request after the other: their order is told, too.
				o := providers.Options{HTTP: &http.Client{Transport: p}, Budget: providers.NewBudget(providers.Limits{Concurrency: 1})}
				client, err := c.Open(providers.Target{BaseURL: testHost, Credentials: invented(c)}, o)
				if err != nil {
					t.Fatal(err)
				}
				of, _ := c.Stream(recordType)
				if mine, ok := client.Stream(recordType); !ok || of.Version == "" || !cmp.Equal(of, mine) {
					t.Errorf("%s is told differently by connector and client", recordType)
				}
				found := list(t.Context(), client, recordType)
				if found.err != nil || len(found.ids) == 0 {
					t.Errorf("%s: %v, %v (asked %v)", recordType, found.ids, found.err, p.Asked())
				}
				if i == 0 {
					writeHeaders(&got, header)
				}
				fmt.Fprintf(&got, "\n%s: %s\n", recordType, strings.Join(found.ids, " "))
				for _, line := range p.Asked() {
					fmt.Fprintf(&got, "  %s\n", line)
				}
			}
			golden(t, "testdata/fixtures/"+c.Name+"/catalogue.golden", got.String())
		})
	}
}

func writeHeaders(w io.Writer, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !slices.Contains([]string{"Accept-Encoding", "User-Agent"}, name) {
			fmt.Fprintf(w, "%s: %s\n", name, header.Get(name))
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
