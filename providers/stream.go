package providers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// stream is how the records of one type are listed.
type stream struct {
	info    StreamInfo
	served  bool // false: the account gives this list no path
	method  string
	path    template
	query   []param
	headers []param
	body    *body
	records path
	empty   map[string]bool // what else means an empty page: null, missing, no_content
	id      []path
	paging  paging
}

// merge fills in what a stream leaves to the connector's defaults: request and records
// key by key, page, ignore and sets as a whole.
func merge(d, s streamFile) streamFile {
	s.verified = or(s.verified, d.verified)
	s.schedule = or(s.schedule, d.schedule)
	s.request.query = mergePairs(d.request.query, s.request.query)
	s.request.headers = mergePairs(d.request.headers, s.request.headers)
	s.request.body = cmp.Or(s.request.body, d.request.body)
	s.path = or(s.path, d.path)
	if s.id == nil {
		s.id = d.id
	}
	if s.empty == nil {
		s.empty = d.empty
	}
	if !s.page.set {
		s.page = d.page
	}
	if s.ignore == nil {
		s.ignore = d.ignore
	}
	if s.sets == nil {
		s.sets = d.sets
	}
	s.keepURLQueries = s.keepURLQueries || d.keepURLQueries
	return s
}

func or(a, b text) text {
	if a.set {
		return a
	}
	return b
}

func mergePairs(d, s []pair) []pair {
	merged := slices.Clone(s)
	for _, p := range d {
		if !slices.ContainsFunc(s, func(own pair) bool { return own.key.value == p.key.value }) {
			merged = append(merged, p)
		}
	}
	return merged
}

func (c *compiler) stream(f streamFile) *stream {
	s := &stream{empty: map[string]bool{}}
	s.info = StreamInfo{
		RecordType:     f.recordType.value,
		EventPrefix:    c.eventPrefix(f.recordType),
		Verified:       cmp.Or(f.verified.value, c.file.verified.value),
		Schedule:       f.schedule.value,
		Ignore:         c.rulePaths(f.ignore),
		Sets:           c.rulePaths(f.sets),
		KeepURLQueries: f.keepURLQueries,
	}
	c.request(s, f)
	s.records = c.path(f.path)
	for _, t := range f.empty {
		if s.empty[t.value] = true; !slices.Contains(emptyWords, t.value) {
			c.problem(t, "%q does not mean an empty page%s", t.value, nearest(t.value, emptyWords, "; known here: "+strings.Join(emptyWords, ", ")))
		}
	}
	c.id(s, f)
	if !f.page.set {
		c.problem(f.recordType, "the key \"page\" is missing: how the list is paged, or page: none")
	} else {
		s.paging = c.paging(f.page, s)
		s.info.Positional = s.paging.positional
	}
	s.info.Version = s.version(f)
	return s
}

// emptyWords are what may mean an empty page beside an empty list.
var emptyWords = []string{"null", "missing", "no_content"}

func (c *compiler) eventPrefix(recordType text) string {
	prefix, ok := c.prefixes[recordType.value]
	if !ok {
		c.problem(recordType, "unknown record type %q%s", recordType.value, nearest(recordType.value, slices.Collect(maps.Keys(c.prefixes)), ": a new one is declared under record_types"))
		return ""
	}
	return prefix + "_" + recordType.value
}

func (c *compiler) request(s *stream, f streamFile) {
	r := f.request
	address := or(r.get, r.post)
	switch {
	case r.get.set && r.post.set:
		c.problem(r.post, "get and post contradict each other")
	case !address.set && !r.broken:
		c.problem(f.recordType, "the request is missing: request: {get: /path} or {post: /path}")
	case r.post.set:
		s.method = http.MethodPost
	default:
		s.method = http.MethodGet
		if r.body != nil && f.request.body != nil {
			c.problem(address, "a GET request has no body: write post, or move it to query")
		}
	}
	s.path = c.template(address, pageVariables...)
	if variable, ok := s.path.alone(); ok {
		// The account gives the whole path, or doesn't have this list.
		_, s.served = c.lookup(variable)
	} else {
		c.mandatory(address, s.path)
		if s.served = true; address.set && !strings.HasPrefix(address.value, "/") {
			c.problem(address, "the path begins with /: it stands below the base URL")
		}
	}
	s.query = c.params(r.query, pageVariables...)
	s.headers = c.headers(r.headers, pageVariables...)
	if r.body != nil {
		s.body = c.body(*r.body)
	}
}

func (c *compiler) id(s *stream, f streamFile) {
	if len(f.id) == 0 && !f.recordsBroken {
		c.problem(f.recordType, "records.id is missing: the path of a record's id, or a list of paths")
	}
	for _, t := range f.id {
		for part := range strings.SplitSeq(c.word(t), ",") {
			p, err := parsePath(strings.TrimSpace(part))
			if err == nil && p.json == "" {
				err = fmt.Errorf("the path of a record's id is expected")
			}
			if err != nil {
				c.problem(t, "%s", err)
			}
			s.id = append(s.id, p)
		}
	}
}

// rulePaths checks the paths of ignore and sets; what they do is not decided here.
func (c *compiler) rulePaths(texts []text) []string {
	var paths []string
	for _, t := range texts {
		if keys, err := splitPath(t.value); err != nil {
			c.problem(t, "%s", err)
		} else if len(keys) == 0 {
			c.problem(t, "a path is expected")
		}
		paths = append(paths, t.value)
	}
	return paths
}

// version changes exactly when the same provider data could give other records or other
// ids than before: which list is asked, for what, where its records and their ids are.
func (s *stream) version(f streamFile) string {
	var query []string
	for _, p := range s.query {
		if !p.value.uses("page.") {
			query = append(query, p.name.text+"="+p.value.text)
		}
	}
	slices.Sort(query)
	var ids []string
	for _, p := range s.id {
		ids = append(ids, p.text)
	}
	body := ""
	if f.request.body != nil {
		body = f.request.body.withoutPage()
	}
	spec, _ := json.Marshal([]any{s.method, withoutPage(s.path.text), query, body, s.records.text, ids})
	return fmt.Sprintf("%016x", xxhash.Sum64(spec))
}
