package providers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// stream is how the records of one type are listed.
type stream struct {
	info    StreamInfo
	served  bool    // false: the account gives this list no path
	calls   []*call // the list, once for each variant
	records records
	paging  paging
	since   since
	record  *lookupCall // asks for one record; nil: the connector can't
	gone    condition   // on a listed record
}

// lookupCall asks for one record by its id.
type lookupCall struct {
	*call
	gone condition // on the answer
}

// merge fills in what a stream leaves to the connector's defaults: request and records
// key by key, everything else as a whole.
func merge(d, s streamFile) streamFile {
	s.verified = or(s.verified, d.verified)
	s.schedule = or(s.schedule, d.schedule)
	s.request.query = mergePairs(d.request.query, s.request.query)
	s.request.headers = mergePairs(d.request.headers, s.request.headers)
	s.request.body = cmp.Or(s.request.body, d.request.body)
	s.records = mergeRecords(d.records, s.records)
	if !s.page.set {
		s.page = d.page
	}
	if !s.since.at.set {
		s.since = d.since
	}
	if !s.record.at.set {
		s.record = d.record
	}
	if !s.deleted.when.set {
		s.deleted.when = d.deleted.when
	}
	for _, list := range []struct{ own, other *[]text }{{&s.ignore, &d.ignore}, {&s.sets, &d.sets}, {&s.digests, &d.digests}} {
		if *list.own == nil {
			*list.own = *list.other
		}
	}
	s.keepURLQueries = s.keepURLQueries || d.keepURLQueries
	return s
}

func mergeRecords(d, s recordsFile) recordsFile {
	s.path, s.shape = or(s.path, d.path), or(s.shape, d.shape)
	s.merge, s.value = or(s.merge, d.merge), or(s.value, d.value)
	if s.id == nil {
		s.id = d.id
	}
	if s.empty == nil {
		s.empty = d.empty
	}
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
	s := &stream{served: true}
	s.info = StreamInfo{
		RecordType:     f.recordType.value,
		EventPrefix:    c.eventPrefix(f.recordType),
		Verified:       cmp.Or(f.verified.value, c.file.verified.value),
		Schedule:       f.schedule.value,
		Ignore:         c.rulePaths(f.ignore),
		Sets:           c.rulePaths(f.sets),
		Digests:        c.rulePaths(f.digests),
		KeepURLQueries: f.keepURLQueries,
		SinceMargin:    f.since.overlap,
	}
	c.list(s, f)
	s.since = c.since(f.since, s, f.recordType)
	s.info.Since = f.since.proven && s.since.usable
	s.record = c.lookupCall(f)
	s.info.Confirms = s.record != nil
	s.gone = c.condition(f.deleted.when, true)
	s.info.Version = s.version(f)
	return s
}

// list reads what every list has: request, records, paging.
func (c *compiler) list(s *stream, f streamFile) {
	variables := slices.Concat(pageVariables, sinceVariables)
	s.calls = []*call{c.call(f.request, f.recordType, variables...)}
	if variable, ok := s.calls[0].path.alone(); ok {
		// The account gives the whole path, or doesn't have this list.
		_, s.served = c.lookup(variable)
	}
	s.records = c.records(f)
	if !f.page.set {
		c.problem(f.recordType, "the key \"page\" is missing: how the list is paged, or page: none")
		return
	}
	s.paging = c.paging(f.page, s.calls[0].variables())
	s.info.Positional = s.paging.positional
}

func (c *compiler) eventPrefix(recordType text) string {
	prefix, ok := c.prefixes[recordType.value]
	if !ok {
		c.problem(recordType, "unknown record type %q%s", recordType.value, nearest(recordType.value, slices.Collect(maps.Keys(c.prefixes)), ": a new one is declared under record_types"))
		return ""
	}
	return prefix + "_" + recordType.value
}

// lookupCall reads the request for one record.
func (c *compiler) lookupCall(f streamFile) *lookupCall {
	if !f.record.at.set {
		return nil
	}
	variables := []string{"id"}
	if parts := len(c.idParts(f.records)); parts > 1 {
		variables = nil // an id of several parts is our own: the provider knows the parts
		for i := range parts {
			variables = append(variables, fmt.Sprintf("id.%d", i+1))
		}
	}
	k := &lookupCall{call: c.call(f.record.requestFile, f.record.at, variables...), gone: c.condition(f.record.gone, false)}
	used := k.variables()
	if !f.record.broken && !slices.ContainsFunc(variables, func(v string) bool { return used[v] }) {
		c.problem(f.record.at, "the request for one record needs ${%s} somewhere", variables[0])
	}
	return k
}

// rulePaths checks the paths of ignore, sets and digests; what they do is not decided here.
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
	spec := []any{s.records.spec(), s.gone.text}
	for i, k := range s.calls {
		var query []string
		for _, p := range k.query {
			if !p.value.passing() {
				query = append(query, p.name.text+"="+p.value.text)
			}
		}
		slices.Sort(query)
		r := f.request
		if len(f.variants) > 0 {
			r = r.with(f.variants[i])
		}
		body := ""
		if r.body != nil {
			body = r.body.lasting()
		}
		spec = append(spec, []any{k.method, withoutPage(k.path.text), query, body})
	}
	text, _ := json.Marshal(spec)
	return fmt.Sprintf("%016x", xxhash.Sum64(text))
}

func withoutPage(s string) string {
	for _, variable := range pageVariables {
		s = strings.ReplaceAll(s, "${"+variable+"}", "")
	}
	return s
}
