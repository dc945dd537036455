package providers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// stream is how the records of one type are listed.
type stream struct {
	info       StreamInfo
	served     bool    // false: the account gives this list no path
	calls      []*call // the list, once for each variant
	records    records
	paging     paging
	since      since
	parent     *parent     // nil: the list is one for all
	detail     *detail     // nil: the list tells enough
	record     *lookupCall // asks for one record; nil: the connector can't
	gone       condition   // on a listed record
	tombstones *stream     // lists deleted records; nil: nothing does
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
	if !s.detail.at.set {
		s.detail = d.detail
	}
	if !s.parent.at.set {
		s.parent = d.parent
	}
	if s.variants == nil {
		s.variants = d.variants
	}
	s.deleted.when = or(s.deleted.when, d.deleted.when)
	s.deleted.list = cmp.Or(s.deleted.list, d.deleted.list)
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

// helper reads a list that only serves as a parent.
func (c *compiler) helper(f streamFile) *stream {
	s := &stream{served: true, info: StreamInfo{RecordType: f.recordType.value}}
	c.list(s, f)
	s.record = c.lookupCall(f)
	return s
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
	s.detail = c.detail(f)
	s.gone = c.condition(f.deleted.when, true)
	if f.deleted.list != nil {
		s.tombstones = &stream{served: true, info: s.info, since: s.since}
		list := *f.deleted.list
		list.recordType = f.recordType
		c.list(s.tombstones, list)
	}
	s.info.Version = s.version(f)
	return s
}

// list reads what every list has: its requests, records, paging.
func (c *compiler) list(s *stream, f streamFile) {
	variables := slices.Concat(pageVariables, sinceVariables)
	if f.parent.at.set {
		variables = append(variables, "parent")
	}
	s.calls = []*call{c.call(f.request, f.recordType, variables...)}
	for i, v := range f.variants {
		k := c.call(f.request.with(v), or(v.at, f.recordType), variables...)
		s.calls = append(s.calls[:i], k)
	}
	if variable, ok := s.calls[0].path.alone(); ok {
		// The account gives the whole path, or doesn't have this list.
		_, s.served = c.lookup(variable)
	}
	s.records = c.records(f.records, f.recordType, f.parent.at.set)
	if !f.page.set {
		c.problem(f.recordType, "the key \"page\" is missing: how the list is paged, or page: none")
		return
	}
	for _, k := range s.calls {
		used := k.variables()
		s.paging = c.paging(f.page, used)
		if f.parent.at.set && !used["parent"] {
			c.problem(f.parent.at, "a list with a parent needs ${parent} somewhere in the request")
		}
	}
	s.info.Positional = s.paging.positional || f.parent.at.set || len(s.calls) > 1
}

// detail reads the request for what the list leaves out.
func (c *compiler) detail(f streamFile) *detail {
	if !f.detail.at.set {
		return nil
	}
	variables := c.idVariables(f)
	if f.parent.at.set {
		variables = append(variables, "parent")
	}
	d := &detail{call: c.call(f.detail.requestFile, f.detail.at, variables...), batch: max(f.detail.batch, 1)}
	if d.batch == 1 {
		d.path = c.path(f.detail.path)
	} else {
		ids := f.detail.id
		if ids == nil {
			ids = f.records.id
		}
		d.records = c.records(recordsFile{path: f.detail.path, id: ids, shape: text{value: "one_or_list", set: true}}, f.detail.at, false)
	}
	c.asksByID(f.detail.requestFile, d.call, variables)
	return d
}

// idVariables are the substitutions for a record's id. An id of several parts is our own
// making: the provider knows the parts.
func (c *compiler) idVariables(f streamFile) []string {
	parts := len(c.idParts(f.records.id))
	if parts < 2 {
		return []string{"id"}
	}
	var variables []string
	for i := range parts {
		variables = append(variables, fmt.Sprintf("id.%d", i+1))
	}
	return variables
}

func (c *compiler) asksByID(f requestFile, k *call, variables []string) {
	used := k.variables()
	if !f.broken && !slices.ContainsFunc(variables, func(v string) bool { return used[v] }) {
		c.problem(f.at, "the request needs ${%s} somewhere", variables[0])
	}
}

func (c *compiler) eventPrefix(recordType text) string {
	prefix, ok := c.prefixes[recordType.value]
	if !ok {
		c.problem(recordType, "unknown record type %q%s", recordType.value, unknownAmong(recordType.value, c.prefixes, "a new one is declared under record_types"))
		return ""
	}
	return prefix + "_" + recordType.value
}

// lookupCall reads the request for one record.
func (c *compiler) lookupCall(f streamFile) *lookupCall {
	if !f.record.at.set {
		return nil
	}
	variables := c.idVariables(f)
	k := &lookupCall{call: c.call(f.record.requestFile, f.record.at, variables...), gone: c.condition(f.record.gone, false)}
	c.asksByID(f.record.requestFile, k.call, variables)
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
	spec := []any{s.records.spec(), s.gone.text, f.parent.stream.value, f.parent.key.value}
	for i, k := range s.calls {
		r := f.request
		if len(f.variants) > 0 {
			r = r.with(f.variants[i])
		}
		spec = append(spec, k.spec(r.body))
	}
	if s.detail != nil {
		spec = append(spec, s.detail.spec(f.detail.body), f.detail.path.value)
	}
	text, _ := json.Marshal(spec)
	return fmt.Sprintf("%016x", xxhash.Sum64(text))
}

// spec is what of a request decides which records come.
func (k *call) spec(f *bodyFile) []any {
	var query []string
	for _, p := range k.query {
		if !p.value.passing() {
			query = append(query, p.name.text+"="+p.value.text)
		}
	}
	slices.Sort(query)
	body := ""
	if f != nil {
		body = f.lasting()
	}
	return []any{k.method, withoutPage(k.path.text), query, body}
}

func withoutPage(s string) string {
	for _, variable := range pageVariables {
		s = strings.ReplaceAll(s, "${"+variable+"}", "")
	}
	return s
}
