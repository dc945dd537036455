package providers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// body is a JSON body with substitutions in its texts.
type body struct {
	object []bodyMember
	list   []*body
	text   *template
	json   string // anything else, as it is
	isList bool
	repeat string // as an element of a list it comes once for each value of this variable
}

type bodyMember struct {
	key   string
	value *body
}

// manyVariables can have several values; an element of a body's list that uses one comes
// once for each of them.
var manyVariables = []string{"id", "parent"}

func (c *compiler) body(f bodyFile, extra ...string) *body {
	b := &body{json: f.json, isList: f.isList}
	switch {
	case f.isText:
		t := c.template(f.text, extra...)
		b.text = &t
	case f.isList:
		for _, value := range f.list {
			element := c.body(value, extra...)
			element.templates(func(t template) {
				for _, p := range t.parts {
					if slices.Contains(manyVariables, p.variable) {
						element.repeat = p.variable
					}
				}
			})
			b.list = append(b.list, element)
		}
	case f.json != "":
		if !json.Valid([]byte(f.json)) {
			c.problem(f.text, "%s is not a JSON value", f.json)
		}
	default:
		for _, m := range f.object {
			b.object = append(b.object, bodyMember{m.key.value, c.body(m.value, extra...)})
		}
	}
	return b
}

// append writes the body; false when it is a text without a value, which is left out.
// A text that is a page's number, offset or size alone is a number.
func (b *body) append(dst []byte, values *scope) ([]byte, bool) {
	switch {
	case b.text != nil:
		value, ok := b.text.expand(values.lookup, nil)
		if !ok {
			return dst, false
		}
		if variable, alone := b.text.alone(); alone && strings.HasPrefix(variable, "page.") && variable != "page.cursor" {
			return append(dst, value...), true
		}
		return appendJSONString(dst, value), true
	case b.isList:
		dst = append(dst, '[')
		for _, value := range b.list {
			if value.repeat == "" {
				dst = appendItem(dst, nil, value, values)
				continue
			}
			values.each(value.repeat, func(one *scope) { dst = appendItem(dst, nil, value, one) })
		}
		return append(dst, ']'), true
	case b.json != "":
		return append(dst, b.json...), true
	default:
		dst = append(dst, '{')
		for _, m := range b.object {
			dst = appendItem(dst, append(appendJSONString(nil, m.key), ':'), m.value, values)
		}
		return append(dst, '}'), true
	}
}

func appendItem(dst, key []byte, value *body, values *scope) []byte {
	start := len(dst)
	if last := dst[start-1]; last != '[' && last != '{' {
		dst = append(dst, ',')
	}
	dst, ok := value.append(append(dst, key...), values)
	if !ok {
		return dst[:start]
	}
	return dst
}

func appendJSONString(dst []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always marshals
	return append(dst, quoted...)
}

func (b *body) templates(visit func(template)) {
	if b.text != nil {
		visit(*b.text)
	}
	for _, value := range b.list {
		value.templates(visit)
	}
	for _, m := range b.object {
		m.value.templates(visit)
	}
}

// lasting writes what of a body depends neither on the page nor on what is asked since when.
func (f *bodyFile) lasting() string {
	var b strings.Builder
	switch {
	case f.isText:
		if t, _ := parseTemplate(f.text.value); t.passing() {
			return ""
		}
		b.WriteString(strconv.Quote(f.text.value))
	case f.isList:
		for i := range f.list {
			b.WriteString(f.list[i].lasting() + ",")
		}
	case f.json != "":
		b.WriteString(f.json)
	default:
		for i := range f.object {
			if value := f.object[i].value.lasting(); value != "" {
				b.WriteString(strconv.Quote(f.object[i].key.value) + ":" + value + ",")
			}
		}
	}
	return b.String()
}
