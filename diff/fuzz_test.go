package diff

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// fuzzRules cut and sort something in most of what a fuzzer makes up.
var fuzzRules = []Rules{
	{},
	{KeepURLQueries: true, Ignore: []string{"a", "*.b", `x\.y`}, Sets: []string{"*", "c.*"}},
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, ` "a" `, `-0.0e-0`, `{"b":1,"a":[null,{"c":null}],"a":{"b":"\ud83d\ude00\ud83d"}}`,
		`[1,1.0,1e0,10e-1,0.1e1,-1E+2,1e999999999,10e99999999999999999999,1e-99999999999999999999]`,
		`{"c":[[3,2],[1],{"b":2,"a":1}],"x.y":1,"z":{"b":0,"c":["b","a"]}}`, `[{"id":1,"name":"x"},{"name":"y","id":2},{"id": 3}]`,
		`"https:\/\/files.example.com\/a.jpg?X-Amz-Date=20260101T000000Z&X-Amz-Signature=abc#top"`,
		`["http://h/p?sig=1&se=2","http://h/p?token=a&expires=1","https://h/?Policy=a&Signature=b","https://h/?id=22"]`,
		"{\"\xff\":\"\xed\xa0\x80\",\"\\u0000\":\"\\\\\\\"\\/\\b\\f\\n\\r\\t\"}", `{"a":1,"\u0061":2,"a" :3}`, "[\n\t1 ,\r\n 2 ]", `{"a":1}}`, `[01]`, `"\u12"`, "\"\n\"",
		strings.Repeat("[", 600) + strings.Repeat("]", 600), strings.Repeat(`{"a":`, 600),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, rules := range fuzzRules {
			c := canonicalizer(t, rules)
			got, err := c.Append(nil, record)
			again, err2 := c.Append([]byte("kept"), record) // now the keys are known
			switch {
			case (err == nil) != (err2 == nil) || string(again) != "kept"+string(got):
				t.Fatalf("first %q, %v\n then %q, %v", got, err, again, err2)
			case err != nil && strings.HasSuffix(err.Error(), tooDeep):
				if strings.Count(string(record), "{")+strings.Count(string(record), "[") <= maxDepth {
					t.Fatalf("%v, and it is not", err)
				}
			case err != nil:
				if json.Valid(record) {
					t.Fatalf("%v, and it is valid", err)
				}
			default:
				if want, ok := reference(record, rules); !ok || string(got) != want {
					t.Fatalf("under %+v\n got %q\nwant %q (valid: %t)", rules, got, want, ok)
				}
				d := digester(t, rules)
				if !slices.Equal(digestsIn(t, d, string(record)), digestsIn(t, d, string(got))) {
					t.Fatalf("%q and its form %q have other digests", record, got)
				}
			}
		}
	})
}

// FuzzFields holds the digests of two records against the slow reference: the sum is the
// canonical form's, the spelling means nothing, and the fields that differ are those that
// have other texts.
func FuzzFields(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"id":1,"a":{"b":1,"c":[{}]},"z":null}`, `{"z":2,"a":{"c":[{}],"b":2},"id":1}`}, {`{"a":{"b":{"c":"\"}"}}}`, `{"a":{"b":{}},"a":{"b":{"c":1.0}}}`},
		{`{"c":{"x":1,"bo@example.com":2}}`, `{"c":{"x":1,"bo@example.com":3}}`}, {`{"a":[1]}`, `{"a":{}}`}, {`[]`, `{"\u0061":1}`}, {"{\"\xff\":1}", `{"":1}`},
		{`{"c":{"a":{},"b":"}"},"x.y":{"b":1}}`, `{"c":{"a":"\\","b":"}"},"x.y":{"b":2}}`}, {`{"a":"https://h/p?sig=1&se=2"}`, `{"a":"https://h/p?sig=2&se=2"}`}, {`{`, `}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	paths := []string{"a.b.c", "c.*", `x\.y.b`}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		for _, rules := range fuzzRules {
			c := canonicalizer(t, rules)
			a, err := c.Append(nil, one)
			if err != nil {
				return
			}
			b, err := c.Append(nil, two)
			if err != nil {
				return
			}
			d := fieldDigester(t, rules, paths, nil)
			if sum, _, _ := d.Sum(one, 1); sum != xxhash.Sum64(a) {
				t.Fatalf("%q has the sum %x beside its digests", one, sum)
			}
			_, rows := rows(t, d, string(one), string(two), string(a), string(b))
			if !slices.Equal(rows[0], rows[2]) || !slices.Equal(rows[1], rows[3]) {
				t.Fatalf("%q and %q, or %q and %q, have other digests", one, a, two, b)
			}
			names, changed := surelyChanged(t, rules, paths, string(one), string(two))
			old, now := referenceFields(one, rules, paths, names), referenceFields(two, rules, paths, names)
			var want []string
			for _, name := range names {
				if old[name] != now[name] && len(old) > 0 && len(now) > 0 {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			if got := namesIn(names, changed); got != strings.Join(want, " ") {
				t.Fatalf("%q and %q differ in %q, want %q", one, two, got, want)
			}
		}
	})
}
