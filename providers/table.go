package providers

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// kind is what may stand at a key: how it is read, how a JSON Schema tells it, and what
// it means. A file is decoded and the schema written from the same kinds.
type kind struct {
	read   func(ast.Node)
	schema func() schema
	about  string
}

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// doc says what a key is for.
func (k kind) doc(about string) kind {
	k.about = about
	return k
}

// fields says what to do with the value of each key that a mapping may have.
type fields map[string]kind

// table describes a mapping with known keys: its fields, bound to where their values go,
// and the keys that must be there.
type table[T any] func(d *decoder, to *T) (known fields, required []string)

// object is a mapping that a table describes.
func object[T any](d *decoder, to *T, t table[T]) kind {
	return kind{
		read: func(n ast.Node) {
			known, required := t(d, to)
			d.mapping(n, known, required...)
		},
		schema: func() schema { return objectSchema(t) },
	}
}

// objects is a list of such mappings, or one of them.
func objects[T any](d *decoder, to *[]T, t table[T]) kind {
	return kind{
		read: d.list(func(n ast.Node) {
			var one T
			object(d, &one, t).read(n)
			*to = append(*to, one)
		}),
		schema: func() schema { return oneOrMany(objectSchema(t)) },
	}
}

// named is a mapping with any keys, each of whose values is a mapping.
func named[T any](d *decoder, t table[T], each func(key text, value ast.Node)) kind {
	return kind{
		read:   func(n ast.Node) { d.entries(n, each) },
		schema: func() schema { return schema{"type": "object", "additionalProperties": objectSchema(t)} },
	}
}

func objectSchema[T any](t table[T]) schema {
	known, required := t(&decoder{}, new(T))
	properties := schema{}
	for key, k := range known {
		s := maps.Clone(k.schema())
		if k.about != "" {
			s["description"] = k.about
		}
		properties[key] = s
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func oneOrMany(s schema) schema {
	return schema{"anyOf": []schema{s, {"type": "array", "items": s}}}
}

// fixed is a schema without parts that depend on anything.
func fixed(s schema) func() schema { return func() schema { return s } }

var (
	textSchema   = fixed(schema{"type": "string"})
	scalarSchema = fixed(schema{"type": []string{"string", "number", "boolean"}})
	numberSchema = fixed(schema{"anyOf": []schema{{"type": "integer"}, {"type": "string", "pattern": `\$\{`}}})
)

// mapping reads a mapping with known keys. Unknown keys are problems, and so are missing
// ones among those required. It is false when n is something else.
func (d *decoder) mapping(n ast.Node, known fields, required ...string) bool {
	present := map[string]bool{}
	ok := d.entries(n, func(key text, value ast.Node) {
		field, ok := known[key.value]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			d.problem(key, "unknown key %q%s", key.value, nearest(key.value, names, "; known here: "+strings.Join(names, ", ")))
			return
		}
		present[key.value] = true
		field.read(value)
	})
	for _, key := range required {
		if ok && !present[key] {
			d.problem(at(n), "the key %q is missing", key)
		}
	}
	return ok
}

// text reads a text, block scalars without their final newline.
func (d *decoder) text(to *text) kind {
	return kind{schema: textSchema, read: func(n ast.Node) {
		switch n.(type) {
		case *ast.StringNode, *ast.LiteralNode:
			*to = d.scalarText(n)
			to.value = strings.TrimRight(to.value, "\n")
		default:
			d.problem(at(n), "a text is expected here, not %s", found(n))
		}
	}}
}

// word reads a text that is one of a few, or a substitution that gives one. Whether it
// is known is said by whoever uses it; the words are for the schema.
func (d *decoder) word(to *text, words ...string) kind {
	k := d.text(to)
	k.schema = fixed(schema{"anyOf": []schema{{"enum": words}, {"type": "string", "pattern": `\$\{`}}})
	return k
}

// scalar reads a text, number or truth value as it is written.
func (d *decoder) scalar(to *text) kind {
	return kind{schema: scalarSchema, read: func(n ast.Node) {
		switch n.(type) {
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			*to = d.scalarText(n)
		default:
			d.text(to).read(n)
		}
	}}
}

// number reads a whole number, or a substitution that gives one.
func (d *decoder) number(to *text) kind {
	return kind{schema: numberSchema, read: func(n ast.Node) {
		t := text{}
		switch n.(type) {
		case *ast.IntegerNode, *ast.StringNode:
			t = d.scalarText(n)
		}
		if _, err := strconv.Atoi(t.value); !t.set || err != nil && t.literal() {
			d.problem(at(n), "a whole number is expected here, not %s", found(n))
			return
		}
		*to = t
	}}
}

func (d *decoder) boolean(to *bool) kind {
	return kind{schema: fixed(schema{"type": "boolean"}), read: func(n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.problem(at(n), "true or false is expected here, not %s", found(n))
			return
		}
		*to = b.Value
	}}
}

func (d *decoder) integer(to *int, least, most int) kind {
	return kind{schema: fixed(schema{"type": "integer", "minimum": least, "maximum": most}), read: func(n ast.Node) {
		var t text
		d.number(&t).read(n)
		if !t.set {
			return
		}
		value, err := strconv.Atoi(t.value)
		if err != nil || value < least || value > most {
			d.problem(t, "a whole number from %d to %d is expected here", least, most)
			return
		}
		*to = value
	}}
}

func (d *decoder) duration(to *time.Duration) kind {
	return kind{schema: fixed(schema{"type": "string", "pattern": `^([0-9.]+(ns|us|ms|s|m|h))+$`}), read: func(n ast.Node) {
		var t text
		if _, number := n.(*ast.IntegerNode); number {
			t = d.scalarText(n)
			d.problem(t, "a duration is expected here, with its unit: %ss, not %s", t.value, t.value)
			*to = time.Second // so that nothing else seems to be missing
			return
		}
		d.text(&t).read(n)
		value, err := time.ParseDuration(t.value)
		if t.set && (err != nil || value <= 0) {
			d.problem(t, "a duration like 10s or 1m is expected here")
			return
		}
		*to = value
	}}
}

// pairs reads a mapping of names to scalars.
func (d *decoder) pairs(to *[]pair) kind {
	return kind{
		schema: func() schema { return schema{"type": "object", "additionalProperties": scalarSchema()} },
		read: func(n ast.Node) {
			d.entries(n, func(key text, value ast.Node) {
				p := pair{key: key}
				d.scalar(&p.value).read(value)
				*to = append(*to, p)
			})
		},
	}
}

// textList reads a list of texts, or one.
func (d *decoder) textList(to *[]text) kind { return d.many(to, d.text) }

// scalars reads a list of texts and numbers, or one.
func (d *decoder) scalars(to *[]text) kind { return d.many(to, d.scalar) }

func (d *decoder) many(to *[]text, one func(*text) kind) kind {
	return kind{
		schema: func() schema { return oneOrMany(one(new(text)).schema()) },
		read: d.list(func(n ast.Node) {
			var t text
			if one(&t).read(n); t.set {
				*to = append(*to, t)
			}
		}),
	}
}

// then does something after a value was read: sound is false when there were problems.
func (d *decoder) then(k kind, do func(n ast.Node, sound bool)) kind {
	read := k.read
	k.read = func(n ast.Node) {
		before := len(d.problems)
		read(n)
		do(n, len(d.problems) == before)
	}
	return k
}
