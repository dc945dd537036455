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
	tokenURL *url.URL // instead of the connector's; nil: that
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
	by, wrong := c.checkCredentials(t)
	if t.PageSize < 0 {
		wrong = append(wrong, "the page size is negative")
	}
	if len(wrong) == 0 {
		wrong = c.settle(s, by, t)
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

// settle reads the connector with the account's values, and tells what doesn't fit.
func (c *Connector) settle(s *setup, by *way, t Target) (wrong []string) {
	plan, problems := c.compile(s.values, by)
	for _, p := range problems {
		wrong = append(wrong, p.Message)
	}
	s.plan = plan
	if len(wrong) > 0 {
		return wrong
	}
	var err error
	if s.base, err = s.baseURL(t.BaseURL); err != nil {
		wrong = append(wrong, err.Error())
	}
	if t.TokenURL != "" {
		if s.tokenURL, err = s.tokenAddress(t.TokenURL); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if err := s.checkAuth(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if len(s.served()) == 0 {
		wrong = append(wrong, "nothing to list: give at least one of "+strings.Join(c.pathCredentials(), ", "))
	}
	return wrong
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

// checkCredentials finds the way in which an account authenticates, and what is wrong with
// what it gives.
func (c *Connector) checkCredentials(t Target) (by *way, wrong []string) {
	by, unclear := c.way(t.Credentials)
	if unclear != "" {
		wrong = append(wrong, unclear)
	}
	var names []string
	for _, credential := range c.Credentials {
		name := credential.Name
		names = append(names, name)
		based := t.BaseURL == "" && slices.Contains(credentialsIn(c.file.base), name)
		needed := c.needs[name] || based || by != nil && by.uses[name]
		if needed && !credential.Optional && t.Credentials[name] == "" {
			title := ""
			if credential.Title != "" {
				title = " (" + credential.Title + ")"
			}
			wrong = append(wrong, "missing credential "+name+title)
		}
		if value := t.Credentials[name]; value != "" && credential.Choices != nil && !slices.Contains(credential.Choices, value) {
			wrong = append(wrong, fmt.Sprintf("unknown %s %q%s (credential %s)", name, value, nearest(value, credential.Choices, ": one of "+strings.Join(credential.Choices, ", ")), name))
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
	return by, wrong
}

// multiline tells whether a credential is text of several lines: a certificate or its key.
func (c *Connector) multiline(name string) bool {
	return slices.ContainsFunc(c.file.auth, func(f authFile) bool {
		pem := f.certificate
		return slices.Contains(slices.Concat(credentialsIn(pem.certificate), credentialsIn(pem.key)), name)
	})
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

func notHostSafe(credential string) string {
	return fmt.Sprintf("credential %s becomes part of the provider's address and may hold letters, digits, dots and dashes only", credential)
}

// baseURL is the account's own base URL or the connector's, with the base path.
func (s *setup) baseURL(own string) (*url.URL, error) {
	address := strings.TrimRight(own, "/")
	if address == "" {
		if s.ownBase.text == "" {
			return nil, errors.New("the base URL is missing, and the connector has none of its own")
		}
		for _, p := range s.ownBase.parts {
			name := strings.TrimPrefix(p.variable, "cred.")
			if p.variable != "" && !hostSafe.MatchString(s.values[name]) {
				return nil, errors.New(notHostSafe(name))
			}
		}
		address, _ = s.ownBase.expand(s.lookup, nil)
		address = strings.TrimRight(address, "/")
	}
	return s.withPath(address)
}

// withPath is a base URL, whoever names it, with the connector's base path unless it ends
// with that already.
func (s *setup) withPath(address string) (*url.URL, error) {
	if suffix, _ := s.basePath.expand(s.lookup, url.PathEscape); !strings.HasSuffix(address, suffix) {
		address += suffix
	}
	return ParseBaseURL(address)
}

func (s *setup) lookup(variable string) (string, bool) {
	value, ok := s.values[strings.TrimPrefix(variable, "cred.")]
	return value, ok
}

// ParseBaseURL reads what requests' paths are put behind: http or https, a host, perhaps a
// path, and nothing that would not be sent.
func ParseBaseURL(address string) (*url.URL, error) {
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
