package diff

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func digester(t testing.TB, rules Rules) *Digester {
	t.Helper()
	d, err := NewDigester(rules)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Digests say neither more nor less than the canonical form, whatever the Digester has
// learned before.
func TestDigestsAreEqualWhereFormsAre(t *testing.T) {
	used := map[string]*Digester{}
	rapid.Check(t, func(t *rapid.T) {
		rules := Rules{
			Ignore:         rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b.*", `a\.b`, "*.c"}), 0, 2).Draw(t, "ignore"),
			Sets:           rapid.SliceOfN(rapid.SampledFrom([]string{"c", "a.*", "*.*.b"}), 0, 2).Draw(t, "sets"),
			KeepURLQueries: rapid.Bool().Draw(t, "keep"),
		}
		d := used[rules.Recipe()]
		if d == nil {
			var err error
			if d, err = NewDigester(rules); err != nil {
				t.Fatal(err)
			}
			used[rules.Recipe()] = d
		}
		value := values(4).Draw(t, "value")
		other := value
		if rapid.Bool().Draw(t, "change") {
			other = changed(t, value)
		}
		one, two := spell(t, value), spell(t, other)
		a, b := digestsIn(t, d, one), digestsIn(t, d, two)
		same := canonicalIn(t, d.canonical, one) == canonicalIn(t, d.canonical, two)
		if slices.Equal(a, b) != same {
			t.Fatalf("%q and\n%q under %+v\nhave equal forms: %t, equal digests: %t", one, two, rules, same, !same)
		}
		differ, reordered := d.Compare(a, b)
		if none := len(differ)+len(reordered) == 0; none != same {
			t.Fatalf("%q and\n%q under %+v\nhave equal forms: %t; %q differ, %q are reordered", one, two, rules, same, names(d, differ), names(d, reordered))
		}
	})
}

// A record whose arrays are shuffled differs in nothing but their order.
func TestShuffledArraysDifferInOrderOnly(t *testing.T) {
	d := digester(t, Rules{})
	rapid.Check(t, func(t *rapid.T) {
		value := values(4).Draw(t, "value")
		shuffled := shuffle(value, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		differ, _ := d.Compare(digestsIn(t, d, spell(t, value)), digestsIn(t, d, spell(t, shuffled)))
		if len(differ) > 0 {
			t.Fatalf("%v and %v differ in %q", value, shuffled, names(d, differ))
		}
	})
}

func shuffle(value any, r *rand.Rand) any {
	switch v := value.(type) {
	case []any:
		v = slices.Clone(v)
		for i := range v {
			v[i] = shuffle(v[i], r)
		}
		r.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		return v
	case object:
		copied := object{}
		for key, below := range v {
			copied[key] = shuffle(below, r)
		}
		return copied
	}
	return value
}

func TestComparedPaths(t *testing.T) {
	for name, c := range map[string]struct {
		rules             Rules
		old, new          string
		differ, reordered string
	}{
		"a field":                    {Rules{}, `{"id":1,"seen":5}`, `{"seen":6,"id":1}`, "seen", ""},
		"below a field":              {Rules{}, `{"a":{"b":{"c":1}}}`, `{"a":{"b":{"c":2}}}`, "a.b.c", ""},
		"a field of elements":        {Rules{}, `{"l":[{"a":1,"b":1},{"a":2,"b":2}]}`, `{"l":[{"a":1,"b":1},{"a":2,"b":3}]}`, "l.*.b", ""},
		"a field that comes":         {Rules{}, `{"a":1,"b":null}`, `{"a":1,"b":2}`, "b", ""},
		"a field that goes":          {Rules{}, `{"a":1,"b":2}`, `{"a":1}`, "b", ""},
		"another kind of value":      {Rules{}, `{"a":1}`, `{"a":{"b":1}}`, "a a.b", ""},
		"an array of texts":          {Rules{}, `{"l":["x","y"]}`, `{"l":["y","x"]}`, "", "l"},
		"an array of objects":        {Rules{}, `{"l":[{"a":1,"b":"x"},{"a":2,"b":"y"}]}`, `{"l":[{"a":2,"b":"y"},{"a":1,"b":"x"}]}`, "", "l"},
		"the inner of two arrays":    {Rules{}, `{"l":[[1,2],[3]]}`, `{"l":[[2,1],[3]]}`, "", "l.*"},
		"the outer of two arrays":    {Rules{}, `{"l":[[1,2],[3]]}`, `{"l":[[3],[1,2]]}`, "", "l"},
		"an array and a field of it": {Rules{}, `{"l":[{"a":1,"t":1},{"a":2,"t":2}]}`, `{"l":[{"a":2,"t":3},{"a":1,"t":4}]}`, "l.*.t", ""},
		"values change places":       {Rules{}, `{"l":[{"a":1,"b":1},{"a":2,"b":2}]}`, `{"l":[{"a":1,"b":2},{"a":2,"b":1}]}`, "l.*.b", ""},
		"an element more":            {Rules{}, `{"l":[1]}`, `{"l":[1,1]}`, "l.*", ""},
		"the last element":           {Rules{}, `{"l":[1]}`, `{"l":[]}`, "l l.*", ""},
		"in a set":                   {Rules{Sets: []string{"l"}}, `{"l":[{"at":3,"b":1},{"at":5,"b":2}]}`, `{"l":[{"at":9,"b":1},{"at":5,"b":2}]}`, "l.*.at", ""},
		"ignored":                    {Rules{Ignore: []string{"seen"}}, `{"seen":5}`, `{"seen":6}`, "", ""},
		"a map by address":           {Rules{}, `{"mail":{"bo@example.com":1}}`, `{"mail":{"bo@example.com":2}}`, "mail.*", ""},
		"the keys of a map":          {Rules{}, `{"mail":{"bo@example.com":1}}`, `{"mail":{"cy@example.com":1}}`, "mail.*", ""},
		"a signed URL":               {Rules{}, `{"p":"https://h/p?sig=a&se=1"}`, `{"p":"https://h/p?sig=b&se=2"}`, "", ""},
		"a signed URL that counts":   {Rules{KeepURLQueries: true}, `{"p":"https://h/p?sig=a&se=1"}`, `{"p":"https://h/p?sig=b&se=2"}`, "p", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := digester(t, c.rules)
			differ, reordered := d.Compare(digestsIn(t, d, c.old), digestsIn(t, d, c.new))
			if got := strings.Join(names(d, differ), " "); got != c.differ {
				t.Errorf("differ: %q, want %q", got, c.differ)
			}
			if got := strings.Join(names(d, reordered), " "); got != c.reordered {
				t.Errorf("reordered: %q, want %q", got, c.reordered)
			}
		})
	}
}

// Ignoring what differs, and what then still does because less is left, ends it.
func TestIgnoringWhatDiffersEndsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := values(3).Draw(t, "value")
		one, two := spell(t, object{"id": true, "v": value}), spell(t, object{"id": true, "v": changed(t, value)})
		var rules Rules
		for range 6 {
			d, err := NewDigester(rules)
			if err != nil {
				t.Fatal(err)
			}
			differ, reordered := d.Compare(digestsIn(t, d, one), digestsIn(t, d, two))
			found := names(d, append(differ, reordered...))
			if len(found) == 0 {
				return
			}
			rules.Ignore = append(rules.Ignore, found...)
		}
		t.Fatalf("%q and\n%q still differ when %q are ignored", one, two, rules.Ignore)
	})
}

