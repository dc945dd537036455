package providers

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// connectorFile is a connector as it is written. What its words mean, and whether they
// fit together, is the compiler's business.
type connectorFile struct {
	at                                              text
	name, title, category, verified, base, basePath text
	credentials                                     []credentialFile
	auth                                            authFile
	limits                                          limitsFile
	defaults                                        streamFile
	streams                                         []streamFile
	recordTypes                                     []pair // record type → prefix
}

type pair struct{ key, value text }

type credentialFile struct {
	name, title, description, fallback text
	secret, optional                   bool
}

type authFile struct {
	username, password text
	header, query      []pair
}

type limitsFile struct {
	Limits
	remaining, reset []text
	throttle         []int
}

type streamFile struct {
	recordType, verified, schedule text
	request                        requestFile
	path                           text // of records
	id, empty                      []text
	page                           pageFile
	ignore, sets                   []text
	keepURLQueries                 bool
	broken, recordsBroken          bool // not keys and values: already told
}

type requestFile struct {
	get, post      text
	query, headers []pair
	body           *bodyFile
	broken         bool // wrong already, and told
}

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

type pageFile struct {
	set                                                                bool
	kind, start, size, maxSize, next, end, total, totalPages, maxPages text
	positional                                                         *bool
}

func (d *decoder) connector(n ast.Node) connectorFile {
	f := connectorFile{at: at(n)}
	d.mapping(n, fields{
		"name":         d.text(&f.name),
		"title":        d.text(&f.title),
		"category":     d.text(&f.category),
		"verified":     d.text(&f.verified),
		"base_url":     d.text(&f.base),
		"base_path":    d.text(&f.basePath),
		"credentials":  d.list(func(n ast.Node) { f.credentials = append(f.credentials, d.credential(n)) }),
		"auth":         func(n ast.Node) { f.auth = d.auth(n) },
		"limits":       func(n ast.Node) { f.limits = d.limits(n) },
		"defaults":     func(n ast.Node) { f.defaults = d.stream(n) },
		"record_types": d.pairs(&f.recordTypes),
		"streams": func(n ast.Node) {
			d.entries(n, func(key text, value ast.Node) {
				s := d.stream(value)
				s.recordType = key
				f.streams = append(f.streams, s)
			})
		},
	}, "name", "category", "verified", "auth", "streams")
	return f
}

func (d *decoder) credential(n ast.Node) credentialFile {
	c := credentialFile{secret: true}
	d.mapping(n, fields{
		"name":        d.text(&c.name),
		"title":       d.text(&c.title),
		"description": d.text(&c.description),
		"default":     d.scalar(&c.fallback),
		"secret":      d.boolean(&c.secret),
		"optional":    d.boolean(&c.optional),
	}, "name")
	return c
}

func (d *decoder) auth(n ast.Node) authFile {
	var a authFile
	if s, ok := n.(*ast.StringNode); ok && s.Value == "none" {
		return a
	}
	d.mapping(n, fields{
		"basic": func(n ast.Node) {
			d.mapping(n, fields{"username": d.scalar(&a.username), "password": d.scalar(&a.password)}, "username")
		},
		"header": d.pairs(&a.header),
		"query":  d.pairs(&a.query),
	})
	return a
}

func (d *decoder) limits(n ast.Node) limitsFile {
	var l limitsFile
	d.mapping(n, fields{
		"requests":    d.integer(&l.Requests, 1, 1_000_000),
		"per":         d.duration(&l.Per),
		"burst":       d.integer(&l.Burst, 1, 1_000_000),
		"concurrency": d.integer(&l.Concurrency, 1, 1000),
		"remaining":   d.textList(&l.remaining),
		"reset":       d.textList(&l.reset),
		"throttle": d.list(func(n ast.Node) {
			status := 0
			if d.integer(&status, 400, 599)(n); status != 0 {
				l.throttle = append(l.throttle, status)
			}
		}),
	})
	if (l.Requests > 0) != (l.Per > 0) {
		d.problem(at(n), "requests and per belong together: requests: 10, per: 1s")
	}
	return l
}

func (d *decoder) stream(n ast.Node) streamFile {
	var s streamFile
	ok := d.mapping(n, fields{
		"verified": d.text(&s.verified),
		"schedule": d.text(&s.schedule),
		"request": func(n ast.Node) {
			s.request.broken = !d.mapping(n, fields{
				"get":     d.text(&s.request.get),
				"post":    d.text(&s.request.post),
				"query":   d.pairs(&s.request.query),
				"headers": d.pairs(&s.request.headers),
				"body": func(n ast.Node) {
					body := d.body(n)
					s.request.body = &body
				},
			})
		},
		"records": func(n ast.Node) {
			before := len(d.problems)
			d.mapping(n, fields{"path": d.text(&s.path), "id": d.textList(&s.id), "empty": d.list(d.emptyWord(&s.empty))})
			s.recordsBroken = len(d.problems) > before
		},
		"page":             func(n ast.Node) { s.page = d.page(n) },
		"ignore":           d.textList(&s.ignore),
		"sets":             d.textList(&s.sets),
		"keep_url_queries": d.boolean(&s.keepURLQueries),
	})
	s.broken = !ok
	return s
}

func (d *decoder) page(n ast.Node) pageFile {
	p := pageFile{set: true}
	if _, ok := n.(*ast.StringNode); ok { // page: none
		d.text(&p.kind)(n)
		return p
	}
	d.mapping(n, fields{
		"kind":        d.text(&p.kind),
		"start":       d.number(&p.start),
		"size":        d.number(&p.size),
		"max_size":    d.number(&p.maxSize),
		"next":        d.text(&p.next),
		"end":         d.text(&p.end),
		"total":       d.text(&p.total),
		"total_pages": d.text(&p.totalPages),
		"max_pages":   d.number(&p.maxPages),
		"positional": func(n ast.Node) {
			p.positional = new(bool)
			d.boolean(p.positional)(n)
		},
	}, "kind")
	return p
}

// body reads any YAML value as the JSON value it stands for.
func (d *decoder) body(n ast.Node) bodyFile {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		b := bodyFile{isText: true}
		d.text(&b.text)(n)
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

func (d *decoder) pairs(to *[]pair) func(ast.Node) {
	return func(n ast.Node) {
		d.entries(n, func(key text, value ast.Node) {
			p := pair{key: key}
			d.scalar(&p.value)(value)
			*to = append(*to, p)
		})
	}
}

func (d *decoder) textList(to *[]text) func(ast.Node) {
	return d.list(func(n ast.Node) {
		var t text
		if d.text(&t)(n); t.set {
			*to = append(*to, t)
		}
	})
}

// emptyWord reads a text, and YAML's null as the word it is.
func (d *decoder) emptyWord(to *[]text) func(ast.Node) {
	return func(n ast.Node) {
		if _, ok := n.(*ast.NullNode); !ok {
			d.textList(to)(n)
			return
		}
		t := at(n)
		t.value, t.set = "null", true
		*to = append(*to, t)
	}
}
