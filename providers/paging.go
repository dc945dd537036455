package providers

import (
	"maps"
	"slices"
	"strings"
)

// paging is how a list is walked and how its end is known.
type paging struct {
	kind       string
	start      int
	size       int // 0: the provider decides
	maxSize    int
	maxPages   int
	next       source // of the cursor or the URL
	end        endRule
	total      source // of the number of records, checked at the end
	totalPages source
	positional bool
	bySize     bool   // an offset grows by what was asked for, not by what came
	alone      bool   // behind the first page nothing but the cursor is sent
	first      string // cursor of the first page

	nextAt, totalAt string // what an account or a file says them with
}

// endRule is the signal that a page is the last one.
type endRule struct {
	signal string // one of endSignals
	flag   source // signal "flag": ends where it is …
	is     bool   // … this
}

const (
	endNoNext   = "no_next"   // the answer names no next cursor or URL
	endTotal    = "total"     // as many records came as total says there are
	endLastPage = "last_page" // the page's number reached total_pages
	endEmpty    = "empty"     // the page is empty
	endShort    = "short"     // the page has fewer records than were asked for
	endFlag     = "flag"      // a flag in the answer says so
	endOnly     = "only"      // there is one page
)

// pagingKind is what a kind of paging needs and bears.
type pagingKind struct {
	variable   string   // the substitution that says where a page begins; "": none
	keys       []string // beside total and max_pages
	ends       []string // the first is the default where standard is true
	standard   bool
	positional bool
}

var pagingKinds = map[string]pagingKind{
	"none":   {ends: []string{endOnly}, standard: true},
	"page":   {variable: "page.number", keys: []string{"start", "size", "max_size", "end", "total_pages"}, ends: []string{endTotal, endLastPage, endEmpty, endShort, endFlag}, positional: true},
	"offset": {variable: "page.offset", keys: []string{"start", "step", "size", "max_size", "end"}, ends: []string{endTotal, endEmpty, endShort, endFlag}, positional: true},
	"cursor": {variable: "page.cursor", keys: []string{"start", "next", "size", "max_size", "end"}, ends: []string{endNoNext, endEmpty, endShort, endFlag}, standard: true},
	"url":    {keys: []string{"next", "size", "max_size", "end"}, ends: []string{endNoNext, endEmpty, endShort, endFlag}, standard: true},
	"link":   {keys: []string{"size", "max_size", "end"}, ends: []string{endNoNext, endEmpty, endShort, endFlag}, standard: true},
}

func pagingNames() []string { return []string{"none", "page", "offset", "cursor", "url", "link"} }

// defaultMaxPages ends a listing that has no end. A connector with longer ones says so.
const defaultMaxPages = 10_000

func (c *compiler) paging(f pageFile, used map[string]bool) paging {
	p := paging{kind: c.word(f.kind), maxPages: defaultMaxPages}
	if p.kind == "" && !f.kind.literal() {
		p.kind = "none" // until an account says which
	}
	kind, ok := pagingKinds[p.kind]
	if !ok {
		names := slices.Sorted(maps.Keys(pagingKinds))
		c.problem(f.kind, "unknown paging %q%s", p.kind, nearest(p.kind, names, "; known here: "+strings.Join(names, ", ")))
		return p
	}
	c.contradictions(f, p.kind, kind)
	p.positional = kind.positional
	if f.positional != nil {
		p.positional = *f.positional
	}
	if p.kind == "page" {
		p.start = 1
	}
	if p.kind == "cursor" {
		p.first = c.word(f.start)
	} else if start, ok := c.number(f.start, 0, 1_000_000); ok {
		p.start = start
	}
	p.bySize = c.among(f.step, "records", "size") == "size"
	if p.alone = f.alone; p.alone && p.kind != "cursor" {
		c.problem(f.kind, "alone is for paging \"cursor\": it sends the cursor and no other parameter")
	}
	p.size, _ = c.number(f.size, 1, 100_000)
	p.maxSize = p.size
	if largest, ok := c.number(f.maxSize, 1, 100_000); ok {
		if p.maxSize = largest; largest < p.size {
			c.problem(f.maxSize, "max_size is smaller than size")
		}
	}
	if pages, ok := c.number(f.maxPages, 1, 10_000_000); ok {
		p.maxPages = pages
	}
	p.next, p.total, p.totalPages = c.source(f.next), c.source(f.total), c.source(f.totalPages)
	p.nextAt, p.totalAt = c.setting(f.next, "next"), c.setting(f.total, "total")
	if (p.kind == "cursor" || p.kind == "url") && p.next.text == "" {
		c.problem(or(f.next, f.kind), "paging %q needs next: where the answer names the next page", p.kind)
	}
	p.end = c.end(f, p, kind)
	c.places(f, p, kind, used)
	return p
}

