package emulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Dialect is what a connector's file says of how its provider speaks: what an emulation
// needs to say the same in other words.
type Dialect struct {
	Errors struct {
		OK                                                string
		Code                                              Words
		Auth, Throttle, Transient, Restart, Absent, Empty Words
	}
	Limits struct{ Reset, Remaining Words }
	Auth   authentications

	defaults list
	streams  map[string]list
	lists    map[string]list
}

// Words are one or several.
type Words []string

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (w *Words) UnmarshalYAML(data []byte) error {
	var many []any
	if err := yaml.Unmarshal(data, &many); err != nil {
		var one any
		if err := yaml.Unmarshal(data, &one); err != nil {
			return err
		}
		many = []any{one}
	}
	for _, word := range many {
		*w = append(*w, fmt.Sprint(word))
	}
	return nil
}

type list struct {
	Request struct{ Get, Post string }
	Records struct {
		Path, Shape string
		Empty       Words
	}
	Page     page
	Since    struct{ Token string }
	Parent   struct{ Stream string }
	Variants []any
}

// page is read as it stands; page: none is a text.
type page struct {
	Kind, Next, End, Total string
	TotalPages             string `yaml:"total_pages"`
}

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (p *page) UnmarshalYAML(data []byte) error {
	type plain page
	if strings.TrimSpace(string(data)) == "none" {
		p.Kind = "none"
		return nil
	}
	return yaml.Unmarshal(data, (*plain)(p))
}

// authentication is what of a way to authenticate asks for something first.
type authentication struct {
	Name           string
	Token, Session struct{ Get, Post string }
}

// authentications are one or several; auth: none is a text.
type authentications []authentication

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (a *authentications) UnmarshalYAML(data []byte) error {
	if strings.TrimSpace(string(data)) == "none" {
		return nil
	}
	var many []authentication
	if err := yaml.Unmarshal(data, &many); err != nil {
		many = make([]authentication, 1)
		if err := yaml.Unmarshal(data, &many[0]); err != nil {
			return err
		}
	}
	*a = many
	return nil
}

// Grants are the paths at which the connector asks for tokens and sessions, in one of its
// ways to authenticate; "" is the name of the only one.
func (d *Dialect) Grants(way string) []string {
	var paths []string
	for _, a := range d.Auth {
		if a.Name != way {
			continue
		}
		for _, address := range []string{a.Token.Get, a.Token.Post, a.Session.Get, a.Session.Post} {
			if address == "" {
				continue
			}
			_, rest, found := strings.Cut(address, "://")
			if _, path, ok := strings.Cut(rest, "/"); found && ok {
				address = "/" + path
			}
			paths = append(paths, address)
		}
	}
	return paths
}

// SyncToken tells whether changes are asked for with a token of the provider's.
func (d *Dialect) SyncToken(recordType string) bool {
	return d.streams[recordType].Since.Token != "" || d.defaults.Since.Token != ""
}

// ReadDialect reads a connector's file.
func ReadDialect(file []byte) (*Dialect, error) {
	var f struct {
		Defaults list
		Streams  map[string]list
		Lists    map[string]list
	}
	d := &Dialect{}
	if err := yaml.Unmarshal(file, &f); err != nil {
		return nil, fmt.Errorf("read dialect: %w", err)
	}
	if err := yaml.Unmarshal(file, d); err != nil {
		return nil, fmt.Errorf("read dialect: %w", err)
	}
	d.defaults, d.streams, d.lists = f.Defaults, f.Streams, f.Lists
	return d, nil
}

// List is how one list of the dialect is answered: that of the root of a record type's
// parents, so that its first answer is the first of a listing.
func (d *Dialect) List(recordType string) List {
	l, ok := d.streams[recordType]
	for ok && l.Parent.Stream != "" {
		recordType = l.Parent.Stream
		if l, ok = d.streams[recordType]; !ok {
			l, ok = d.lists[recordType]
		}
	}
	if l.Page.Kind == "" {
		l.Page = d.defaults.Page
	}
	if l.Records.Path == "" {
		l.Records.Path = d.defaults.Records.Path
	}
	if l.Records.Empty == nil {
		l.Records.Empty = d.defaults.Records.Empty
	}
	return List{l}
}

// Coded is a JSON answer that has a code where the connector looks for codes.
func (d *Dialect) Coded(code string) []byte {
	a := Answer{Body: []byte("{}")}
	where := ""
	for _, w := range d.Errors.Code {
		if !strings.HasPrefix(w, "header:") {
			where = w
			break
		}
	}
	var document any = map[string]any{}
	keys := strings.Split(where, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		value := any(code)
		if i < len(keys)-1 {
			value = document
		}
		if _, err := strconv.Atoi(keys[i]); err == nil {
			document = []any{value}
		} else {
			document = map[string]any{keys[i]: value}
		}
	}
	a.Body, _ = json.Marshal(document)
	return a.Body
}
