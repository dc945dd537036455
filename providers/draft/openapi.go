package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// openAPI is a provider's own description of its API, as far as a draft needs it.
type openAPI struct{ root map[string]any }

// schemaDepth bounds how deep schemas are read: they can be made of themselves.
const schemaDepth = 6

// readOpenAPI reads an OpenAPI 3 document, JSON or YAML.
func readOpenAPI(document []byte) (*openAPI, error) {
	var root map[string]any
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, fmt.Errorf("read OpenAPI document: it is neither JSON nor YAML")
	}
	version := fmt.Sprint(root["openapi"])
	if !strings.HasPrefix(version, "3") {
		return nil, fmt.Errorf("read OpenAPI document: version 3 is expected, and its key openapi says %q", version)
	}
	return &openAPI{root}, nil
}

// object follows references to an object; nil when there is none.
func (o *openAPI) object(value any) map[string]any {
	for range 32 { // references can go round
		m, _ := value.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		value = any(o.root)
		for key := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			in, _ := value.(map[string]any)
			value = in[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]
		}
	}
	return nil
}

// at follows keys from an object, and references on the way.
func (o *openAPI) at(value any, keys ...string) map[string]any {
	for _, key := range keys {
		value = o.object(value)[key]
	}
	return o.object(value)
}

func words(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func listOf(m map[string]any, key string) []any {
	list, _ := m[key].([]any)
	return list
}

// typeOf is a schema's type; where it may be null as well (OpenAPI 3.1), the other one.
func typeOf(s map[string]any) string {
	for _, t := range listOf(s, "type") {
		if t != "null" {
			return fmt.Sprint(t)
		}
	}
	return words(s, "type")
}

// properties are those of a schema, with all of what it is made of.
func (o *openAPI) properties(schema any) map[string]any {
	all := map[string]any{}
	o.parts(schema, schemaDepth, func(s map[string]any) {
		own, _ := s["properties"].(map[string]any)
		maps.Copy(all, own)
	})
	return all
}

// required names the properties that a record always has, in the document's order.
func (o *openAPI) required(schema any) []string {
	var names []string
	o.parts(schema, schemaDepth, func(s map[string]any) {
		for _, name := range listOf(s, "required") {
			names = append(names, fmt.Sprint(name))
		}
	})
	return names
}

// parts visits what a schema is made of, and itself last.
func (o *openAPI) parts(schema any, depth int, visit func(map[string]any)) {
	s := o.object(schema)
	if depth == 0 || s == nil {
		return
	}
	for _, of := range []string{"allOf", "oneOf", "anyOf"} {
		for _, part := range listOf(s, of) {
			o.parts(part, depth-1, visit)
		}
	}
	visit(s)
}

func (o *openAPI) isArray(schema any) bool {
	s := o.object(schema)
	return typeOf(s) == "array" || s["items"] != nil
}

// isScalar tells whether a property is a text, a number or a truth value.
func (o *openAPI) isScalar(schema any) bool {
	return !o.isArray(schema) && len(o.properties(schema)) == 0 && typeOf(o.object(schema)) != "object"
}

// answer is the schema of an operation's good answer, and the answer itself.
func (o *openAPI) answer(operation map[string]any) (schema, answer map[string]any) {
	responses := o.at(operation, "responses")
	for _, status := range []string{"200", "default", "2XX"} {
		answer = o.at(responses, status)
		if schema := o.content(answer); schema != nil {
			return schema, answer
		}
	}
	return nil, answer
}

// content is the schema of a body in JSON; of several, that of plain application/json.
func (o *openAPI) content(of map[string]any) map[string]any {
	content := o.at(of, "content")
	for _, media := range append([]string{"application/json"}, slices.Sorted(maps.Keys(content))...) {
		if schema := o.at(content, media, "schema"); schema != nil && strings.Contains(media, "json") {
			return schema
		}
	}
	return nil
}

// input is what a request may say: a parameter of its query or, for a POST, of its body.
type input struct {
	name   string
	schema map[string]any
	body   bool
}

// inputs are those of an operation and its path; of a body, only what isn't deeper in it.
func (o *openAPI) inputs(item, operation map[string]any) []input {
	var found []input
	for _, of := range []map[string]any{item, operation} {
		for _, p := range listOf(of, "parameters") {
			if p := o.object(p); words(p, "in") == "query" {
				found = append(found, input{words(p, "name"), o.at(p, "schema"), false})
			}
		}
	}
	body := o.properties(o.content(o.at(operation, "requestBody")))
	for name, schema := range body {
		found = append(found, input{name, o.object(schema), true})
	}
	slices.SortStableFunc(found, func(a, b input) int { return strings.Compare(a.name, b.name) })
	return found
}

// property finds the path of the first property, at most two keys down, whose name, in
// small letters without _ and -, is one of names.
func (o *openAPI) property(schema any, names []string, fits func(schema map[string]any) bool) string {
	return o.propertyWithin(schema, names, fits, 2)
}

func (o *openAPI) propertyWithin(schema any, names []string, fits func(schema map[string]any) bool, depth int) string {
	properties := o.properties(schema)
	for _, name := range names {
		for _, key := range slices.Sorted(maps.Keys(properties)) {
			if squeeze(key) == name && o.isScalar(properties[key]) && (fits == nil || fits(o.object(properties[key]))) {
				return escapeKey(key)
			}
		}
	}
	if depth == 0 {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if below := properties[key]; !o.isArray(below) {
			if found := o.propertyWithin(below, names, fits, depth-1); found != "" {
				return escapeKey(key) + "." + found
			}
		}
	}
	return ""
}

func escapeKey(key string) string { return strings.ReplaceAll(key, ".", `\.`) }

// squeeze makes names alike that differ in how words are joined.
func squeeze(name string) string {
	return strings.NewReplacer("_", "", "-", "", "[", "", "]", "", ".", "").Replace(strings.ToLower(name))
}
