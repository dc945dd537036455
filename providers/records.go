package providers

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// records is where an answer has its records, and what they look like.
type records struct {
	text  string
	at    string // what an account or a file says it with
	path  []path // split where a * stood: each value found is looked through for the next
	shape string
	merge string // a key whose object becomes part of the record
	value string // a key: what is merged is wrapped
	empty map[string]bool
	id    []idSource
}

// idSource is where a part of a record's id is.
type idSource struct {
	text     string
	variable string // "key", "parent", or "" for a path
	up       int    // how many records around it lies
	path     path
}

// emptyWords are what may mean an empty page beside an empty list.
var emptyWords = []string{"null", "missing", "no_content", "not_found"}

func (c *compiler) records(f recordsFile, owner text, parent bool) records {
	r := records{
		text: c.word(f.path), empty: map[string]bool{},
		shape: cmp.Or(c.among(f.shape, shapes...), "list"), merge: c.word(f.merge), value: c.word(f.value),
	}
	r.at = c.setting(f.path, "records.path")
	r.path = c.nested(f.path)
	for _, t := range f.empty {
		if r.empty[t.value] = true; !slices.Contains(emptyWords, t.value) {
			c.problem(t, "%q does not mean an empty page%s", t.value, nearest(t.value, emptyWords, "; known here: "+strings.Join(emptyWords, ", ")))
		}
	}
	if len(f.id) == 0 && !f.broken {
		c.problem(owner, "records.id is missing: the path of a record's id, or a list of paths")
	}
	for _, part := range c.idParts(f.id) {
		source, err := parseID(part.word)
		switch {
		case err != nil:
			c.problem(part.at, "%s", err)
		case source.up >= len(r.path):
			c.problem(part.at, "^. goes out to the record around, and records.path has no * that far out")
		case source.variable == "key" && r.shape != "map" && len(r.path) < 2:
			c.problem(part.at, "${key} is the key of a record in shape: map, or of the value around it at a *")
		case source.variable == "parent" && !parent:
			c.problem(part.at, "${parent} is for lists with a parent")
		}
		r.id = append(r.id, source)
	}
	return r
}

// nested reads a path in which * stands for each element of a list or value of an object.
func (c *compiler) nested(t text) []path {
	keys, err := splitPath(c.word(t))
	if err != nil {
		c.problem(t, "%s", err)
	}
	parts := []path{}
	for from := 0; ; {
		to := slices.Index(keys[from:], "*")
		if to < 0 {
			return append(parts, pathOf(keys[from:]))
		}
		parts = append(parts, pathOf(keys[from:from+to]))
		from += to + 1
	}
}

// idWord is a path that makes an id, or a part of one, and where the file says so.
type idWord struct {
	word string
	at   text
}

// idParts are the paths that make an id; an account's word can hold several.
func (c *compiler) idParts(texts []text) []idWord {
	var parts []idWord
	for _, t := range texts {
		if t.value == "${key}" || t.value == "${parent}" {
			parts = append(parts, idWord{t.value, t})
			continue
		}
		for part := range strings.SplitSeq(c.word(t), ",") {
			parts = append(parts, idWord{strings.TrimSpace(part), t})
		}
	}
	return parts
}

func parseID(word string) (idSource, error) {
	s := idSource{text: word}
	if word == "${key}" || word == "${parent}" {
		s.variable = strings.Trim(word, "${}")
		return s, nil
	}
	for strings.HasPrefix(word, "^.") {
		word, s.up = word[2:], s.up+1
	}
	p, err := parsePath(word)
	if err == nil && p.json == "" {
		err = errors.New("the path of a record's id is expected")
	}
	s.path = p
	return s, err
}

// spec is what of it decides which records there are and what their ids are.
func (r *records) spec() []any {
	var ids []string
	for _, p := range r.id {
		ids = append(ids, p.text)
	}
	return []any{r.text, r.shape, r.merge, r.value, ids}
}

// spot is a record in its answer.
type spot struct {
	record gjson.Result
	key    string // in its map, or that of the value around it
	around []gjson.Result
}

// each visits the records of a page in their order.
func (r *records) each(a answer, visit func(spot) error) error {
	if a.status == http.StatusNoContent {
		if !r.empty["no_content"] {
			return protocol("the provider answers 204, no content, where a list is expected: where that means that there are no records, say %s", r.alsoEmpty("no_content"))
		}
		return nil
	}
	if err := r.plausible(a.document); err != nil {
		return err
	}
	w := within{&a.document, r, visit}
	return w.at(a.document.root(), spot{}, r.path)
}

// plausible refuses answers in which nothing is found, and which are no lists either: a
// text, where the list is below a key, and an object, where * stands for a list's elements.
func (r *records) plausible(d document) error {
	root := d.root()
	if root < 0 {
		return nil
	}
	kind, below := d.data[root], len(r.path[0].keys) > 0
	switch {
	case below && kind != '{' && kind != '[' && kind != 'n':
		return protocol("the answer is neither an object nor a list, and %s is below a key", r.at)
	case !below && len(r.path) > 1 && kind == '{' && r.shape != "map":
		return protocol("the answer is an object, where a list is expected")
	}
	return nil
}

