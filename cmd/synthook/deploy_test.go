package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// What the files of deploy/ and docker-compose.yml set are settings there are: an unknown
// one would keep the service from starting.
func TestDeploymentsSetWhatThereIs(t *testing.T) {
	var known []string
	for _, s := range settings.Table() {
		known = append(known, s.Variable())
		if s.Secret {
			known = append(known, s.Variable()+"_FILE")
		}
	}
	files, err := filepath.Glob("../../deploy/*")
	if err != nil {
		t.Fatal(err)
	}
	set := 0
	for _, file := range append(files, "../../docker-compose.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bSYNTHOOK_[A-Z_]+`).FindAllString(string(text), -1) {
			if set++; !slices.Contains(known, name) {
				t.Errorf("%s sets %s, which is no setting", file, name)
			}
		}
	}
	if set < 10 {
		t.Errorf("only %d settings are set", set)
	}
}
