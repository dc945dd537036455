package diff

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// referenceFields is what each named field of a record says, as [FieldDigester] has it,
// by other means: from the reference's canonical text, through encoding/json, and slow.
func referenceFields(record []byte, rules Rules, paths, names []string) map[string]string {
	form, _ := reference(record, rules)
	w := fieldReference{paths: paths, names: names, out: map[string]string{}}
	w.object("", hexStrings(form))
	return w.out
}

type fieldReference struct {
	paths, names []string
	out          map[string]string
}

// object takes the members of what stands at a path, "" for the record.
func (w *fieldReference) object(at, text string) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil || !strings.HasPrefix(text, "{") {
		if at != "" {
			w.out[at] += text
		}
		return
	}
	var rest []string
	for _, quoted := range slices.Sorted(maps.Keys(members)) {
		key, _ := hex.DecodeString(quoted)
		name := strings.TrimPrefix(at+"."+escapeKey(string(key)), ".")
		value := string(members[quoted])
		split := slices.ContainsFunc(w.paths, func(p string) bool { return strings.HasPrefix(p, name+".") })
		switch {
		case slices.Contains(w.names, name) && split:
			w.object(name, value)
		case slices.Contains(w.names, name):
			w.out[name] = value
		default:
			rest = append(rest, quoted+value)
		}
	}
	if at != "" {
		w.out[at] += "{" + strings.Join(rest, ",")
	} else if len(rest) > 0 {
		w.out[otherFields] = strings.Join(rest, ",")
	}
}

func escapeKey(key string) string {
	return strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`).Replace(key)
}

// hexStrings writes what stands in the strings of a JSON text in hexadecimal digits:
// encoding/json changes what is not UTF-8.
func hexStrings(text string) string {
	return jsonStrings.ReplaceAllStringFunc(text, func(quoted string) string {
		return `"` + hex.EncodeToString([]byte(quoted[1:len(quoted)-1])) + `"`
	})
}

var jsonStrings = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"`)