// paged is what pages count: the records of a page, or, with * in the path, the elements
// around them, each of which can hold several records or none.
func (r *records) paged(a answer, n int) int {
	if len(r.path) == 1 || a.status == http.StatusNoContent {
		return n
	}
	n = 0
	w := within{document: &a.document}
	if container := w.document.find(w.document.root(), r.path[0].keys); container >= 0 {
		_ = w.over(container, func(string, int) error {
			n++
			return nil
		})
	}
	return n
}

// within visits the records of a document.
type within struct {
	document *document
	records  *records
	visit    func(spot) error
}

// at visits the records below the value at a place: at all *, then as the shape says.
func (w within) at(place int, s spot, path []path) error {
	container := w.document.find(place, path[0].keys)
	if container < 0 {
		return w.records.none(gjson.Result{})
	}
	kind := w.document.data[container]
	if len(path) == 1 {
		return w.shaped(container, s)
	}
	if kind != '[' && kind != '{' {
		return w.records.none(w.document.value(container))
	}
	return w.over(container, func(key string, element int) error {
		inner := spot{key: cmp.Or(key, s.key), around: append(s.around[:len(s.around):len(s.around)], w.document.value(element))}
		return w.at(element, inner, path[1:])
	})
}

// shaped visits the records of one container.
func (w within) shaped(container int, s spot) error {
	object, list := w.document.data[container] == '{', w.document.data[container] == '['
	if object && w.records.shape == "one_or_list" {
		s.record = w.document.value(container)
		return w.visit(s)
	}
	if !list && (!object || w.records.shape != "map") {
		return w.records.none(w.document.value(container))
	}
	return w.over(container, func(key string, record int) error {
		return w.visit(spot{w.document.value(record), cmp.Or(key, s.key), s.around})
	})
}

func (w within) over(container int, do func(key string, value int) error) error {
	var err error
	w.document.over(container, func(name []byte, value int) bool {
		key := ""
		if name != nil {
			key = unquoted(name)
		}
		err = do(key, value)
		return err == nil
	})
	return err
}

// none is for what is no list: an error, unless the connector says that it stands for an
// empty one.
func (r *records) none(container gjson.Result) error {
	where := cmp.Or(r.text, "the answer")
	switch {
	case !container.Exists() && r.empty["missing"], container.Exists() && container.Type == gjson.Null && r.empty["null"]:
		return nil
	case !container.Exists():
		return protocol("the answer has no %s: %s is not where the records are", where, r.at)
	case container.Type == gjson.Null:
		return protocol("%s is null, not a list: where that means that there are no records, say %s", where, r.alsoEmpty("null"))
	case r.text == "":
		return protocol("the answer is not a list: say with %s where it has the records", r.at)
	default:
		return protocol("%s is not a list: check %s", where, r.at)
	}
}

// alsoEmpty is how one more word for an empty list is written.
func (r *records) alsoEmpty(word string) string {
	words := []string{word}
	for other := range r.empty {
		words = append(words, other)
	}
	slices.Sort(words)
	if len(words) == 1 {
		return "records: {empty: " + word + "}"
	}
	return "records: {empty: [" + strings.Join(words, ", ") + "]}"
}

// recordID reads a record's id. Integers and strings are told apart no more than a URL
// does. Several parts are joined by ":" with % and : escaped in each, so that different
// parts never make the same id.
func (r *records) recordID(f spot, parent string) (string, error) {
	if len(r.id) == 1 {
		return r.id[0].read(f, parent)
	}
	var b strings.Builder
	for i, source := range r.id {
		if i > 0 {
			b.WriteByte(':')
		}
		part, err := source.read(f, parent)
		if err != nil {
			return "", err
		}
		b.WriteString(idEscaper.Replace(part))
	}
	return b.String(), nil
}

func (s *idSource) read(f spot, parent string) (string, error) {
	switch s.variable {
	case "key":
		return idText(f.key, s.text)
	case "parent":
		return idText(parent, s.text)
	}
	if s.up > 0 {
		return idPart(f.around[len(f.around)-s.up], s.path)
	}
	return idPart(f.record, s.path)
}

// merged writes a record whose wrappers are opened; false where it has none.
func (r *records) merged(record gjson.Result, dst []byte) ([]byte, bool) {
	if r.merge == "" && r.value == "" || !record.IsObject() {
		return dst, false
	}
	dst = append(dst, '{')
	own := map[string]bool{}
	add := func(key, value gjson.Result) {
		if r.value != "" && value.IsObject() {
			if inner := value.Get(gjson.Escape(r.value)); inner.Exists() {
				value = inner
			}
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, key.Raw...), ':'), value.Raw...)
	}
	var inside gjson.Result
	record.ForEach(func(key, value gjson.Result) bool {
		if r.merge != "" && key.Str == r.merge && value.IsObject() {
			inside = value
			return true
		}
		own[key.Str] = true
		add(key, value)
		return true
	})
	inside.ForEach(func(key, value gjson.Result) bool {
		if !own[key.Str] {
			add(key, value)
		}
		return true
	})
	return append(dst, '}'), true
}
