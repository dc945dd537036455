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

// waysOf are a connector's ways to authenticate: a nameless one where there is only one.
func waysOf(c *providers.Connector) []providers.Way {
	if c.Ways == nil {
		return []providers.Way{{}}
	}
	return c.Ways
}

// invented gives the credentials of one way values that show where they go.
func invented(c *providers.Connector, way providers.Way) map[string]string {
	values := map[string]string{}
	for _, credential := range c.Credentials {
		own := func(w providers.Way) bool { return slices.Contains(w.Credentials, credential.Name) }
		switch kind, report := strings.CutSuffix(credential.Name, "_report"); {
		case slices.ContainsFunc(c.Ways, own) && !own(way):
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
			for n, way := range waysOf(c) {
				if n > 0 {
					got.WriteString("\n")
				}
				if way.Name != "" {
					fmt.Fprintf(&got, "by %s\n", way.Name)
				}
				if n == 0 {
					reads(t, &got, c, way, c.RecordTypes())
				} else {
					reads(t, &got, c, way, c.RecordTypes()[:1]) // the others' requests differ no more than the first's
				}
			}
			golden(t, "testdata/fixtures/"+c.Name+"/catalogue.golden", got.String())
		})
	}
}

// reads tells what a connector asks and lists in one of its ways to authenticate.
func reads(t *testing.T, got io.Writer, c *providers.Connector, way providers.Way, types []string) {
	t.Helper()
	for i, recordType := range types {
		var header http.Header
		p := &emulator.Provider{Dir: "testdata/fixtures/" + c.Name, Host: strings.TrimPrefix(testHost, "http://")}
		p.Alter = func(r *http.Request, _ int, _ *emulator.Answer) { header = r.Header.Clone() }
		// One request after the other: their order is told, too.
		o := providers.Options{HTTP: &http.Client{Transport: p}, Budget: providers.NewBudget(providers.Limits{Concurrency: 1})}
		client, err := c.Open(providers.Target{BaseURL: testHost, Credentials: invented(c, way)}, o)
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
			writeHeaders(got, header)
		}
		fmt.Fprintf(got, "\n%s: %s\n", recordType, strings.Join(found.ids, " "))
		for _, line := range p.Asked() {
			fmt.Fprintf(got, "  %s\n", line)
		}
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
