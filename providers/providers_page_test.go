package providers_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
)

// The types that StackOne's synthetic events know; a connector's others are named apart.
var sixTypes = []string{"employees", "employments", "interviews", "applications", "candidates", "job_postings"}

const (
	pageFile  = "../docs/providers.md"
	pageBegin = "<!-- generated from providers/catalog: go test ./providers -run TestProvidersPage -update -->\n"
	pageEnd   = "<!-- end of what is generated -->\n"
)

// The page says what the files say, and never more.
func TestProvidersPage(t *testing.T) {
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	page, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), pageBegin)
	_, after, ended := strings.Cut(rest, pageEnd)
	if !found || !ended {
		t.Fatalf("%s has lost the marks of what is generated", pageFile)
	}
	golden(t, pageFile, before+pageBegin+catalogueTable(catalog)+notes(catalog)+pageEnd+after)
}

func catalogueTable(catalog *providers.Catalog) string {
	var b strings.Builder
	b.WriteString("\n| provider | name | " + strings.Join(sixTypes, " | ") + " | more | proven against |\n")
	b.WriteString("| --- | --- |" + strings.Repeat(" --- |", len(sixTypes)) + " --- | --- |\n")
	for _, c := range byTitle(catalog) {
		fmt.Fprintf(&b, "| %s | `%s` |", c.Title, c.Name)
		for _, recordType := range sixTypes {
			fmt.Fprintf(&b, " %s |", cell(c, recordType))
		}
		var more []string
		for _, recordType := range c.RecordTypes() {
			if !slices.Contains(sixTypes, recordType) {
				more = append(more, recordType)
			}
		}
		fmt.Fprintf(&b, " %s | %s |\n", strings.Join(more, ", "), c.Verified)
	}
	return b.String()
}

// cell tells how a record type is served; "" for not at all.
func cell(c *providers.Connector, recordType string) string {
	s, ok := c.Stream(recordType)
	if !ok {
		return ""
	}
	words := []string{"yes"}
	if s.Confirms {
		words = append(words, "by id")
	}
	if s.Since {
		words = append(words, "since")
	}
	return strings.Join(words, ", ")
}

// notes are what is said of ways to authenticate and of single lists, where that differs from the connector's own.
func notes(catalog *providers.Catalog) string {
	var b strings.Builder
	b.WriteString("\n## Several ways to authenticate\n\nAn account gives the credentials of one of them. Where a way was proven against something else than the connector, it is said.\n\n")
	for _, c := range byTitle(catalog) {
		var ways []string
		for _, w := range c.Ways {
			way := w.Title + " (`" + strings.Join(w.Credentials, "`, `") + "`)"
			if w.Verified != c.Verified {
				way += ", proven against: " + w.Verified
			}
			ways = append(ways, way)
		}
		if ways != nil {
			fmt.Fprintf(&b, "- `%s`: %s\n", c.Name, strings.Join(ways, " · "))
		}
	}
	b.WriteString("\n## Single lists\n\n")
	for _, c := range byTitle(catalog) {
		for _, recordType := range c.RecordTypes() {
			if s, _ := c.Stream(recordType); s.Verified != c.Verified {
				fmt.Fprintf(&b, "- `%s` %s: %s\n", c.Name, recordType, s.Verified)
			}
		}
	}
	b.WriteString("\n")
	return b.String()
}

func byTitle(catalog *providers.Catalog) []*providers.Connector {
	return slices.SortedFunc(slices.Values(catalog.Connectors()), func(a, b *providers.Connector) int {
		return cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
	})
}

// What the catalogue promises: forty providers, and a dozen for each type.
func TestCatalogueServes(t *testing.T) {
	catalog, _, err := providers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	serving := map[string]int{}
	for _, c := range catalog.Connectors() {
		for _, recordType := range c.RecordTypes() {
			serving[recordType]++
		}
	}
	if n := len(catalog.Connectors()); n < 40 {
		t.Errorf("%d connectors", n)
	}
	for _, recordType := range sixTypes {
		if serving[recordType] < 12 {
			t.Errorf("%s: %d connectors", recordType, serving[recordType])
		}
	}
}
