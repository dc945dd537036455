// Package emulator answers as a provider would, from files, for the tests of connectors.
//
// The files are laid out by URL path below a folder, those of another host than the
// account's below @HOST. A file's name goes on with the parameters it stands for, of the
// query, of a form or of a JSON body: employees,offset=2.json, search,filters.0.value=12.json. NAME.headers beside it, or
// in its place, holds headers of the answer, and its status where that isn't 200. In both,
// ${HOST} is where the provider is reached. A record of a list is answered below the
// list's path, too, without a file of its own. The people in them are invented; the shapes
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
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
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
	// requests from 1. It is called for one request at a time.
	Alter func(r *http.Request, n int, a *Answer)

	altering sync.Mutex

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
		p.altering.Lock()
		p.Alter(r, n, &a)
		p.altering.Unlock()
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

// one answers for one record of a list below the list's own path, where a file of the
// list has an object with such an id: otherwise with what it was to answer.
func (p *Provider) one(r *http.Request, otherwise Answer) Answer {
	list, id := path.Split(strings.TrimRight(r.URL.Path, "/"))
	dir, base := path.Split(path.Clean(list))
	if r.Method != http.MethodGet || r.URL.Host != p.Host {
		return otherwise
	}
	dir = path.Join(p.Dir, dir)
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		name, _, _ := strings.Cut(strings.TrimSuffix(entry.Name(), ".json"), ",")
		if name != base || entry.IsDir() {
			continue
		}
		content, _ := os.ReadFile(path.Join(dir, entry.Name()))
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		var document any
		if decoder.Decode(&document) != nil {
			continue
		}
		if record := search(document, id); record != nil {
			body, _ := json.Marshal(record)
			return Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
		}
	}
	return otherwise
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
		for key, field := range v {
			if strings.HasSuffix(strings.ToLower(key), "id") && fmt.Sprint(field) == id {
				return v
			}
		}
		for _, field := range v {
			if found := search(field, id); found != nil {
				return found
			}
		}
	}
	return nil
}

// file is the one that fits best, without its extension: with the most parameters.
func (p *Provider) file(r *http.Request, body []byte) string {
	fields := map[string]string{}
	var document any
	if json.Unmarshal(body, &document) == nil {
		flatten(document, "", fields)
	}
	form, _ := url.ParseQuery(string(body))
	has := func(name, value string) bool {
		field, inBody := fields[name]
		return r.URL.Query().Get(name) == value || form.Get(name) == value && value != "" || inBody && field == value
	}
	dir := p.Dir
	if r.URL.Host != p.Host {
		dir = path.Join(dir, "@"+r.URL.Host)
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
