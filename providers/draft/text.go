package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// quoted writes a text as YAML, in quotes where it could be read as anything else.
func quoted(s string) string {
	if words := []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}; !plainWord.MatchString(s) || slices.Contains(words, strings.ToLower(s)) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// comment is a text of the document's on one line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text)
}

// indent writes lines, each of which may be several, with something before each.
func indent(lines []string, before string) string {
	var b strings.Builder
	for _, line := range lines {
		for one := range strings.Lines(line) {
			b.WriteString(before + strings.TrimSuffix(one, "\n") + "\n")
		}
	}
	return b.String()
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// wordOf makes a name that a credential or a way can have.
func wordOf(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	word := strings.Trim(notWord.ReplaceAllString(strings.ToLower(b.String()), "_"), "_")
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return "key_" + word
	}
	return word
}
