package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/synthook/synthook"

// The rooms of the house, and which of the others each may import. cmd wires
// them and may import anything.
var arrows = map[string][]string{
	"diff":                      {},
	"providers":                 {},
	"providers/draft":           {"providers"},
	"providers/emulator":        {},
	"providers/sample":          {},
	"dispatch":                  {},
	"migrations":                {},
	"migrations/migrationstest": {"migrations"},
	"hashstore":                 {"diff"},
	"poller":                    {"diff", "hashstore", "providers"},
}

func TestImportArrows(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if strings.HasPrefix(name, "cmd/synthook") {
			continue
		}
		seen[name] = true
		allowed, ok := arrows[name]
		if !ok {
			t.Errorf("%s is not a room of the house: argue for it, then add it to arrows", name)
			continue
		}
		for _, path := range p.Imports {
			if target, ours := strings.CutPrefix(path, module+"/"); ours && !slices.Contains(allowed, target) {
				t.Errorf("%s imports %s; it may import only %v", name, target, allowed)
			}
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
