package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// List is one list of a dialect.
type List struct{ list }

// Kind is the paging's.
func (l List) Kind() string { return l.Page.Kind }

// MayMiss tells whether an answer without the list's place is an empty list.
func (l List) MayMiss() bool { return slices.Contains(l.Records.Empty, "missing") }

// Total tells whether answers give the number of records.
func (l List) Total() bool { return l.Page.Total != "" }

// Empty makes an answer that of a provider without records.
func (l List) Empty(a *Answer) { l.records(a, func([]any) []any { return []any{} }); l.last(a) }

// Empties are the ways in which the connector says that an answer without records may look:
// as an empty list, and as its words for empty declare.
func (l List) Empties() map[string]func(a *Answer) {
	ways := map[string]func(a *Answer){"an empty list": l.Empty}
	for _, word := range l.Records.Empty {
		switch word {
		case "null", "<nil>":
			ways["null"] = func(a *Answer) { l.last(a); set(a, l.Records.Path, nil) }
		case "missing":
			ways[word] = func(a *Answer) { *a = Answer{Status: a.Status, Header: a.Header, Body: []byte("{}")}; l.last(a) }
		case "no_content":
			ways[word] = func(a *Answer) { *a = Answer{Status: http.StatusNoContent, Header: http.Header{}} }
		}
	}
	return ways
}

// One makes an answer the only one, with one record; false when it has none.
func (l List) One(a *Answer) (has bool) {
	l.records(a, func(records []any) []any {
		has = len(records) > 0
		return records[:min(1, len(records))]
	})
	if !has {
		return false
	}
	if l.Records.Shape == "one_or_list" {
		keys := strings.FieldsFunc(l.Records.Path, func(r rune) bool { return r == '.' })
		edit(a, keys, func(value any) any {
			if records, ok := value.([]any); ok && len(records) == 1 {
				return records[0]
			}
			return value
		})
	}
	l.last(a)
	set(a, l.Page.Total, json.Number("1"))
	set(a, l.Page.TotalPages, json.Number("1"))
	return true
}

// Behind makes an answer what comes behind that of One: no records, and the same totals,
// but for a list that is asked several times, where each counts its own.
func (l List) Behind(a *Answer) {
	l.Empty(a)
	if len(l.Variants) == 0 {
		set(a, l.Page.Total, json.Number("1"))
		set(a, l.Page.TotalPages, json.Number("1"))
	}
}

// Drop takes the first record out of an answer; false when there is none.
func (l List) Drop(a *Answer) (dropped bool) {
	l.records(a, func(records []any) []any {
		if dropped = len(records) > 0; dropped {
			return records[1:]
		}
		return records
	})
	return dropped
}

// records changes the records of an answer, as far as the path goes without a *.
func (l List) records(a *Answer, change func([]any) []any) {
	keys := []string{}
	for key := range strings.SplitSeq(l.Records.Path, ".") {
		if key == "*" {
			break
		}
		if key != "" {
			keys = append(keys, key)
		}
	}
	edit(a, keys, func(value any) any {
		switch v := value.(type) {
		case []any:
			return change(v)
		case map[string]any:
			// Without a * or a shape, an object is no list: a record's detail, say.
			if (l.Records.Shape != "" || strings.Contains(l.Records.Path, "*")) && len(change([]any{v})) == 0 {
				return map[string]any{}
			}
		}
		return value
	})
}

// last makes an answer the last one, of a list without records.
func (l List) last(a *Answer) {
	a.Header.Del("Link")
	set(a, l.Page.Next, nil)
	set(a, l.Page.Total, json.Number("0"))
	set(a, l.Page.TotalPages, json.Number("0"))
	if flag, value, ok := strings.Cut(l.Page.End, " is "); ok {
		set(a, flag, value == "true")
	}
}

// set puts a value where a path of a connector points.
func set(a *Answer, where string, value any) {
	if name, ok := strings.CutPrefix(where, "header:"); ok {
		if a.Header.Del(name); value != nil {
			a.Header.Set(name, fmt.Sprint(value))
		}
		return
	}
	if where == "" || strings.HasPrefix(where, "last:") {
		return
	}
	edit(a, strings.Split(where, "."), func(any) any { return value })
}

// edit changes one value of a JSON answer.
func edit(a *Answer, keys []string, change func(any) any) {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(a.Body))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil {
		return
	}
	a.Body, _ = json.Marshal(changed(document, keys, change))
}

func changed(value any, keys []string, change func(any) any) any {
	if len(keys) == 0 {
		return change(value)
	}
	switch v := value.(type) {
	case map[string]any:
		v[keys[0]] = changed(v[keys[0]], keys[1:], change)
		return v
	case []any:
		if i, err := strconv.Atoi(keys[0]); err == nil && i < len(v) {
			v[i] = changed(v[i], keys[1:], change)
		}
		return v
	case nil:
		return map[string]any{keys[0]: changed(nil, keys[1:], change)}
	}
	return value
}
