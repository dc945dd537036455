// Package emulator answers as a provider would, from files, for the tests of connectors.
//
// The files are laid out by URL path below a folder, those of another host than the
// account's below @HOST where there is such a folder. A file's name goes on with the parameters it stands for, of the
// query, of a form or of a JSON body: employees,offset=2.json. NAME.headers beside it, or
// in its place, holds headers of the answer, and its status where that isn't 200. In both,
// ${HOST} is where the provider is reached. A record that stands in any file is answered at
// a path that ends with its id, too, without a file of its own. The people in them are invented; the shapes
// are the provider's, after its documentation.
//
// It knows nothing of connectors but what Dialect reads of their files.
package emulator

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Provider is one provider's files. It is a transport, so that time can be faked around
// it, and safe for concurrent use.
type Provider struct {
	Dir  string // of the files
	Host string // the account's
	// Alter changes the answer to a request, or gives another; nil: none. n counts the
	// requests from 1.
	Alter func(r *http.Request, n int, a *Answer)

	mu    sync.Mutex
	n     int
	asked []string
}

// Answer is what a request gets.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Asked lists the requests so far: method, path, query and body.
func (p *Provider) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// RoundTrip implements http.RoundTripper.
func (p *Provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	a := p.find(r, body)
	p.mu.Lock()
	p.n++
	n := p.n
	p.asked = append(p.asked, Asked(r, string(body)))
	p.mu.Unlock()
	if p.Alter != nil {
		p.Alter(r, n, &a)
	}
	return &http.Response{
		StatusCode: a.Status, Status: strconv.Itoa(a.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)), Request: r,
	}, nil
}

// WithClientCertificate lets a connector that shows a certificate be tried.
func (p *Provider) WithClientCertificate(tls.Certificate) http.RoundTripper { return p }

// Asked writes a request in one line.
func Asked(r *http.Request, body string) string {
	line := r.Method + " " + r.URL.Path
	query := r.URL.Query()
	var params []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			params = append(params, name+"="+value)
		}
	}
	if len(params) > 0 {
		line += "?" + strings.Join(params, "&")
	}
	return strings.TrimSpace(line + " " + body)
}

// find reads the answer whose file fits the request best.
func (p *Provider) find(r *http.Request, body []byte) Answer {
	a := Answer{Status: http.StatusNotFound, Header: http.Header{}}
	file := p.file(r, body)
	content, err := os.ReadFile(file + ".json")
	headers, _ := os.ReadFile(file + ".headers")
	if file == "" || err != nil && len(headers) == 0 {
		return p.one(r, a)
	}
	here := strings.NewReplacer("${HOST}", r.URL.Scheme+"://"+r.URL.Host)
	a.Status = http.StatusOK
	a.Header.Set("Content-Type", "application/json")
	for line := range strings.Lines(here.Replace(string(headers))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "Status" {
			a.Status, _ = strconv.Atoi(value)
		} else if name != "" {
			a.Header.Set(name, value)
		}
	}
	a.Body = []byte(here.Replace(string(content)))
	return a
}

func exists(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// flatten notes the scalars of a JSON value by their paths: filters.0.value.
func flatten(value any, at string, to map[string]string) {
	below := func(key string) string { return strings.TrimPrefix(at+"."+key, ".") }
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			flatten(inner, below(key), to)
		}
	case []any:
		for i, inner := range value {
			flatten(inner, below(strconv.Itoa(i)), to)
		}
	default:
		to[at] = fmt.Sprint(value)
	}
}

// one answers for one record by its id at the end of a path, where any file has an
// object with such an id: otherwise with what it was to answer.
func (p *Provider) one(r *http.Request, otherwise Answer) Answer {
	id := path.Base(r.URL.Path)
	if r.Method != http.MethodGet || len(id) < 1 {
		return otherwise
	}
	var record any
	_ = filepath.WalkDir(p.Dir, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || record != nil || filepath.Ext(file) != ".json" {
			return nil
		}
		content, _ := os.ReadFile(file)
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		var document any
		if decoder.Decode(&document) == nil {
			record = search(document, id)
		}
		return nil
	})
	if record == nil {
		return otherwise
	}
	body, _ := json.Marshal(record)
	return Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// search finds the object that has an id among its own values.
func search(value any, id string) any {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if found := search(element, id); found != nil {
				return found
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == id || fmt.Sprint(v[key]) == id {
				return v
			}
			if found := search(v[key], id); found != nil {
				return found
			}
		}
	}
	return nil
}

// file is the one that fits best, without its extension: with the most parameters.
func (p *Provider) file(r *http.Request, body []byte) string {
	var document any
	_ = json.Unmarshal(body, &document)
	fields := map[string]string{}
	flatten(document, "", fields)
	form, _ := url.ParseQuery(string(body))
	has := func(name, value string) bool {
		field, inBody := fields[name]
		return r.URL.Query().Get(name) == value || form.Get(name) == value && value != "" || inBody && field == value
	}
	dir := p.Dir
	if r.URL.Host != p.Host {
		if other := path.Join(dir, "@"+r.URL.Host); exists(other) {
			dir = other
		}
	}
	address := cmp.Or(strings.TrimRight(r.URL.Path, "/"), "/index")
	dir = path.Join(dir, path.Dir(address))
	entries, _ := os.ReadDir(dir)
	best, most := "", -1
	for _, entry := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), ".json"), ".headers")
		words := strings.Split(name, ",")
		fits := words[0] == path.Base(address) && !entry.IsDir()
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			fits = fits && has(key, value)
		}
		if fits && len(words) > most {
			best, most = path.Join(dir, name), len(words)
		}
	}
	return best
}
