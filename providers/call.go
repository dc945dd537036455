package providers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// call is a request as a connector writes it.
type call struct {
	method  string
	path    template
	query   []param
	headers []param
	body    *body
}

// param is a named value of a request; left out when either has no value.
type param struct{ name, value template }

func (p param) expand(values lookup) (name, value string, ok bool) {
	if name, ok = p.name.expand(values, nil); ok {
		value, ok = p.value.expand(values, nil)
	}
	return name, value, ok
}

// call reads a request in which extra substitutions may stand. owner is what to point at
// when the request is missing.
func (c *compiler) call(r requestFile, owner text, extra ...string) *call {
	return c.callTo(r, owner, false, extra...)
}

// callTo is call for an address that, with anywhere, need not be below the base URL.
func (c *compiler) callTo(r requestFile, owner text, anywhere bool, extra ...string) *call {
	address := or(r.get, r.post)
	k := &call{method: http.MethodGet}
	switch {
	case r.get.set && r.post.set:
		c.problem(r.post, "get and post contradict each other")
	case !address.set && !r.broken:
		c.problem(owner, "the request is missing: {get: /path} or {post: /path}")
	case r.post.set:
		k.method = http.MethodPost
	case r.body != nil:
		c.problem(address, "a GET request has no body: write post, or move it to query")
	}
	k.path = c.template(address, extra...)
	if _, alone := k.path.alone(); !alone {
		c.mandatory(address, k.path)
		if address.set && !anywhere && !strings.HasPrefix(address.value, "/") {
			c.problem(address, "the path begins with /: it stands below the base URL")
		}
	}
	k.query = c.params(r.query, extra...)
	k.headers = c.headers(r.headers, extra...)
	if r.body != nil {
		k.body = c.body(*r.body, extra...)
	}
	return k
}

// with fills in what a variant of a request leaves out.
func (r requestFile) with(v requestFile) requestFile {
	if v.get.set || v.post.set {
		r.get, r.post = v.get, v.post
	}
	r.query = mergePairs(r.query, v.query)
	r.headers = mergePairs(r.headers, v.headers)
	if v.body != nil {
		r.body = v.body
	}
	return r
}

// variables are those that the request uses.
func (k *call) variables() map[string]bool {
	used := map[string]bool{}
	note := func(t template) {
		for _, p := range t.parts {
			used[p.variable] = true
		}
	}
	note(k.path)
	for _, p := range slices.Concat(k.query, k.headers) {
		note(p.value)
	}
	if k.body != nil {
		k.body.templates(note)
	}
	return used
}

var (
	pageVariables  = []string{"page.size", "page.number", "page.offset", "page.cursor"}
	sinceVariables = []string{"since", "until", "since.token"}
)

// scope gives the values that one request has beside the account's credentials.
type scope struct {
	account lookup // cred.*
	place   place
	paged   string // the variable of its paging

	since, until, token string

	parents   []string
	separator string
	ids       []string // of a record, or of a batch of them
	idParts   []string // of the one record's composite id
}

// parent is the one parent's key; "" for none and for several.
func (v *scope) parent() string {
	if len(v.parents) != 1 {
		return ""
	}
	return v.parents[0]
}

// lookup is a lookup of everything.
func (v *scope) lookup(name string) (string, bool) {
	some := func(value string) (string, bool) { return value, value != "" }
	switch name {
	case "page.size":
		return strconv.Itoa(v.place.size), v.place.size > 0
	case "page.number":
		return strconv.Itoa(v.place.number), v.paged == name
	case "page.offset":
		return strconv.Itoa(v.place.offset), v.paged == name
	case "page.cursor":
		return some(v.place.cursor)
	case "since":
		return some(v.since)
	case "until":
		return some(v.until)
	case "since.token":
		return some(v.token)
	case "parent":
		return some(strings.Join(v.parents, v.separator))
	case "id":
		return some(strings.Join(v.ids, ","))
	}
	if n, ok := strings.CutPrefix(name, "id."); ok {
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(v.idParts) {
			return "", false
		}
		return some(v.idParts[i-1])
	}
	return v.account(name)
}

// each calls do once for each value of a variable that has several, with a scope in which
// it has that one.
func (v *scope) each(variable string, do func(*scope)) {
	one := *v
	values := v.ids
	if variable == "parent" {
		values = v.parents
	}
	for i := range values {
		if variable == "parent" {
			one.parents = values[i : i+1]
		} else {
			one.ids = values[i : i+1]
		}
		do(&one)
	}
}
