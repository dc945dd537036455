package diff

import (
	"fmt"
	"strings"
	"testing"
)

func TestIgnoredPaths(t *testing.T) {
	tests := []struct {
		ignore       []string
		record, want string
	}{
		{[]string{"a"}, `{"a":{"x":[1,2]},"b":1}`, `{"b":1}`},
		{[]string{"a.b"}, `{"a":{"b":1,"c":2},"b":3}`, `{"a":{"c":2},"b":3}`},
		{[]string{"a.b"}, `{"a":[{"b":1}]}`, `{"a":[{"b":1}]}`},
		{[]string{"a.*.b"}, `{"a":[{"b":1,"c":2},{"b":3},4,null]}`, `{"a":[{"c":2},{},4,null]}`},
		{[]string{"a.*.b"}, `{"a":{"x":{"b":1},"y":{"c":2}}}`, `{"a":{"x":{},"y":{"c":2}}}`},
		{[]string{"*.b", "a.c"}, `{"a":{"b":1,"c":2,"d":3},"x":{"b":1,"c":2}}`, `{"a":{"d":3},"x":{"c":2}}`},
		{[]string{"a.*"}, `{"a":[1,{"b":2}]}`, `{"a":[]}`},
		{[]string{"a.*"}, `{"a":{"x":1,"y":{}}}`, `{"a":{}}`},
		{[]string{"*"}, `{"a":1,"b":[2]}`, `{}`},
		{[]string{"*"}, `[1,2]`, `[]`},
		{[]string{"*.*.u"}, `[[{"u":1,"v":2}],{"k":{"u":1}}]`, `[[{"v":2}],{"k":{}}]`},
		{[]string{`a\.b`}, `{"a.b":1,"a":{"b":2}}`, `{"a":{"b":2}}`},
		{[]string{`\*`}, `{"*":1,"a":2}`, `{"a":2}`},
		{[]string{`\\`, `"q"`, "t\t"}, `{"\\":1,"\"q\"":2,"t\u0009":3,"t":4}`, `{"t":4}`},
		{[]string{"é"}, `{"\u00e9":1,"é":2,"e":3}`, `{"e":3}`},
		{[]string{"0"}, `[1,2]`, `[1,2]`},
		{[]string{"a"}, `{"a":1,"a":{"b":2},"c":3}`, `{"c":3}`},
	}
	for _, test := range tests {
		rules := Rules{Ignore: test.ignore}
		for range 2 {
			if got := canonical(t, rules, test.record); got != test.want {
				t.Errorf("without %q %s is\n     %s\nwant %s", test.ignore, test.record, got, test.want)
			}
		}
	}
}

func TestIgnoredPartsMustBeJSON(t *testing.T) {
	c := canonicalizer(t, Rules{Ignore: []string{"a"}})
	for _, record := range []string{`{"a":}`, `{"a":[1,}`, `{"a":{"b":01}}`, `{"a":"` + "\n" + `"}`} {
		if sum, err := c.Sum([]byte(record)); err == nil {
			t.Errorf("%s: got %x", record, sum)
		}
	}
}

func TestSets(t *testing.T) {
	tests := []struct {
		sets         []string
		record, want string
	}{
		{[]string{"a"}, `{"a":[3,1,2,1],"b":[2,1]}`, `{"a":[1,1,2,3],"b":[2,1]}`},
		{[]string{"a"}, `{"a":[{"y":1,"x":2},"b",null,[2,1],50000]}`, `{"a":["b",5e4,[2,1],null,{"x":2,"y":1}]}`},
		{[]string{"a", "a.*"}, `{"a":[[2,1],[1,1]]}`, `{"a":[[1,1],[1,2]]}`},
		{[]string{"a.*.t"}, `{"a":[{"t":[2,1]},{"t":[]}],"t":[2,1]}`, `{"a":[{"t":[1,2]},{"t":[]}],"t":[2,1]}`},
		{[]string{"a"}, `{"a":{"y":[2,1],"x":"b"}}`, `{"a":{"x":"b","y":[2,1]}}`},
	}
	for _, test := range tests {
		if got := canonical(t, Rules{Sets: test.sets}, test.record); got != test.want {
			t.Errorf("with sets %q %s is\n     %s\nwant %s", test.sets, test.record, got, test.want)
		}
	}
}

func TestBadPathsAreNamed(t *testing.T) {
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", `a\`, `a\b`, `a.\`} {
		for _, rules := range []Rules{{Ignore: []string{"good", bad}}, {Sets: []string{bad}}} {
			_, err := NewCanonicalizer(rules)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", bad)) {
				t.Errorf("%+v: %v", rules, err)
			}
		}
	}
}

func TestRecipeChangesWithTheRules(t *testing.T) {
	equal := [][]Rules{
		{{}, {Ignore: []string{}, Sets: []string{}}},
		{{Ignore: []string{"a", "b.c"}}, {Ignore: []string{"b.c", "a", "b.c"}}, {Ignore: []string{"a", "b.c", "a.x", "b.c.*"}}, {Ignore: []string{"a", "b.c"}, Sets: []string{"a", "b.c.d"}}},
		{{Ignore: []string{"*.b"}}, {Ignore: []string{"a.b", "*.b.c", "*.b"}}},
		{{Sets: []string{"a.*"}}, {Sets: []string{"a.b", "a.*", "a.*"}}},
		{{Ignore: []string{`\*`}}}, {{Ignore: []string{"*"}}}, {{Ignore: []string{"a"}}}, {{Sets: []string{"a"}}}, {{Sets: []string{"a", "a.*"}}}, {{Sets: []string{"b.c"}}},
		{{Ignore: []string{"a.b"}}}, {{Ignore: []string{`a\.b`}}}, {{Ignore: []string{"a", "b"}}}, {{Ignore: []string{"a"}, Sets: []string{"b"}}},
		{{Sets: []string{"*"}}}, {{Ignore: []string{"a"}, Sets: []string{"*"}}}, {{Ignore: []string{"a.b"}, Sets: []string{"a"}}}, {{KeepURLQueries: true}}, {{KeepURLQueries: true, Ignore: []string{"a"}}},
	}
	seen := map[string]Rules{}
	for _, group := range equal {
		recipe := group[0].Recipe()
		if other, ok := seen[recipe]; ok {
			t.Errorf("%+v and %+v have the recipe %s", other, group[0], recipe)
		}
		seen[recipe] = group[0]
		for _, rules := range group {
			if got := rules.Recipe(); got != recipe || len(got) > 32 {
				t.Errorf("%+v: got %s, want %s", rules, got, recipe)
			}
		}
	}
}

// A recipe and a sum stand in databases: when one of these differs, either a record's
// canonical form changed and Version must rise, or every stream is compared anew for
// nothing.
func TestRecipesAndSumsAreStored(t *testing.T) {
	if got, want := (Rules{}).Recipe(), "c1"; got != want {
		t.Errorf("recipe %s, want %s", got, want)
	}
	rules := Rules{Ignore: []string{"photo", "*.seen"}, Sets: []string{"tags"}}
	if got, want := rules.Recipe(), "c1-5aae1278aceed5ff"; got != want {
		t.Errorf("recipe %s, want %s", got, want)
	}
	record := `{"id":42,"name":"Ford \u00dc\/\ud83d\n","pay":1250.50,"photo":1,"tags":["b","a"],"off":null,"url":"https://a.example.com/?sig=1&se=2"}`
	sum, err := canonicalizer(t, rules).Sum([]byte(record))
	if want := uint64(0x95841129a7664cca); err != nil || sum != want {
		t.Errorf("sum %#x, %v, want %#x", sum, err, want)
	}
}
