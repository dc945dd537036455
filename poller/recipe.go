package poller

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/providers"
)

// recipe is what a stream's fingerprints are made by. It is kept beside them as JSON, so
// that when it changes they can be made once more by the old one.
type recipe struct {
	Rules          string   `json:"rules"` // their [diff.Rules.Recipe]: other builds may hash otherwise by the same rules
	Ignore         []string `json:"ignore,omitempty"`
	Sets           []string `json:"sets,omitempty"`
	KeepURLQueries bool     `json:"keep_url_queries,omitempty"`
	Mapping        string   `json:"mapping"`           // the connector's version of the stream
	Key            string   `json:"key"`               // its id
	Fields         bool     `json:"fields,omitempty"`  // digests of fields are made
	Digests        []string `json:"digests,omitempty"` // of these paths as well
}

func recipeOf(info providers.StreamInfo, rules diff.Rules, key []byte) recipe {
	return recipe{
		Rules: rules.Recipe(), Ignore: rules.Ignore, Sets: rules.Sets, KeepURLQueries: rules.KeepURLQueries,
		Mapping: info.Version, Key: keyID(key),
	}
}

func (r recipe) encode() (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("write recipe: %w", err)
	}
	return string(text), nil
}

func decodeRecipe(text string) (r recipe, err error) {
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return recipe{}, fmt.Errorf("read recipe: %w", err)
	}
	return r, nil
}

func (r recipe) rules() diff.Rules {
	return diff.Rules{Ignore: slices.Clone(r.Ignore), Sets: slices.Clone(r.Sets), KeepURLQueries: r.KeepURLQueries}
}

// follow finds how a stream whose fingerprints were made by the stored recipe is
// compared: as it is (same), with the former canonicalizer, or, where both are the zero
// value, not at all but for which records there are: its ids or its key were others, or
// this build can't hash as that one did.
func (r recipe) follow(stored string) (same bool, former *diff.Canonicalizer) {
	s, err := decodeRecipe(stored)
	if err != nil || s.Mapping != r.Mapping || s.Key != r.Key {
		return false, nil
	}
	if s.Rules == r.Rules {
		return true, nil
	}
	rules := s.rules()
	if rules.Recipe() != s.Rules {
		return false, nil
	}
	former, err = diff.NewCanonicalizer(rules)
	if err != nil {
		return false, nil
	}
	return false, former
}
