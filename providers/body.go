package providers

import (
	"encoding/json"
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
}

type bodyMember struct {
	key   string
	value *body
}

func (c *compiler) body(f bodyFile) *body {
	b := &body{json: f.json, isList: f.isList}
	switch {
	case f.isText:
		t := c.template(f.text, pageVariables...)
		b.text = &t
	case f.isList:
		for _, value := range f.list {
			b.list = append(b.list, c.body(value))
		}
	case f.json != "":
		if !json.Valid([]byte(f.json)) {
			c.problem(f.text, "%s is not a JSON value", f.json)
		}
	default:
		for _, m := range f.object {
			b.object = append(b.object, bodyMember{m.key.value, c.body(m.value)})
		}
	}
	return b
}

// append writes the body; false when it is a text without a value, which is left out.
// A text that is a page's number, offset or size alone is a number.
func (b *body) append(dst []byte, values lookup) ([]byte, bool) {
	switch {
	case b.text != nil:
		value, ok := b.text.expand(values, nil)
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
			dst = appendItem(dst, nil, value, values)
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

func appendItem(dst, key []byte, value *body, values lookup) []byte {
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

// withoutPage writes what of a body does not depend on the page.
func (f *bodyFile) withoutPage() string {
	var b strings.Builder
	switch {
	case f.isText:
		b.WriteString(strconv.Quote(withoutPage(f.text.value)))
	case f.isList:
		for i := range f.list {
			b.WriteString(f.list[i].withoutPage() + ",")
		}
	case f.json != "":
		b.WriteString(f.json)
	default:
		for i := range f.object {
			b.WriteString(strconv.Quote(f.object[i].key.value) + ":" + f.object[i].value.withoutPage() + ",")
		}
	}
	return b.String()
}

func withoutPage(s string) string {
	for _, variable := range pageVariables {
		s = strings.ReplaceAll(s, "${"+variable+"}", "")
	}
	return s
}
