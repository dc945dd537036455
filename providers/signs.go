package providers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// The names by which APIs tell, beside the records of a page, that there are more, without
// case, dashes and the like. Only these are ever shown, so that no key that is data can be.
var (
	saysTotal  = []string{"total", "totalcount", "count", "totalrecords", "totalitems", "totalresults", "totalsize", "totalelements", "totalentries", "totalhits", "itemcount", "recordcount", "resultcount"}
	saysPages  = []string{"totalpages", "pages", "pagecount", "lastpage", "numpages"}
	saysNext   = []string{"next", "nextpage", "nextcursor", "nextlink", "nexturl", "nexthref", "nexttoken", "nextpagetoken", "nextpageurl", "nextoffset", "odatanextlink", "cursor", "endcursor", "continuation", "continuationtoken"}
	saysMore   = []string{"more", "hasmore", "hasnext", "hasnextpage", "morepages"}
	saysAround = []string{"meta", "metadata", "pagination", "paging", "page", "pageinfo", "links", "response", "result", "data"}
)

// signs are what an answer says of more records than came; "" for nothing. A list that
// ends by the provider's own word, or is counted, is not looked through.
func (w *walk) signs(a answer) string {
	switch w.stream.paging.end.signal {
	case endFlag, endTotal, endLastPage:
		return ""
	}
	var told []string
	if _, more := nextLink(a.header.Values("Link")); more && w.stream.paging.kind != "link" {
		told = append(told, "a Link header with rel=next")
	}
	if root := a.document.root(); root >= 0 {
		told = append(told, w.signsIn(&a.document, root, "", 0)...)
	}
	return strings.Join(told, ", ")
}

func (w *walk) signsIn(d *document, object int, path string, depth int) (told []string) {
	if d.data[object] != '{' {
		return nil
	}
	d.over(object, func(name []byte, place int) bool {
		key := unquoted(name)
		plain, value := plainName(key), d.value(place)
		if slices.Contains(saysAround, plain) && depth < 3 {
			if value.IsObject() {
				told = append(told, w.signsIn(d, place, path+key+".", depth+1)...)
			} else if value.IsArray() && relatesNext(value) {
				told = append(told, path+key+" with rel next")
			}
		}
		if sign := w.sign(plain, value); sign != "" {
			told = append(told, path+key+sign)
		}
		return true
	})
	return told
}

// sign tells what a value of such a name says of more records; "" for nothing.
func (w *walk) sign(name string, value gjson.Result) string {
	whole, err := strconv.Atoi(value.Raw)
	switch isWhole := err == nil && value.Type == gjson.Number; {
	case slices.Contains(saysTotal, name) && isWhole && whole > w.rows,
		slices.Contains(saysPages, name) && isWhole && whole > w.pages:
		return fmt.Sprintf(" is %d", whole)
	case slices.Contains(saysMore, name) && value.Type == gjson.True:
		return " is true"
	case slices.Contains(saysNext, name) && (value.Type == gjson.String && value.Str != "" || value.Type == gjson.Number || value.IsObject() && value.Get("@this.*").Exists()):
		return " has a value"
	}
	return ""
}

// plainName is a name without what APIs set its words apart with.
func plainName(key string) string { return joinedWords.Replace(strings.ToLower(key)) }

var joinedWords = strings.NewReplacer("_", "", "-", "", ".", "", "@", "")

// relatesNext finds {"rel": "next"} in a list of links.
func relatesNext(links gjson.Result) (found bool) {
	links.ForEach(func(_, link gjson.Result) bool {
		found = link.Get("rel").Str == "next"
		return !found
	})
	return found
}

// maxKeys is how many keys an object around records has; a map of data has any number.
const maxKeys = 30

// keys are those of the innermost object on the way to something that isn't there; nil
// where the object looks like a map, whose keys are data.
func (w *walk) keys(a answer, missing source) []string {
	place := a.document.root()
	if place < 0 || missing.header != "" || missing.last {
		return nil
	}
	for _, key := range missing.path.keys {
		next := a.document.find(place, []string{key})
		if next < 0 {
			break
		}
		place = next
	}
	records := &w.stream.records
	if container := a.document.find(a.document.root(), records.path[0].keys); a.document.data[place] != '{' || place == container && (len(records.path) > 1 || records.shape == "map") {
		return nil
	}
	return structural(&a.document, place)
}

// structural are the keys of an object, unless its values are all alike, as those of a map
// are: objects, lists, texts or numbers. A lone list, and a lone object around others, is
// what an answer has around its records.
func structural(d *document, object int) []string {
	var keys []string
	kinds := map[string]int{}
	d.over(object, func(name []byte, value int) bool {
		keys = append(keys, unquoted(name))
		kinds[kindOf(d, value)]++
		return true
	})
	lone := len(keys) == 1 && kinds["list"]+kinds["around"] == 1
	objects := kinds["record"] + kinds["around"]
	alike := len(kinds) == 1 || objects > 0 && objects+kinds["null"] == len(keys)
	if len(keys) > maxKeys || alike && !lone {
		return nil
	}
	return slices.Sorted(slices.Values(keys))
}

// kindOf tells a record from an object around lists or other objects.
func kindOf(d *document, value int) string {
	switch d.data[value] {
	case '[':
		return "list"
	case '"':
		return "text"
	case 'n':
		return "null"
	case 't', 'f':
		return "flag"
	case '{':
	default:
		return "number"
	}
	kind := "record"
	d.over(value, func(_ []byte, inner int) bool {
		if d.data[inner] == '[' || d.data[inner] == '{' {
			kind = "around"
		}
		return kind == "record"
	})
	if kind == "record" && d.data[d.skip(value+1)] == '}' {
		kind = "around" // an empty one is no record
	}
	return kind
}
