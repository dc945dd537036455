package providers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// setup is a connector with an account's values.
type setup struct {
	*plan
	base     *url.URL // without a final slash
	values   map[string]string
	secrets  []string
	pageSize int
}

func (s *setup) served() []string {
	var types []string
	for _, stream := range s.streams {
		if stream.served {
			types = append(types, stream.info.RecordType)
		}
	}
	return types
}

func (c *Connector) setup(t Target) (*setup, error) {
	s := &setup{values: c.values(t.Credentials), pageSize: t.PageSize}
	wrong := c.checkCredentials(t)
	if t.PageSize < 0 {
		wrong = append(wrong, "the page size is negative")
	}
	plan, problems := c.compile(s.values, true)
	if len(wrong) == 0 {
		for _, p := range problems {
			wrong = append(wrong, p.Message)
		}
	}
	s.plan = plan
	if len(wrong) == 0 {
		base, err := s.baseURL(t.BaseURL)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		s.base = base
		if err := s.checkAuth(); err != nil {
			wrong = append(wrong, err.Error())
		}
		if len(s.served()) == 0 {
			wrong = append(wrong, "nothing to list: give at least one of "+strings.Join(c.pathCredentials(), ", "))
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("connector %s: %s", c.Name, strings.Join(wrong, "; "))
	}
	for _, credential := range c.Credentials {
		if value := s.values[credential.Name]; credential.Secret && value != "" {
			s.secrets = append(s.secrets, value)
		}
	}
	return s, nil
}

// values are the account's credentials, completed by defaults.
func (c *Connector) values(given map[string]string) map[string]string {
	values := map[string]string{}
	for _, credential := range c.file.credentials {
		name := credential.name.value
		value := given[name]
		if value == "" && credential.fallback.set {
			parsed, _ := parseTemplate(credential.fallback.value)
			value, _ = parsed.expand(func(variable string) (string, bool) {
				v, ok := values[strings.TrimPrefix(variable, "cred.")]
				return v, ok
			}, nil)
		}
		if value != "" {
			values[name] = value
		}
	}
	return values
}

func (c *Connector) checkCredentials(t Target) []string {
	var wrong, names []string
	for _, credential := range c.Credentials {
		names = append(names, credential.Name)
		missing := t.Credentials[credential.Name] == "" && !credential.Optional
		if missing && (c.needs[credential.Name] || t.BaseURL == "") {
			title := ""
			if credential.Title != "" {
				title = " (" + credential.Title + ")"
			}
			wrong = append(wrong, "missing credential "+credential.Name+title)
		}
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	for _, name := range slices.Sorted(maps.Keys(t.Credentials)) {
		if !slices.Contains(names, name) {
			wrong = append(wrong, fmt.Sprintf("unknown credential %q%s", name, nearest(name, names, "; known: "+cmp.Or(strings.Join(names, ", "), "none"))))
		} else if strings.ContainsFunc(t.Credentials[name], control) && !c.multiline(name) {
			wrong = append(wrong, fmt.Sprintf("credential %s holds a line break or another control character", name))
		}
	}
	return wrong
}

// multiline tells whether a credential is text of several lines: a certificate or its key.
func (c *Connector) multiline(name string) bool {
	pem := c.file.auth.certificate
	return slices.Contains(slices.Concat(credentialsIn(pem.certificate), credentialsIn(pem.key)), name)
}

// pathCredentials are those that say where lists are.
func (c *Connector) pathCredentials() []string {
	var names []string
	for _, s := range c.file.streams {
		names = append(names, credentialsIn(or(s.request.get, s.request.post))...)
	}
	return names
}

// hostSafe is what a credential may put into a base URL: nothing that moves the host.
var hostSafe = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// baseURL is the account's own base URL or the connector's, with the connector's base
// path unless the account's ends with it already.
func (s *setup) baseURL(own string) (*url.URL, error) {
	address := strings.TrimRight(own, "/")
	if address == "" {
		if s.ownBase.text == "" {
			return nil, errors.New("the base URL is missing, and the connector has none of its own")
		}
		for _, p := range s.ownBase.parts {
			name := strings.TrimPrefix(p.variable, "cred.")
			if p.variable != "" && !hostSafe.MatchString(s.values[name]) {
				return nil, fmt.Errorf("credential %s becomes part of the provider's address and may hold letters, digits, dots and dashes only", name)
			}
		}
		address, _ = s.ownBase.expand(s.lookup, nil)
		address = strings.TrimRight(address, "/")
	}
	if suffix, _ := s.basePath.expand(s.lookup, url.PathEscape); !strings.HasSuffix(address, suffix) {
		address += suffix
	}
	return parseBase(address)
}

func (s *setup) lookup(variable string) (string, bool) {
	value, ok := s.values[strings.TrimPrefix(variable, "cred.")]
	return value, ok
}

func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, errors.New("the base URL can't be parsed: expected something like https://api.example.com")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the base URL must begin with https:// or http://")
	case u.User != nil:
		return nil, errors.New("the base URL holds a user name: credentials are given as credentials")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, errors.New("the base URL has a query or a fragment: it ends with a path")
	}
	return u, nil
}
