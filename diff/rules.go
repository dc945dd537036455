package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Rules say what of a record does not count. The zero value ignores only the queries of
// signed URLs.
//
// A path is the keys from the record's root to a value, with dots between. The key * is
// any key and any element of an array; an element has no other name. In a key, \. is a
// dot, \* a star and \\ a backslash. A path that leads nowhere does no harm.
type Rules struct {
	Ignore         []string // paths that are left out, with all that is below
	Sets           []string // paths of arrays whose order means nothing
	KeepURLQueries bool     // signed URLs count with their query and fragment
}

// Recipe names what is hashed: [Version] and the rules, in at most 32 characters. It
// changes exactly when a record's hash may change: the order of paths, repeated ones and
// ones that others include don't matter. It means nothing for rules that
// [NewCanonicalizer] refuses.
func (r Rules) Recipe() string {
	paths, _ := r.paths()
	var texts []string
	for i, p := range paths {
		if !slices.ContainsFunc(paths[:i], func(q path) bool { return q.includes(p) }) {
			texts = append(texts, fmt.Sprintf("%t %q", p.set, p.keys))
		}
	}
	if len(texts) == 0 && !r.KeepURLQueries {
		return fmt.Sprintf("c%d", Version)
	}
	return fmt.Sprintf("c%d-%016x", Version, xxhash.Sum64String(fmt.Sprint(texts, r.KeepURLQueries)))
}

// anyKey stands for * in a path; keys are quoted, so it is none of them.
const anyKey = ""

// path is one rule: the keys as the canonical form writes them, or anyKey.
type path struct {
	keys []string
	set  bool // of Sets; else of Ignore
}

// paths returns the rules so that each stands behind those that may include it.
func (r Rules) paths() ([]path, error) {
	var paths []path
	for _, text := range r.Ignore {
		keys, err := parsePath(text)
		if err != nil {
			return nil, fmt.Errorf("ignored path %q: %w", text, err)
		}
		paths = append(paths, path{keys: keys})
	}
	for _, text := range r.Sets {
		keys, err := parsePath(text)
		if err != nil {
			return nil, fmt.Errorf("path of a set %q: %w", text, err)
		}
		paths = append(paths, path{keys: keys, set: true})
	}
	slices.SortFunc(paths, func(a, b path) int {
		if a.set != b.set {
			if b.set {
				return -1
			}
			return 1
		}
		return slices.Compare(a.keys, b.keys) // anyKey and the shorter path first
	})
	return paths, nil
}

// includes tells whether p makes q, which stands behind it, superfluous.
func (p path) includes(q path) bool {
	if len(p.keys) > len(q.keys) || p.set && len(p.keys) < len(q.keys) {
		return false
	}
	for i, key := range p.keys {
		if key != anyKey && key != q.keys[i] {
			return false
		}
	}
	return true
}

func parsePath(text string) ([]string, error) {
	var keys []string
	for rest, more := text, true; more; {
		end := keyEnd(rest)
		key, err := parseKey(rest[:end])
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
		if more = end < len(rest); more {
			rest = rest[end+1:]
		}
	}
	return keys, nil
}

// keyEnd returns the position of the first dot that is not escaped, or the end.
func keyEnd(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '.':
			return i
		case '\\':
			i++
		}
	}
	return len(text)
}

func parseKey(text string) (string, error) {
	switch text {
	case "":
		return "", errors.New("a key is empty")
	case "*":
		return anyKey, nil
	}
	key := []byte{'"'}
	for i := 0; i < len(text); i++ {
		b := text[i]
		if b == '\\' {
			if i++; i == len(text) || !strings.Contains(`.*\`, text[i:i+1]) {
				return "", errors.New(`\ must be followed by a dot, a star or another \`)
			}
			b = text[i]
		}
		if b == '"' || b == '\\' || b < ' ' {
			key = appendRune(key, rune(b))
		} else {
			key = append(key, b)
		}
	}
	return string(append(key, '"')), nil
}
