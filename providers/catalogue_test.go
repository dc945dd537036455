package providers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/synthook/synthook/providers"
)

// emulation answers with the files of one provider, laid out by URL path. A file's name
// goes on with the parameters it stands for, of the query or of a JSON body:
// employees,offset=2.json. NAME.headers beside it holds headers of its answer, and its
// status where that isn't 200.
type emulation struct {
	dir   string
	asked []string
}

func (e *emulation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.asked = append(e.asked, asked(r, string(body)))
	file := e.find(r, string(body))
	answer, err := os.ReadFile(file + ".json")
	headers, _ := os.ReadFile(file + ".headers")
	if file == "" || err != nil && len(headers) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	here := strings.NewReplacer("${HOST}", "http://"+r.Host)
	status := http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	for line := range strings.Lines(here.Replace(string(headers))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "Status" {
			status, _ = strconv.Atoi(value)
			continue
		}
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, here.Replace(string(answer)))
}

// asked writes a request as the golden files have it.
func asked(r *http.Request, body string) string {
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

// find is the file that fits a request best, without its extension.
func (e *emulation) find(r *http.Request, body string) string {
	fields := map[string]string{}
	var document any
	if json.Unmarshal([]byte(body), &document) == nil {
		flatten(document, "", fields)
	}
	address := strings.TrimRight(r.URL.Path, "/")
	dir := path.Join(e.dir, path.Dir(address))
	entries, _ := os.ReadDir(dir)
	best, most := "", -1
	for _, entry := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), ".json"), ".headers")
		words := strings.Split(name, ",")
		fits := words[0] == path.Base(address) && !entry.IsDir()
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			fits = fits && (r.URL.Query().Get(key) == value || fields[key] == value)
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

// invented gives a connector's credentials values that show where they go.
func invented(t *testing.T, c *providers.Connector) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, credential := range c.Credentials {
		switch kind, report := strings.CutSuffix(credential.Name, "_report"); {
		case report:
			values[credential.Name] = "/owner/" + kind
		case credential.Name == "certificate":
			values[credential.Name], values["key"] = clientCertificate(t)
		case !credential.Optional && values[credential.Name] == "":
			values[credential.Name] = "the-" + strings.ReplaceAll(credential.Name, "_", "-")
		}
	}
	return values
}

// as is an account of a connector, whose requests are made one after the other. One with a
// certificate has real connections: memory has nobody to show it to.
func as(t *testing.T, c *providers.Connector, handler http.HandlerFunc) func(*providers.Target, *providers.Options) {
	credentials := invented(t, c)
	return func(target *providers.Target, o *providers.Options) {
		target.BaseURL, target.Credentials = testHost, credentials
		o.Budget = providers.NewBudget(providers.Limits{Concurrency: 1})
		if credentials["certificate"] == "" {
			return
		}
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		plain := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}
		o.HTTP = &http.Client{Transport: &http.Transport{DialContext: plain, DialTLSContext: plain}}
	}
}

// Each connector of the catalogue, against answers of invented people in its provider's
// shapes: what it asks, with which headers, and what it lists.
func TestCatalogue(t *testing.T) {
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for _, c := range catalog.Connectors() {
		if c.Name == "generic" {
			continue // described by its accounts: TestGeneric
		}
		t.Run(c.Name, func(t *testing.T) {
			var got strings.Builder
			for i, recordType := range c.RecordTypes() {
				server := &emulation{dir: "testdata/fixtures/" + c.Name}
				var header http.Header
				handler := func(w http.ResponseWriter, r *http.Request) {
					header = r.Header.Clone()
					server.ServeHTTP(w, r)
				}
				client := open(t, c, handler, as(t, c, handler))
				found := list(t.Context(), client, recordType)
				if found.err != nil {
					t.Errorf("%s: %s (asked %v)", recordType, found.err, server.asked)
				}
				if len(found.ids) == 0 {
					t.Errorf("%s: no records", recordType)
				}
				if i == 0 {
					writeHeaders(&got, header)
				}
				fmt.Fprintf(&got, "\n%s: %s\n", recordType, strings.Join(found.ids, " "))
				for _, line := range server.asked {
					fmt.Fprintf(&got, "  %s\n", line)
				}
			}
			golden(t, "testdata/fixtures/"+c.Name+"/catalogue.golden", got.String())
		})
	}
}

func writeHeaders(w io.Writer, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !slices.Contains([]string{"Accept-Encoding", "User-Agent"}, name) {
			fmt.Fprintf(w, "%s: %s\n", name, header.Get(name))
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// Wrong credentials are an error of the account, whichever way a provider wants them.
func TestCatalogueRefused(t *testing.T) {
	catalog, _, err := providers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range catalog.Connectors() {
		if c.Name == "generic" {
			continue
		}
		handler := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
		client := open(t, c, handler, as(t, c, handler))
		wantKind(t, list(t.Context(), client, c.RecordTypes()[0]).err, providers.Auth, "401")
	}
}
