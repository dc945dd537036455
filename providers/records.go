package providers

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// records is where an answer has its records, and what they look like.
type records struct {
	path  path
	shape string
	empty map[string]bool // what else means an empty page: emptyWords
	id    []path
}

// emptyWords are what may mean an empty page beside an empty list.
var emptyWords = []string{"null", "missing", "no_content", "not_found"}

func (c *compiler) records(f streamFile) records {
	r := records{empty: map[string]bool{}, path: c.path(f.records.path)}
	r.shape = cmp.Or(c.among(f.records.shape, shapes...), "list")
	for _, t := range f.records.empty {
		if r.empty[t.value] = true; !slices.Contains(emptyWords, t.value) {
			c.problem(t, "%q does not mean an empty page%s", t.value, nearest(t.value, emptyWords, "; known here: "+strings.Join(emptyWords, ", ")))
		}
	}
	if len(f.records.id) == 0 && !f.records.broken {
		c.problem(f.recordType, "records.id is missing: the path of a record's id, or a list of paths")
	}
	for _, part := range c.idParts(f.records) {
		p, err := parsePath(part.word)
		if err == nil && p.json == "" {
			err = fmt.Errorf("the path of a record's id is expected")
		}
		if err != nil {
			c.problem(part.at, "%s", err)
		}
		r.id = append(r.id, p)
	}
	return r
}

// idWord is a path that makes an id, or a part of one, and where the file says so.
type idWord struct {
	word string
	at   text
}

// idParts are the paths that make an id; an account's word can hold several.
func (c *compiler) idParts(f recordsFile) []idWord {
	var parts []idWord
	for _, t := range f.id {
		for part := range strings.SplitSeq(c.word(t), ",") {
			parts = append(parts, idWord{strings.TrimSpace(part), t})
		}
	}
	return parts
}

// spec is what of it decides which records there are and what their ids are.
func (r *records) spec() []any {
	var ids []string
	for _, p := range r.id {
		ids = append(ids, p.text)
	}
	return []any{r.path.text, r.shape, ids}
}

// list finds the records of a page: a JSON array, or whatever else the connector says
// stands for an empty one.
func (r *records) list(a answer) (gjson.Result, error) {
	var none gjson.Result
	if a.status == http.StatusNoContent {
		if !r.empty["no_content"] {
			return none, protocol("the provider answers 204, no content, where a list is expected")
		}
		return none, nil
	}
	found := r.path.get(a.document)
	where := cmp.Or(r.path.text, "the answer")
	switch {
	case found.IsArray():
		return found, nil
	case !found.Exists():
		if r.empty["missing"] {
			return none, nil
		}
		return none, protocol("the answer has no %s: records.path is not where the records are", where)
	case found.Type == gjson.Null:
		if r.empty["null"] {
			return none, nil
		}
		return none, protocol("%s is null, not a list", where)
	default:
		return none, protocol("%s is not a list", where)
	}
}
