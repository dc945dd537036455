package draft_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/draft"
)

// answers are what a provider answers to requests: "METHOD /path?query body", to JSON.
// Anything else is not found.
type answers map[string]string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	request := r.Method + " " + r.URL.RequestURI()
	if r.Body != nil {
		if body, err := io.ReadAll(r.Body); err != nil {
			return nil, err
		} else if len(body) > 0 {
			request += " " + string(body)
		}
	}
	w := httptest.NewRecorder()
	if answer, ok := a[request]; ok {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.WriteString(answer)
	} else {
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

// open opens an account of a drafted connector, whose provider answers so.
func (a answers) open(t *testing.T, c *providers.Connector, credentials map[string]string) *providers.Client {
	t.Helper()
	client, err := c.Open(providers.Target{Credentials: credentials}, providers.Options{HTTP: &http.Client{Transport: a}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// checkList checks which records a drafted list has.
func checkList(t *testing.T, client *providers.Client, recordType string, want ...string) {
	t.Helper()
	var ids []string
	for page, err := range client.List(t.Context(), recordType, providers.ListOptions{}) {
		if err != nil {
			t.Errorf("%s: %v", recordType, err)
		}
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, want) {
		t.Errorf("%s: %v, want %v", recordType, ids, want)
	}
}

func checkExists(t *testing.T, client *providers.Client, recordType, id string) {
	t.Helper()
	if there, err := client.Exists(t.Context(), recordType, id); !there || err != nil {
		t.Errorf("%s %s: %v, %v", recordType, id, there, err)
	}
}

// read reads a draft as the connector that it is.
func read(t *testing.T, text string) *providers.Connector {
	t.Helper()
	c, problems := providers.Parse("acme.yaml", []byte(text))
	if c == nil {
		t.Fatalf("%v in\n%s", problems, text)
	}
	return c
}

const document = `{"openapi": "3.0.3", "info": {"title": "Acme: HR", "version": "v2"}, "servers": [{"url": "http://provider.test/api/"}],
"components": {
 "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
 "parameters": {"Limit": {"name": "page_size", "in": "query", "schema": {"type": "integer", "maximum": 2}}},
 "schemas": {
  "Base": {"type": "object", "properties": {"id": {"type": "string"}}},
  "Person": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"name": {"type": "string"}}}]},
  "People": {"properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}}, "meta": {"properties": {"next_cursor": {"type": "string"}}}}}}},
"paths": {
 "/v1/people": {"parameters": [{"$ref": "#/components/parameters/Limit"}], "get": {"parameters": [{"name": "cursor", "in": "query"}, {"name": "updated_after", "in": "query"}, {"name": "include_inactive", "in": "query"}],
  "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/People"}}}}}}},
 "/v1/people/{person_id}": {"get": {"responses": {"200": {"description": "one"}}}},
 "/v1/people/{person_id}/candidates": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}}}}}}}},
 "/v1/jobs": {"get": {"parameters": [{"name": "page", "in": "query"}],
  "responses": {"200": {"content": {"application/json": {"schema": {"properties": {"jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Base"}}, "has_more": {"type": "boolean"}}}}}}}}}}}`

// A draft is a connector at once, and lists what the document describes.
func TestDraft(t *testing.T) {
	text, err := draft.FromOpenAPI("acme", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, text)
	if !strings.Contains(text, "See: include_inactive") || !strings.Contains(text, `header: {X-Key: "${cred.api_key}"}`) || !slices.Equal(c.RecordTypes(), []string{"employees", "candidates", "job_postings"}) {
		t.Errorf("record types %v in\n%s", c.RecordTypes(), text)
	}
	client := answers{
		"GET /api/v1/people?page_size=2":          `{"data": [{"id": 1}, {"id": 2}], "meta": {"next_cursor": "c"}}`,
		"GET /api/v1/people?cursor=c&page_size=2": `{"data": [{"id": 3}], "meta": {"next_cursor": null}}`,
		"GET /api/v1/jobs?page=1":                 `{"jobs": [{"id": 7}], "has_more": false}`,
		"GET /api/v1/people/2":                    `{"id": 2}`,
		"GET /api/v1/people/1/candidates":         `[{"id": 10}]`,
		"GET /api/v1/people/2/candidates":         `[{"id": 20}]`,
		"GET /api/v1/people/3/candidates":         `[{"id": 30}]`,
	}.open(t, c, map[string]string{"api_key": "k"})
	checkList(t, client, "employees", "1", "2", "3")
	checkList(t, client, "job_postings", "7")
	checkList(t, client, "candidates", "10", "20", "30")
	checkExists(t, client, "employees", "2")
	if info, _ := c.Stream("employees"); info.Since {
		t.Error("a drafted filter counts as proven")
	}
}

func TestRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{"swagger": "2.0"}`:                "version 3 is expected",
		"\t{":                               "neither JSON nor YAML",
		`{"openapi": "3.1.0", "paths": {}}`: "it has no paths",
	} {
		if _, err := draft.FromOpenAPI("acme", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := draft.FromOpenAPI("Acme", []byte(document)); err == nil {
		t.Error("a name that is none was taken")
	}
}
