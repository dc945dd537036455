package providers

import (
	"time"

	"github.com/goccy/go-yaml/ast"
)

type streamFile struct {
	recordType, verified, schedule text
	request                        requestFile
	records                        recordsFile
	page                           pageFile
	since                          sinceFile
	record                         recordFile
	detail                         detailFile
	parent                         parentFile
	variants                       []requestFile
	deleted                        deletedFile
	ignore, sets, digests          []text
	keepURLQueries                 bool
	broken                         bool // not keys and values: already told
}

type requestFile struct {
	at             text
	get, post      text
	query, headers []pair
	body           *bodyFile
	broken         bool // wrong already, and told
}

type recordsFile struct {
	path, shape, merge, value text
	id, empty                 []text
	broken                    bool
}

type pageFile struct {
	set                                                                bool
	kind, start, size, maxSize, next, end, total, totalPages, maxPages text
	step                                                               text
	alone                                                              bool
	positional                                                         *bool
}

// sinceFile is how only what changed is asked for.
type sinceFile struct {
	at      text
	format  text
	token   text // a path: the answer gives a token for the next time
	overlap time.Duration
	proven  bool
}

// recordFile asks for one record.
type recordFile struct {
	requestFile
	gone text // a condition: the answer says that the record is deleted
}

type detailFile struct {
	requestFile
	path  text // of the record in the answer, or of the list of them
	id    []text
	batch int
}

type parentFile struct {
	at, stream, key, separator text
	batch                      int
}

type deletedFile struct {
	when text // a condition on a record
	list *streamFile
}

// stream reads one stream, or the defaults of all.
func (d *decoder) stream(n ast.Node, s *streamFile) {
	known, _ := streamTable(d, s)
	s.broken = !d.mapping(n, known)
}

func streamTable(d *decoder, s *streamFile) (fields, []string) {
	known, _ := listTable(d, s)
	known["verified"] = d.text(&s.verified).doc("against what this list was proven; default: the connector's")
	known["schedule"] = d.text(&s.schedule).doc("default interval or cron expression; else one hour")
	known["since"] = d.then(object(d, &s.since, sinceTable), func(n ast.Node, _ bool) { s.since.at = at(n); s.since.at.set = true }).
		doc("how only what changed is asked for, with ${since} in the request")
	known["record"] = asks(d, &s.record, &s.record.requestFile, recordTable).doc("asks for one record by ${id}: a deletion is confirmed with it")
	known["detail"] = asks(d, &s.detail, &s.detail.requestFile, detailTable).doc("asks for what the list leaves out, by ${id}")
	known["parent"] = d.then(object(d, &s.parent, parentTable), func(n ast.Node, _ bool) { s.parent.at = at(n); s.parent.at.set = true }).
		doc("the stream or list for each of whose records this list is asked, with ${parent}")
	known["variants"] = d.variants(&s.variants).doc("the same list asked several times: what differs in each request")
	known["deleted"] = object(d, &s.deleted, deletedTable).doc("how the provider itself says that a record is gone")
	known["ignore"] = d.textList(&s.ignore).doc("paths that mean nothing: a change there is no update")
	known["sets"] = d.textList(&s.sets).doc("paths of arrays whose order means nothing")
	known["digests"] = d.textList(&s.digests).doc("deeper paths whose changes are told apart, beside the record's own fields")
	known["keep_url_queries"] = d.boolean(&s.keepURLQueries).doc("true: the query strings of signed URLs count as content")
	return known, nil
}

// listTable is what every list has, a helper one too.
func listTable(d *decoder, s *streamFile) (fields, []string) {
	return fields{
		"request": asks(d, &s.request, &s.request, requestTable).doc("what is asked"),
		"records": d.then(object(d, &s.records, recordsTable), func(_ ast.Node, sound bool) { s.records.broken = !sound }).doc("where the records are"),
		"page":    d.page(&s.page).doc("how the list is paged; or none"),
	}, nil
}

// asks reads a mapping that holds a request, and perhaps more.
func asks[T any](d *decoder, to *T, r *requestFile, t table[T]) kind {
	return d.then(object(d, to, t), func(n ast.Node, sound bool) {
		r.at, r.broken = at(n), !sound
		r.at.set = true
	})
}

func requestTable(d *decoder, r *requestFile) (fields, []string) {
	return fields{
		"get":     d.text(&r.get).doc("the path of a GET, below base URL and base path"),
		"post":    d.text(&r.post).doc("the path of a POST"),
		"query":   d.pairs(&r.query).doc("parameter → value"),
		"headers": d.pairs(&r.headers).doc("header → value; Accept: application/json is sent anyway"),
		"body": kind{schema: fixed(schema{}), read: func(n ast.Node) {
			body := d.body(n)
			r.body = &body
		}}.doc("for post: any value, sent as JSON"),
	}, nil
}

func (d *decoder) variants(to *[]requestFile) kind {
	return kind{
		schema: func() schema { return schema{"type": "array", "items": objectSchema(requestTable)} },
		read: d.list(func(n ast.Node) {
			var r requestFile
			asks(d, &r, &r, requestTable).read(n)
			*to = append(*to, r)
		}),
	}
}

var shapes = []string{"list", "map", "one_or_list"}

