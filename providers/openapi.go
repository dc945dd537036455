package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// openAPI is a provider's own description of its API, as far as a draft needs it.
type openAPI struct{ root map[string]any }

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

// properties are those of a schema, with all of what it is made of.
func (o *openAPI) properties(schema any) map[string]any {
	all := map[string]any{}
	s := o.object(schema)
	for _, of := range []string{"allOf", "oneOf", "anyOf"} {
		parts, _ := s[of].([]any)
		for _, part := range parts {
			maps.Copy(all, o.properties(part))
		}
	}
	own, _ := s["properties"].(map[string]any)
	maps.Copy(all, own)
	return all
}

func (o *openAPI) isArray(schema any) bool {
	s := o.object(schema)
	return words(s, "type") == "array" || s["items"] != nil
}

// answer is the schema of an operation's good answer, and the answer itself.
func (o *openAPI) answer(operation map[string]any) (schema, answer map[string]any) {
	responses := o.at(operation, "responses")
	for _, status := range []string{"200", "default", "2XX"} {
		answer = o.at(responses, status)
		content := o.at(answer, "content")
		for _, media := range slices.Sorted(maps.Keys(content)) {
			if strings.Contains(media, "json") {
				return o.at(content, media, "schema"), answer
			}
		}
	}
	return nil, answer
}

// records finds where a schema has its list of objects: at the root, or one or two keys down.
func (o *openAPI) records(schema any, depth int) (path string, element any, found bool) {
	s := o.object(schema)
	if o.isArray(s) {
		return "", s["items"], len(o.properties(s["items"])) > 0
	}
	properties := o.properties(s)
	if depth == 0 {
		return "", nil, false
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if below, element, ok := o.records(properties[key], depth-1); ok {
			return strings.TrimSuffix(strings.ReplaceAll(key, ".", `\.`)+"."+below, "."), element, true
		}
	}
	return "", nil, false
}

// parameters are the query parameters of an operation and its path, by name.
func (o *openAPI) parameters(item, operation map[string]any) map[string]map[string]any {
	found := map[string]map[string]any{}
	for _, of := range []map[string]any{item, operation} {
		list, _ := of["parameters"].([]any)
		for _, p := range list {
			if p := o.object(p); words(p, "in") == "query" {
				found[words(p, "name")] = p
			}
		}
	}
	return found
}

// property finds the path of the first property, at most two keys down, whose name, in
// small letters without _ and -, is one of names.
func (o *openAPI) property(schema any, names []string, fits func(schema map[string]any) bool) string {
	properties := o.properties(schema)
	for _, name := range names {
		for _, key := range slices.Sorted(maps.Keys(properties)) {
			if s := o.object(properties[key]); squeeze(key) == name && !o.isArray(s) && len(o.properties(s)) == 0 && (fits == nil || fits(s)) {
				return strings.ReplaceAll(key, ".", `\.`)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if below := properties[key]; !o.isArray(below) && len(o.properties(below)) > 0 {
			if found := o.property(below, names, fits); found != "" && strings.Count(found, ".") < 2 {
				return strings.ReplaceAll(key, ".", `\.`) + "." + found
			}
		}
	}
	return ""
}

// squeeze makes names alike that differ in how words are joined.
func squeeze(name string) string {
	return strings.NewReplacer("_", "", "-", "", "[", "", "]", "", ".", "").Replace(strings.ToLower(name))
}
