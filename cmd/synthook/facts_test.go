package main

import (
	"os"
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
