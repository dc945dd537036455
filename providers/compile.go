package providers

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// plan is a connector as one account uses it: every word of the file read and checked.
type plan struct {
	ownBase, basePath template
	auth              auth
	headers           []param // of every request, but those for tokens and sessions
	limits            limits
	errors            errorRules
	streams           []*stream
}

// limits are a connector's, with the headers that tell more.
type limits struct {
	Limits
	remaining, reset []string
}

// compiler turns a connectorFile into a plan, with the credentials of an account or,
// to check a file, with their defaults.
type compiler struct {
	decoder
	file     *connectorFile
	prefixes map[string]string // of record types
	values   map[string]string
	optional map[string]bool // credentials that may have no value
	known    []string        // variables: cred.*
	blame    bool            // an account is checked, not the file
}

// problem points at a text; what an account's credential decided is blamed on that.
func (c *compiler) problem(t text, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if named := credentialsIn(t); c.blame && len(named) > 0 {
		message += fmt.Sprintf(" (credential %s)", strings.Join(named, ", "))
	}
	c.decoder.problem(t, "%s", message)
}

func credentialsIn(t text) []string {
	var names []string
	parsed, _ := parseTemplate(t.value)
	for _, p := range parsed.parts {
		if name, ok := strings.CutPrefix(p.variable, "cred."); ok {
			names = append(names, name)
		}
	}
	return names
}

// template reads a text in which substitutions may stand.
func (c *compiler) template(t text, extra ...string) template {
	parsed, err := parseTemplate(t.value)
	if err != nil {
		c.decoder.problem(inside(t, err.offset), "%s", err.message)
		return template{}
	}
	allowed := append(slices.Clone(c.known), extra...)
	for _, p := range parsed.parts {
		if p.variable == "" || slices.Contains(allowed, p.variable) {
			continue
		}
		message := fmt.Sprintf("unknown substitution ${%s}", p.variable)
		if strings.HasPrefix(p.variable, "page.") && len(extra) == 0 {
			message += ": a page's place is known in requests only"
		} else {
			message += nearest(p.variable, allowed, "; known here: "+strings.Join(allowed, ", "))
		}
		c.decoder.problem(inside(t, p.offset), "%s", message)
	}
	return parsed
}

// inside moves a place along its line, where that is possible.
func inside(t text, offset int) text {
	if t.inline && offset <= len(t.value) {
		t.column += len([]rune(t.value[:offset]))
	}
	return t
}

// mandatory checks a text that can't be left out, an address, say: optional credentials
// have no place in it.
func (c *compiler) mandatory(t text, parsed template) template {
	for _, p := range parsed.parts {
		if name := strings.TrimPrefix(p.variable, "cred."); c.optional[name] {
			c.decoder.problem(inside(t, p.offset), "credential %s is optional, and this can't be left out: give it a default", name)
		}
	}
	return parsed
}

// word reads a text that says how the connector works rather than what is sent, so an
// account's credentials decide it once. It is "" when absent.
func (c *compiler) word(t text) string {
	if t.literal() {
		return t.value
	}
	value, _ := c.template(t).expand(c.lookup, nil)
	return value
}

func (c *compiler) lookup(variable string) (string, bool) {
	value, ok := c.values[strings.TrimPrefix(variable, "cred.")]
	return value, ok && value != ""
}

// setting names what decides a text: the key of the file, or the credential of an account.
// One that takes its value from another by default gives way to that.
func (c *compiler) setting(t text, key string) string {
	names := credentialsIn(t)
	if len(names) != 1 {
		return key
	}
	for {
		i := slices.IndexFunc(c.file.credentials, func(f credentialFile) bool { return f.name.value == names[0] })
		if i < 0 {
			break
		}
		other := credentialsIn(c.file.credentials[i].fallback)
		if len(other) != 1 || c.values[other[0]] != c.values[names[0]] || other[0] == names[0] {
			break
		}
		names = other
	}
	return "credential " + names[0]
}

// number reads a whole number; ok is false when it is absent or, as a problem, wrong.
func (c *compiler) number(t text, least, most int) (value int, ok bool) {
	word := c.word(t)
	if word == "" {
		return 0, false
	}
	value, err := strconv.Atoi(word)
	if err != nil || value < least || value > most {
		c.problem(t, "a whole number from %d to %d is expected", least, most)
		return 0, false
	}
	return value, true
}

