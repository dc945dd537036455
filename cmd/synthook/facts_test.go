package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/providers"
)

// What the documents say of settings, schedules, events and connectors is what holds.
func TestDocumentsStateTheFacts(t *testing.T) {
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	stated := map[string][]string{
		"configuration.md": {settings.Markdown()},
		"design.md":        {retrySchedule()},
	}
	for _, c := range catalog.Connectors() {
		stated["providers.md"] = append(stated["providers.md"], "`"+c.Name+"`")
	}
	for _, name := range catalog.EventNames() {
		recordType, _, _ := strings.Cut(name, ".")
		_, recordType, _ = strings.Cut(recordType, "_")
		stated["wire-format.md"] = append(stated["wire-format.md"], recordType)
	}
	stated["dependencies.md"] = directModules(t)
	for file, facts := range stated {
		text, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, fact := range facts {
			if !strings.Contains(string(text), fact) {
				t.Errorf("docs/%s does not say:\n%s", file, fact)
			}
		}
	}
}

// A command that connects an account names a connector of the catalogue and credentials
// that it takes.
func TestCredentialsInDocumentsExist(t *testing.T) {
	catalog, _, err := providers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?:synthook account add\b.*--provider|synthook provider try) ([a-z_]+)`)
	given := regexp.MustCompile(`--credential(?:-file|-env)? '?([a-z_]+)=`)
	shown := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
			provider := named.FindStringSubmatch(line)
			if provider == nil || provider[1] == "acme" { // a reader's own, in the making
				continue
			}
			shown++
			connector, err := catalog.Connector(provider[1])
			if err != nil {
				t.Errorf("%s: %v in %s", file, err, line)
				continue
			}
			for _, credential := range given.FindAllStringSubmatch(line, -1) {
				if !slices.ContainsFunc(connector.Credentials, func(c providers.Credential) bool { return c.Name == credential[1] }) {
					t.Errorf("%s: %s takes no credential %s", file, provider[1], credential[1])
				}
			}
		}
	}
	if shown < 15 {
		t.Errorf("the documents connect only %d accounts", shown)
	}
}

// A link from one document to another leads somewhere, to its heading too; so does a picture.
func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`)
	for _, file := range append(files, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			target := file
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(file), found[1])
			}
			there, err := os.ReadFile(target)
			if info, failed := os.Stat(target); failed == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s: %s is not there", file, found[0])
			} else if found[2] != "" && !slices.Contains(anchors(string(there)), found[2]) {
				t.Errorf("%s: %s has no such heading", file, found[0])
			}
		}
	}
}

// anchors are what the headings of a document are called in links.
func anchors(text string) (all []string) {
	drop := regexp.MustCompile(`[^\pL\pN _-]`)
	for line := range strings.Lines(text) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-"))
		}
	}
	return all
}

// directModules are the modules that go.mod asks for, as docs/dependencies.md writes them.
func directModules(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for line := range strings.Lines(string(text)) {
		path, version, ok := strings.Cut(strings.TrimSpace(line), " v")
		if ok && !strings.Contains(version, "// indirect") {
			modules = append(modules, "`"+strings.TrimPrefix(path, "github.com/")+"`")
		}
	}
	return modules
}

// retrySchedule is the schedule as docs/design.md has it.
func retrySchedule() string {
	var waits []string
	total := time.Duration(0)
	for _, wait := range dispatch.RetrySchedule {
		total += wait
		waits = append(waits, short(wait))
	}
	waits[0] = "at once"
	return strings.Join(waits, ", ") + " (" + short(total.Truncate(time.Hour)) + " " + short(total%time.Hour-total%time.Minute) + " in all)"
}

// short writes a duration with a space before its unit: 5 min.
func short(d time.Duration) string {
	text := d.String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	for unit, name := range map[string]string{"h": " h", "m": " min", "s": " s"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			return number + name
		}
	}
	return text
}
