package providers

import (
	"time"

	"github.com/goccy/go-yaml/ast"
)

// authFile is a way to authenticate.
type authFile struct {
	name, title, verified text
	from, to              int // its words among all of the file

	basic         basicFile
	header, query []pair
	token         grantFile
	session       grantFile
	certificate   certificateFile
}

type basicFile struct{ username, password text }

// grantFile is a request that gives something to show with every other request.
type grantFile struct {
	requestFile
	basic                          basicFile
	form                           []pair
	token, expiresIn, expiresAt    text // paths in its answer
	lifetime                       time.Duration
	refresh, refreshToken, baseURL text
}

type certificateFile struct{ certificate, key text }

// auth reads the word none, how a request shows who asks, or a list of ways to do so.
func (d *decoder) auth(to *[]authFile) kind {
	one := func(t table[authFile]) func(ast.Node) {
		return func(n ast.Node) {
			a := authFile{from: len(d.texts)}
			object(d, &a, t).read(n)
			a.to = len(d.texts)
			*to = append(*to, a)
		}
	}
	return kind{
		schema: func() schema {
			return schema{"anyOf": []schema{{"const": "none"}, objectSchema(authTable), {"type": "array", "items": objectSchema(wayTable), "minItems": 1}}}
		},
		read: func(n ast.Node) {
			if s, ok := n.(*ast.StringNode); ok && s.Value == "none" {
				return
			}
			list, several := n.(*ast.SequenceNode)
			if !several {
				one(authTable)(n)
				return
			}
			for _, way := range list.Values {
				one(wayTable)(way)
			}
			if len(list.Values) == 0 {
				d.problem(at(n), "the list of ways to authenticate is empty: write none")
			}
		},
	}
}

func wayTable(d *decoder, a *authFile) (fields, []string) {
	known, _ := authTable(d, a)
	known["name"] = d.text(&a.name).doc("small letters, digits and _")
	known["title"] = d.text(&a.title).doc("what people read; default: the name")
	known["verified"] = d.text(&a.verified).doc("against what this way was proven; default: the connector's")
	return known, []string{"name"}
}

func authTable(d *decoder, a *authFile) (fields, []string) {
	return fields{
		"basic":              object(d, &a.basic, basicTable).doc("user name and password (RFC 7617)"),
		"header":             d.pairs(&a.header).doc("header → value"),
		"query":              d.pairs(&a.query).doc("query parameter → value"),
		"token":              asks(d, &a.token, &a.token.requestFile, tokenTable).doc("an access token that is asked for and kept until it expires: ${token}"),
		"session":            asks(d, &a.session, &a.session.requestFile, sessionTable).doc("a login, perhaps with ${token}, that is kept until it is refused: ${session}"),
		"client_certificate": object(d, &a.certificate, certificateTable).doc("the account's own TLS certificate"),
	}, nil
}

func basicTable(d *decoder, b *basicFile) (fields, []string) {
	return fields{"username": d.scalar(&b.username), "password": d.scalar(&b.password).doc("default: empty")}, []string{"username"}
}

func grantTable(d *decoder, g *grantFile) fields {
	known, _ := requestTable(d, &g.requestFile)
	known["get"] = d.text(&g.get).doc("path below the base URL, or https://…")
	known["post"] = d.text(&g.post).doc("path below the base URL, or https://…")
	known["basic"] = object(d, &g.basic, basicTable).doc("the client's id and secret as user name and password")
	known["form"] = d.pairs(&g.form).doc("for post: fields, sent as a form")
	known["base_url"] = d.text(&g.baseURL).doc("where the answer has the base URL of this account")
	known["expires_in"] = d.text(&g.expiresIn).doc("where the answer says how many seconds it is good for; default: expires_in")
	known["expires_at"] = d.text(&g.expiresAt).doc("where the answer says until when: a date, or seconds since 1970")
	known["lifetime"] = d.duration(&g.lifetime).doc("how long it is good for, where the answer doesn't say")
	return known
}

func tokenTable(d *decoder, g *grantFile) (fields, []string) {
	known := grantTable(d, g)
	known["token"] = d.text(&g.token).doc("where the answer has the token; default: access_token")
	known["refresh"] = d.text(&g.refresh).doc("the first refresh token: ${token.refresh} in the request is it, or the latest one")
	known["refresh_token"] = d.text(&g.refreshToken).doc("where the answer has the next refresh token, which is stored before the access token is used; default: refresh_token")
	return known, nil
}

func sessionTable(d *decoder, g *grantFile) (fields, []string) {
	known := grantTable(d, g)
	known["session"] = d.text(&g.token).doc("where the answer has what ${session} is")
	return known, []string{"session"}
}

func certificateTable(d *decoder, c *certificateFile) (fields, []string) {
	return fields{
		"certificate": d.text(&c.certificate).doc("PEM, with its chain"),
		"key":         d.text(&c.key).doc("PEM"),
	}, []string{"certificate", "key"}
}
