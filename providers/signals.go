package providers

import (
	"math"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"
)

// number reads a whole number, in whatever way JSON writes it.
func number(s source, a answer) (int, bool, error) {
	value, ok, err := s.scalar(a)
	if err != nil {
		return 0, false, protocol("%s", err)
	}
	if !ok {
		return 0, false, nil
	}
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil:
		return 0, false, protocol("%s is a text, not a whole number", s.text)
	case n < 0:
		return 0, false, protocol("%s is a negative number, not how many there are", s.text)
	case n != math.Trunc(n):
		return 0, false, protocol("%s is a number with a fraction, not a whole number", s.text)
	case n > 1<<53:
		return 0, false, protocol("%s is too large a number", s.text)
	}
	return int(n), true, nil
}

func readFlag(s source, a answer) (bool, error) {
	word := ""
	if s.header != "" {
		word = a.header.Get(s.header)
	} else if value := a.document.get(s.path); value.IsBool() || value.Type == gjson.String {
		word = value.String()
	}
	if !slices.Contains([]string{"true", "false"}, word) {
		return false, protocol("%s is neither true nor false, so the end of the list can't be known", s.text)
	}
	return word == "true", nil
}