// contradictions finds keys that the kind has no use for, where both stand in the file.
func (c *compiler) contradictions(f pageFile, name string, kind pagingKind) {
	if !f.kind.literal() {
		return
	}
	given := map[string]text{"start": f.start, "step": f.step, "size": f.size, "max_size": f.maxSize, "next": f.next, "end": f.end, "total_pages": f.totalPages}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if t := given[key]; t.set && !slices.Contains(kind.keys, key) {
			c.problem(t, "paging %q has no %s%s", name, key, knownKeys(kind))
		}
	}
	if f.totalPages.set && f.end.value != endLastPage && slices.Contains(kind.keys, "total_pages") {
		c.problem(f.totalPages, "total_pages is only read with end: %s", endLastPage)
	}
}

func knownKeys(kind pagingKind) string {
	keys := append(slices.Clone(kind.keys), "total", "max_pages")
	return "; it knows " + strings.Join(keys, ", ")
}

// end reads the end signal: one word, or "PATH is true" for a flag.
func (c *compiler) end(f pageFile, p paging, kind pagingKind) endRule {
	word := c.word(f.end)
	if word == "" {
		if !kind.standard {
			c.problem(or(f.end, f.kind), "paging %q needs end, the signal of the last page: %s", p.kind, endWords(kind))
			return endRule{}
		}
		return endRule{signal: kind.ends[0]}
	}
	rule := endRule{signal: word}
	if flag, value, ok := strings.Cut(word, " is "); ok {
		s, err := parseSource(strings.TrimSpace(flag))
		value = strings.TrimSpace(value)
		if err != nil || value != "true" && value != "false" {
			c.problem(f.end, "a flag is written like this: end: has_more is false")
		}
		rule = endRule{signal: endFlag, flag: s, is: value == "true"}
	} else if word == endFlag || word == endOnly || !slices.Contains(kind.ends, word) {
		c.problem(f.end, "paging %q can't end with %q%s", p.kind, word, nearest(word, kind.ends, "; it ends with "+endWords(kind)))
		return endRule{}
	}
	needs := func(signal, given, key string) {
		if rule.signal == signal && given == "" {
			c.problem(f.end, "end: %s needs %s", signal, key)
		}
	}
	needs(endTotal, p.total.text, "total: where the answer gives the number of records")
	needs(endLastPage, p.totalPages.text, "total_pages: where the answer gives the number of pages")
	if rule.signal == endShort && p.size == 0 {
		c.problem(f.end, "end: short needs size, and ${page.size} in the request")
	}
	return rule
}

func endWords(kind pagingKind) string {
	var words []string
	for _, end := range kind.ends {
		switch end {
		case endOnly:
		case endFlag:
			words = append(words, `"PATH is false" or "PATH is true"`)
		default:
			words = append(words, end)
		}
	}
	return strings.Join(words, ", ")
}

// places checks that the request says where its page begins, in the words of its kind.
func (c *compiler) places(f pageFile, p paging, kind pagingKind, used map[string]bool) {
	if kind.variable != "" && !used[kind.variable] {
		c.problem(f.kind, "paging %q needs ${%s} somewhere in the request", p.kind, kind.variable)
	}
	if !f.kind.literal() {
		return
	}
	for _, variable := range pageVariables[1:] {
		if used[variable] && variable != kind.variable {
			c.problem(f.kind, "the request uses ${%s}, and paging %q has none", variable, p.kind)
		}
	}
	switch {
	case f.step.value == "size" && !f.size.set:
		c.problem(f.step, "step: size needs size")
	case used["page.size"] && !f.size.set:
		c.problem(f.kind, "the request uses ${page.size}: say which with size")
	case f.size.set && !used["page.size"] && slices.Contains(kind.keys, "size"):
		c.problem(f.size, "size is never sent: write ${page.size} into the request, or leave it out")
	}
}
