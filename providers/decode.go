package providers

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// text is a scalar of a connector file and where it stands.
type text struct {
	value        string
	line, column int
	set          bool
	inline       bool // a plain or quoted scalar on one line: columns inside it are known
}

// literal is false when an account's credentials decide the value.
func (t text) literal() bool { return !strings.Contains(t.value, "${") }

// decoder turns YAML into a connectorFile, strictly: it knows every key, every type and
// every position, and collects all problems instead of stopping at the first.
type decoder struct {
	file     string
	problems []Problem
	texts    []text // all scalars of the file, keys too
}

func (d *decoder) problem(at text, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, max(at.line, 1), max(at.column, 1), fmt.Sprintf(format, args...)})
}

// parse returns the only document of a file, nil where there is none to speak of.
func (d *decoder) parse(data []byte) ast.Node {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		at, message := text{}, "this is not YAML"
		if e, ok := err.(yaml.Error); ok {
			at, message = position(e.GetToken().Position.Line, e.GetToken().Position.Column), e.GetMessage()
			lines := strings.Split(string(data), "\n")
			if at.line > 0 && at.line <= len(lines) && strings.Contains(lines[at.line-1], "${") {
				message += " (inside braces, a value with ${…} needs quotes)"
			}
		}
		d.problem(at, "%s", message)
		return nil
	}
	var bodies []ast.Node
	for _, document := range file.Docs {
		if document.Body != nil {
			bodies = append(bodies, document.Body)
		}
	}
	switch len(bodies) {
	case 0:
		d.problem(text{}, "the file is empty")
		return nil
	case 1:
		return bodies[0]
	default:
		d.problem(at(bodies[1]), "a connector file holds one document")
		return nil
	}
}

func position(line, column int) text { return text{line: line, column: column} }

// at returns the place of a node: for a mapping, that of its first key.
func at(n ast.Node) text {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return at(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(n.Key)
	}
	p := n.GetToken().Position
	return position(p.Line, p.Column)
}

// found names what a node is, for messages.
func found(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	default:
		return "an anchor, alias or tag, which connector files do without"
	}
}

// entries reads a mapping with any keys, in the file's order.
func (d *decoder) entries(n ast.Node, each func(key text, value ast.Node)) bool {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.problem(at(n), "keys and values are expected here, not %s", found(n))
		return false
	}
	for it := m.MapRange(); it.Next(); {
		if it.Key().IsMergeKey() {
			d.problem(at(it.Key()), "merge keys are not part of connector files")
			continue
		}
		each(d.scalarText(it.Key()), it.Value())
	}
	return true
}

// list reads a list, or a single value that stands for a list of one.
func (d *decoder) list(each func(ast.Node)) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := n.(*ast.SequenceNode)
		if !ok {
			each(n)
			return
		}
		for _, value := range s.Values {
			each(value)
		}
	}
}

func (d *decoder) scalarText(n ast.Node) text {
	token := n.GetToken()
	t := position(token.Position.Line, token.Position.Column)
	t.value, t.set, t.inline = token.Value, true, true
	if literal, ok := n.(*ast.LiteralNode); ok {
		t.value, t.inline = literal.Value.Value, false
	}
	if quoted := strings.HasPrefix(strings.TrimSpace(token.Origin), `"`) || strings.HasPrefix(strings.TrimSpace(token.Origin), "'"); quoted {
		t.column++
	}
	d.texts = append(d.texts, t)
	return t
}
