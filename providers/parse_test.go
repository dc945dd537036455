package providers_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

var update = flag.Bool("update", false, "write golden files")

// What is wrong in a file is told all at once, with its place and the nearest right word.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := providers.Parse(filepath.Base(file), data)
			if c != nil || len(problems) == 0 {
				t.Fatal("the file was taken")
			}
			var b strings.Builder
			for _, p := range problems {
				b.WriteString(p.String() + "\n")
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the documentation shows, works.
func TestDocumentedConnectors(t *testing.T) {
	page, err := os.ReadFile("../docs/connectors.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		switch key, _, _ := strings.Cut(strings.TrimLeft(block, "# "), ":"); {
		case key == "name":
		case key == "errors" || strings.Contains(block, "\nauth:"):
			credentials := ""
			for _, name := range []string{"api_key", "client_id", "client_secret"} {
				if strings.Contains(block, "cred."+name) {
					credentials += "  - name: " + name + "\n"
				}
			}
			if credentials != "" {
				credentials = "credentials:\n" + credentials
			}
			block = credentials + block + employees(whole)
		default:
			for _, missing := range []string{"request: {get: /people}\n", "records: {id: id}\n", "page: none\n"} {
				if key, _, _ := strings.Cut(missing, ":"); !strings.Contains("\n"+block, "\n"+key+":") {
					block += missing
				}
			}
			block = employees(block)
		}
		connector(t, block)
		n++
	}
	if n < 4 {
		t.Errorf("%d examples", n)
	}
}

const minimal = "name: mine\ncategory: hris\nverified: invented\nbase_url: https://mine.test\nauth: none\nstreams:\n  employees:\n    request: {get: /people}\n    records: {id: id}\n    page: none\n"

func write(t *testing.T, dir, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A broken file never stops the others.
func TestLoadFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", minimal)
	write(t, dir, "b.yaml", "name: [")
	write(t, dir, "c.yml", strings.NewReplacer("mine", "other", "streams:\n  employees", "record_types: {jobs: ats}\nstreams:\n  jobs").Replace(minimal))
	write(t, dir, "d.yaml", minimal)
	write(t, dir, "e.yaml", strings.NewReplacer("mine", "third", "streams:\n  employees", "record_types: {jobs: crm}\nstreams:\n  jobs").Replace(minimal))
	write(t, dir, "f.yaml", strings.ReplaceAll(minimal, "mine", "bamboohr"))
	write(t, dir, "notes.txt", "not a connector")
	catalog, problems, err := providers.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, strings.TrimPrefix(p.String(), dir+"/"))
	}
	want := []string{
		`b.yaml:1:7: sequence end token ']' not found`,
		`d.yaml:1:7: another file describes the connector "mine" already`,
		`e.yaml:6:22: another file gives record type "jobs" the prefix "ats"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	names := func(c *providers.Catalog) (names []string) {
		for _, c := range c.Connectors() {
			names = append(names, c.Name)
		}
		return names
	}
	builtIn, _, err := providers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(slices.Values(append(names(builtIn), "mine", "other"))); !slices.Equal(names(catalog), want) {
		t.Errorf("connectors %v, want %v", names(catalog), want)
	}
	if c, err := catalog.Connector("bamboohr"); err != nil || c.BaseURL != "https://bamboohr.test" {
		t.Errorf("the user's own connector doesn't replace the embedded one: %v", err)
	}
	if !slices.Contains(catalog.EventNames(), "ats_jobs.deleted") {
		t.Error("a file's record type has no events")
	}
	if _, _, err := providers.Load(filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder that isn't there is no error")
	}
}

func TestEventNames(t *testing.T) {
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	want := strings.Fields(`account.created account.updated account.deleted
		ats_applications.created ats_applications.updated ats_applications.deleted
		ats_candidates.created ats_candidates.updated ats_candidates.deleted
		hris_employees.created hris_employees.updated hris_employees.deleted
		hris_employments.created hris_employments.updated hris_employments.deleted
		ats_interviews.created ats_interviews.updated ats_interviews.deleted
		ats_job_postings.created ats_job_postings.updated ats_job_postings.deleted
		ats_jobs.created ats_jobs.updated ats_jobs.deleted
		hris_time_off.created hris_time_off.updated hris_time_off.deleted`)
	if diff := cmp.Diff(want, catalog.EventNames()); diff != "" {
		t.Error(diff)
	}
	if _, err := catalog.Connector("bambohr"); err == nil || !strings.Contains(err.Error(), `did you mean "bamboohr"?`) {
		t.Error(err)
	}
	if _, err := catalog.Connector("zzzzzzzz"); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
}

// The mapping's version changes with what is read, and with nothing else: a change would
// cost every stream a new baseline.
func TestVersionFollowsTheMapping(t *testing.T) {
	version := func(from, to string) string {
		text := strings.Replace(minimal, from, to, 1)
		if text == minimal && from != to {
			t.Fatalf("%q is not in the file", from)
		}
		s, _ := connector(t, text).Stream("employees")
		return s.Version
	}
	first := version("", "")
	for from, to := range map[string]string{
		"get: /people": "get: /staff", "get: /people}": "get: /people, query: {state: all}}",
		"{id: id}": "{id: uid}", "id: id}": "id: id, path: data}", "get:": "post:",
	} {
		if version(from, to) == first {
			t.Errorf("%q for %q changes nothing", to, from)
		}
	}
	for from, to := range map[string]string{
		"invented":        "recorded",
		"page: none":      "page: {kind: none, total: total}",
		"get: /people}":   `get: /people, headers: {X-Version: "2"}}`,
		"    page: none":  "    page: none\n    ignore: photo",
		"https://mine":    "https://api.mine",
		"verified: inven": "limits: {requests: 1, per: 1s}\nverified: inven",
	} {
		if version(from, to) != first {
			t.Errorf("%q for %q changes the version", to, from)
		}
	}
	if version("get: /people}", "get: /people, query: {a: b, c: d}}") != version("get: /people}", "get: /people, query: {c: d, a: b}}") {
		t.Error("the order of parameters changes the version")
	}
	paged := "request:\n  get: /people\n  query:\n    limit: ${page.size}\nrecords: {id: id}\npage: {kind: link, size: 50}\n"
	a, _ := connector(t, employees(paged)).Stream("employees")
	b, _ := connector(t, employees(strings.NewReplacer("limit:", "per_page:", "50", "60").Replace(paged))).Stream("employees")
	if a.Version != b.Version || a.Version != first {
		t.Error("paging changes the version")
	}
}
