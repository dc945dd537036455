package providers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// unknownAmong ends a message about a name that is none of a few: with the nearest, all of
// them, and perhaps what else there is to do.
func unknownAmong(wrong string, known map[string]string, otherwise string) string {
	names := slices.Sorted(maps.Keys(known))
	ending := cmp.Or(suggest(wrong, names), ":") + " known: " + strings.Join(names, ", ")
	ending = strings.Replace(ending, "? known", "? Known", 1)
	if otherwise != "" {
		ending += "; " + otherwise
	}
	return ending
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
