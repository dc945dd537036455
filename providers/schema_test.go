package providers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

func schema(t *testing.T) map[string]any {
	t.Helper()
	text, err := providers.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// The published schema is the present one.
func TestPublishedSchema(t *testing.T) {
	const file = "../docs/connector.schema.json"
	got, err := providers.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// What the schema takes and what the decoder takes is the same, as far as keys and kinds
// of values go: every connector is valid by both, and one wrong key is wrong by both.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	s := schema(t)
	files, _ := filepath.Glob("catalog/*.yaml")
	for _, file := range files {
		if strings.HasSuffix(file, "record_types.yaml") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := yaml.Unmarshal(data, &document); err != nil {
			t.Fatal(err)
		}
		if problem := valid(s, document, file); problem != "" {
			t.Error(problem)
		}
		lines := strings.Split(string(data), "\n")
		for i, line := range lines {
			key := regexp.MustCompile(`^( *)([a-z_]+):( |$)`).FindStringSubmatch(line)
			if key == nil {
				continue
			}
			changed := slices.Clone(lines)
			changed[i] = strings.Replace(line, key[2]+":", "zz"+key[2]+":", 1)
			text := strings.Join(changed, "\n")
			_, problems := providers.Parse("x.yaml", []byte(text))
			unknown := slices.ContainsFunc(problems, func(p providers.Problem) bool {
				return strings.Contains(p.Message, "unknown key") || strings.HasPrefix(p.Message, "the key ") && strings.HasSuffix(p.Message, "is missing")
			})
			var document any
			if yaml.Unmarshal([]byte(text), &document) != nil {
				continue
			}
			if bySchema := valid(s, document, "") != ""; bySchema != unknown {
				t.Errorf("%s:%d: %s: wrong by the schema: %v; by the decoder: %v", file, i+1, changed[i], bySchema, problems)
			}
		}
	}
}

// Every key has a word in the reference.
func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/connectors.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(s map[string]any)
	walk = func(s map[string]any) {
		properties, _ := s["properties"].(map[string]any)
		for key, below := range properties {
			b := below.(map[string]any)
			if !strings.Contains(string(page), "`"+key+"`") {
				t.Errorf("%s is not in docs/connectors.md", key)
			}
			walk(b)
		}
		for _, of := range []string{"items", "additionalProperties"} {
			if below, ok := s[of].(map[string]any); ok {
				walk(below)
			}
		}
		alternatives, _ := s["anyOf"].([]any)
		for _, below := range alternatives {
			walk(below.(map[string]any))
		}
	}
	walk(schema(t))
}

// valid checks a value by the few words of JSON Schema that ours uses.
func valid(s map[string]any, value any, at string) string {
	if alternatives, ok := s["anyOf"].([]any); ok {
		var all []string
		for _, a := range alternatives {
			problem := valid(a.(map[string]any), value, at)
			if problem == "" {
				return ""
			}
			all = append(all, problem)
		}
		return strings.Join(all, "; ")
	}
	if c, ok := s["const"]; ok && c != value {
		return fmt.Sprintf("%s: not %v", at, c)
	}
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, value) {
		return fmt.Sprintf("%s: none of %v", at, words)
	}
	if pattern, ok := s["pattern"].(string); ok {
		if text, is := value.(string); !is || !regexp.MustCompile(pattern).MatchString(text) {
			return fmt.Sprintf("%s: doesn't match %s", at, pattern)
		}
	}
	kinds, _ := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		kinds = []any{one}
	}
	if len(kinds) > 0 && !slices.ContainsFunc(kinds, func(kind any) bool { return is(kind.(string), value) }) {
		return fmt.Sprintf("%s: a %T, not %v", at, value, kinds)
	}
	switch v := value.(type) {
	case map[string]any:
		return validObject(s, v, at)
	case []any:
		if items, ok := s["items"].(map[string]any); ok {
			for i, element := range v {
				if problem := valid(items, element, fmt.Sprintf("%s[%d]", at, i)); problem != "" {
					return problem
				}
			}
		}
	}
	return ""
}

func validObject(s, value map[string]any, at string) string {
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, ok := value[key.(string)]; !ok {
			return fmt.Sprintf("%s: %s is missing", at, key)
		}
	}
	for key, below := range value {
		k, known := properties[key].(map[string]any)
		if more, ok := s["additionalProperties"].(map[string]any); ok && !known {
			k, known = more, true
		}
		if !known && s["additionalProperties"] == false {
			return fmt.Sprintf("%s: unknown key %s", at, key)
		}
		if known {
			if problem := valid(k, below, at+"."+key); problem != "" {
				return problem
			}
		}
	}
	return ""
}

func is(kind string, value any) bool {
	switch value.(type) {
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case uint64, int64, int:
		return kind == "integer" || kind == "number"
	case float64:
		return kind == "number"
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	}
	return false
}
