package providers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// since is how a stream asks only for what changed.
type since struct {
	format string // a word of sinceFormats, or a layout of package time
	token  source // of the next listing
	usable bool   // the request uses it
}

// sinceFormats are the ways that a time is written, beside patterns.
var sinceFormats = []string{"rfc3339", "epoch", "epoch_ms", "date", "http"}

// write gives the time as a provider wants it, in UTC, rounded down: too much is asked
// for, never too little.
func (s since) write(at time.Time) string {
	at = at.UTC()
	switch s.format {
	case "rfc3339":
		return at.Format(time.RFC3339)
	case "epoch":
		return strconv.FormatInt(at.Unix(), 10)
	case "epoch_ms":
		return strconv.FormatInt(at.UnixMilli(), 10)
	case "date":
		return at.Format(time.DateOnly)
	case "http":
		return at.Format(http.TimeFormat)
	default:
		return at.Format(s.format)
	}
}

// since reads how changes are asked for; where the file says nothing, they can't be.
func (c *compiler) since(f sinceFile, s *stream, owner text) since {
	used := map[string]bool{}
	for _, k := range s.calls {
		for variable := range k.variables() {
			used[variable] = true
		}
	}
	found := since{format: "rfc3339", usable: used["since"] || used["since.token"]}
	switch {
	case !f.at.set && found.usable:
		c.problem(owner, "the request uses ${since}: say how with since: {format: …}")
		return found
	case !f.at.set:
		return found
	case !found.usable:
		c.problem(f.at, "since needs ${since} or ${since.token} somewhere in the request")
	}
	if f.format.set {
		found.format = c.sinceFormat(f.format)
	}
	if f.token.set {
		found.token = c.source(f.token)
	}
	if used["since.token"] != f.token.set {
		c.problem(or(f.token, f.at), "token and ${since.token} in the request belong together")
	}
	return found
}

var layoutWords = strings.NewReplacer("YYYY", "2006", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05", "SSS", "000")

func (c *compiler) sinceFormat(t text) string {
	word := c.word(t)
	if slices.Contains(sinceFormats, word) {
		return word
	}
	layout := layoutWords.Replace(word)
	if layout == word || !strings.Contains(layout, "2006") {
		c.problem(t, "%q is no format of a time%s", word, nearest(word, sinceFormats, "; known here: "+strings.Join(sinceFormats, ", ")+", or a pattern like YYYY-MM-DD hh:mm:ss"))
	}
	return layout
}
