package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// endpoint is an operation of the document that may be a list.
type endpoint struct {
	path, noun      string // noun: what its last word calls the records, squeezed
	own             string // the path without what says that it is a search
	post            bool
	item, operation map[string]any
	holes           []string // names of {…} in its path
}

// searching are last words of paths that say what is done with the word before.
var searching = []string{"search", "list", "query"}

// endpoints are the lists whose path ends with one of some words, the likeliest word, the
// fewest holes and the shortest path first. What is deprecated is none.
func (d *draft) endpoints(of []string) []endpoint {
	var found []endpoint
	for path := range d.paths {
		for _, method := range []string{"get", "post"} {
			if e, ok := d.endpoint(path, method); ok && slices.Contains(of, e.noun) {
				found = append(found, e)
			}
		}
	}
	rank := func(e endpoint) string {
		return fmt.Sprintf("%d%02d%v%04d%s", len(e.holes), slices.Index(of, e.noun), e.post, len(e.path), e.path)
	}
	slices.SortFunc(found, func(a, b endpoint) int { return strings.Compare(rank(a), rank(b)) })
	return found
}

func (d *draft) endpoint(path, method string) (endpoint, bool) {
	item := d.object(d.paths[path])
	operation := d.at(item, method)
	if operation == nil || operation["deprecated"] == true || path != comment(path) {
		return endpoint{}, false
	}
	e := endpoint{path: path, own: strings.TrimRight(path, "/"), post: method == "post", item: item, operation: operation}
	before, last := cutLast(e.own)
	noun, verb, dotted := strings.Cut(last, ".")
	switch {
	case slices.Contains(searching, squeeze(last)):
		e.own = before
		_, noun = cutLast(before)
	case dotted && slices.Contains(searching, squeeze(verb)): // candidate.list
		noun = strings.TrimSuffix(noun, "s") + "s"
	case e.post: // makes one
		return endpoint{}, false
	default:
		noun = last
	}
	for _, h := range hole.FindAllStringSubmatch(path, -1) {
		e.holes = append(e.holes, h[1])
	}
	e.noun = squeeze(noun)
	return e, true
}

// cutLast cuts a path before its last word.
func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// above is the list of what a hole of a path is about: /companies for
// /companies/{id}/workers; false where the document has none.
func (d *draft) above(path, name string) (endpoint, bool) {
	prefix, _, _ := strings.Cut(path, "/{"+name+"}")
	for _, e := range []struct{ path, method string }{{prefix, "get"}, {prefix + "/search", "post"}, {prefix + "/list", "post"}, {prefix + "/", "get"}} {
		parent, ok := d.endpoint(e.path, e.method)
		if !ok {
			continue
		}
		schema, _ := d.answer(parent.operation)
		if _, ok := d.records(schema, parent.noun, name); ok {
			return parent, true
		}
	}
	return endpoint{}, false
}

// list writes a stream, or a helper list; "" where the operation is none.
func (d *draft) list(e endpoint, name string, stream bool) string {
	one := d.onePath(e)
	schema, answer := d.answer(e.operation)
	at, ok := d.records(schema, e.noun, one.hole)
	if !ok {
		return ""
	}
	path, parent, ok := d.fill(e, stream)
	if !ok {
		return ""
	}
	d.names[e.own] = name
	d.security = append(d.security, d.asksFor(e.operation)...)
	d.needsHeaders(e)
	inputs := d.inputs(e.item, e.operation)
	request, page := d.page(inputs, schema, answer)
	since := ""
	if stream {
		since = d.since(inputs, &request)
	}
	var s strings.Builder
	if parent != "" {
		fmt.Fprintf(&s, "    parent: {stream: %s} # asked once for each of them\n", parent)
	}
	s.WriteString(e.request(path, request))
	s.WriteString("      # The widest filter belongs here: what is not listed looks deleted." + filters(inputs) + "\n")
	s.WriteString(at.write() + "    page: " + page + "\n" + since + one.write(d.openAPI, at))
	return s.String()
}

// fill fills in what a path leaves open: a parent's id, where the document lists such
// parents, else what every account has one of. It is false for a list below one that is
// itself below another.
func (d *draft) fill(e endpoint, mayHaveParent bool) (path, parent string, ok bool) {
	path = e.path
	var own []string
	for i, h := range e.holes {
		above, listed := d.above(e.path, h)
		if !listed {
			own = append(own, h)
			path = strings.Replace(path, "{"+h+"}", "${cred."+wordOf(h)+"}", 1)
			continue
		}
		if i < len(e.holes)-1 || !mayHaveParent {
			return "", "", false
		}
		if parent = d.parent(above); parent == "" {
			return "", "", false
		}
		path = strings.Replace(path, "{"+h+"}", "${parent}", 1)
	}
	for _, h := range own {
		d.credential(fmt.Sprintf("{name: %s, title: %q, description: \"The document lists none: each account gives its own.\", secret: false}", wordOf(h), h))
	}
	return path, parent, true
}

// parent names the stream or helper list of a parent, and drafts one where there is none.
func (d *draft) parent(e endpoint) string {
	if name := d.names[e.own]; name != "" {
		return name
	}
	name := wordOf(e.noun)
	taken := slices.Collect(maps.Values(d.names))
	for _, l := range likely {
		taken = append(taken, l.recordType)
	}
	for slices.Contains(taken, name) {
		name += "_list"
	}
	s := d.list(e, name, false)
	if s == "" {
		return ""
	}
	d.lists = append(d.lists, "  "+name+":\n"+s)
	return name
}

// asksFor is what an operation, or else the document, asks of who asks.
func (d *draft) asksFor(operation map[string]any) []any {
	if own, ok := operation["security"]; ok {
		list, _ := own.([]any)
		return list
	}
	return listOf(d.root, "security")
}

// needsHeaders notes the headers that a list can't do without and whose value is told.
func (d *draft) needsHeaders(e endpoint) {
	for _, of := range []map[string]any{e.item, e.operation} {
		for _, p := range listOf(of, "parameters") {
			p := d.object(p)
			name, schema := words(p, "name"), d.at(p, "schema")
			if words(p, "in") != "header" || p["required"] != true || slices.Contains([]string{"accept", "contenttype", "authorization"}, squeeze(name)) {
				continue
			}
			value := schema["default"]
			if enum := listOf(schema, "enum"); value == nil && len(enum) == 1 {
				value = enum[0]
			}
			if before := quoted(name) + ": "; value != nil && !slices.ContainsFunc(d.headers, func(other string) bool { return strings.HasPrefix(other, before) }) {
				d.headers = append(d.headers, before+fmt.Sprintf("%q", fmt.Sprint(value)))
			}
		}
	}
}

// request writes what is asked.
func (e *endpoint) request(path string, r asked) string {
	s := "    request:\n      get: " + path + "\n"
	if e.post {
		s = "    request:\n      post: " + path + "\n"
	}
	if len(r.query) > 0 {
		s += "      query:\n" + indent(r.query, "        ")
	}
	switch {
	case len(r.body) > 0:
		s += "      body:\n" + indent(r.body, "        ")
	case e.post:
		s += "      body: {}\n"
	}
	return s
}

// filters names the inputs that may hide records.
func filters(inputs []input) string {
	var found []string
	for _, in := range inputs {
		for _, word := range []string{"status", "state", "include", "active", "filter"} {
			if strings.Contains(squeeze(in.name), word) || in.body && squeeze(in.name) == "query" {
				found = append(found, in.name)
				break
			}
		}
	}
	if found == nil {
		return ""
	}
	return " See: " + comment(strings.Join(found, ", "))
}
