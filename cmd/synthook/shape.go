package main

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/synthook/synthook/diff"
)

// shapes gathers what records look like: which paths they have and of which types.
// It keeps no value.
type shapes struct {
	records int
	paths   map[string]*shape
}

// shape is one path of the records seen.
type shape struct {
	Path    string   `json:"path"`
	Types   []string `json:"types"`
	Records int      `json:"records"` // that have it
	last    int      // the record that was counted last
}

func newShapes() *shapes { return &shapes{paths: map[string]*shape{}} }

// add reads one record.
func (s *shapes) add(record []byte) error {
	var value any
	if err := json.Unmarshal(record, &value); err != nil {
		return errors.New("a record is not JSON") // the decoder's own words quote it
	}
	s.records++
	s.value("", value)
	return nil
}

func (s *shapes) value(path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		s.note(path, "object")
		for key, below := range v {
			key = diff.PathKey(key) // it may be data itself
			if path != "" {
				key = path + "." + key
			}
			s.value(key, below)
		}
	case []any:
		s.note(path, "array")
		for _, element := range v {
			s.value(path+"[]", element)
		}
	case string:
		s.note(path, "string")
	case float64:
		s.note(path, "number")
	case bool:
		s.note(path, "boolean")
	case nil:
		s.note(path, "null")
	}
}

func (s *shapes) note(path, kind string) {
	if path == "" {
		return
	}
	p := s.paths[path]
	if p == nil {
		p = &shape{Path: path}
		s.paths[path] = p
	}
	if i, found := slices.BinarySearch(p.Types, kind); !found {
		p.Types = slices.Insert(p.Types, i, kind)
	}
	if p.last != s.records {
		p.last = s.records
		p.Records++
	}
}

// sorted lists the paths in order.
func (s *shapes) sorted() []shape {
	list := make([]shape, 0, len(s.paths))
	for _, path := range slices.Sorted(maps.Keys(s.paths)) {
		list = append(list, *s.paths[path])
	}
	return list
}
