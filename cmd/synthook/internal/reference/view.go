package reference

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// view is all that the page shows.
type view struct {
	Style string
	Reference
}

// Reference is the document in the order in which it is read.
type Reference struct {
	Title, Version, Description, Security string
	Topics                                []topic
	Schemas                               []schema
}

type topic struct {
	Name, Description string
	Operations        []operation
}

type operation struct {
	ID, Method, Path, Summary, Description string
	Parameters                             []field
	Body                                   kind
	Answers, Refusals                      []answer
	Example                                string // a command line
}

// field is a parameter, or a property of a schema.
type field struct {
	Name, In, Description string
	Kind                  kind
	Required              bool
	Notes                 []string // default, bounds, one of
}

// kind is a type in words; Ref is the schema it links to.
type kind struct{ Text, Ref string }

type answer struct {
	Status, Description string
	Kind                kind
	Headers             []string
}

type schema struct {
	Name, Description string
	Fields            []field
}

func describe(document *huma.OpenAPI) Reference {
	d := describer{document.Components.Schemas}
	r := Reference{Title: document.Info.Title, Version: document.Info.Version, Description: document.Info.Description}
	for _, s := range document.Components.SecuritySchemes {
		r.Security = s.Description
	}
	for _, tag := range document.Tags {
		t := topic{Name: tag.Name, Description: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
			item := document.Paths[path]
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					t.Operations = append(t.Operations, d.operation(op))
				}
			}
		}
		if len(t.Operations) > 0 {
			r.Topics = append(r.Topics, t)
		}
	}
	all := document.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if s := all[name]; s.Type == huma.TypeObject {
			r.Schemas = append(r.Schemas, schema{Name: name, Description: s.Description, Fields: d.properties(s)})
		}
	}
	return r
}

type describer struct{ schemas huma.Registry }

func (d describer) operation(op *huma.Operation) operation {
	o := operation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description, Example: d.example(op)}
	for _, p := range op.Parameters {
		o.Parameters = append(o.Parameters, field{Name: p.Name, In: p.In, Description: p.Description, Kind: d.kind(p.Schema), Required: p.Required, Notes: notes(p.Schema)})
	}
	if s := bodySchema(op); s != nil {
		o.Body = d.kind(s)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		a := answer{Status: status, Description: response.Description, Headers: slices.Sorted(maps.Keys(response.Headers))}
		for _, content := range response.Content {
			a.Kind = d.kind(content.Schema)
		}
		if status >= "400" {
			o.Refusals = append(o.Refusals, a)
		} else {
			o.Answers = append(o.Answers, a)
		}
	}
	return o
}

func bodySchema(op *huma.Operation) *huma.Schema {
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return nil
	}
	return op.RequestBody.Content["application/json"].Schema
}

func (d describer) properties(s *huma.Schema) (fields []field) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		fields = append(fields, field{Name: name, Description: p.Description, Kind: d.kind(p), Required: slices.Contains(s.Required, name), Notes: notes(p)})
	}
	// What has to be given comes first.
	slices.SortStableFunc(fields, func(a, b field) int {
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Required], map[bool]int{true: 0, false: 1}[b.Required])
	})
	return fields
}

// kind names a type: string, date-time, list of Account.
func (d describer) kind(s *huma.Schema) kind {
	switch {
	case s == nil:
		return kind{}
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return kind{name, name}
	case s.Type == huma.TypeArray:
		of := d.kind(s.Items)
		return kind{"list of " + of.Text, of.Ref}
	case s.Type == huma.TypeObject:
		if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
			return kind{"object of " + d.kind(values).Text + "s", ""}
		}
	}
	return kind{cmp.Or(s.Format, s.Type, "any"), ""}
}

// notes are what bounds a value.
func notes(s *huma.Schema) (notes []string) {
	if s == nil {
		return nil
	}
	note := func(set bool, format string, value any) {
		if set {
			notes = append(notes, fmt.Sprintf(format, value))
		}
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, cmp.Or(fmt.Sprint(v), "(empty)"))
		}
		note(true, "one of %s", strings.Join(values, ", "))
	}
	note(s.Default != nil, "default %v", s.Default)
	if s.Minimum != nil {
		note(true, "at least %v", *s.Minimum)
	}
	if s.Maximum != nil {
		note(true, "at most %v", *s.Maximum)
	}
	if s.MinItems != nil {
		note(true, "at least %v of them", *s.MinItems)
	}
	if s.MaxLength != nil {
		note(true, "up to %v characters", *s.MaxLength)
	}
	for _, e := range s.Examples {
		note(true, "such as %v", e)
	}
	return notes
}

// example is a command line that makes the request.
func (d describer) example(op *huma.Operation) string {
	var b strings.Builder
	path := strings.NewReplacer("{", "", "}", "").Replace(op.Path)
	for _, p := range op.Parameters {
		if p.In == "path" {
			path = strings.Replace(path, "/"+p.Name, "/"+strings.ToUpper(p.Name), 1)
		}
	}
	b.WriteString("curl ")
	if op.Method != "GET" && (op.Method != "POST" || bodySchema(op) == nil) {
		b.WriteString("-X " + op.Method + " ")
	}
	b.WriteString("$SYNTHOOK_SERVER" + path)
	if len(op.Security) > 0 {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $SYNTHOOK_API_KEY\"")
	}
	if s := bodySchema(op); s != nil {
		body, err := json.MarshalIndent(d.sample(s, 0), "  ", "  ")
		if err == nil {
			b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + string(body) + "'")
		}
	}
	return b.String()
}

// sample is a value that a schema allows: what is required, and what has an example.
func (d describer) sample(s *huma.Schema, depth int) any {
	if s.Ref != "" {
		s = d.schemas.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == huma.TypeArray:
		return []any{d.sample(s.Items, depth+1)}
	case s.Type == huma.TypeObject:
		object := map[string]any{}
		for name, p := range s.Properties {
			if depth < 3 && (slices.Contains(s.Required, name) || len(p.Examples) > 0) {
				object[name] = d.sample(p, depth+1)
			}
		}
		return object
	case s.Type == huma.TypeInteger || s.Type == huma.TypeNumber:
		return 1
	case s.Type == huma.TypeBoolean:
		return true
	}
	return "…"
}
