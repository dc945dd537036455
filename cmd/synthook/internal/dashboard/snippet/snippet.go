// Package snippet has the code that verifies a signature, in the languages of consumers.
//
// Each is a whole program: its tests run it, as far as its language is installed, with a
// genuine request and with forged ones.
package snippet

import (
	"embed"
	"slices"
	"sync"
)

//go:embed code
var files embed.FS

// Snippet is a program that exits 0 for a genuine request: the body on standard input,
// SECRET and SIGNATURE in the environment.
type Snippet struct {
	Language string
	ID       string // for the page
	File     string
	Code     string
	command  []string // that runs File
}

var all = sync.OnceValue(func() []Snippet {
	list := []Snippet{
		{Language: "Node", ID: "node", File: "verify.mjs", command: []string{"node"}},
		{Language: "Python", ID: "python", File: "verify.py", command: []string{"python3"}},
		{Language: "Go", ID: "go", File: "verify.go", command: []string{"go", "run"}},
		{Language: "Ruby", ID: "ruby", File: "verify.rb", command: []string{"ruby"}},
		{Language: "PHP", ID: "php", File: "verify.php", command: []string{"php"}},
		{Language: "Java", ID: "java", File: "Verify.java", command: []string{"java"}},
	}
	for i, s := range list {
		name := "code/" + s.File
		if s.Language == "Go" {
			name += ".txt" // it is no part of this program
		}
		code, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		list[i].Code = string(code)
	}
	return list
})

// All returns the snippets.
func All() []Snippet { return slices.Clone(all()) }
