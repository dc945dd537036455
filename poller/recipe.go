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

// following is how a stream whose fingerprints were made by another recipe is compared.
type following struct {
	same   bool    // as it is: it was no other recipe
	former *hasher // by fingerprints made once more as they were made; nil: as now
	mapped bool    // these were of what another mapping read, which may be something else
	blind  bool    // not at all but for which records there are: this build can't make them again
}

// follow finds out about what the stored recipe has made. key finds a former key by its
// id; nil: it is gone.
func (pl *plan) follow(stored string, key func(id string) ([]byte, error)) (following, error) {
	s, err := decodeRecipe(stored)
	if err != nil {
		return following{blind: true}, nil
	}
	if s.Mapping == pl.recipe.Mapping && s.Key == pl.recipe.Key && s.Rules == pl.recipe.Rules {
		return following{same: true}, nil
	}
	rules := s.rules()
	canonical, err := diff.NewCanonicalizer(rules)
	if err != nil || rules.Recipe() != s.Rules {
		return following{blind: true}, nil
	}
	former := &hasher{canonical: canonical, seal: pl.seal}
	if s.Key != pl.recipe.Key {
		k, err := key(s.Key)
		if err != nil || k == nil {
			return following{blind: err == nil}, err
		}
		if former.seal, err = diff.NewSealer(k, pl.stream); err != nil {
			return following{}, err
		}
	}
	return following{former: former, mapped: s.Mapping != pl.recipe.Mapping}, nil
}
