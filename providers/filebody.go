package providers

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// bodyFile is a JSON value with substitutions in its texts.
type bodyFile struct {
	object []bodyField
	list   []bodyFile
	text   text
	isList bool
	isText bool
	json   string // a number, true, false or null as it is
}

type bodyField struct {
	key   text
	value bodyFile
}

// body reads any YAML value as the JSON value it stands for.
func (d *decoder) body(n ast.Node) bodyFile {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		b := bodyFile{isText: true}
		d.text(&b.text).read(n)
		return b
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return bodyFile{json: strings.TrimSpace(n.String()), text: d.scalarText(n)}
	case *ast.SequenceNode:
		b := bodyFile{isList: true}
		for _, value := range n.Values {
			b.list = append(b.list, d.body(value))
		}
		return b
	default:
		var b bodyFile
		d.entries(n, func(key text, value ast.Node) {
			b.object = append(b.object, bodyField{key, d.body(value)})
		})
		return b
	}
}
