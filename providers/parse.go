package providers

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// registry reads the record types that everybody knows.
func registry() (map[string]string, error) {
	data, err := embedded.ReadFile("catalog/" + registryFile)
	if err != nil {
		return nil, fmt.Errorf("read record types: %w", err)
	}
	d := decoder{file: registryFile}
	var pairs []pair
	if n := d.parse(data); n != nil {
		d.mapping(n, fields{"record_types": d.pairs(&pairs)}, "record_types")
	}
	types := map[string]string{}
	d.recordTypes(pairs, types)
	if len(d.problems) > 0 {
		return nil, fmt.Errorf("read record types: %s", d.problems[0])
	}
	return types, nil
}

var (
	connectorName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	wordName      = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// IsName tells whether a connector can be called so.
func IsName(name string) bool { return connectorName.MatchString(name) }

// recordTypes adds declared record types to those that are known.
func (d *decoder) recordTypes(declared []pair, known map[string]string) {
	for _, t := range declared {
		name, prefix := t.key.value, t.value.value
		switch {
		case !wordName.MatchString(name) || name == "account":
			d.problem(t.key, "%q can't be a record type: small letters, digits and _, and not account", name)
		case !wordName.MatchString(prefix):
			d.problem(t.value, "%q can't be a prefix: small letters, digits and _", prefix)
		case known[name] != "" && known[name] != prefix:
			d.problem(t.value, "record type %q has the prefix %q already", name, known[name])
		default:
			known[name] = prefix
		}
	}
}

// Parse reads one connector file. It returns all problems at once, in the file's order;
// the connector is nil when there are any.
func Parse(file string, data []byte) (*Connector, []Problem) {
	d := &decoder{file: file}
	types, err := registry()
	if err != nil {
		d.problem(text{}, "%s", err)
		return nil, d.problems
	}
	n := d.parse(data)
	if n == nil {
		return nil, d.problems
	}
	f := d.connector(n)
	d.recordTypes(f.recordTypes, types)
	c := d.assemble(f, types)
	plan, problems := c.compile(c.values(nil), nil)
	for _, s := range plan.streams {
		c.streams = append(c.streams, s.info)
	}
	for _, p := range problems {
		p.File = file
		d.problems = append(d.problems, p)
	}
	if len(d.problems) > 0 {
		sortProblems(d.problems)
		return nil, slices.Compact(d.problems)
	}
	return c, nil
}

// assemble makes the connector that everyone sees and checks what is not about streams.
func (d *decoder) assemble(f connectorFile, types map[string]string) *Connector {
	c := &Connector{
		Name: f.name.value, Title: cmp.Or(f.title.value, f.name.value), Category: f.category.value,
		BaseURL: strings.TrimRight(f.base.value, "/") + f.basePath.value, Verified: f.verified.value,
		file: f, types: types, needs: map[string]bool{},
	}
	if len(f.auth) == 0 {
		c.file.auth = []authFile{{}} // none
	}
	if f.name.set && !IsName(c.Name) {
		d.problem(f.name, "%q can't be a connector's name: small letters, digits, - and _", c.Name)
	}
	if f.category.set && !slices.Contains(categories, c.Category) {
		d.problem(f.category, "unknown category %q%s", c.Category, nearest(c.Category, categories, "; known here: "+strings.Join(categories, ", ")))
	}
	d.credentials(c)
	d.hostSafeDefaults(c)
	return c
}

// hostSafeDefaults holds defaults that become part of an address to what is asked of the
// values that accounts give.
func (d *decoder) hostSafeDefaults(c *Connector) {
	placed := credentialsIn(c.file.base)
	for _, way := range c.file.auth {
		for _, g := range []grantFile{way.token, way.session} {
			address := or(g.get, g.post)
			parsed, _ := parseTemplate(address.value)
			if _, alone := parsed.alone(); !alone && !strings.HasPrefix(address.value, "/") {
				placed = append(placed, credentialsIn(address)...)
			}
		}
	}
	values := c.values(nil)
	for _, f := range c.file.credentials {
		value, given := values[f.name.value]
		if given && slices.Contains(placed, f.name.value) && !hostSafe.MatchString(value) {
			d.problem(f.fallback, "%s", notHostSafe(f.name.value))
		}
	}
}

func (d *decoder) credentials(c *Connector) {
	used, elsewhere, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, t := range d.texts {
		way := slices.ContainsFunc(c.file.auth, func(a authFile) bool { return a.from <= i && i < a.to })
		for _, name := range credentialsIn(t) {
			used[name] = true
			elsewhere[name] = elsewhere[name] || !way
			// With a base URL of its own an account can do without what is only in ours.
			c.needs[name] = c.needs[name] || !way && t != c.file.base
		}
	}
	for _, f := range c.file.credentials {
		name := f.name.value
		switch {
		case f.name.set && !wordName.MatchString(name):
			d.problem(f.name, "%q can't be a credential's name: small letters, digits and _", name)
		case f.name.set && names[name]:
			d.problem(f.name, "the credential %q is declared twice", name)
		case f.name.set && !used[name]:
			d.problem(f.name, "the credential %q is not used", name)
		}
		for _, other := range credentialsIn(f.fallback) {
			if !names[other] {
				d.problem(f.fallback, "a default can use credentials declared before it; %q is none", other)
			}
		}
		names[name] = true
		var choices []string
		for _, choice := range f.choices {
			choices = append(choices, choice.value)
		}
		c.Credentials = append(c.Credentials, Credential{
			Name: name, Title: f.title.value, Description: f.description.value,
			Secret: f.secret, Optional: f.optional || f.fallback.set, Default: f.fallback.value,
			Group: f.group.value, Choices: choices,
		})
	}
	d.ways(c, elsewhere)
}
