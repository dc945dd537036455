package draft

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// located is where the document has records, as far as it tells.
type located struct {
	path    string // in the answer
	element any    // the schema of one
	id      string
	note    string // what to look at
}

var (
	// wrappers are names that say "the records" in any API.
	wrappers = []string{"data", "items", "results", "result", "records", "content", "values", "value", "elements", "list", "entries", "resources", "rows"}
	// asides are arrays beside the records.
	asides = []string{"errors", "error", "warnings", "messages", "links", "included", "facets", "aggregations", "filters", "sort", "fields"}
	endsID = regexp.MustCompile(`(_id|[a-z0-9]Id|[a-z0-9]ID|-id)$`)
)

// records finds the records in the schema of an answer. noun is what the path calls them,
// param what the path of one record calls its id.
func (o *openAPI) records(schema any, noun, param string) (located, bool) {
	type array struct {
		located
		score int
	}
	var found []array
	o.arrays(schema, "", 0, func(path, key string, element any, depth int) {
		if slices.Contains(asides, squeeze(key)) || len(o.properties(element)) == 0 {
			return
		}
		a := array{located{path: path, element: element}, -depth}
		switch s := squeeze(key); {
		case s == noun || depth == 0:
			a.score += 8
		case slices.Contains(wrappers, s):
			a.score += 4
		}
		if a.id, a.note = o.id(element, noun, param); a.note == "" {
			a.score += 2
		}
		found = append(found, a)
	})
	one := located{element: schema, note: "the document shows one record here and not the list: say where it is, with path"}
	plain := ""
	if one.id, plain = o.id(schema, noun, param); plain != "" {
		one.id = ""
	}
	if len(found) == 0 {
		return one, one.id != ""
	}
	best := slices.MaxFunc(found, func(a, b array) int { return cmp.Compare(a.score, b.score) })
	if best.score < 2 && one.id != "" { // an array in a record, and by no name the records
		return one, true
	}
	return best.located, true
}

// arrays visits the arrays of an answer, at most three keys down, and none within another.
func (o *openAPI) arrays(schema any, at string, depth int, visit func(path, key string, element any, depth int)) {
	s := o.object(schema)
	if o.isArray(s) {
		key := at[strings.LastIndexByte(at, '.')+1:]
		visit(at, key, s["items"], depth)
		return
	}
	if depth == 3 {
		return
	}
	properties := o.properties(s)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		o.arrays(properties[key], strings.TrimPrefix(at+"."+escapeKey(key), "."), depth+1, visit)
	}
}

// id finds what identifies a record: id, what the path of one calls it, workerId for
// workers, or what is required and ends so. note says what is not sure.
func (o *openAPI) id(element any, noun, param string) (id, note string) {
	properties := o.properties(element)
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(properties)), func(key string) bool { return !o.isScalar(properties[key]) })
	for _, name := range []string{"id", squeeze(param), singular(noun) + "id", "uuid", "guid"} {
		for _, key := range keys {
			if squeeze(key) == name {
				return escapeKey(key), ""
			}
		}
	}
	var ids []string
	for _, key := range keys {
		if endsID.MatchString(key) {
			ids = append(ids, key)
		}
	}
	for _, key := range o.required(element) {
		if slices.Contains(ids, key) {
			return escapeKey(key), ""
		}
	}
	if len(ids) > 0 {
		return escapeKey(ids[0]), "the document doesn't say which of its fields is the id: " + strings.Join(ids, ", ")
	}
	if id := o.property(element, []string{"id", "uuid", "guid", "key"}, nil); id != "" {
		return id, fmt.Sprintf("the document names no id but %s", id)
	}
	return "id", "the document names no id"
}

// singular is one of a path's last word.
func singular(noun string) string {
	if noun == "people" {
		return "person"
	}
	if rest, ok := strings.CutSuffix(noun, "ies"); ok {
		return rest + "y"
	}
	return strings.TrimSuffix(noun, "s")
}

// write says where the records are.
func (l located) write() string {
	at, note := "", ""
	if l.path != "" {
		at = "path: " + quoted(l.path) + ", "
	}
	if l.note != "" {
		note = " # " + comment(l.note)
	}
	return "    records: {" + at + "id: " + quoted(l.id) + "}" + note + "\n"
}

// single is the path of one record.
type single struct{ path, hole string }

// onePath is where one record of a list is asked for: below the list, or below a list of
// the same name that is one for all.
func (d *draft) onePath(e endpoint) single {
	_, last := cutLast(e.own)
	var found []string
	for path := range d.paths {
		before, id := cutLast(strings.TrimRight(path, "/"))
		_, noun := cutLast(before)
		operation := d.at(d.paths[path], "get")
		if m := hole.FindString(id); m == "" || m != id || strings.Contains(before, "{") || operation == nil || operation["deprecated"] == true {
			continue
		}
		if before == e.own || noun == last && len(e.holes) > 0 {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return single{}
	}
	path := slices.MinFunc(found, func(a, b string) int {
		return strings.Compare(fmt.Sprintf("%4d%s", len(a), a), fmt.Sprintf("%4d%s", len(b), b))
	})
	before, id := cutLast(strings.TrimRight(path, "/"))
	return single{before + "/${id}", id[1 : len(id)-1]}
}

// write asks for one record, unless the document asks for it by something else than the id.
func (one single) write(o *openAPI, l located) string {
	if one.path == "" {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(o.properties(l.element))) {
		if squeeze(key) == squeeze(one.hole) && escapeKey(key) != l.id {
			return fmt.Sprintf("    # record: {get: %q} # the document asks for it by %s, and the id is %s\n", one.path, comment(key), comment(l.id))
		}
	}
	return fmt.Sprintf("    record: {get: %q}\n", one.path)
}
