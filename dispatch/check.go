package dispatch

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// maxURL is the longest URL of a webhook, in bytes.
const maxURL = 2048

// checkURL judges a webhook's URL. It is used exactly as it is given, so it must be
// written as it goes over the wire.
func (m *Webhooks) checkURL(ctx context.Context, raw string) error {
	invalid := func(message string) error { return &InvalidError{"url", message} }
	if len(raw) > maxURL {
		return invalid(fmt.Sprintf("is longer than %d bytes", maxURL))
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return invalid("has spaces or characters beyond ASCII: percent-encode them, and write the host in punycode")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return invalid("is not a URL such as https://example.com/hooks")
	case u.Scheme != "http" && u.Scheme != "https":
		return invalid("must begin with https:// or http://, as in https://example.com/hooks")
	case u.Hostname() == "":
		return invalid("has no host")
	case u.User != nil:
		return invalid("holds a user name or password: put a token into its query instead")
	case strings.Contains(raw, "#"):
		return invalid("has a fragment, which is never sent")
	case u.String() != raw:
		return invalid("is not in its normal form: scheme in lower case, special characters percent-encoded")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return invalid("has no valid port")
		}
	}
	if err := m.config.Check(ctx, raw); err != nil {
		return invalid(err.Error())
	}
	return nil
}

// CheckNames judges event names and patterns as those of a webhook are judged. The error
// is an [*InvalidError] of the field, and suggests the nearest name.
func (m *Webhooks) CheckNames(field string, names []string) error {
	_, err := checkNames(field, names, m.config.Names())
	return err
}

// checkNames judges event names and patterns by the names there are, and returns them
// without repetitions.
func checkNames(field string, names, known []string) ([]string, error) {
	var checked []string
	for _, name := range names {
		if !slices.ContainsFunc(known, func(k string) bool { return matchName(name, k) }) {
			message := fmt.Sprintf("%q is not an event", name)
			if nearest := nearest(name, known); nearest != "" {
				message += fmt.Sprintf(": did you mean %q?", nearest)
			}
			return nil, &InvalidError{field, message}
		}
		if !slices.Contains(checked, name) {
			checked = append(checked, name)
		}
	}
	return checked, nil
}

// nearest is the known name, or pattern of known names, with the fewest edits to name.
func nearest(name string, known []string) string {
	best, fewest := "", len(name)
	try := func(candidate string) {
		if n := levenshtein.ComputeDistance(name, candidate); n < fewest {
			best, fewest = candidate, n
		}
	}
	for _, k := range known {
		try(k)
		if prefix, _, ok := strings.Cut(k, "."); ok {
			try(prefix + ".*")
		}
	}
	return best
}
