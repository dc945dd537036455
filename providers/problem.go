package providers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/agnivade/levenshtein"
)

// Problem is something wrong in a connector file.
type Problem struct {
	File    string
	Line    int // 1-based
	Column  int // 1-based, in characters
	Message string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// nearest ends a message with the known name nearest to a wrong one, or with another hint
// where none is near.
func nearest(wrong string, known []string, otherwise string) string {
	return cmp.Or(suggest(wrong, known), otherwise)
}

// suggest returns `: did you mean "x"?` for the known name nearest to a wrong one, or "".
func suggest(wrong string, known []string) string {
	best, least := "", max(2, len(wrong)/3)+1
	for _, name := range slices.Sorted(slices.Values(known)) {
		if d := levenshtein.ComputeDistance(wrong, name); d < least && d < len(name) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}
