package providers

import (
	"fmt"
	"strings"
)

// template is a text with substitutions: ${cred.name}, ${page.size}. There is nothing
// else to it: no expressions, no functions, no defaults.
type template struct {
	text  string
	parts []part
}

// part is a literal piece of a template, or a variable.
type part struct {
	literal  string
	variable string
	offset   int // of the variable's "${" in the text
}

// templateError says where in the text the template is wrong.
type templateError struct {
	offset  int
	message string
}

func (e *templateError) Error() string { return e.message }

func parseTemplate(text string) (template, *templateError) {
	t := template{text: text}
	for at := 0; at < len(text); {
		start := strings.Index(text[at:], "${")
		if start < 0 {
			t.parts = append(t.parts, part{literal: text[at:]})
			break
		}
		start += at
		if start > at {
			t.parts = append(t.parts, part{literal: text[at:start]})
		}
		length := strings.IndexByte(text[start:], '}')
		if length < 0 {
			return t, &templateError{start, "the substitution has no closing }"}
		}
		name := text[start+2 : start+length]
		if name == "" || strings.ContainsAny(name, " \t${") {
			return t, &templateError{start, fmt.Sprintf("%q is not a substitution: write ${cred.name} or ${page.size}, no expressions", text[start:start+length+1])}
		}
		t.parts = append(t.parts, part{variable: name, offset: start})
		at = start + length + 1
	}
	return t, nil
}

// lookup gives the value of a variable; false where it has none.
type lookup func(variable string) (string, bool)

// expand fills the template in. It is false when a variable has no value: whatever
// the template stands for is then left out. escape, where given, is applied to the
// values and not to the literal text.
func (t template) expand(values lookup, escape func(string) string) (string, bool) {
	if len(t.parts) == 1 && t.parts[0].variable == "" {
		return t.parts[0].literal, true
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.variable == "" {
			b.WriteString(p.literal)
			continue
		}
		value, ok := values(p.variable)
		if !ok {
			return "", false
		}
		if escape != nil {
			value = escape(value)
		}
		b.WriteString(value)
	}
	return b.String(), true
}

// alone returns the template's variable when it is one substitution and nothing else.
func (t template) alone() (string, bool) {
	if len(t.parts) == 1 && t.parts[0].variable != "" {
		return t.parts[0].variable, true
	}
	return "", false
}

// uses tells whether any variable begins with the prefix.
func (t template) uses(prefix string) bool {
	for _, p := range t.parts {
		if p.variable != "" && strings.HasPrefix(p.variable, prefix) {
			return true
		}
	}
	return false
}

// private tells whether the template's value may be more than the connector's own words
// and a page's number.
func (t template) private() bool {
	for _, p := range t.parts {
		switch p.variable {
		case "", "page.size", "page.number", "page.offset", "since", "until":
		default:
			return true
		}
	}
	return false
}

// passing tells whether it says which page is asked, or since when: what differs between
// requests for the same records.
func (t template) passing() bool { return t.uses("page.") || t.uses("since") || t.uses("until") }
