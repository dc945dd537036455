package providers

import (
	"time"

	"github.com/goccy/go-yaml/ast"
)

// connectorFile is a connector as it is written. What its words mean, and whether they
// fit together, is the compiler's business.
type connectorFile struct {
	at                                              text
	name, title, category, verified, base, basePath text
	credentials                                     []credentialFile
	auth                                            []authFile // one, or several ways
	headers                                         []pair     // of every request to the API
	limits                                          limitsFile
	errors                                          errorsFile
	defaults                                        streamFile
	streams                                         []streamFile
	lists                                           []streamFile // helpers that only serve as parents
	recordTypes                                     []pair       // record type → prefix
}

type pair struct{ key, value text }

type credentialFile struct {
	name, title, description, group, fallback text
	choices                                   []text
	secret, optional                          bool
}

type limitsFile struct {
	Limits
	remaining, reset []text
}

// errorsFile tells how answers say that something is wrong, beside their status.
type errorsFile struct {
	ok                                                text // condition
	code                                              []text
	auth, throttle, transient, restart, absent, empty []text
}

var categories = []string{"hris", "ats", "unified", "generic"}

func connectorTable(d *decoder, f *connectorFile) (fields, []string) {
	streams := func(to *[]streamFile) kind {
		return named(d, streamTable, func(key text, value ast.Node) {
			var s streamFile
			d.stream(value, &s)
			s.recordType = key
			*to = append(*to, s)
		})
	}
	defaults := object(d, &f.defaults, streamTable)
	return fields{
		"name":         d.text(&f.name).doc("small letters, digits, - and _"),
		"title":        d.text(&f.title).doc("what people read; default: the name"),
		"category":     d.word(&f.category, categories...).doc("hris, ats, unified or generic"),
		"verified":     d.text(&f.verified).doc("against what the connector was proven"),
		"base_url":     d.text(&f.base).doc("https://… or http://…, a final slash or none; without it, each account gives one"),
		"base_path":    d.text(&f.basePath).doc("appended to the base URL, an account's own too, unless that ends with it already"),
		"credentials":  objects(d, &f.credentials, credentialTable).doc("what an account has to give"),
		"auth":         d.auth(&f.auth).doc("how a request shows who asks; none; or a list of ways with names, of which an account uses the one that it has credentials for"),
		"headers":      d.pairs(&f.headers).doc("headers of every request to the API, a version's say; a request's own header of the same name counts instead"),
		"limits":       d.limits(&f.limits).doc("what the provider bears of one account"),
		"errors":       object(d, &f.errors, errorsTable).doc("how answers say that something is wrong, beside their status"),
		"defaults":     kind{schema: defaults.schema, read: func(n ast.Node) { d.stream(n, &f.defaults) }}.doc("the keys of a stream, for all streams"),
		"record_types": d.pairs(&f.recordTypes).doc("new record types and the prefix of their events"),
		"streams":      streams(&f.streams).doc("record type → how its records are listed"),
		"lists":        streams(&f.lists).doc("helper lists, by a name of yours, that only serve as parents"),
	}, []string{"name", "category", "verified", "auth", "streams"}
}

func (d *decoder) connector(n ast.Node) connectorFile {
	f := connectorFile{at: at(n)}
	object(d, &f, connectorTable).read(n)
	return f
}

func credentialTable(d *decoder, c *credentialFile) (fields, []string) {
	c.secret = true
	return fields{
		"name":        d.text(&c.name).doc("small letters, digits and _"),
		"title":       d.text(&c.title).doc("what people read"),
		"description": d.text(&c.description).doc("where to find it"),
		"group":       d.text(&c.group).doc("what it is for: forms show those of a group together"),
		"choices":     d.textList(&c.choices).doc("the values that it can have; default: any"),
		"default":     d.scalar(&c.fallback).doc("its value where the account gives none"),
		"secret":      d.boolean(&c.secret).doc("false: may be shown; default: true"),
		"optional":    d.boolean(&c.optional).doc("true: the account may leave it out"),
	}, []string{"name"}
}

func (d *decoder) limits(l *limitsFile) kind {
	return d.then(object(d, l, limitsTable), func(n ast.Node, _ bool) {
		if (l.Requests > 0) != (l.Per > 0) {
			d.problem(at(n), "requests and per belong together: requests: 10, per: 1s")
		}
		for i, q := range l.Quotas {
			if q.Requests == 0 || q.Per < time.Minute {
				d.problem(at(n), "quota %d needs requests and per, of a minute or more: {requests: 20000, per: 24h}", i+1)
			}
		}
	})
}

func limitsTable(d *decoder, l *limitsFile) (fields, []string) {
	return fields{
		"requests":    d.integer(&l.Requests, 1, 1_000_000).doc("at most so many …"),
		"per":         d.duration(&l.Per).doc("… in so long"),
		"burst":       d.integer(&l.Burst, 1, 1_000_000).doc("so many at once; default: all of requests"),
		"concurrency": d.integer(&l.Concurrency, 1, 1000).doc("so many at a time; default: 4"),
		"quota":       objects(d, &l.Quotas, quotaTable).doc("long windows that are counted across restarts: a day's requests, say"),
		"remaining":   d.textList(&l.remaining).doc("header with the number of requests left; at 0 the account waits for the reset"),
		"reset":       d.textList(&l.reset).doc("header with the time of the reset: seconds left, seconds or milliseconds since 1970, or a date"),
	}, nil
}

func quotaTable(d *decoder, q *Quota) (fields, []string) {
	return fields{
		"requests": d.integer(&q.Requests, 1, 100_000_000).doc("at most so many …"),
		"per":      d.duration(&q.Per).doc("… in so long; it begins with the first request"),
	}, []string{"requests", "per"}
}

func errorsTable(d *decoder, e *errorsFile) (fields, []string) {
	return fields{
		"ok":        d.text(&e.ok).doc(`what every good answer says of itself: "success is true"`),
		"code":      d.textList(&e.code).doc("where an answer of any status gives an error's code: a path, or header:NAME"),
		"auth":      d.scalars(&e.auth).doc("statuses and codes that mean: the credentials are wrong"),
		"throttle":  d.scalars(&e.throttle).doc("statuses and codes that mean: slower"),
		"transient": d.scalars(&e.transient).doc("statuses and codes that may pass by themselves"),
		"restart":   d.scalars(&e.restart).doc("codes that mean: this cursor or sync token is no longer good, begin anew"),
		"absent":    d.scalars(&e.absent).doc("statuses and codes that mean what 404 means"),
		"empty":     d.scalars(&e.empty).doc("statuses and codes that mean: the list has no records, or no more of them"),
	}, nil
}
