package providers

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

//go:embed catalog/*.yaml
var embedded embed.FS

const registryFile = "record_types.yaml"

// actions are what can happen to a record, as the last word of an event's name.
var actions = []string{"created", "updated", "deleted"}

// Catalog holds the connectors that an installation knows.
type Catalog struct {
	connectors map[string]*Connector
	types      map[string]string // record type → prefix

	// Hint ends the error about a connector that isn't there: what else may be the reason.
	Hint string
}

// Load reads the embedded catalogue and, where dir is not "", every *.yaml and *.yml file
// in it. A file with problems is left out and never stops the others. A connector of dir
// takes the place of an embedded one with the same name. The error is for a folder that
// can't be read.
func Load(dir string) (*Catalog, []Problem, error) {
	types, err := registry()
	if err != nil {
		return nil, nil, err
	}
	c := &Catalog{connectors: map[string]*Connector{}, types: types}
	entries, err := embedded.ReadDir("catalog")
	if err != nil {
		return nil, nil, fmt.Errorf("read embedded catalogue: %w", err)
	}
	var problems []Problem
	for _, entry := range entries {
		if entry.Name() == registryFile {
			continue
		}
		data, err := embedded.ReadFile("catalog/" + entry.Name())
		if err != nil {
			return nil, nil, fmt.Errorf("read embedded catalogue: %w", err)
		}
		problems = append(problems, c.add(entry.Name(), data, map[string]bool{})...)
	}
	if dir == "" {
		return c, problems, nil
	}
	own, err := c.loadFolder(dir)
	return c, append(problems, own...), err
}

func (c *Catalog) loadFolder(dir string) ([]Problem, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read connector folder: %w", err)
	}
	var problems []Problem
	taken := map[string]bool{}
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		if extension := filepath.Ext(file); entry.IsDir() || extension != ".yaml" && extension != ".yml" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, Problem{file, 1, 1, "the file can't be read"})
			continue
		}
		problems = append(problems, c.add(file, data, taken)...)
	}
	return problems, nil
}

// add parses a connector and takes it in if it is sound. taken are the names that files
// of the same origin have.
func (c *Catalog) add(file string, data []byte, taken map[string]bool) []Problem {
	connector, problems := Parse(file, data)
	if len(problems) > 0 {
		return problems
	}
	at := connector.file.name
	if taken[connector.Name] {
		return []Problem{{file, at.line, at.column, fmt.Sprintf("another file describes the connector %q already", connector.Name)}}
	}
	for _, t := range connector.file.recordTypes {
		if prefix, ok := c.types[t.key.value]; ok && prefix != t.value.value {
			return []Problem{{file, t.value.line, t.value.column, fmt.Sprintf("another file gives record type %q the prefix %q", t.key.value, prefix)}}
		}
	}
	for _, t := range connector.file.recordTypes {
		c.types[t.key.value] = t.value.value
	}
	taken[connector.Name] = true
	c.connectors[connector.Name] = connector
	return nil
}

// Connector finds a connector by name; the error suggests the nearest.
func (c *Catalog) Connector(name string) (*Connector, error) {
	if connector, ok := c.connectors[name]; ok {
		return connector, nil
	}
	hint := ""
	if c.Hint != "" {
		hint = " (" + c.Hint + ")"
	}
	return nil, fmt.Errorf("unknown provider %q%s%s", name, suggest(name, slices.Collect(maps.Keys(c.connectors))), hint)
}

// Connectors lists them by name.
func (c *Catalog) Connectors() []*Connector {
	return slices.SortedFunc(maps.Values(c.connectors), func(a, b *Connector) int { return cmp.Compare(a.Name, b.Name) })
}

// CheckRecordType refuses a record type that no connector can serve; the error suggests
// the nearest.
func (c *Catalog) CheckRecordType(name string) error {
	if _, known := c.types[name]; known {
		return nil
	}
	return fmt.Errorf("unknown record type %q%s", name, unknownAmong(name, c.types, ""))
}

// EventNames lists every event that there can be: those of accounts, then those of the
// record types by name.
func (c *Catalog) EventNames() []string {
	prefixes := []string{"account"}
	for _, name := range slices.Sorted(maps.Keys(c.types)) {
		prefixes = append(prefixes, c.types[name]+"_"+name)
	}
	var names []string
	for _, prefix := range prefixes {
		for _, action := range actions {
			names = append(names, prefix+"."+action)
		}
	}
	return names
}