// among reads one of a few words; "" when it is absent or, as a problem, none of them.
func (c *compiler) among(t text, words ...string) string {
	word := c.word(t)
	if word != "" && !slices.Contains(words, word) {
		c.problem(t, "%q is none of %s%s", word, strings.Join(words, ", "), suggest(word, words))
		return ""
	}
	return word
}

func (c *compiler) path(t text) path {
	p, err := parsePath(c.word(t))
	if err != nil {
		c.problem(t, "%s", err)
	}
	return p
}

func (c *compiler) source(t text) source {
	word := c.word(t)
	if word == "" && (!t.set || !t.literal()) {
		return source{}
	}
	s, err := parseSource(word)
	if err != nil {
		c.problem(t, "%s", err)
	}
	return s
}

func (c *compiler) params(pairs []pair, extra ...string) []param {
	var params []param
	for _, p := range pairs {
		for _, answers := range []string{"header:", "last:"} {
			if strings.HasPrefix(p.value.value, answers) {
				c.problem(p.value, "%q is sent as it stands: a request can't take anything of an answer, but for the next page's place", p.value.value)
			}
		}
		params = append(params, param{c.template(p.key), c.template(p.value, extra...)})
	}
	return params
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110, section 5.6.2

func (c *compiler) headers(pairs []pair, extra ...string) []param {
	for _, p := range pairs {
		if name := c.word(p.key); name != "" && !headerName.MatchString(name) {
			c.problem(p.key, "%q can't be a header's name", name)
		}
	}
	return c.params(pairs, extra...)
}

func (c *compiler) plan(by *way) *plan {
	f := c.file
	p := &plan{
		ownBase:  c.mandatory(f.base, c.template(f.base)),
		basePath: c.mandatory(f.basePath, c.template(f.basePath)),
		auth:     c.auth(by),
		headers:  c.headers(f.headers),
		limits:   limits{f.limits.Limits, textValues(f.limits.remaining), textValues(f.limits.reset)},
		errors:   c.errorRules(f.errors),
	}
	if f.base.set && f.base.literal() {
		if _, err := ParseBaseURL(f.base.value); err != nil {
			c.problem(f.base, "%s", err)
		}
	}
	if f.basePath.set && !strings.HasPrefix(f.basePath.value, "/") {
		c.problem(f.basePath, "base_path begins with /")
	}
	if own := or(f.defaults.request.get, f.defaults.request.post); own.set {
		c.problem(own, "a path in defaults is nobody's: each stream says its own get or post")
	}
	lists := map[string]*stream{}
	for _, s := range f.lists {
		if !s.broken {
			lists[s.recordType.value] = c.helper(merge(f.defaults, s))
		}
	}
	for _, s := range f.streams {
		if !s.broken {
			p.streams = append(p.streams, c.stream(merge(f.defaults, s)))
			lists[s.recordType.value] = p.streams[len(p.streams)-1]
		}
	}
	for _, s := range slices.Concat(f.lists, f.streams) {
		if !s.broken {
			c.adopt(merge(f.defaults, s), lists)
		}
	}
	return p
}

// adopt gives a list its parent.
func (c *compiler) adopt(f streamFile, lists map[string]*stream) {
	if !f.parent.stream.set {
		return
	}
	child, own := lists[f.recordType.value], lists[f.parent.stream.value]
	if own == nil {
		c.problem(f.parent.stream, "no stream or list is called %q%s", f.parent.stream.value, nearest(f.parent.stream.value, slices.Collect(maps.Keys(lists)), ""))
		return
	}
	for s := own; s != nil; s = s.parent.stream {
		if s == child {
			c.problem(f.parent.stream, "%s would be its own parent", f.recordType.value)
			return
		}
		if s.parent == nil {
			break
		}
	}
	child.parent = &parent{stream: own, key: c.path(f.parent.key), batch: max(f.parent.batch, 1), separator: ","}
	if f.parent.separator.set {
		child.parent.separator = f.parent.separator.value
	}
	if !own.served {
		child.served = false
	}
}

func textValues(texts []text) []string {
	var values []string
	for _, t := range texts {
		values = append(values, t.value)
	}
	return values
}
