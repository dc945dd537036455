package providers

import (
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// condition is "PATH is VALUE", "PATH is VALUE, VALUE" or "PATH is not VALUE". The value
// null stands for what is missing, too. There is no more to it: no and, no or.
type condition struct {
	text   string
	source source
	values []string
	not    bool
}

func parseCondition(text string) (condition, error) {
	where, what, ok := strings.Cut(text, " is ")
	if !ok {
		return condition{}, errors.New(`a condition is written like this: "status is deleted", "deleted_at is not null"`)
	}
	s, err := parseSource(strings.TrimSpace(where))
	if err != nil {
		return condition{}, err
	}
	what, not := strings.CutPrefix(strings.TrimSpace(what), "not ")
	c := condition{text: text, source: s, not: not}
	for value := range strings.SplitSeq(what, ",") {
		if value = strings.TrimSpace(value); value == "" {
			return condition{}, errors.New("a value is missing behind is")
		}
		c.values = append(c.values, value)
	}
	return c, nil
}

// set is false for the zero value: there is no condition.
func (c condition) set() bool { return c.text != "" }

// holds tells whether an answer meets the condition.
func (c condition) holds(a answer) bool {
	if c.source.header != "" {
		value := a.header.Get(c.source.header)
		return c.matches(value, value == "")
	}
	return c.met(a.document.get(c.source.path))
}

// of tells whether a record does.
func (c condition) of(record gjson.Result) bool {
	return c.met(c.source.path.get(record))
}

func (c condition) met(value gjson.Result) bool {
	return c.matches(value.String(), !value.Exists() || value.Type == gjson.Null)
}

func (c condition) matches(value string, null bool) bool {
	if null {
		value = "null"
	}
	return slices.Contains(c.values, value) != c.not
}

// condition reads one; where it must not speak of headers, records is true.
func (c *compiler) condition(t text, records bool) condition {
	word := c.word(t)
	if word == "" {
		return condition{}
	}
	parsed, err := parseCondition(word)
	switch {
	case err != nil:
		c.problem(t, "%s", err)
	case records && parsed.source.header != "":
		c.problem(t, "a record has no headers")
	}
	return parsed
}