func recordsTable(d *decoder, r *recordsFile) (fields, []string) {
	return fields{
		"path":  d.text(&r.path).doc("where the records are: data.items; * stands for each element or value; default: the whole answer"),
		"shape": d.word(&r.shape, shapes...).doc("list; map: the values of an object; one_or_list: a record alone is a list of one"),
		"id":    d.textList(&r.id).doc("where a record's id is; several paths make one id"),
		"merge": d.text(&r.merge).doc("an object inside the record whose fields become the record's own: attributes"),
		"value": d.text(&r.value).doc("a key: what is merged is wrapped, and its value is here"),
		"empty": kind{schema: fixed(oneOrMany(schema{"enum": []any{nil, "null", "missing", "no_content", "not_found"}})), read: d.list(d.emptyWord(&r.empty))}.doc("what else means an empty page: null, missing, no_content, not_found"),
	}, nil
}

func (d *decoder) page(p *pageFile) kind {
	k := object(d, p, pageTable)
	return kind{
		schema: func() schema { return schema{"anyOf": []schema{{"const": "none"}, k.schema()}} },
		read: func(n ast.Node) {
			if _, ok := n.(*ast.StringNode); ok { // page: none
				d.text(&p.kind).read(n)
			} else {
				k.read(n)
			}
			p.set = true
		},
	}
}

func pageTable(d *decoder, p *pageFile) (fields, []string) {
	return fields{
		"kind":        d.word(&p.kind, pagingNames()...).doc("none, page, offset, cursor, url or link"),
		"start":       d.scalar(&p.start).doc("number of the first page (default 1), the first offset (default 0), or the first cursor"),
		"step":        d.word(&p.step, "records", "size").doc("for offset: it grows by the records that came (default) or by size"),
		"size":        d.number(&p.size).doc("what ${page.size} is; an account can ask for another"),
		"max_size":    d.number(&p.maxSize).doc("the largest that the provider takes; default: size"),
		"next":        d.text(&p.next).doc("where the cursor or the URL is: a path, header:NAME, or last:PATH in the page's last record"),
		"end":         d.text(&p.end).doc("the signal of the last page: no_next, total, last_page, empty, short, or PATH is true"),
		"total":       d.text(&p.total).doc("where the answer gives the number of records"),
		"total_pages": d.text(&p.totalPages).doc("where it gives the number of pages, for end: last_page"),
		"max_pages":   d.number(&p.maxPages).doc("a listing without end stops with an error here; default 10,000"),
		"alone":       d.boolean(&p.alone).doc("true: behind the first page, the parameters with the cursor are sent and no others"),
		"positional": kind{schema: fixed(schema{"type": "boolean"}), read: func(n ast.Node) {
			p.positional = new(bool)
			d.boolean(p.positional).read(n)
		}}.doc("true: records can slip between pages while they are read; default: yes for page and offset"),
	}, []string{"kind"}
}

func sinceTable(d *decoder, s *sinceFile) (fields, []string) {
	return fields{
		"format":  d.text(&s.format).doc("how ${since} is written: rfc3339 (default), epoch, epoch_ms, date, http, or a pattern like YYYY-MM-DD hh:mm:ss"),
		"overlap": d.duration(&s.overlap).doc("how much earlier to ask than the last listing began: the provider's own delay"),
		"token":   d.text(&s.token).doc("where the last page gives the token for ${since.token} of the next listing"),
		"proven":  d.boolean(&s.proven).doc("true: seen to miss nothing; without it the filter is not used"),
	}, nil
}

func recordTable(d *decoder, r *recordFile) (fields, []string) {
	known, required := requestTable(d, &r.requestFile)
	known["gone"] = d.text(&r.gone).doc(`what a record that is deleted says of itself: "status is deleted"`)
	return known, required
}

func detailTable(d *decoder, r *detailFile) (fields, []string) {
	known, required := requestTable(d, &r.requestFile)
	known["path"] = d.text(&r.path).doc("where the record is in the answer; with batch, where the list of them is")
	known["id"] = d.textList(&r.id).doc("with batch: where each record's id is; default: as in the list")
	known["batch"] = d.integer(&r.batch, 1, 10_000).doc("so many records in one request; default: one")
	return known, required
}

func parentTable(d *decoder, p *parentFile) (fields, []string) {
	return fields{
		"stream":    d.text(&p.stream).doc("a stream or list of this file"),
		"key":       d.text(&p.key).doc("what of the parent ${parent} is; default: its id"),
		"batch":     d.integer(&p.batch, 1, 10_000).doc("so many parents in one request; default: one"),
		"separator": d.text(&p.separator).doc("what stands between them; default: a comma"),
	}, []string{"stream"}
}

func deletedTable(d *decoder, f *deletedFile) (fields, []string) {
	list := object(d, new(streamFile), listTable)
	return fields{
		"when": d.text(&f.when).doc(`what a listed record that is deleted says of itself: "deleted_at is not null"`),
		"list": kind{schema: list.schema, read: func(n ast.Node) {
			f.list = &streamFile{}
			object(d, f.list, listTable).read(n)
		}}.doc("a list of deleted records, asked in incremental listings"),
	}, nil
}

// emptyWord reads a text, and YAML's null as the word it is.
func (d *decoder) emptyWord(to *[]text) func(ast.Node) {
	return func(n ast.Node) {
		if _, ok := n.(*ast.NullNode); !ok {
			d.textList(to).read(n)
			return
		}
		t := at(n)
		t.value, t.set = "null", true
		*to = append(*to, t)
	}
}
