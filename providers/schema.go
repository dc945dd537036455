package providers

import (
	"encoding/json"
	"fmt"
)

// Schema is the JSON Schema of connector files. It comes from the tables with which they
// are decoded, so it knows every key and no other.
func Schema() ([]byte, error) {
	s := objectSchema(connectorTable)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "synthook connector"
	s["description"] = "How synthook reads a provider's API: docs/connectors.md"
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(text, '\n'), nil
}
