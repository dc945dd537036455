package providers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/providers"
)

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
	draft, err := providers.Draft("acme", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	c, problems := providers.Parse("acme.yaml", []byte(draft))
	if c == nil {
		t.Fatalf("%v in\n%s", problems, draft)
	}
	if !strings.Contains(draft, "See: include_inactive") || !slices.Equal(c.RecordTypes(), []string{"employees", "candidates", "job_postings"}) {
		t.Errorf("record types %v in\n%s", c.RecordTypes(), draft)
	}
	client := open(t, c, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Key") + " " + r.URL.Path + "?" + r.URL.RawQuery {
		case "k /api/v1/people?page_size=2":
			reply(w, object{"data": records([]string{"1", "2"}), "meta": object{"next_cursor": "c"}})
		case "k /api/v1/people?cursor=c&page_size=2":
			reply(w, object{"data": records([]string{"3"}), "meta": object{"next_cursor": nil}})
		case "k /api/v1/jobs?page=1":
			reply(w, object{"jobs": records([]string{"7"}), "has_more": false})
		case "k /api/v1/people/2?":
			reply(w, object{"id": 2})
		case "k /api/v1/people/1/candidates?", "k /api/v1/people/2/candidates?", "k /api/v1/people/3/candidates?":
			reply(w, records([]string{r.URL.Path[len("/api/v1/people/"):][:1] + "0"}))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}, credentials("api_key", "k"))
	for recordType, want := range map[string][]string{"employees": {"1", "2", "3"}, "job_postings": {"7"}, "candidates": {"10", "20", "30"}} {
		if got := list(t.Context(), client, recordType); got.err != nil || !slices.Equal(slices.Sorted(slices.Values(got.ids)), want) {
			t.Errorf("%s: %v, %v", recordType, got.ids, got.err)
		}
	}
	if there, err := client.Exists(t.Context(), "employees", "2"); !there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if info, _ := c.Stream("employees"); info.Since {
		t.Error("a drafted filter counts as proven")
	}
}

func TestDraftRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{"swagger": "2.0"}`:                "version 3 is expected",
		"\t{":                               "neither JSON nor YAML",
		`{"openapi": "3.1.0", "paths": {}}`: "it has no paths",
	} {
		if _, err := providers.Draft("acme", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := providers.Draft("Acme", []byte(document)); err == nil {
		t.Error("a name that is none was taken")
	}
}
