package providers

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// way is a way to authenticate, with what an account has to give for it.
type way struct {
	Way
	file     *authFile
	uses     map[string]bool // credentials in its words
	required []string        // of its own credentials, those that can't be left out
}

// ways tells the ways of a file apart. A credential is a way's own when it stands in the
// words of some ways and nowhere else.
func (d *decoder) ways(c *Connector, elsewhere map[string]bool) {
	for i := range c.file.auth {
		f := &c.file.auth[i]
		w := way{Way: Way{Name: f.name.value, Title: cmp.Or(f.title.value, f.name.value), Verified: cmp.Or(f.verified.value, c.Verified)}, file: f, uses: map[string]bool{}}
		for _, t := range d.texts[f.from:f.to] {
			for _, name := range credentialsIn(t) {
				w.uses[name] = true
			}
		}
		c.ways = append(c.ways, w)
	}
	for _, credential := range c.Credentials {
		name := credential.Name
		if elsewhere[name] || !slices.ContainsFunc(c.ways, func(w way) bool { return !w.uses[name] }) {
			continue
		}
		for i := range c.ways {
			if w := &c.ways[i]; w.uses[name] {
				w.Credentials = append(w.Credentials, name)
				if !credential.Optional {
					w.required = append(w.required, name)
				}
			}
		}
	}
	d.apart(c.ways)
	if len(c.ways) > 1 {
		for _, w := range c.ways {
			c.Ways = append(c.Ways, w.Way)
		}
	}
}

// apart checks that no credentials fit two ways.
func (d *decoder) apart(ways []way) {
	for i, w := range ways {
		if w.file.name.set && !wordName.MatchString(w.Name) {
			d.problem(w.file.name, "%q can't be a way's name: small letters, digits and _", w.Name)
		}
		for _, other := range ways[:i] {
			both := func(name string) bool {
				return slices.Contains(w.Credentials, name) && slices.Contains(other.Credentials, name)
			}
			switch {
			case w.Name == other.Name:
				d.problem(w.file.name, "another way to authenticate is called %q already", w.Name)
			case !slices.ContainsFunc(slices.Concat(w.required, other.required), func(name string) bool { return !both(name) }):
				d.problem(w.file.name, "the ways %s and %s can't be told apart: the same credentials fit both", other.Name, w.Name)
			}
		}
	}
}

// complete tells whether an account gives what the way can't do without.
func (w *way) complete(given map[string]string) bool {
	return !slices.ContainsFunc(w.required, func(name string) bool { return given[name] == "" })
}

// Replace is what an account's credentials become when some are given: each takes the
// place of the one of its name, an empty one removes it, and the others stay. Only where
// the given ones belong to other ways to authenticate, those of the former way go.
func (c *Connector) Replace(had, given map[string]string) map[string]string {
	all := maps.Clone(had)
	var own []string // of those given, the ones that are some ways' own
	for name, value := range given {
		if value == "" {
			delete(all, name)
			continue
		}
		all[name] = value
		if slices.ContainsFunc(c.ways, func(w way) bool { return slices.Contains(w.Credentials, name) }) {
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		return all
	}
	var kept, gone []string
	for _, w := range c.ways {
		if slices.ContainsFunc(own, func(name string) bool { return !slices.Contains(w.Credentials, name) }) {
			gone = append(gone, w.Credentials...)
		} else {
			kept = append(kept, w.Credentials...)
		}
	}
	if len(kept) > 0 { // else they are of several ways: that is told when they are checked
		maps.DeleteFunc(all, func(name, _ string) bool { return slices.Contains(gone, name) && !slices.Contains(kept, name) })
	}
	return all
}

// way chooses the way whose credentials an account has: exactly those of one. Where only
// one is meant and something of it is missing, it is that one, too; nil, with what is
// wrong, where that can't be known.
func (c *Connector) way(given map[string]string) (*way, string) {
	var meant, complete []*way
	for i := range c.ways {
		w := &c.ways[i]
		foreign := func(other way) bool {
			return slices.ContainsFunc(other.Credentials, func(name string) bool {
				return given[name] != "" && !slices.Contains(w.Credentials, name)
			})
		}
		if slices.ContainsFunc(c.ways, foreign) {
			continue
		}
		meant = append(meant, w)
		if w.complete(given) {
			complete = append(complete, w)
		}
	}
	switch {
	case len(complete) == 1:
		return complete[0], ""
	case len(meant) == 1:
		return meant[0], ""
	}
	var all []string
	for _, w := range c.ways {
		all = append(all, w.Title+" ("+cmp.Or(strings.Join(w.required, ", "), "nothing more")+")")
	}
	return nil, "give the credentials of exactly one way to authenticate: " + strings.Join(all, ", or ")
}
