package providers

import (
	"bytes"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"unsafe"

	"github.com/tidwall/gjson"
)

// document is sound JSON to find one's way in. Where its larger values end was noted when
// it was checked, so they are stepped over and not read again. It shares the answer's
// bytes: what outlives them is cloned.
type document struct {
	data  []byte
	spans []span // of objects and lists, in the order of their beginning
}

// span is where an object or a list begins, and where the rest of the text does.
type span struct{ from, to int }

// spanDepth is how deep spans are noted: a record's own, and what is around it.
const spanDepth = 5

// readDocument checks JSON.
func readDocument(data []byte, into *room) (document, soundness) {
	c := checker{data: data, spans: into.spans[:0]}
	s := c.whole()
	into.spans = c.spans
	return document{data, c.spans}, s
}

// parsed is sound JSON for gjson.
func parsed(data []byte) gjson.Result {
	return gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data)))
}

// root is where the outermost value begins; -1 in a document without one.
func (d *document) root() int {
	if at := d.skip(0); at < len(d.data) {
		return at
	}
	return -1
}

// get finds the value at a path; none where there is none.
func (d *document) get(p path) gjson.Result {
	if at := d.find(d.root(), p.keys); at >= 0 {
		return d.value(at)
	}
	return gjson.Result{}
}

// value is the one that begins at a place, which its Index is.
func (d *document) value(at int) gjson.Result {
	r := parsed(d.data[at:d.end(at)])
	r.Index = at
	return r
}

// find follows keys from the value that begins at a place; -1 where they lead nowhere.
func (d *document) find(at int, keys []string) int {
	for _, key := range keys {
		if at < 0 {
			return -1
		}
		next, n := -1, 0
		index, err := strconv.Atoi(key)
		d.over(at, func(name []byte, value int) bool {
			if name != nil && spells(name, key) || name == nil && err == nil && n == index {
				next = value
				return false
			}
			n++
			return true
		})
		at = next
	}
	return at
}

// spells tells whether a quoted name is a key.
func spells(quoted []byte, key string) bool {
	if !bytes.Contains(quoted, []byte{'\\'}) {
		return string(quoted[1:len(quoted)-1]) == key
	}
	return unquoted(quoted) == key
}

func unquoted(quoted []byte) string {
	if !bytes.Contains(quoted, []byte{'\\'}) {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // it was checked
	return name
}

// over visits the values of the object or list that begins at a place, with their quoted
// names or nil, until visit says false. Anything else has none.
func (d *document) over(at int, visit func(name []byte, value int) bool) {
	if d.data[at] != '{' && d.data[at] != '[' {
		return
	}
	object := d.data[at] == '{'
	for at = d.skip(at + 1); d.data[at] != '}' && d.data[at] != ']'; {
		var name []byte
		if object {
			end := d.end(at)
			name = d.data[at:end]
			at = d.skip(d.skip(end) + 1)
		}
		if !visit(name, at) {
			return
		}
		if at = d.skip(d.end(at)); d.data[at] == ',' {
			at = d.skip(at + 1)
		}
	}
}

func (d *document) skip(at int) int {
	for at < len(d.data) && (d.data[at] == ' ' || d.data[at] == '\n' || d.data[at] == '\t' || d.data[at] == '\r') {
		at++
	}
	return at
}

// end is the place behind the value that begins at a place.
func (d *document) end(at int) int {
	switch d.data[at] {
	case '{', '[':
		i := sort.Search(len(d.spans), func(i int) bool { return d.spans[i].from >= at })
		if i < len(d.spans) && d.spans[i].from == at {
			return d.spans[i].to
		}
		return d.far(at)
	case '"':
		for at = plain(d.data, at+1); d.data[at] != '"'; {
			at = plain(d.data, at+2) // behind what a backslash protects
		}
		return at + 1
	}
	for at < len(d.data) && !slices.Contains([]byte(",]} \n\t\r"), d.data[at]) {
		at++
	}
	return at
}

// far is the end of an object or list whose span wasn't noted.
func (d *document) far(at int) int {
	for depth := 0; ; {
		switch d.data[at] {
		case '"':
			at = d.end(at)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
		at++
	}
}
