package providers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// path leads to a value of a JSON document: keys separated by dots, array elements by
// their number. The empty path is the document itself.
type path struct {
	text string
	json string // the same for gjson
	keys []string
}

func parsePath(text string) (path, error) {
	keys, err := splitPath(text)
	if err != nil {
		return path{}, err
	}
	if slices.Contains(keys, "*") {
		return path{}, errors.New("* is only for ignore and sets")
	}
	p := pathOf(keys)
	p.text = text
	return p, nil
}

// pathOf is the path of some keys.
func pathOf(keys []string) path {
	escaped := make([]string, len(keys))
	for i, key := range keys {
		escaped[i] = gjson.Escape(key)
	}
	return path{strings.Join(keys, "."), strings.Join(escaped, "."), slices.Clone(keys)}
}

// splitPath splits at dots; \. is a dot inside a key and \\ a backslash.
func splitPath(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var keys []string
	var key strings.Builder
	end := func() error {
		if key.Len() == 0 {
			return fmt.Errorf("path %q has an empty part", text)
		}
		keys = append(keys, key.String())
		key.Reset()
		return nil
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '.':
			if err := end(); err != nil {
				return nil, err
			}
		case '\\':
			if i++; i == len(text) || text[i] != '.' && text[i] != '\\' {
				return nil, fmt.Errorf(`path %q: a backslash stands before a dot or a backslash only`, text)
			}
			key.WriteByte(text[i])
		default:
			key.WriteByte(c)
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	return keys, nil
}

// get finds the value in a document that is known to be valid JSON.
func (p path) get(document gjson.Result) gjson.Result {
	if p.json == "" {
		return document
	}
	return document.Get(p.json)
}

// source is where an answer tells something: a path into its body, a header, or a path
// into the last record of its page.
type source struct {
	text   string
	header string
	last   bool
	path   path
}

func parseSource(text string) (source, error) {
	if name, ok := strings.CutPrefix(text, "header:"); ok {
		name = strings.TrimSpace(name)
		if name == "" {
			return source{}, errors.New("header: is followed by the header's name")
		}
		return source{text: text, header: http.CanonicalHeaderKey(name)}, nil
	}
	inLast, last := strings.CutPrefix(text, "last:")
	p, err := parsePath(inLast)
	if err == nil && p.json == "" {
		err = errors.New("a path is expected")
	}
	return source{text: text, path: p, last: last}, err
}

// scalar returns the text of a string, number or boolean; false where there is none,
// where it is null, or where it is "". A JSON false counts as none too: some say
// "next": false for "no more".
func (s source) scalar(a answer) (string, bool, error) {
	if s.header != "" {
		value := a.header.Get(s.header)
		return value, value != "", nil
	}
	value := gjson.Result{}
	if s.last {
		value = s.path.get(a.last)
	} else {
		value = a.document.get(s.path)
	}
	switch value.Type {
	case gjson.Null, gjson.False:
		return "", false, nil
	case gjson.String:
		return strings.Clone(value.Str), value.Str != "", nil
	case gjson.Number:
		return strings.Clone(value.Raw), true, nil
	default:
		return "", false, fmt.Errorf("%s is neither a text nor a number", s.text)
	}
}

// maxID bounds a record's id. A longer one is not an id but a misread path, and ids are
// the only thing of a record that is ever stored.
const maxID = 512

var idEscaper = strings.NewReplacer("%", "%25", ":", "%3A")

// splitID gives the parts of an id that recordID joined.
func splitID(id string) []string {
	if !strings.Contains(id, ":") {
		return []string{id} // of one part, or escaped for nobody
	}
	parts := strings.Split(id, ":")
	for i := range parts {
		parts[i] = idUnescaper.Replace(parts[i])
	}
	return parts
}

var idUnescaper = strings.NewReplacer("%25", "%", "%3A", ":")

func idPart(record gjson.Result, p path) (string, error) {
	value := p.get(record)
	var id string
	switch value.Type {
	case gjson.String:
		id = value.Str
	case gjson.Number:
		if strings.ContainsAny(value.Raw, ".eE") {
			return "", fmt.Errorf("%s is a number with a fraction or an exponent", p.text)
		}
		id = value.Raw
	case gjson.Null:
		return "", fmt.Errorf("%s is missing or null", p.text)
	default:
		return "", fmt.Errorf("%s is neither a text nor a whole number", p.text)
	}
	return idText(id, p.text)
}

// idText checks what is to be an id, or a part of one.
func idText(id, where string) (string, error) {
	switch {
	case id == "":
		return "", fmt.Errorf("%s is empty", where)
	case len(id) > maxID:
		return "", fmt.Errorf("%s is longer than %d bytes", where, maxID)
	case strings.ContainsRune(id, 0) || !utf8.ValidString(id):
		return "", fmt.Errorf("%s is not a valid text", where)
	}
	return strings.Clone(id), nil
}