// Keys of a map that has very many are data, also those that were seen first.
func TestManyKeysAreNoPaths(t *testing.T) {
	d := digester(t, Rules{})
	var before, after strings.Builder
	for i := range 2 * maxMembers {
		key := string([]byte{'a' + byte(i/26/26), 'a' + byte(i/26%26), 'a' + byte(i%26)})
		fmt.Fprintf(&before, `,%q:1`, key)
		fmt.Fprintf(&after, `,%q:2`, key)
	}
	old := digestsIn(t, d, `{"id":1,"by_name":{`+before.String()[1:]+`}}`)
	differ, _ := d.Compare(old, digestsIn(t, d, `{"id":1,"by_name":{`+after.String()[1:]+`}}`))
	if shown := names(d, differ); !slices.Equal(shown, []string{"by_name.*"}) {
		t.Errorf("shown: %q", shown)
	}
}

func TestPathKey(t *testing.T) {
	for _, key := range []string{"name", "jobTitle", "_restrictedFields", "custom_field-12345", "$ref", "line1"} {
		if PathKey(key) != key {
			t.Errorf("%s is shown as %s", key, PathKey(key))
		}
	}
	for _, key := range []string{"", "*", "12", "4321.0", "bo@example.com", "Ada Quill", "Zoë", "+4911", "c0ffee12-3456-7890-abcd-ef0123456789", "usr_2718281828", "a.b", strings.Repeat("x", 65)} {
		if PathKey(key) != "*" {
			t.Errorf("%s is shown as %s", key, PathKey(key))
		}
	}
}

// names are the paths, each once, in order.
func names(d *Digester, paths []int32) []string {
	var texts []string
	for _, path := range paths {
		texts = append(texts, d.Name(path))
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func digestsIn(t interface{ Fatalf(string, ...any) }, d *Digester, record string) []Digest {
	digests, err := d.Append(nil, []byte(record))
	if err != nil {
		t.Fatalf("%q: %v", record, err)
	}
	return digests
}
